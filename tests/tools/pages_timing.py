"""How fast the overview is there, in a browser: `python -m tests.tools.pages_timing [GROUP]`, of the tests' group by default.

Cold: a new browser without a cache. Warm: the same browser once more. `answer painted`: first contentful paint; `complete`:
React has put the page there and all charts are drawn; `main thread`: processor's time of the page's tasks until then; `wire`:
bytes, compressed. Milliseconds by the clock are noisy on a busy machine: the least of several visits is shown.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask
from playwright.sync_api import Browser

from dashboards.web.app import create_app
from tests.support.browser import OpenedPage, running_browser, served
from tests.support.pages_group import NOW, protect_by_header, write_pages_group

VISITS = 5
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
Measured = tuple[float, float, float, float]
"""Painted and complete in milliseconds, the main thread's milliseconds, bytes over the wire."""


def main(group: Path | None) -> None:
    """Print a row for a cold visit, and one for a warm one."""
    with TemporaryDirectory() as folder:
        directory = group or write_pages_group(Path(folder) / "group")
        server = create_app(directory, protect=protect_by_header, clock=lambda: NOW).server
        assert isinstance(server, Flask)
        with served(server) as site, running_browser() as browser:
            _visits(browser, site)  # What the server does once is no visitor's wait.
            visits = [_visits(browser, site) for _ in range(VISITS)]
    print("| visit | answer painted | complete | main thread | wire |\n|---|--:|--:|--:|--:|")
    for name, of_kind in zip(("cold", "warm"), zip(*visits, strict=True), strict=True):
        painted, complete, thread, wire = (min(values) for values in zip(*of_kind, strict=True))
        print(f"| {name} | {painted:.0f} ms | {complete:.0f} ms | {thread:.0f} ms | {wire / 1000:.0f} kB |")


def _visits(browser: Browser, site: str) -> tuple[Measured, Measured]:
    """A cold visit and a warm one."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    sizes: list[float] = []
    client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    opened = OpenedPage(page)

    def visit() -> Measured:
        sizes.clear()
        opened.open(site)
        complete = page.evaluate("() => performance.now()")
        metrics = {metric["name"]: metric["value"] for metric in client.send("Performance.getMetrics")["metrics"]}
        return page.evaluate(_PAINTED), complete, 1000 * metrics["TaskDuration"], sum(sizes)

    measured = visit(), visit()
    context.close()
    return measured


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
