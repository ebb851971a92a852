"""What tests need to run services beside themselves."""

import socket
from collections.abc import Callable, Mapping


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


Put = Callable[[Mapping[str, bytes]], str]
