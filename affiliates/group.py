"""Entities, products and the group; who is an affiliate on a date, and by which path. Pure.

Control is the least fixpoint from the ultimate parent: an entity is an affiliate when the shares
held by members sum to over the control share, or when a dated `controlled_by` names a member.
Every validity is half-open: `from` belongs to it, `to` does not.

Over 300 lines: the models of all manifests, and the one rule over them, are read together.
"""

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from affiliates.alerting import Alerting
from affiliates.grants import Grants
from affiliates.model import Dated, Model, Month, Name, PublicKey, Sha256, Share, Text, Zone
from affiliates.model_use import ModelUse
from affiliates.periods import Grain, days_between, is_day
from affiliates.source import Source

CONTROL_SHARE = Decimal("0.5")
"""Shares held by members must sum to over this; exactly half is out."""

Audience = Literal["external", "internal", "automated"]
AUDIENCES: tuple[Audience, ...] = ("external", "internal", "automated")


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


def affiliate_of(subject: str) -> str:
    """The affiliate of a subject that is written as an affiliate or as affiliate/product."""
    return subject.partition("/")[0]


class Holding(Dated):
    """A share of an entity held by another entity."""

    owner: Name
    """The entity that holds the share."""
    share: Share
    """Of the entity: 60 % or 0.6."""


class Control(Dated):
    """Control without a majority of shares, with what it rests on."""

    by: Name | None = None
    """The entity that controls; the ultimate parent where it is left out."""
    basis: Literal["vie", "board", "voting", "consolidation", "contract"]
    """`vie` is a variable interest entity."""
    document: Text
    """The document in which the control stands."""


class Active(Model):
    """What a product means by an active user."""

    id: Name
    """A short name of the definition."""
    version: Annotated[int, Field(ge=1)] = 1
    """Counts up when the definition changes."""
    meaning: Text
    """The definition in words."""

    @property
    def label(self) -> str:
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


def said_in(given: Count | Ceiling) -> str:
    """The document in which a number stands, with its digest where that is given."""
    return f"{given.document}, SHA-256 {given.sha256}" if given.sha256 else given.document


class Product(Dated):
    """A thing people use, with where its events lie and what it calls active."""

    from_: date = Field(alias="from")
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
    which a period is refused."""
    sources: tuple[Source, ...] = ()
    """Where its events lie; none if its contributions are handed in."""
    namespaces: tuple[Name, ...] = ()
    """Of what is handed in: a contribution without one of them is a part of one. Else those of its sources."""
    audiences: tuple[Audience, ...] = AUDIENCES
    """Those that it contributes; a reading that counts another one has no upper bound from its sketches."""
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
        """Its audiences, where they aren't all: as a contribution says them."""
        return None if set(self.audiences) == set(AUDIENCES) else " ".join(a for a in AUDIENCES if a in self.audiences)

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
    def made_keys(self) -> bool:
        """Whether its sources hold keys that somebody else has made."""
        return any(source.person_keys for source in self.sources)

    @property
    def handed_in(self) -> bool:
        """Whether its contributions come from elsewhere: it has no source, or only tables that are counted where they lie."""
        return all(source.table is not None and source.database is None for source in self.sources)

    @property
    def day_zone(self) -> str | None:
        """The zone of the days that name its files; the group's where it is none."""
        return self.sources[0].day_zone if self.sources else None

    def days_due(self, first: date, last: date, zone: str) -> list[date]:
        """The days of its life from `first` to `last`, both included, that there are in the zone of its days."""
        return [day for day in days_between(first, last) if self.holds_on(day) and is_day(day, zone)]

    def due_between(self, first: date, last: date) -> bool:
        """Whether the product lives on any day from `first` to `last`, both included."""
        return self.from_ <= last and (self.to is None or first < self.to)


class Entity(Model):
    """A company in the ownership graph."""

    entity: Name
    """Its short name."""
    name: str = ""
    """Its full name."""
    owned_by: tuple[Holding, ...] = ()
    """Who holds shares of it."""
    controlled_by: tuple[Control, ...] = ()
    """Who controls it without a majority of shares."""
    products: tuple[Product, ...] = ()
    """What it offers."""
    public_keys: tuple[PublicKey, ...] = ()
    """If there are any, each file that it hands in must be signed by one of them."""


class KeySource(Model):
    """Where the group key of an epoch is kept, or what there is in its place."""

    file: Text | None = None
    """A file that holds the key, readable by its owner alone; relative to the group."""
    env: Text | None = None
    """A variable of the environment that holds the key."""
    canaries: Text | None = None
    """A file by the key's trustee: the centre can check contributions by it, and has no key."""
    destroyed: date | None = None
    """The day on which the epoch's key was destroyed: what was contributed stays, nothing can be added."""
    epoch: Annotated[Name, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v), Field(max_length=32)] = "1"
    """The name of the months that are hashed by this key."""
    from_: Month | None = Field(None, alias="from")
    """The first month that is hashed by this key; open for the first epoch."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if [self.file, self.env, self.canaries, self.destroyed].count(None) != 3:
            raise ValueError("needs one of `file`, `env`, `canaries` and `destroyed`: the one place where the group key is kept")
        return self


class Settings(Model):
    """group.yaml: what holds for the whole group."""

    group: Name
    """The group's short name."""
    name: str = ""
    """The group's full name."""
    ultimate_parent: Name
    """The entity that nobody controls."""
    time_zone: Zone = "UTC"
    """Whose calendar days and months are measured."""
    store: Text = "sqlite:///.mauwatch/store.sqlite"
    """SQLAlchemy URL of the store: SQLite, or PostgreSQL."""
    dagster_store: Text | None = None
    """URL of a PostgreSQL database for what Dagster keeps of its runs; without one, files in .mauwatch/dagster."""
    key: KeySource | None = None
    """Where the group key is; for a group with one epoch."""
    keys: tuple[KeySource, ...] = ()
    """In the place of `key`: one for each epoch, each but the first from a month on."""
    crosswalk: Text | None = None
    """Parquet file of keys and person keys; `{month}` (YYYY-MM) in it means a snapshot a month."""
    largest_person: Annotated[int, Field(ge=2)] = 100
    """Identifiers of one person at most: what `mauwatch crosswalk` finds more of together is many people's."""
    lg_k: Annotated[int, Field(ge=12, le=21)] = 21
    """The sketches' precision: 2^lg_k registers. 21 is a standard error of 0.07 %."""
    evidence_key: Text | None = None
    """File of the private key (`mauwatch key pair`) that signs bundles of evidence; without one they aren't signed."""
    evidence_font: Text | None = None
    """File of a TrueType or OpenType font for names in scripts that the evidence's own font lacks."""
    keep_sketches: Annotated[int, Field(ge=1, le=1200)] = 24
    """Whole months whose sketches stay when `mauwatch erase --retention` erases the older ones."""

    @model_validator(mode="after")
    def _epochs(self) -> Self:
        if (self.key is None) == (not self.keys):
            raise ValueError("needs either `key`, or `keys` with one for each epoch")
        epochs = self.epochs
        if len({e.epoch for e in epochs}) != len(epochs):
            raise ValueError("`keys` must name each `epoch` once")
        begins = [e.from_ for e in epochs]
        if begins[0] is not None or None in begins[1:] or sorted(b for b in begins if b) != begins[1:]:
            raise ValueError("each of `keys` but the first must have a `from`, in order: keys of two epochs are different people")
        return self

    @property
    def epochs(self) -> tuple[KeySource, ...]:
        """Where the group key is, epoch by epoch."""
        return self.keys or ((self.key,) if self.key else ())

    def epoch_of(self, month: date) -> KeySource:
        """Where the key of a month's epoch is."""
        return next(e for e in reversed(self.epochs) if e.from_ is None or e.from_ <= month)


class Reading(Model):
    """One way to read the clause: who counts, how, and on which day the group is drawn."""

    name: Name
    """Its short name."""
    counts: Literal["unique_people", "summed_products"]
    """Each person once, or the sum of all products."""
    audiences: Annotated[tuple[Audience, ...], Field(min_length=1)] = ("external", "internal")
    """Whose users count."""
    control_share: Annotated[Share, Field(lt=1)] = CONTROL_SHARE
    """Shares over this make an affiliate."""
    membership: Literal["release_date", "month_end"] = "release_date"
    """The day whose group counts, in a licence's test."""


class OfRecord(Dated):
    """The reading that the group stands by, adopted by a named person."""

    reading: Name
    """The name of the reading."""
    adopted_by: Text
    """Name or office of who adopted it."""
    from_: date = Field(alias="from")


class Readings(Model):
    """readings.yaml."""

    readings: Annotated[tuple[Reading, ...], Field(min_length=1)]
    """All readings; each licence's test is shown under each of them."""
    of_record: tuple[OfRecord, ...] = ()
    """The reading that the group stands by, and since when."""

    def shown_on(self, day: date) -> Reading:
        """The reading of record on a day, or else the first."""
        record = next((r.reading for r in self.of_record if r.holds_on(day)), None)
        return next((r for r in self.readings if r.name == record), self.readings[0])


DEFAULT_READINGS = Readings(
    readings=(
        Reading(name="unique_people", counts="unique_people"),
        Reading(name="summed_products", counts="summed_products"),
    )
)


class Step(Model):
    """Why one entity is an affiliate: the members that hold it, or the control agreement."""

    entity: str
    holders: tuple[tuple[str, Decimal], ...] = ()
    control: Control | None = None

    def __str__(self) -> str:
        if self.control is not None:
            return f"{self.control.by} ({self.control.basis}: {self.control.document}) → {self.entity}"
        held = " + ".join(f"{owner} {float(share * 100):g} %" for owner, share in self.holders)
        return f"{held} → {self.entity}"


class Group(Model):
    """A corporate group as its manifests describe it."""

    settings: Settings
    entities: Mapping[str, Entity]
    readings: Readings = DEFAULT_READINGS
    grants: Grants = Grants()
    alerting: Alerting = Alerting()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.settings.time_zone)

    @property
    def products(self) -> dict[ProductRef, Product]:
        """All products, affiliate by affiliate, in the order of the manifests."""
        return {ProductRef(e.entity, p.product): p for e in self.entities.values() for p in e.products}

    def product(self, ref: ProductRef) -> Product | None:
        """The product that a reference names; nothing where no manifest has the product."""
        entity = self.entities.get(ref.affiliate)
        return next((p for p in entity.products if p.product == ref.product), None) if entity else None

    def why_outside(self, entity: str, members: Collection[str], day: date) -> str:
        """Why an entity isn't among the members on a day."""
        found = self.entities[entity]
        held = _sum(_holders(found, members, day))
        said = [f"members hold {float(held * 100):g} %"]
        said += [
            f"{c.by} that controls it is outside too"
            for c in found.controlled_by
            if c.by not in members and c.holds_on(day) and c.by
        ]
        return f"not under control: {', '.join(said)}"

    def affiliates(self, day: date, control_share: Decimal = CONTROL_SHARE) -> dict[str, tuple[Step, ...]]:
        """The entities under common control on `day`, each with the path from the ultimate parent.

        A path is the steps that make the entity's holders members first and then the entity
        itself; the ultimate parent's is empty. Members are found in rounds outward from the
        parent, so a path is one of the shortest and entities that only hold each other stay out.
        """
        parent = self.settings.ultimate_parent
        paths: dict[str, tuple[Step, ...]] = {parent: ()}
        while True:
            found = {
                name: _path_to(step, paths)
                for name, entity in self.entities.items()
                if name not in paths and (step := _step(entity, paths, day, control_share, parent))
            }
            if not found:
                return paths
            paths.update(found)


def _holders(entity: Entity, members: Collection[str], day: date) -> tuple[tuple[str, Decimal], ...]:
    return tuple((h.owner, h.share) for h in entity.owned_by if h.owner in members and h.holds_on(day))


def _sum(held: tuple[tuple[str, Decimal], ...]) -> Decimal:
    return sum((share for _, share in held), Decimal(0))


def _step(entity: Entity, members: Collection[str], day: date, control_share: Decimal, parent: str) -> Step | None:
    held = _holders(entity, members, day)
    if _sum(held) > control_share:
        return Step(entity=entity.entity, holders=held)
    for control in entity.controlled_by:
        by = control.by or parent
        if by in members and control.holds_on(day):
            return Step(entity=entity.entity, control=control.model_copy(update={"by": by}))
    return None


def _path_to(step: Step, paths: Mapping[str, tuple[Step, ...]]) -> tuple[Step, ...]:
    before = [owner for owner, _ in step.holders]
    if step.control is not None and step.control.by is not None:
        before.append(step.control.by)
    steps: dict[str, Step] = {s.entity: s for owner in before for s in paths[owner]}
    return (*steps.values(), step)
