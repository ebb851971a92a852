"""The group that the pages' tests show: the demo's manifests, and figures of its size (tests/data/pages)."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import flask
import zstandard
from flask import Flask

from dashboards.web.viewer import Role, Viewer
from pipelines.store.contributions import open_store
from tests.support.paths import ROOT

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
LEGEND = "Privileged and confidential. Prepared at the direction of counsel."
_STORE = ROOT / "tests" / "data" / "pages" / "store.sqlite.zst"
_HEADER = "X-Test-Viewer"


def write_pages_group(directory: Path, *edits: str) -> Path:
    """A group directory with its store; `edits`: SQL that changes the store."""
    shutil.copytree(ROOT / "demo" / "conglomerate", directory)
    (directory / "group.key").chmod(0o600)
    (directory / "alerts.yaml").write_text(f"legend: {LEGEND}\n")
    store = store_of(directory)
    store.parent.mkdir()
    store.write_bytes(zstandard.ZstdDecompressor().decompress(_STORE.read_bytes()))
    store.chmod(0o600)
    edit(directory, *edits)
    # The file may be of an older schema than the program's.
    with open_store("sqlite:///.mauwatch/store.sqlite", directory, create=True):
        pass
    return directory


def store_of(directory: Path) -> Path:
    """The store's file."""
    return directory / ".mauwatch" / "store.sqlite"


def edit(directory: Path, *edits: str) -> None:
    """Change the store behind the program's back."""
    with closing(sqlite3.connect(store_of(directory))) as database, database:
        for statement in edits:
            database.execute(statement)


def as_viewer(*roles: Role, affiliates: str = "") -> dict[str, str]:
    """The header by which a test says who looks."""
    return {_HEADER: f"{','.join(roles)}|{affiliates}"}


def protect_by_header(server: Flask) -> None:
    """An access check for tests of pages: whoever asks is who the header says, with all roles where it says nothing."""

    @server.before_request
    def viewer() -> None:
        roles, _, affiliates = flask.request.headers.get(_HEADER, f"{','.join(set(Role) - {Role.affiliate})}|").partition("|")
        names = frozenset(filter(None, affiliates.split(",")))
        flask.g.viewer = Viewer("alice@example.com", frozenset(map(Role, roles.split(","))), names)
