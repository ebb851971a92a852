"""grants.yaml: licences granted, side letters, and licences accepted; each with its days and its document. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from affiliates.errors import Code, Refusal, alike, did_you_mean
from affiliates.manifests.base import Dated, Day, Model, Name, Text
from affiliates.manifests.product import ProductRef
from affiliates.manifests.yaml_lines import Document

Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64}|git-blob:[0-9a-f]{40})$")]
"""A document's SHA-256, or git's name of its bytes, by which a licensor's repository shows the text."""


class Paper(Model):
    """A document, by its name and its digest."""

    name: Text
    """Its name, such as `letter of 2025-05-28`."""
    digest: Digest | None = None
    """SHA-256 or git blob of its bytes."""


class Covers(Model):
    """What a grant covers, where it doesn't cover all that the licensee and its affiliates offer."""

    entities: tuple[Name, ...] = ()
    """Entities that are covered with all of their products."""
    products: tuple[str, ...] = ()
    """Products that are covered, as affiliate/product."""


class Cap(Model):
    """A grant's own threshold, counted in its own way."""

    users: Annotated[int, Field(gt=0)]
    """The grant's own threshold."""
    reading: Name
    """How the grant counts, by a reading of readings.yaml. Each calendar month from the grant's first day on must be at or below
    `users`."""
    of: Literal["group", "covered"] = "group"
    """Whose users count: the group's, or those of the covered products."""


class Reporting(Model):
    """A duty to report to the licensor."""

    duty: Text
    """What must be reported."""
    due: Day
    """The day by which the first report is due."""
    every_months: Annotated[int, Field(ge=1, le=60)] | None = None
    """Months from one report to the next; without it, one report is due."""


class Grant(Dated):
    """A licence granted, or a side letter."""

    id: Name
    """A short name, once in the file."""
    kind: Literal["grant", "side_letter"] = "grant"
    """A licence granted, or a side letter."""
    licences: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The licences' ids in the registry."""
    licensee: Name
    """The entity to which it was granted."""
    covers: Covers | None = None
    """What it covers; without it, all that the licensee and its affiliates offer."""
    from_: Day = Field(alias="from")
    """Its first day."""
    cap: Cap | None = None
    """Its own threshold."""
    reporting: tuple[Reporting, ...] = ()
    """What must be reported to the licensor."""
    document: Paper
    """The document in which the grant stands."""

    def is_for(self, entity: str, product: str | None = None) -> bool:
        """Whether the grant covers a product of an entity; without a product, all that the entity offers as a licensee."""
        if self.covers is None:
            return product is not None or entity == self.licensee
        # A licensee offers what its affiliates offer, too: a list of some of it never covers all of it.
        if product is None:
            return False
        return entity in self.covers.entities or str(ProductRef(entity, product)) in self.covers.products


class AcceptedVersion(Model):
    """A licence that somebody accepted for an entity."""

    licence: Name
    """The licence's id in the registry."""
    entity: Name
    """The entity for which the licence was accepted."""
    by: Text
    """Name or office of who accepted it."""
    on: Day
    """The day of acceptance."""
    text: Digest | None = None
    """The digest of the text that was accepted."""
    revision: Text | None = None
    """The model's revision with which the text came."""


class Grants(Model):
    """grants.yaml: which rights the group has, beyond a licence's own text."""

    grants: tuple[Grant, ...] = ()
    """Licences granted, and side letters."""
    accepted: tuple[AcceptedVersion, ...] = ()
    """Licences that somebody accepted for an entity."""


def check(grants: Grants, doc: Document, entities: Mapping[str, Collection[str]], readings: Collection[str]) -> Iterator[Refusal]:
    """Every name in grants.yaml that no other manifest has, every id that stands twice, and every grant that covers nothing.

    `entities`: the names of each entity's products. `readings`: the names of the readings.
    """
    products = [str(ProductRef(entity, product)) for entity, names in entities.items() for product in names]
    ids = set[str]()
    for i, grant in enumerate(grants.grants):
        at = ("grants", i)
        if grant.id in ids:
            yield Refusal(Code.MANIFEST_NAME_TWICE, doc.at(at), "two grants have one id", grant.id, "rename one of them")
        ids.add(grant.id)
        yield from _unknown(doc, (*at, "licensee"), [grant.licensee], entities, "entity")
        if grant.covers is not None:
            yield from _unknown(doc, (*at, "covers", "entities"), grant.covers.entities, entities, "entity")
            yield from _unknown(doc, (*at, "covers", "products"), grant.covers.products, products, "product")
            if not grant.covers.entities and not grant.covers.products:
                yield Refusal(
                    Code.MANIFEST_VALUE_INVALID,
                    doc.at((*at, "covers")),
                    "covers nothing",
                    grant.id,
                    "name entities or products, or leave it out",
                )
        if grant.cap is not None:
            yield from _unknown(doc, (*at, "cap", "reading"), [grant.cap.reading], readings, "reading")
    for i, accepted in enumerate(grants.accepted):
        yield from _unknown(doc, ("accepted", i, "entity"), [accepted.entity], entities, "entity")


def _unknown(
    doc: Document, at: tuple[str | int, ...], names: Collection[str], known: Collection[str], kind: str
) -> Iterator[Refusal]:
    """A refusal for each name that isn't known, at one place of the file."""
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) if alike(name, known) else f"{name}; there are {', '.join(known)}"
            yield Refusal(Code.MANIFEST_NAME_UNKNOWN, doc.at(at), f"no such {kind}", hint, "correct the name")
