"""What libraries print by themselves on standard error: that they do, and nothing of whom it is about."""

import logging
import sys
import threading
import warnings

import pytest

from affiliates import errors

PLANTED = "alice.planted@example.org"


def test_what_libraries_say_by_themselves_quotes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """SQLAlchemy logs an error of its pool with the server's words, urllib3 a webhook's path, which is its password."""

    def fail() -> None:
        raise ValueError(PLANTED)

    class Final:
        def __del__(self) -> None:
            raise ValueError(PLANTED)

    log = logging.getLogger("made.up.library")
    before = logging.lastResort, threading.excepthook, sys.unraisablehook
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # pytest's own, which would take the records.
    try:
        with warnings.catch_warnings(), errors.libraries_reduced():
            warnings.simplefilter("always")
            warnings.warn(f"no type for {PLANTED}", RuntimeWarning, stacklevel=1)
            try:
                fail()
            except ValueError:
                log.exception("can't reset %s", PLANTED)
            log.warning("can't reach %s", PLANTED)
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
            del (final := [Final()])[0]
            assert final == []
    finally:
        root.handlers = handlers
    assert (logging.lastResort, threading.excepthook, sys.unraisablehook) == before
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" in ")[0] for line in lines] == [
        "a warning: RuntimeWarning",
        "error of made.up.library, ValueError,",
        "warning of made.up.library,",
        "an error that nobody foresaw: ValueError",
        "an error that nobody foresaw: ValueError",
    ]
    assert "planted" not in "".join(lines)


def test_of_several_inside_the_last_puts_back_what_was_there() -> None:
    """A code server looks at several things at once: the first that is done would else let the others' libraries speak."""
    before = logging.lastResort, threading.excepthook, sys.unraisablehook, warnings.showwarning
    first, second = errors.libraries_reduced(), errors.libraries_reduced()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threading.excepthook != before[1]
    second.__exit__(None, None, None)
    assert (logging.lastResort, threading.excepthook, sys.unraisablehook, warnings.showwarning) == before
