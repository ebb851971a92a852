"""How a loop is compiled: without the GIL, and kept on the disk for the next process where that is possible.

numba is imported with the first call of any loop: a command that calls none needn't wait for numba.
"""

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class _Later:
    """A function that becomes numba's own with its first call, or with the first call of a loop that calls it."""

    def __init__(self, function: Callable[..., Any], make: Callable[[Callable[..., Any]], Any]) -> None:
        self._function = function
        self._make = make
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        return self.made(*arguments)

    @cached_property
    def made(self) -> Any:
        """What numba makes of the function."""
        # numba looks up what a loop calls in the loop's module, and knows its own functions alone.
        known = self._function.__globals__
        for name in self._function.__code__.co_names:
            if isinstance(called := known.get(name), _Later):
                known[name] = called.made
        return self._make(self._function)


def compiled(function: F) -> F:
    """The function as a loop that numba compiles when it is first called with arguments of some types; for decorators."""
    return cast(F, _Later(function, _compile))


def machine_instruction(function: Callable[..., Any]) -> Any:
    """An LLVM instruction that compiled loops call like a function; for decorators.

    The decorated function gives the instruction's signature and its generator. Its first argument, the context of types, is
    passed by numba: a loop leaves that argument out.
    """
    return _Later(function, _as_instruction)


def _compile(function: Callable[..., Any]) -> Any:
    """numba's loop of a function."""
    import numba

    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # No folder that may be written to for the cache: compiled anew in each process.
        return numba.njit(nogil=True)(function)


def _as_instruction(function: Callable[..., Any]) -> Any:
    """numba's instruction of a function."""
    from numba.extending import intrinsic

    return intrinsic(function)
