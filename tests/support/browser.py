"""A browser and a server for the tests of pages: the system's Chromium, driven by Playwright, and an application on loopback."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
"""Without the flags about networking, Chromium looks up its maker's hosts at every start."""


def chromium() -> str:
    """The path of the system's browser. Fails, and skips nothing, where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.fail("no browser is here: the pages' tests take Chromium; install the package chromium (apt-get install chromium)")
    return path


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser without a window."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class _Quiet(WSGIRequestHandler):
    """Answers without a line for each request: a failed test would drown in them."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def served(application: Flask, port: int = 0) -> Iterator[str]:
    """The address of an application that is served on loopback; `port`: 0 for any that is free."""
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class OpenedPage:
    """A page that is open, with what its console has said of errors."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, address: str) -> int:
        """Open an address, and wait until React has put the page there and all charts are drawn; gives the status."""
        response = self.page.goto(address)
        assert response is not None
        self.wait()
        return response.status

    def wait(self) -> None:
        """Wait until the page is whole."""
        # Functions and not texts: a text is evaluated, which the pages' security headers forbid.
        self.page.wait_for_function("() => !document.querySelector('.first-paint') && document.querySelector('main')")
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('[data-chart]')].filter((slot) => slot.offsetParent)"
            ".every((slot) => slot.dataset.state === 'failed' || slot.dataset.state === 'drawn')"
        )


_CONTROLS = "a[href], button, input, summary, select, textarea, [tabindex='0']"
_WATCH = """
(controls) => {
  const look = (one) => {
    // At once what a transition leads to.
    one.getAnimations().forEach((moving) => moving.finish());
    const style = getComputedStyle(one);
    const outline = style.outlineStyle === "none" || parseFloat(style.outlineWidth) === 0 ? "" : style.outline;
    return [outline, style.boxShadow, style.borderColor, style.backgroundColor, style.textDecorationLine].join("|");
  };
  const all = [...document.querySelectorAll(controls)];
  const reachable = all.filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0);
  const before = new Map(reachable.map((one) => [one, look(one)]));
  const name = (one) => `${reachable.indexOf(one)} ${one.outerHTML.slice(0, 90)}`;
  window.walked = { expected: reachable.map(name), reached: [], unseen: [] };
  document.addEventListener("focusin", (event) => {
    const one = event.target;
    window.walked.reached.push(name(one));
    const box = one.getBoundingClientRect();
    const isOnScreen = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    if (!isOnScreen || look(one) === before.get(one)) window.walked.unseen.push(name(one));
  });
  return reachable.length;
}
"""
"""Notes what Tab reaches, and what looks as before when it is reached."""


def walk(page: Page) -> dict[str, list[str]]:
    """Tab through a page as whoever has no mouse: what should be reached in order, what was, and where nobody would see it."""
    page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    for _ in range(page.evaluate(_WATCH, _CONTROLS)):
        page.keyboard.press("Tab")
    noted: dict[str, list[str]] = page.evaluate("() => window.walked")
    return noted


_COLOURS = ["color-contrast", "link-in-text-block"]
"""axe's rules that look at colours; all others give the same in light and in dark."""


def is_whole_on_each_screen(opened: OpenedPage, folder: Path, name: str) -> list[Any]:
    """What is wrong with an open page at 1280 and 390 pixels, light and dark: axe's findings, and a page wider than the screen.

    Leaves a screenshot of each in the folder.
    """
    page = opened.page
    wrong: list[Any] = []
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "dark"), (390, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.wait_for_function(f"() => document.documentElement.dataset.mantineColorScheme === '{scheme}'")
        opened.wait()
        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        # Wider than the screen, and half of the page would have to be guessed at.
        if page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") > 0:
            wrong.append((width, scheme, "wider than the screen"))
        has_all_rules = (width, scheme) in ((1280, "light"), (390, "dark"))
        options = None if has_all_rules else {"runOnly": _COLOURS}
        for one in Axe().run(page, options=options).response["violations"]:
            wrong.append((width, scheme, one["id"], one["impact"], one["nodes"][0]["html"]))
    return wrong
