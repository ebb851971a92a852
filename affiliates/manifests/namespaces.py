"""What group.yaml says of a namespace's identifiers: how they are written, which of their values name nobody, and how many one
person has. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator

from affiliates.manifests.base import Model, Text

Form = Literal["uuid", "integer", "hex"]
"""How all identifiers of a namespace are written."""


def _as_text(value: object) -> object:
    """A whole number as its text: -99 without quotation marks is a number to YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


NobodyText = Annotated[Text, BeforeValidator(_as_text)]
"""A value that stands for nobody, in any case of letters."""

_SEVERAL = "several"
_FORMS = (
    "write 1, [1, 3] from the fewest to the most, [0.5, 1] where two people may share one, or `several` for an unknown number"
)


class IdentifierRange(NamedTuple):
    """From how many to how many identifiers of a namespace a person has who has any of them in a month."""

    fewest: float
    """Below 1 where people share one: 0.5 where two people may share one identifier."""
    most: int | None
    """Null for several without a number: then any number of identifiers may be one person's."""

    @property
    def shared_by(self) -> float:
        """How many people one identifier may stand for; at least 1.

        A person with two devices may have used only one of them in the month. So a range that begins above 1 says nothing of
        the identifiers that were seen, and never lowers an upper bound.
        """
        return 1 / min(self.fewest, 1)

    def fewest_people(self, identifiers: float) -> float:
        """How many people have so many identifiers at the least; where any number may be one person's, somebody alone."""
        return identifiers / self.most if self.most else min(identifiers, 1.0)

    def most_people(self, identifiers: float) -> float:
        """How many people have so many identifiers at the most."""
        return identifiers * self.shared_by

    def __str__(self) -> str:
        """The range as group.yaml has it."""
        if self.most is None:
            return _SEVERAL if self.fewest == 1 else f"[{self.fewest:g}, {_SEVERAL}]"
        return f"{self.most}" if self.fewest == self.most else f"[{self.fewest:g}, {self.most}]"


ONE = IdentifierRange(1, 1)
"""One identifier a person, which nobody shares."""
UNSAID = IdentifierRange(1, None)
"""What holds for a namespace of which nothing is said: any number of its identifiers may be one person's."""


def _number(value: object) -> object:
    """A text of digits as the number that it says; anything else as it is. YAML gives every value as its text."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,7})?", value):
        return value
    return float(value) if "." in value else int(value)


def _range(value: object) -> object:
    """1, [1, 3], [1, several] or several as the two ends of a range; anything else is refused by name."""
    if isinstance(value, IdentifierRange):
        return value
    value = [_number(end) for end in value] if isinstance(value, list | tuple) else _number(value)
    ends = [1, _SEVERAL] if value == _SEVERAL else [value, value] if isinstance(value, int | float) else value
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise ValueError(f"is no range of identifiers: {_FORMS}")
    fewest, most = ends
    most = None if most == _SEVERAL else most
    if isinstance(fewest, bool) or not isinstance(fewest, int | float) or not 0 < fewest < 1_000_000:
        raise ValueError(f"begins with no number over 0: {_FORMS}")
    if most is None:
        return fewest, None
    if isinstance(most, bool) or not isinstance(most, int | float) or most != int(most) or not 1 <= most < 1_000_000:
        raise ValueError(f"ends with no whole number of at least 1, which whoever has any has: {_FORMS}")
    if fewest > most:
        raise ValueError(f"begins above its end: {_FORMS}")
    return fewest, int(most)


IdentifiersPerPerson = Annotated[IdentifierRange, BeforeValidator(_range)]
"""A range of identifiers per person; written 1, [1, 3], [0.5, 2], [1, several] or several."""


class Namespace(Model):
    """What is known of a namespace's identifiers."""

    form: Form | None = None
    """How its identifiers are written: `uuid`, `integer` or `hex`. Spellings of one identifier become one, and an identifier of
    another form is refused. `email` and `phone` have forms of their own."""
    names_nobody: tuple[NobodyText, ...] = ()
    """Values of this namespace that name nobody, beside those that mauwatch knows."""
    identifiers_per_person: IdentifiersPerPerson | None = None
    """How many a person has in any month: 1 for accounts that nobody has twice, `[1, 3]` for one to three devices, `several`
    for an unknown number, `[0.5, 3]` where two people may share one. The lower bounds rest on it: left out, any number of them
    may be one person's."""


def ranges_of(namespaces: Mapping[str, Namespace]) -> dict[str, IdentifierRange]:
    """By namespace, the range that is said."""
    said = {name: namespace.identifiers_per_person for name, namespace in namespaces.items()}
    return {name: per_person for name, per_person in said.items() if per_person is not None}
