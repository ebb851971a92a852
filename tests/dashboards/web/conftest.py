"""One group, one server and one browser a worker for the pages' tests."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from flask import Flask
from playwright.sync_api import Browser

from dashboards.web.app import create_app
from tests.support.browser import OpenedPage, running_browser, served
from tests.support.dashboards import published_group
from tests.support.pages_group import NOW, protect_by_header, write_pages_group


@pytest.fixture(scope="session")
def pages_group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pages_group(tmp_path_factory.mktemp("pages") / "group")


@pytest.fixture(scope="session")
def application(pages_group: Path) -> Flask:
    server = create_app(pages_group, protect=protect_by_header, clock=lambda: NOW).server
    assert isinstance(server, Flask)
    return server


@pytest.fixture(scope="session")
def site(application: Flask) -> Iterator[str]:
    with served(application) as address:
        yield address


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ended with the pages' tests: Playwright's loop goes on in this thread, and Dagster begins one of its own in later tests."""
    with running_browser() as started:
        yield started


@pytest.fixture
def opened(browser: Browser) -> Iterator[OpenedPage]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    try:
        yield OpenedPage(context.new_page())
    finally:
        context.close()


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small published group for the tests of the server; whoever serves it takes a copy."""
    return published_group(tmp_path_factory.mktemp("published") / "group")


@pytest.fixture(scope="module")
def group(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module's own copy."""
    return copytree(published, tmp_path_factory.mktemp("served") / "group")
