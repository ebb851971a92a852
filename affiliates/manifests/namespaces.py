"""What group.yaml says of a namespace's identifiers: how they are written, and which of their values name nobody. Pure."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from affiliates.manifests.base import Model, Text

Form = Literal["uuid", "integer", "hex"]
"""How all identifiers of a namespace are written."""


def _as_text(value: object) -> object:
    """A whole number as its text: -99 without quotation marks is a number to YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


NobodyText = Annotated[Text, BeforeValidator(_as_text)]
"""A value that stands for nobody, in any case of letters."""


class Namespace(Model):
    """What is known of a namespace's identifiers."""

    form: Form | None = None
    """How its identifiers are written: `uuid`, `integer` or `hex`. Spellings of one identifier become one, and an identifier of
    another form is refused. `email` and `phone` have forms of their own."""
    names_nobody: tuple[NobodyText, ...] = ()
    """Values of this namespace that name nobody, beside those that mauwatch knows."""
