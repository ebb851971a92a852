"""Answers that are kept in a worker's memory, the ones that were asked for last."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class AnswerCache(Generic[Answer]):
    """Answers by all that they depend on, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers = OrderedDict[Hashable, Answer]()
        self._lock = Lock()

    def of(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """The answer that is kept under a key, else the one that is made now, and kept."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        # Two requests may make the same answer: nobody waits for somebody else's page, and the later one replaces an equal one.
        answer = make()
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return answer
