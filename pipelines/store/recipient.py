"""Where a message goes, as a value: known without a database, so that a heartbeat needs none."""

from typing import NamedTuple


class Recipient(NamedTuple):
    """Where a message goes."""

    channel: str
    """The channel's name in alerts.yaml."""
    number: int
    """Which of the channel's addresses, from 0: addresses themselves never lie in the store."""
