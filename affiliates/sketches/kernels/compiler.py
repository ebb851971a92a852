"""How a loop is compiled: without the GIL, and kept on the disk for the next process where that is possible."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as a loop that numba compiles when it is first called with arguments of some types; for decorators."""
    try:
        return cast(F, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # No folder that may be written to for the cache: compiled anew in each process.
        return cast(F, numba.njit(nogil=True)(function))


def machine_instruction(function: Callable[..., Any]) -> Any:
    """An LLVM instruction that compiled loops call like a function; for decorators.

    The decorated function gives the instruction's signature and its generator. Its first argument, the context of types, is
    passed by numba: a loop leaves that argument out.
    """
    return intrinsic(function)
