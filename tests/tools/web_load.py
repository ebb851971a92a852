"""Plays people at a dashboard behind a proxy: `python -m tests.tools.web_load PORT SECONDS '{"NAME": ["ROLE"]}'` prints JSON.

Each person opens pages, months and readings as a browser does: the page, then beside each other its layout, its callbacks' list,
and its charts; scripts once. A person reads for 1 to 4 seconds, and then the page asks whether newer figures are there, which a
browser does once a minute. On what-if three sliders follow, a second apart. Whoever has the role takes part in each.

A request that isn't answered by status 200 is an error, and so is a page without the person's own name.
"""

import asyncio
import json
import random
import re
import resource
import ssl
import sys
import time
from collections import defaultdict
from html import unescape
from typing import Any

import cramjam
import httpx

MONTHS = [f"{2025 + (8 + number) // 12}-{(8 + number) % 12 + 1:02}" for number in range(14)]
"""September 2025 to October 2026, which the demo has."""
READINGS = ("unique_people", "summed_products")
PAGES = {"/": 6, "/group": 3, "/licences": 3, "/forecast": 3, "/data": 1, "/whatif": 2}
"""How often each page is opened, by others."""
ONLY: dict[str, set[str]] = {"/whatif": {"deals"}}
READS = (1.0, 4.0)
"""Seconds between two pages, at least and at most."""
SLIDERS = 3
LIVE = "..whatif-answer.children...whatif-assumptions.children.."
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""One for all people: each of its own would read all certificates of the system."""
_CHART = re.compile(r'data-chart="(/[^"]+)"')
_PICTURE = re.compile(r'<img src="(/chart/[^"]+)"')
_ASSET = re.compile(r'(?:src|href|data-plotly)="(/assets/[^"]+)"')


class Person:
    """One person and the browser: cookies, six connections, and what was measured, by kind of request."""

    def __init__(self, port: int, name: str, roles: list[str], times: dict[str, list[float]], errors: list[str]) -> None:
        self._name = name
        self._roles = set(roles)
        self._times = times
        self._errors = errors
        self._origin = f"http://127.0.0.1:{port}"
        headers = {"X-Forwarded-User": name, "Accept-Encoding": "br", "Sec-Fetch-Site": "same-origin", "Origin": self._origin}
        limits = httpx.Limits(max_connections=6, keepalive_expiry=10)
        self._client = httpx.AsyncClient(base_url=self._origin, headers=headers, limits=limits, timeout=30, verify=_NO_TLS)
        self._csrf = f"_csrf_token_{port}"
        self._random = random.Random(name)
        self._has_scripts = False

    async def walk(self, end: float) -> None:
        """Open pages until the end."""
        # Nobody comes at the same moment.
        await asyncio.sleep(self._random.uniform(0, READS[1]))
        pages = {path: weight for path, weight in PAGES.items() if ONLY.get(path, self._roles) & self._roles}
        while time.monotonic() < end:
            path = self._random.choices([*pages], [*pages.values()])[0]
            await self._open(path)
            await asyncio.sleep(self._random.uniform(*READS))
        await self._client.aclose()

    async def _open(self, path: str) -> None:
        query = ""
        if path != "/whatif" and self._random.random() < 0.4:
            query = f"?month={self._random.choice(MONTHS)}&reading={self._random.choice(READINGS)}"
        page = await self._ask("pages", "GET", path + query)
        if self._name not in page:
            self._errors.append(f"{path}: another's page")
        referer = {"Referer": f"{self._origin}{path}{query}"}
        wanted = [("layouts", "/_dash-layout"), ("layouts", "/_dash-dependencies")]
        wanted += [("charts", unescape(address)) for address in (*_PICTURE.findall(page), *_CHART.findall(page))]
        if not self._has_scripts:
            wanted += [("scripts", unescape(address)) for address in _ASSET.findall(page)]
            self._has_scripts = True
        layout, *_ = await asyncio.gather(*(self._ask(kind, "GET", address, referer) for kind, address in wanted))
        if path == "/whatif":
            await self._what_if(json.loads(layout))
        await asyncio.sleep(self._random.uniform(*READS))
        state = _of_id(json.loads(layout), "state")["data"]
        await self._call("renewed.children", [_value("look-again", "n_intervals", 1)], [_value("state", "data", state)])

    async def _what_if(self, layout: Any) -> None:
        fields = [_value(part["id"], "value", part.get("value")) for part in _parts(layout) if _is_field(part)]
        base = _value("whatif-base", "data", _of_id(layout, "whatif-base")["data"])
        slider = next(field for field in fields if field["id"]["field"] == "overlap")
        await self._call(LIVE, [fields, base], [], "what-if, opened")
        for _ in range(SLIDERS):
            await asyncio.sleep(self._random.uniform(0.5, 1.5))
            slider["value"] = [self._random.randint(0, 40), 40]
            await self._call(LIVE, [fields, base], [], "what-if, sliders")

    async def _call(self, output: str, inputs: list[Any], state: list[Any], kind: str = "callbacks") -> None:
        outputs = [dict(zip(("id", "property"), one.split("."), strict=True)) for one in output.strip(".").split("...")]
        body = {
            "output": output, "outputs": outputs if output.startswith("..") else outputs[0], "inputs": inputs, "state": state,
            "changedPropIds": [],
        }  # fmt: skip
        token = self._client.cookies.get(self._csrf) or ""
        answer = await self._ask(kind, "POST", "/_dash-update-component", {"X-CSRFToken": token}, body)
        if output == LIVE and "Draft, not saved" not in answer:
            self._errors.append("what-if without an answer")

    async def _ask(self, kind: str, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> str:
        started = time.perf_counter()
        try:
            answer = await self._client.request(method, path, headers=headers, json=body)
        except httpx.HTTPError as error:
            self._errors.append(f"{path}: {type(error).__name__}")
            raise
        self._times[kind].append(1000 * (time.perf_counter() - started))
        if answer.status_code != 200:
            self._errors.append(f"{path}: {answer.status_code}")
        is_packed = answer.headers.get("Content-Encoding") == "br" and kind != "scripts"
        content = bytes(cramjam.brotli.decompress(answer.content)) if is_packed else answer.content
        return content.decode("utf-8", "replace")


def _value(identity: Any, name: str, value: Any) -> dict[str, Any]:
    return {"id": identity, "property": name, "value": value}


def _parts(layout: Any) -> list[dict[str, Any]]:
    """The properties of all components that have an id."""
    if isinstance(layout, list):
        return [part for one in layout for part in _parts(one)]
    if not isinstance(layout, dict):
        return []
    properties = layout.get("props") or {}
    return [properties] * ("id" in properties) + _parts(properties.get("children"))


def _of_id(layout: Any, identity: str) -> dict[str, Any]:
    return next(part for part in _parts(layout) if part["id"] == identity)


def _is_field(part: dict[str, Any]) -> bool:
    return isinstance(part["id"], dict) and part["id"].get("form") == "whatif"


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Number, median, 95th percentile and longest of each kind, in milliseconds."""
    kinds = {}
    for kind, values in sorted(times.items()):
        in_order = sorted(values)
        place = len(in_order) - 1
        kinds[kind] = {
            "number": len(in_order), "median": in_order[place // 2], "p95": in_order[round(0.95 * place)],
            "longest": in_order[-1],
        }  # fmt: skip
    return kinds


async def play(port: int, seconds: float, people: dict[str, list[str]]) -> dict[str, Any]:
    """Let people walk for so many seconds, and say what they met."""
    times: dict[str, list[float]] = defaultdict(list)
    errors: list[str] = []
    end = time.monotonic() + seconds
    walks = [Person(port, name, roles, times, errors).walk(end) for name, roles in people.items()]
    failed = [outcome for outcome in await asyncio.gather(*walks, return_exceptions=True) if isinstance(outcome, BaseException)]
    errors += [f"a person stopped: {error!r}" for error in failed if not isinstance(error, httpx.HTTPError)]
    # All of Dash's callbacks in one, what-if's among them.
    of_callbacks = [value for kind in ("callbacks", "what-if, opened", "what-if, sliders") for value in times[kind]]
    kinds = summary({**{kind: values for kind, values in times.items() if values}, "callbacks": of_callbacks})
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "users": len(people), "seconds": seconds, "requests": sum(map(len, times.values())), "errors": len(errors),
        "first_errors": errors[:5], "kinds": kinds, "generator_seconds": usage.ru_utime + usage.ru_stime,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(int(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3])))))
