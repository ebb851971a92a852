"""Errors that nobody foresaw: reduced to kind, module and line, and nobody's wish to end is taken for one."""

import errno
from collections.abc import Callable

import polars as pl
import pytest

from affiliates import periods
from affiliates.errors import Code, Refusal, RefusedError, refused, refused_if_unforeseen, unforeseen_into

PLANTED = "alice.planted@example.org"
REFUSAL = refused(Code.SOURCE_MISSING, "a/app", "no file is there", "", "bring it")


class PanicException(BaseException):
    """What polars raises where its Rust code panics: no `Exception`."""


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: periods.month_from_text(PLANTED), "ValueError in affiliates.periods, line "),
    (lambda: {}[PLANTED], "KeyError in tests.affiliates.test_unforeseen, line "),  # type: ignore[index]
    (lambda: pl.Series([PLANTED]).cast(pl.Int64), "InvalidOperationError in "),
    (lambda: "ä".encode("ascii"), "UnicodeEncodeError in tests"),
    (raising(PanicException(PLANTED)), "PanicException in tests"),
    (raising(RecursionError(PLANTED)), "RecursionError in tests"),
    (raising(MemoryError(PLANTED)), "MemoryError in tests"),
    (raising(PermissionError(errno.EACCES, PLANTED, PLANTED)), "PermissionError in tests"),
]


@pytest.mark.parametrize(("act", "place"), ERRORS, ids=[place for _, place in ERRORS])
def test_an_error_becomes_a_refusal_of_one_thing(act: Callable[[], object], place: str) -> None:
    """Its text would stand in cron's mails, and in Dagster's databases for ever."""
    noted = list[Refusal]()
    with unforeseen_into("a/app", noted.append):
        act()
    (refusal,) = noted
    assert (refusal.code, refusal.subject) == (Code.ERROR_UNFORESEEN, "a/app")
    assert refusal.values.startswith(place)
    assert refusal.values.rpartition(" ")[2].isdigit()
    with pytest.raises(RefusedError) as caught, refused_if_unforeseen("a/app"):
        act()
    assert "planted" not in str(refusal) + str(caught.value) + repr(caught.value.__cause__)
    assert caught.value.__suppress_context__, "a traceback would show the error"


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(2), GeneratorExit(), OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "full"), REFUSAL],
    ids=repr,
)
def test_what_is_no_error_of_one_thing_passes(error: BaseException) -> None:
    """Ctrl-C would be one product's refusal; a full disk or a refusal would lose what it says."""
    noted = list[Refusal]()
    with pytest.raises(type(error)) as caught, unforeseen_into("a/app", noted.append):
        raise error
    assert (caught.value, noted) == (error, [])


def test_what_is_foreseen_by_the_caller_passes() -> None:
    with pytest.raises(FileNotFoundError), unforeseen_into("a", lambda _: None, foreseen=OSError):
        raise FileNotFoundError(errno.ENOENT, "gone")
