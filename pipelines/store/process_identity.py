"""Identities of processes in stored rows (who sends a message, which process had a run), and whether a process has ended."""

import os
import socket

import psutil

_SAME_START = 1.5
"""Seconds that two starts of one process may differ: older rows have a whole number."""


def process_identity() -> str:
    """This process: host name, process number and start (seconds since 1970), divided by spaces.

    The start is there because the system gives a process number again once its process has ended.
    """
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.2f}"


def process_is_gone(identity: str) -> bool:
    """Whether the process with an identity of `process_identity` has ended; False for another host's process.

    A zombie has ended: it only waits for its parent to ask for its exit code.
    """
    # From the right: a host name may hold spaces.
    host, number, start = identity.rsplit(" ", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(number))
        return abs(process.create_time() - float(start)) > _SAME_START or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
