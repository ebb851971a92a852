"""What libraries say by themselves on standard error, reduced to kind, module and line: their texts may quote anybody."""

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from affiliates import errors


@contextmanager
def libraries_reduced() -> Iterator[None]:
    """Reduces what libraries print inside: warnings, log records that nobody handles, and errors in threads and finalisers."""
    before = warnings.showwarning, logging.lastResort, threading.excepthook, sys.unraisablehook
    warnings.showwarning = _show_warning
    logging.lastResort = _ReducedHandler(logging.WARNING)
    threading.excepthook = lambda given: _say_error(given.exc_type, given.exc_value, given.exc_traceback)
    sys.unraisablehook = lambda given: _say_error(given.exc_type, given.exc_value, given.exc_traceback)
    try:
        yield
    finally:
        warnings.showwarning, logging.lastResort, threading.excepthook, sys.unraisablehook = before


class _ReducedHandler(logging.Handler):
    """Says which library has something to say, how bad it is, and where; never its text, which may hold a value."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record without its message and its error."""
        kind = f", {record.exc_info[0].__name__}" if record.exc_info and record.exc_info[0] else ""
        _say(f"{record.levelname.lower()} of {record.name}{kind}, in {record.module}, line {record.lineno}")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"a warning: {category.__name__} in {filename.rpartition('/')[2]}, line {lineno}")


def _say_error(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if kind is not SystemExit:
        _say(f"an error that nobody foresaw: {errors.place_of((error or kind()).with_traceback(trace))}")


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(text, file=sys.stderr)
