"""Messages on their way, each in a process that is ended at a deadline by the wall clock, whatever the service does meanwhile.

A library's time limit is for each read: a service that answers a byte a second holds a thread for hours. A process can be ended.
"""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from pipelines.store.recipient import Recipient

EACH = 30.0
"""Seconds that a message, or the heartbeat's call, has from its beginning to its end."""
ALL = 120.0
"""Seconds that all messages of one sending have; what isn't begun then waits for the next."""
_AT_ONCE = 8
"""Messages on their way at once: so many services may be silent, and the next one is served all the same."""

Request = Mapping[str, Any]
"""What `pipelines.alerts.sender` is asked for: `what` (message or ping) and its further keys."""


class Answer(NamedTuple):
    """What became of a message."""

    recipient: Recipient
    failure: str | None
    """The kind of failure; null where the message was taken."""
    late: bool
    """Whether the deadline came first."""


class Senders:
    """The processes of one sending; a context manager, at whose end none is left."""

    def __init__(self) -> None:
        self._end = monotonic() + ALL - EACH
        self._idle = list[_Sender]()
        self._busy = dict[Recipient, _Sender]()
        """By recipient, the process with the message to it that is on its way."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for sender in [*self._idle, *self._busy.values()]:
            sender.end()

    @property
    def may_begin(self) -> bool:
        """Whether another message may be begun now."""
        return len(self._busy) < _AT_ONCE and monotonic() < self._end

    def begin(self, recipient: Recipient, request: Request) -> None:
        """Begin to send to a recipient that no message is on its way to."""
        sender = self._idle.pop() if self._idle else _Sender()
        self._busy[recipient] = sender
        sender.begin(request)

    def wait(self) -> list[Answer]:
        """Wait until one message or several of those on their way have an answer, or come to their deadline."""
        with selectors.DefaultSelector() as selector:
            for recipient, sender in self._busy.items():
                selector.register(sender.answers, selectors.EVENT_READ, recipient)
            deadline = min(sender.deadline for sender in self._busy.values())
            answered = {key.data for key, _ in selector.select(max(0.0, deadline - monotonic()))}
        return list(self._ended(answered))

    def ask(self, request: Request) -> str | None:
        """Send one message alone; the kind of failure, or null."""
        self.begin(Recipient("", 0), request)
        while not (answers := self.wait()):
            pass
        return answers[0].failure

    def _ended(self, answered: set[Recipient]) -> Iterator[Answer]:
        for recipient, sender in list(self._busy.items()):
            late = recipient not in answered and monotonic() >= sender.deadline
            if recipient not in answered and not late:
                continue
            failure = f"no end of it within {EACH:.0f} s" if late else sender.failure()
            del self._busy[recipient]
            if late or sender.has_ended:
                sender.end()
            else:
                self._idle.append(sender)
            yield Answer(recipient, failure, late)


class _Sender:
    """One process, which sends one message at a time."""

    def __init__(self) -> None:
        # Without the working directory among the places of modules: it is the user's. Without what libraries print: it quotes
        # addresses.
        command = [sys.executable, "-P", "-W", "ignore", "-m", "pipelines.alerts.sender", str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 arguments of our own
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        self.deadline = 0.0
        self.has_ended = False

    @property
    def answers(self) -> int:
        """The descriptor on which an answer comes."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def begin(self, request: Request) -> None:
        """Hand a request over; a process that has ended shows by its answer."""
        assert self._process.stdin is not None
        self.deadline = monotonic() + EACH
        try:
            self._process.stdin.write(json.dumps({**request, "seconds": EACH}).encode() + b"\n")
        except BrokenPipeError:
            self.has_ended = True

    def failure(self) -> str | None:
        """The answer that has come: the kind of failure, or null."""
        line = os.read(self.answers, 65536)
        if line.endswith(b"\n"):
            failure = json.loads(line)["failure"]
            return None if failure is None else str(failure)
        self.has_ended = True
        return "the process that sends has ended"

    def end(self) -> None:
        """End the process, and wait until it is gone."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()
