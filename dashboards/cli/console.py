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
    """Standard output: as wide as the terminal, or 120 columns in a file or a pipe, so that a table is the same everywhere.

    Names of entities may hold brackets, so rich reads no markup.
    """
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def errors() -> Console:
    """Standard error, as wide as `output`."""
    return Console(stderr=True, markup=False, highlight=False, width=None if sys.stderr.isatty() else WIDTH)


def print_json(answer: object) -> None:
    """Print an answer as JSON; characters beyond ASCII stay readable."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _parsed(text: str, form: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    # No contribution is from before 1971; a year such as 20226 is a typing mistake.
    if not 1971 <= day.year <= 2999:
        raise typer.BadParameter(f"write {form}")
    return day


def month_of(text: str) -> date:
    """The first day of a month given as YYYY-MM. Raises `typer.BadParameter` for another form or a year before 1971."""
    return _parsed(f"{text}-01", "a month as YYYY-MM, such as 2025-03")


def day_of(text: str | None) -> date | None:
    """A day given as YYYY-MM-DD; None for an option left out. Raises `typer.BadParameter` for another form."""
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
