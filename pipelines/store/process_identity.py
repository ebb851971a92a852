"""A process as stored rows name it, and whether that process is gone: who sends a message, in which process a run was."""

import os
import socket

import psutil

_SAME_START = 1.5
"""Seconds: older rows round the start to a whole one."""


def process_identity() -> str:
    """This process: host, process number and start (seconds since 1970), since another process may get the number later."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.2f}"


def process_is_gone(identity: str) -> bool:
    """Whether a process of this host, as `process_identity` names it, has ended; False for other hosts' processes.

    A zombie is gone: it does nothing any more, and only waits for its parent to ask for its exit code.
    """
    host, number, start = identity.rsplit(" ", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(number))
        return abs(process.create_time() - float(start)) > _SAME_START or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
