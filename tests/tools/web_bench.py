"""How fast the dashboard is: `python -m tests.tools.web_bench [GROUP] [--superset VENV]`, of the demo's 41 months by default.

`mauwatch dashboard` serves a copy of the group, as it serves anybody. Three parts:

- a visitor: Chromium opens the overview. Cold: a new browser context, which has kept nothing. Warm: the same context once more.
  `painted` is the first contentful paint, where the answer stands; `complete` is all but the drawn charts, which are a picture
  until then; `charts` is all of it. `thread` is the processor's time of the page's main thread until then, `wire` the bytes.
- a team: 50 people at once for a minute (`web_load`), who come by a proxy's header, each under a name of its own.
- others: the same number on Dagster's page, and in Superset where there is one (`web_compared`).

Times are medians by the clock: another program that takes the processor makes them longer. `load` is the machine's load before.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import yaml
from playwright.sync_api import Browser, Cookie
from rich.console import Console

from dashboards.web import one_time_link
from tests.support.browser import running_browser
from tests.support.dashboards import ServedDashboard, served, write_access
from tests.support.paths import ROOT
from tests.support.services import free_port

VISITS = 9
USERS = 50
SECONDS = 60
TODAY = "2026-11-15"
"""The demo's last month is then October 2026, and its months are 41."""
BARS = {
    "cold painted": 300, "cold complete": 1300, "cold charts": 1300, "cold thread": 1100, "cold wire": 950,
    "warm painted": 150, "warm complete": 600, "warm charts": 600, "warm wire": 30,
    "callbacks median": 30, "callbacks p95": 200, "errors": 0,
}  # fmt: skip
"""What each may be at most: milliseconds, kB, number."""
PROGRESS = Console(stderr=True)
Result = dict[str, Any]
_MARKS = """(() => {
  const marks = window.marks = {};
  const look = () => {
    const main = document.querySelector("main");
    if (!marks.complete && main && !document.querySelector(".first-paint")) marks.complete = performance.now();
    const slots = [...document.querySelectorAll("[data-chart]")].filter((slot) => slot.offsetParent);
    if (marks.complete && slots.every((slot) => slot.dataset.state === "drawn")) marks.charts = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


def demo(folder: Path) -> Path:
    """The demo at real size, as on a day."""
    PROGRESS.print("the demo of 41 months")
    command: list[str | Path] = [Path(sys.executable).parent / "mauwatch", "demo", folder / "demo", "--today", TODAY, "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return folder / "demo"


def visitor(group: Path, folder: Path, visits: int) -> Result:
    """Medians of so many visits, cold and warm, and the memory of a worker after them."""
    with served(group, folder / "visitor.log") as dashboard, running_browser() as browser:
        cookies = _way_in(browser, dashboard)
        _visit(browser, dashboard, cookies)  # The server's first answer of a moment is no visitor's wait.
        load = os.getloadavg()[0]
        kinds: dict[str, list[Result]] = {"cold": [], "warm": []}
        for number in range(visits):
            PROGRESS.print(f"visit {number + 1} of {visits}")
            for kind, measured in zip(kinds, _visit(browser, dashboard, cookies), strict=True):
                kinds[kind].append(measured)
        memory = [process.memory_info().rss / 1e6 for process in dashboard.workers()]
    medians = {f"{kind} {name}": median(one[name] for one in of_kind) for kind, of_kind in kinds.items() for name in of_kind[0]}
    return {"visits": visits, "load": load, "worker_megabytes": max(memory), **medians}


def _way_in(browser: Browser, dashboard: ServedDashboard) -> list[Cookie]:
    """The cookies of a session that a one-time link has begun."""
    context = browser.new_context()
    token = one_time_link.make(dashboard.directory / ".mauwatch" / "dashboard")
    context.request.get(f"http://127.0.0.1:{dashboard.port}/login?token={token}")
    cookies = context.cookies()
    context.close()
    return cookies


def _visit(browser: Browser, dashboard: ServedDashboard, cookies: list[Cookie]) -> list[Result]:
    """A cold visit and a warm one."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies(cookies)  # type: ignore[arg-type] # The same keys, as another type.
    page = context.new_page()
    page.add_init_script(_MARKS)
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    sizes: list[float] = []
    client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    measured = []
    for _ in range(2):
        sizes.clear()
        page.goto(f"http://127.0.0.1:{dashboard.port}/", wait_until="commit")
        page.wait_for_function("() => window.marks && window.marks.charts")
        metrics = {metric["name"]: metric["value"] for metric in client.send("Performance.getMetrics")["metrics"]}
        marks = page.evaluate("() => window.marks")
        measured.append(
            {"painted": page.evaluate(_PAINTED), **marks, "thread": 1000 * metrics["TaskDuration"], "wire": sum(sizes) / 1000}
        )
    context.close()
    return measured


@contextmanager
def team(group: Path, folder: Path, users: int) -> Iterator[ServedDashboard]:
    """A dashboard behind a proxy, for so many people: of ten, four are viewers, two of each other role of the group."""
    port = free_port()
    roles = [["viewer"]] * 4 + [["legal"]] * 2 + [["deals"]] * 2 + [["admin"]] * 2
    people = {f"user-{number}@example.com": {"roles": roles[number % 10]} for number in range(users)}
    write_access(group, url=f"http://127.0.0.1:{port}", proxy={"addresses": ["127.0.0.1"]}, viewers=people)
    try:
        with served(group, folder / "team.log", port=port) as dashboard:
            yield dashboard
    finally:
        (group / "dashboard.yaml").unlink()


def many(group: Path, folder: Path, users: int, seconds: int) -> Result:
    """What so many people meet, and what that takes of the server."""
    with team(group, folder, users) as dashboard:
        PROGRESS.print(f"{users} people for {seconds} seconds")
        people = {
            name: rights["roles"] for name, rights in yaml.safe_load((group / "dashboard.yaml").read_text())["viewers"].items()
        }
        load = os.getloadavg()[0]
        before = _processor(dashboard)
        command = [sys.executable, "-m", "tests.tools.web_load", str(dashboard.port), str(seconds), json.dumps(people)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"web_load: {done.stderr[-2000:]}")
        answer: Result = json.loads(done.stdout.splitlines()[-1])
        memory = [process.memory_info().rss / 1e6 for process in dashboard.workers()]
        processor = _processor(dashboard) - before
    return {**answer, "load": load, "server_seconds": processor, "worker_megabytes": max(memory)}


def _processor(dashboard: ServedDashboard) -> float:
    """Seconds of the processor that the server's processes have taken."""
    processes = [psutil.Process(dashboard.process.pid), *dashboard.workers()]
    return sum(process.cpu_times().user + process.cpu_times().system for process in processes)


def measured(group: Path | None, superset: Path | None, visits: int, users: int, seconds: int, compares: bool = True) -> Result:
    """All parts, on a copy of a group: nothing that is measured changes it."""
    from tests.tools import web_compared

    with TemporaryDirectory(prefix="mauwatch-web-") as name:
        folder = Path(name)
        copy = folder / "group"
        if group is None:
            copy = demo(folder)
        else:
            shutil.copytree(group, copy, ignore=shutil.ignore_patterns("data", "dagster", "dashboard", "dashboard.yaml"))
        answer: Result = {"visitor": visitor(copy, folder, visits)}
        answer["team"] = many(copy, folder, users, seconds)
        answer["others"] = web_compared.compared(copy, folder, superset) if compares else []
        return answer


def markdown(answer: Result) -> str:
    """The tables of tests/bench.md."""
    visit, load = answer["visitor"], answer["team"]
    lines = [
        "## Dashboard",
        f"The overview of the demo's 20 products and 41 months in Chromium, with `mauwatch dashboard` on the same two cores: "
        f"medians of {visit['visits']} visits. Cold: a browser that has kept nothing; warm: the same once more. The machine's "
        f"load before was {visit['load']:.1f}.",
        "",
        "| visit | answer painted | overview complete | charts drawn | main thread | over the wire |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for kind in ("cold", "warm"):
        times = " | ".join(f"{visit[f'{kind} {name}']:.0f} ms" for name in ("painted", "complete", "charts", "thread"))
        lines.append(f"| {kind} | {times} | {visit[f'{kind} wire']:.0f} kB |")
    lines += [
        "",
        f"{load['users']} people at once for {load['seconds']} s, a name and a session each, who walk through pages, months and "
        f"charts, and move sliders; the program that plays them shares the two cores. {load['requests']:,} requests, "
        f"{load['errors']} errors, {load['server_seconds']:.0f} s of the processor by the server, "
        f"{load['generator_seconds']:.0f} s by the players; at most {load['worker_megabytes']:.0f} MB a worker. The machine's "
        f"load before was {load['load']:.1f}.",
        "",
        "| asked for | number | median | p95 | longest |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {kind} | {one['number']:,} | {one['median']:.0f} ms | {one['p95']:.0f} ms | {one['longest']:.0f} ms |"
        for kind, one in load["kinds"].items()
    ]
    if answer["others"]:
        lines += ["", "From the address to the number on the screen, in one run, medians of 5, cold and warm:", ""]
        lines += ["| page | cold | ratio | warm | ratio |", "|---|--:|--:|--:|--:|"]
        for one in answer["others"]:
            if "why" in one:
                lines.append(f"| {one['page']} | not here: {one['why']} | | | |")
                continue
            ratios = [f"{one[kind] / answer['others'][0][kind]:.1f}" for kind in ("cold", "warm")]
            lines.append(f"| {one['page']} | {one['cold']:.0f} ms | {ratios[0]} | {one['warm']:.0f} ms | {ratios[1]} |")
    return "\n".join(lines)


def against_bars(answer: Result) -> list[tuple[str, float, float]]:
    """Each bar with what was measured, and what it may be at most."""
    callbacks = answer["team"]["kinds"]["callbacks"]
    of_team = {"callbacks median": callbacks["median"], "callbacks p95": callbacks["p95"], "errors": answer["team"]["errors"]}
    values = {**answer["visitor"], **of_team}
    return [(name, values[name], bar) for name, bar in BARS.items()]


def main() -> None:
    """Print the tables, and below them each bar; the exit code is 1 where one is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("group", nargs="?", type=Path, help="a group directory; the demo of 41 months by default")
    parser.add_argument("--superset", type=Path, help="a virtual environment with apache-superset, to be compared with")
    parser.add_argument("--visits", type=int, default=VISITS)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--alone", action="store_true", help="compare with nobody")
    parser.add_argument("--json", action="store_true", help="print the numbers alone, as one line")
    given = parser.parse_args()
    answer = measured(given.group, given.superset, given.visits, given.users, given.seconds, not given.alone)
    if given.json:
        print(json.dumps(answer))
        return
    print(markdown(answer), end="\n\n")
    bars = against_bars(answer)
    for name, value, bar in bars:
        print(f"{'met   ' if value <= bar else 'MISSED'} {name}: {value:.0f}, at most {bar}")
    for error in answer["team"]["first_errors"]:
        print(f"error: {error}")
    ratios = [
        one[kind] / answer["others"][0][kind] for one in answer["others"][1:] if "why" not in one for kind in ("cold", "warm")
    ]
    if ratios:
        print(f"{'met   ' if min(ratios) >= 3 else 'MISSED'} times as fast as others: {min(ratios):.1f}, at least 3")
    raise SystemExit(any(value > bar for _, value, bar in bars) or any(ratio < 3 for ratio in ratios))


if __name__ == "__main__":
    main()
