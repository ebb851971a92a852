"""The process that sends, `python -m pipelines.alerts.sender`: a line of standard input is a request, a line of output an answer.

A service that answers a byte a second can't be left by a thread, and a library's time limit is for each read. So whoever waits
ends this process (`pipelines.alerts.sending`). Addresses hold secrets: they come by standard input and stand in no list of
processes.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
from typing import Any

MARGIN = 5.0
"""Seconds after the deadline at which this process ends by itself, were its parent not there to end it."""
_PR_SET_PDEATHSIG = 1
"""Of `prctl`, in linux/prctl.h."""


def answer(request: dict[str, Any]) -> str | None:
    """Do what a request asks for; the kind of failure, or null. Figures go to allowed domains alone."""
    # Imported here: the request is read first, so that whoever writes it never waits for imports.
    from pipelines.alerts import channels

    if request["what"] == "ping":
        return channels.ping(request["url"], request["kind"])
    form = "full" if channels.may_have_figures(request["url"], request["allowed"]) else "bare"
    title, text = request[form]
    # Files hold figures, too.
    attached = request.get("attached", ()) if form == "full" else ()
    return channels.send(request["url"], title, text, request["key"], request["fields"], attached)


def main() -> None:
    """Answer request after request, until standard input ends."""
    _end_with_parent(int(sys.argv[1]))
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # What a plugin prints is no answer.
    # The signal's own action ends the process wherever it is, be it in a library's C code.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    for line in sys.stdin.buffer:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, request["seconds"] + MARGIN)
        try:
            failure = answer(request)
        except Exception as error:  # noqa: BLE001 its text may quote an address
            failure = type(error).__name__
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(answers, json.dumps({"failure": failure}).encode() + b"\n")


def _end_with_parent(parent: int) -> None:
    """Have Linux end this process with the one that has started it. Elsewhere the end of standard input, or the alarm, does."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It has ended before.
            sys.exit(1)


if __name__ == "__main__":
    main()
