"""A browser and a server for the tests of pages: the system's Chromium, driven by Playwright, and an application on loopback."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
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
