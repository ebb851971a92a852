"""What the command line reads and writes with: dates, tables, JSON, a bar of progress."""

import codecs
import gc
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment

from affiliates.errors import Code, json_in_plain_sight, lines_in_plain_sight, refused

if TYPE_CHECKING:
    from pipelines.workflows.report import Progress as Told


WIDTH = 120
"""Of tables that go to a file or a pipe."""
LINES = 1000
"""Of a file or a pipe, where nothing scrolls away."""
_LEAST_WIDTH = 80
"""Of tables on a terminal. A narrower terminal breaks their lines; rich would cut `undetermined` to `under`."""
SCHEMA_VERSION = 1
"""Of all JSON answers: it rises when a key goes or means something else, and not when a key is added."""
_PLAIN = {"–": "-", "─": "-", "━": "-", "×": "x", "…": "...", "→": "->", "±": "+-", "“": '"', "”": '"', "’": "'"}
"""What stands for the signs of our own texts where a terminal doesn't have them."""


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    """A handler of encoding errors: a plain sign for each of ours, and the number (`\\xe4`) of any other."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = (
        _PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in error.object[error.start : error.end]
    )
    return "".join(shown), error.end


def prepare_streams() -> None:
    """Let standard output and error print every text in whatever encoding they have, and paths that are no text."""
    codecs.register_error("mauwatch", _in_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="mauwatch")


class PlainConsole(Console):
    """rich's console, on which a text can't move the cursor, clear the screen or turn the direction of writing.

    Manifests refuse such texts; names of files, columns and entities also come from elsewhere, and from older stores.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of what is printed; colours and styles are no part of their texts."""
        for segment in super().render(renderable, options):
            # A long table has many pieces, each of which comes by here once for each table, cell and text around it.
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=lines_in_plain_sight(segment.text))


def output() -> Console:
    """Standard output: as wide as the terminal, or 120 columns in a file or a pipe, so that a table is the same everywhere.

    Names of entities may hold brackets, so rich reads no markup.
    """
    return _console(stderr=False)


def lines_of(out: Console) -> int:
    """The lines of a terminal; many in a file or a pipe, where nothing scrolls away."""
    return out.height if out.is_terminal else LINES


def errors() -> Console:
    """Standard error, as wide as `output`."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    if not (sys.stderr if stderr else sys.stdout).isatty():
        return PlainConsole(stderr=stderr, markup=False, highlight=False, width=WIDTH)
    terminal = PlainConsole(stderr=stderr, markup=False, highlight=False)
    if terminal.width < _LEAST_WIDTH:
        terminal.width = _LEAST_WIDTH
    return terminal


def say(text: object) -> None:
    """Print lines of text as they are, unbroken; what isn't shown but obeyed stands there as an escape."""
    typer.echo(lines_in_plain_sight(str(text)))


def print_json(answer: Any) -> None:
    """Print an answer as JSON, with the version of its schema: in the answer, or in each object of a list.

    Characters beyond ASCII stay readable where standard output is UTF-8.
    """
    version = {"schema_version": SCHEMA_VERSION}
    said = [version | item for item in answer] if isinstance(answer, list) else version | answer
    typer.echo(json_in_plain_sight(json.dumps(said, indent=2, ensure_ascii=not _is_utf8())))


def print_exactly(text: str) -> None:
    """Print a text that a program reads, such as a query: in UTF-8, whatever the terminal's encoding is."""
    if _is_utf8() or not isinstance(sys.stdout, TextIOWrapper):
        typer.echo(text, nl=False)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _is_utf8() -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def confirm(subject: str, question: str, yes: bool) -> None:
    """Ask before something is lost, unless `yes`. Raises `RefusedError` for the answer no, and where nobody can be asked."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise refused(
            Code.NOT_CONFIRMED, subject, "has to be confirmed", "nobody can be asked here", "say --yes, or ask at a terminal"
        )
    if not typer.confirm(question, err=True):
        raise refused(Code.NOT_CONFIRMED, subject, "wasn't confirmed", "nothing was changed", "give the command again to go on")


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
def collecting_rarely() -> Iterator[None]:
    """For runs over many products: Python looks for garbage among a run's objects a fifteenth as often, and finds as much."""
    before = gc.get_threshold()
    gc.set_threshold(10_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def without_collecting() -> Iterator[None]:
    """For large imports: looking for garbage among the objects of Dagster's modules takes half a second of two, and
    finds none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
