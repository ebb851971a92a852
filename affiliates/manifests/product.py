"""A product in its affiliate's manifest: life, sources, counts, ceilings, and what the product calls active. Pure."""

import hashlib
import json
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from affiliates.manifests.base import Dated, Day, ManyLines, Model, Month, Name, Sha256, Share, Text
from affiliates.manifests.model_use import ModelUse
from affiliates.manifests.settings import Settings
from affiliates.manifests.source import Source
from affiliates.periods import Grain, days_between, is_day

Audience = Literal["external", "internal", "automated"]
AUDIENCES: tuple[Audience, ...] = ("external", "internal", "automated")
"""All audiences, in the order in which contributions and definition digests name them."""


class ProductRef(NamedTuple):
    """Which product is meant: the affiliate that offers the product, and the product's name; written affiliate/product.

    A tuple, so that a pair of columns from a database row equals the reference and finds it in a mapping.
    References sort by affiliate, then by product; their texts sort otherwise where a name has a `-` or a `.`.
    """

    affiliate: str
    product: str

    def __str__(self) -> str:
        """affiliate/product, as `parse` reads the text."""
        return f"{self.affiliate}/{self.product}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The product that a text names as affiliate/product. Raises `ValueError` if the text has another form."""
        affiliate, _, product = text.partition("/")
        if not affiliate or not product or "/" in product:
            raise ValueError("a product is written affiliate/product")
        return cls(affiliate, product)

    def belongs_to(self, subject: str) -> bool:
        """Whether a subject, written as an affiliate or as affiliate/product, is the product or its affiliate."""
        return subject in (self.affiliate, str(self))


class Active(Model):
    """What a product means by an active user."""

    id: Name
    """A short name of the definition."""
    version: Annotated[int, Field(ge=1)] = 1
    """Counts up when the definition changes."""
    meaning: Annotated[Text, ManyLines()]
    """The definition in words."""

    @property
    def label(self) -> str:
        """The definition as contributions and digests name it: ID/VERSION."""
        return f"{self.id}/{self.version}"


class Count(Model):
    """A product's users in a month as a number, where there is no sketch."""

    month: Month
    """The calendar month."""
    users: Annotated[int, Field(ge=0)]
    """How many people used the product in the month."""
    unit: Literal["people"]
    """Other units (accounts, devices, SIMs) are no count of people; give them as a ceiling."""
    document: Text
    """The document in which the number stands."""
    sha256: Sha256 | None = None
    """Of the document: whoever has it can tell that it is the one."""
    attested_by: Text
    """Name or office of who vouches for it."""


class Ceiling(Dated):
    """A number that a product's monthly users can't exceed, such as its registered accounts."""

    users: Annotated[int, Field(ge=0)]
    """The number."""
    unit: Text
    """What is counted, such as accounts."""
    document: Text
    """The document in which the number stands."""
    sha256: Sha256 | None = None
    """Of the document."""
    attested_by: Text
    """Name or office of who vouches for it."""


class LargestIdentifier(Model):
    """How far one identifier of a product may stand out, where the usual limits don't fit."""

    share: Share | None = None
    """The share of a period's events that one identifier may have, such as 60 %."""
    beside: Annotated[int, Field(ge=2)] | None = None
    """How many different next identifiers, such as devices, may stand beside one in a period."""
    reason: Text
    """Why that is one person's, or one shared account's, and no placeholder."""


def document_text(number: Count | Ceiling) -> str:
    """The document in which a number stands, with its digest where the manifest gives one."""
    return f"{number.document}, SHA-256 {number.sha256}" if number.sha256 else number.document


class Product(Dated):
    """A thing people use, with where its events lie and what it calls active."""

    from_: Day = Field(alias="from")
    """The first day of its life; from then on its periods are due."""
    product: Name
    """Its short name."""
    name: str = ""
    """Its full name."""
    active: Active
    """Which users are active users."""
    grain: Grain = "day"
    """Whether its contributions are of days or of months."""
    settles_after: Annotated[int, Field(ge=0, le=400)] = 3
    """Days after a period's end by when its late events have arrived."""
    unidentified_limit: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of events without a usable identifier, or that `counts_when` leaves undecided, above
    which a period is refused. With 1, a period is taken of whose many events conditions leave out all."""
    largest_identifier: LargestIdentifier | None = None
    """Limits for one identifier, where one stands out rightly. Without it, a period is refused in which one value has half of the
    events of 50 people and more, a fifth of those of 100 people and more, or very many next identifiers beside it."""
    sources: tuple[Source, ...] = ()
    """Where its events lie; none if its contributions are handed in."""
    namespaces: tuple[Name, ...] = ()
    """The namespaces that each contribution must have where contributions are handed in; one that lacks any is refused as
    incomplete. A product with sources has theirs."""
    audiences: tuple[Audience, ...] = AUDIENCES
    """The audiences that it contributes. A reading that counts any other has no upper bound from this product's sketches."""
    counts: tuple[Count, ...] = ()
    """Months for which a number of people stands in for sketches."""
    ceilings: tuple[Ceiling, ...] = ()
    """Numbers that its monthly users can't exceed."""
    models: tuple[ModelUse, ...] = ()
    """The AI models that it uses."""

    @model_validator(mode="after")
    def _with_external(self) -> Self:
        if "external" not in self.audiences:
            raise ValueError("`audiences` must have external: a contribution without them counts nobody's users")
        return self

    @property
    def limited_to(self) -> str | None:
        """The product's audiences, separated by spaces, as its contributions name them; nothing where it has all of them."""
        return None if set(self.audiences) == set(AUDIENCES) else " ".join(name for name in AUDIENCES if name in self.audiences)

    @model_validator(mode="after")
    def _one_zone(self) -> Self:
        if len({source.day_zone for source in self.sources}) > 1:
            raise ValueError("all sources of a product must have days of one zone: a contribution has one `day_zone`")
        return self

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if len({(bool(source.person_keys), source.normalisation) for source in self.sources}) > 1:
            raise ValueError("all sources of a product are of events, or all of keys by one `normalisation`: it has one proof")
        return self

    @property
    def has_ready_keys(self) -> bool:
        """Whether the product's sources hold ready-made person keys in the place of events."""
        return any(source.person_keys for source in self.sources)

    @property
    def handed_in(self) -> bool:
        """Whether contributions are computed elsewhere: there is no source, or only tables that are counted where they lie."""
        return all(source.table is not None and source.database is None for source in self.sources)

    @property
    def day_zone(self) -> str | None:
        """The zone of the days that name the product's files; nothing where the group's zone holds."""
        return self.sources[0].day_zone if self.sources else None

    def days_due(self, first: date, last: date, zone: str) -> list[date]:
        """The days of the product's life from `first` to `last`, both included, as far as `zone` has such days."""
        return [day for day in days_between(first, last) if self.holds_on(day) and is_day(day, zone)]

    def due_between(self, first: date, last: date) -> bool:
        """Whether the product lives on any day from `first` to `last`, both included."""
        return self.from_ <= last and (self.to is None or first < self.to)


def definition_digest(product: Product, settings: Settings) -> str:
    """SHA-256 (hex) over every setting that decides who counts in a period, or how exactly: the digest changes with each."""
    # What is new in a manifest joins the list only where it is set: else all digests in stores would change with an upgrade.
    decisive = [settings.time_zone, settings.lg_k, product.active.model_dump(), product.grain]
    decisive += [_definition(source) for source in product.sources]
    decisive += [product.limited_to] if product.limited_to else []
    decisive += [spellings] if (spellings := _spellings(product, settings)) else []
    if product.grain == "month":  # The first and the last month are cut to the product's life.
        decisive += [product.from_, product.to]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()


def _spellings(product: Product, settings: Settings) -> dict[str, Any]:
    """What group.yaml says of the spellings of the product's identifiers; empty where group.yaml says nothing."""
    namespaces = {namespace for source in product.sources for namespace in source.namespaces}
    of_namespaces = {
        name: {"form": namespace.form, "names_nobody": sorted(namespace.names_nobody)}
        for name, namespace in settings.namespaces.items()
        if name in namespaces and (namespace.form or namespace.names_nobody)
    }
    whole = {"forms": settings.forms, "names_nobody": sorted(settings.names_nobody)}
    return {"namespaces": of_namespaces} | whole if of_namespaces or any(whole.values()) else {}


def _definition(source: Source) -> dict[str, Any]:
    """A source without its database: another host or password counts nobody else, and neither belongs into a digest."""
    unused = {name for name in ("files", "table", "person_keys", "normalisation") if not getattr(source, name)}
    return source.model_dump(exclude={"complete_through", "database", *unused}, by_alias=True)
