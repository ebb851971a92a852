"""The texts of a stranger's file that are kept and shown as they are: each has one form, and no room for anybody's name.

Stricter than the store's columns need: PostgreSQL ends the whole transaction for a text that is too long or holds a zero byte,
and a free text could carry somebody's address into a table that is never cleared of it.
"""

import re

from affiliates.contributions.contract import Contribution, printable_ref
from affiliates.errors import Code, Refusal

_FORMS = {
    "definition": r"[a-z0-9][a-z0-9_.-]{0,63}/[0-9]{1,6}",
    "definition_digest": r"[0-9a-f]{64}",
    "producer": r"[A-Za-z0-9][A-Za-z0-9 ,._+()/:-]{0,199}",
}
"""By field, the pattern of its texts."""


def refusal(contribution: Contribution) -> Refusal | None:
    """Why a contribution's texts aren't taken; nothing where they are. The message names the columns, never a text."""
    texts = {name: getattr(contribution, name) for name in _FORMS}
    wrong = [name for name, text in texts.items() if text is not None and not re.fullmatch(_FORMS[name], text)]
    if not wrong:
        return None
    subject = f"{printable_ref(contribution.ref)}, {contribution.activity_date}"
    next_step = "write the definition as id/version, its digest in hex, and engine and version as the producer"
    return Refusal(Code.CONTRIBUTION_VALUES_INVALID, subject, "a text isn't what it ought to be", ", ".join(wrong), next_step)
