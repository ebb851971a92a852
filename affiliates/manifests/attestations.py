"""attested/YYYY-MM.yaml: what people vouch for when a month is closed. Pure.

A figure can be computed again from sketches. Whether the list of products is whole, and what "active" means, can't: a person
has to say so.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from affiliates.manifests.base import Day, Model, Name, Sha256, Text


class Attestation(Model):
    """What a person vouches for in the name of an affiliate."""

    affiliate: Name
    """The affiliate's entity."""
    by: Text
    """Name or office of who vouches for it."""
    on: Day
    """The day of the attestation."""
    products_complete: bool
    """Whether the manifest lists all of the affiliate's products."""
    active: Text
    """What the affiliate's products mean by active, in words."""
    exclusions: Text
    """Who isn't counted, in words; `none` where everybody is."""
    document: Text | None = None
    """The document in which the attestation stands."""
    sha256: Sha256 | None = None
    """The document's digest."""


class Reconciliation(Model):
    """A figure of a product, or of the group, that was published elsewhere, beside ours."""

    product: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)?$", max_length=129)]
    """The product as affiliate/product, or the group's name."""
    published: Annotated[int, Field(ge=0)]
    """The number that was published."""
    unit: Text
    """What was counted, such as people or accounts."""
    definition: Text
    """By which definition, in words."""
    on: Day
    """The day of publication."""
    source: Text
    """Where the number stands, such as an annual report and its page."""
    reason: Text
    """Why the number differs from ours."""


class Attested(Model):
    """attested/YYYY-MM.yaml: what was attested and reconciled for one month."""

    attestations: tuple[Attestation, ...] = ()
    """One for each affiliate."""
    reconciliation: tuple[Reconciliation, ...] = ()
    """Figures that were published elsewhere."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [attestation.affiliate for attestation in self.attestations]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`attestations` must name each affiliate once: {', '.join(twice)}")
        return self
