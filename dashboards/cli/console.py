"""What the command line reads and writes with: dates, tables, JSON, a bar of progress."""

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from pipelines.workflows.report import Progress as Told


WIDTH = 120
"""Of tables that go to a file or a pipe."""


def output() -> Console:
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def errors() -> Console:
    return Console(stderr=True, markup=False, highlight=False, width=None if sys.stderr.isatty() else WIDTH)


def print_json(answer: object) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _parsed(text: str, form: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1971 <= found.year <= 2999:
        raise typer.BadParameter(f"write {form}")
    return found


def month_of(text: str) -> date:
    return _parsed(f"{text}-01", "a month as YYYY-MM, such as 2025-03")


def day_of(text: str | None) -> date | None:
    return _parsed(text, "a day as YYYY-MM-DD, such as 2025-03-31") if text else None


@contextmanager
def progress_bar() -> Iterator["Told"]:
    """A bar on standard error, where a person sees it."""
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("")
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


@contextmanager
def without_collecting() -> Iterator[None]:
    """For large imports: looking for garbage among the objects of Dagster's modules takes half a second of two, and
    finds none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
