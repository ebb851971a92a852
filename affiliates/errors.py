"""The one shape of an error: what it is about, which rule, which values, what to do next."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./ -]{0,63}")
_NUMBER = re.compile(r"\d{5}|[0-9a-fA-F]{12}")


@dataclass(eq=False)
class Refusal(Exception):
    """Something was refused; nothing has been changed.

    `values` are counts, days, column names or settings, never an identifier or a key.
    """

    subject: str
    rule: str
    values: str
    next_step: str

    def __str__(self) -> str:
        values = f" ({self.values})" if self.values else ""
        return f"{self.subject}: {self.rule}{values}. Next: {self.next_step}."


class Refused(Exception):
    """Several refusals at once, in the order in which a person would mend them."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(refusals)
        self.refusals = tuple(refusals)

    def __str__(self) -> str:
        return "\n".join(str(refusal) for refusal in self.refusals)


def shown(text: str) -> str:
    """A stranger's text where it can only be a name: what could be a number of somebody, an address or a key is left out."""
    return text if _NAME.fullmatch(text) and not _NUMBER.search(text) else "…"


def begin_of(digest: str) -> str:
    """Of a digest what tells it from another; of anything else nothing."""
    return digest[:12] if re.fullmatch("[0-9a-f]{64}", digest) else "…" if digest else "none"
