"""grants.yaml: licences granted, side letters, and who accepted which licence for whom; each with its days and document."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from affiliates.errors import Code, Refusal, alike, did_you_mean
from affiliates.manifests.base import Dated, Model, Name, Text
from affiliates.manifests.yaml_lines import Document

Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64}|git-blob:[0-9a-f]{40})$")]


class Paper(Model):
    """A document, by its name and its digest."""

    name: Text
    """Its name, such as `letter of 2025-05-28`."""
    digest: Digest | None = None
    """SHA-256 or git blob of its bytes."""


class Covers(Model):
    """What a grant is for, where it isn't for the licensee with all that it and its affiliates offer."""

    entities: tuple[Name, ...] = ()
    """Entities with all of their products."""
    products: tuple[str, ...] = ()
    """As affiliate/product."""


class Cap(Model):
    """A grant's own threshold, counted in its own way."""

    users: Annotated[int, Field(gt=0)]
    """The grant's own threshold."""
    reading: Name
    """Of readings.yaml: how the grant counts. Each calendar month from the grant's first day on has to be at or below it."""
    of: Literal["group", "covered"] = "group"
    """Whose users: the group's, or those of what it covers."""


class Reporting(Model):
    """What is to be reported to the licensor."""

    duty: Text
    """What is to be reported."""
    due: date
    """The first day by which it is due."""
    every_months: Annotated[int, Field(ge=1, le=60)] | None = None
    """How often it is due again; once without it."""


class Grant(Dated):
    """A licence granted, or a side letter."""

    id: Name
    """A short name, once in the file."""
    kind: Literal["grant", "side_letter"] = "grant"
    """A licence granted, or a side letter."""
    licences: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Ids of the registry."""
    licensee: Name
    """The entity to which it was granted."""
    covers: Covers | None = None
    """What it is for; without it, all that the licensee and its affiliates offer."""
    from_: date = Field(alias="from")
    """Its first day."""
    cap: Cap | None = None
    """Its own threshold."""
    reporting: tuple[Reporting, ...] = ()
    """What is to be reported to the licensor."""
    document: Paper
    """Where it stands."""

    def is_for(self, entity: str, product: str | None = None) -> bool:
        """Whether it is for a product of an entity; without a product, for all of what a licensee offers."""
        if self.covers is None:
            return product is not None or entity == self.licensee
        if product is None:  # What is offered by others of the group isn't covered, so all of it isn't either.
            return False
        return entity in self.covers.entities or f"{entity}/{product}" in self.covers.products


class AcceptedVersion(Model):
    """A licence that somebody accepted for an entity."""

    licence: Name
    """The licence's id in the registry."""
    entity: Name
    """For whom it was accepted."""
    by: Text
    """Name or office of who accepted it."""
    on: date
    """The day. Write the key in quotes: YAML takes the bare word for `true`."""
    text: Digest | None = None
    """Of the text that was accepted."""
    revision: Text | None = None
    """The model's revision with which it came."""


class Grants(Model):
    """grants.yaml."""

    grants: tuple[Grant, ...] = ()
    """Licences granted, and side letters."""
    accepted: tuple[AcceptedVersion, ...] = ()
    """Who accepted which licence, and for whom."""


def check(grants: Grants, doc: Document, entities: Mapping[str, Collection[str]], readings: Collection[str]) -> Iterator[Refusal]:
    """What must hold between grants.yaml and the other manifests. `entities`: the products of each."""
    products = [f"{entity}/{product}" for entity, found in entities.items() for product in found]
    for i, grant in enumerate(grants.grants):
        at = ("grants", i)
        if grant.id in [other.id for other in grants.grants[:i]]:
            yield Refusal(Code.MANIFEST_NAME_TWICE, doc.at(at), "two grants have one id", grant.id, "rename one of them")
        yield from _known(doc, (*at, "licensee"), [grant.licensee], entities, "entity")
        if grant.covers is not None:
            yield from _known(doc, (*at, "covers", "entities"), grant.covers.entities, entities, "entity")
            yield from _known(doc, (*at, "covers", "products"), grant.covers.products, products, "product")
            if not grant.covers.entities and not grant.covers.products:
                yield Refusal(
                    Code.MANIFEST_VALUE_INVALID,
                    doc.at((*at, "covers")),
                    "covers nothing",
                    grant.id,
                    "name entities or products, or leave it out",
                )
        if grant.cap is not None:
            yield from _known(doc, (*at, "cap", "reading"), [grant.cap.reading], readings, "reading")
    for i, accepted in enumerate(grants.accepted):
        yield from _known(doc, ("accepted", i, "entity"), [accepted.entity], entities, "entity")


def _known(
    doc: Document, at: tuple[str | int, ...], named: Collection[str], known: Collection[str], what: str
) -> Iterator[Refusal]:
    for name in named:
        if name not in known:
            hint = did_you_mean(name, known) if alike(name, known) else f"{name}; there are {', '.join(known)}"
            yield Refusal(Code.MANIFEST_NAME_UNKNOWN, doc.at(at), f"no such {what}", hint, "correct the name")
