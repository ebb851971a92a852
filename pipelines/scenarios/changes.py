"""The changes of a scenario, as its file writes them: who comes, who goes, who grows, and what is read otherwise. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from affiliates.manifests.base import Day, ManyLines, Model, Name, Text
from affiliates.manifests.product import Audience
from pipelines.scenarios.assumptions import PeoplePerUnit, StatedOverlap, TargetModel, Users
from pipelines.scenarios.ranges import DayRange, Part, PartRange, People, RateRange

GROUP = "group"
"""The word for the whole group where a change can be of a part of it."""


class Change(Model):
    """What all changes have: from when, on whose word, and a note."""

    kind: ClassVar[str]
    """The key that names the change in a file."""

    on: DayRange | None = None
    """From which day the change holds; a change without a day holds from the base month on."""
    source: Text | None = None
    """Who says what the change says."""
    as_of: Day | None = None
    """Of which day the source is."""
    note: Annotated[Text | None, ManyLines()] = None
    """What else is to be said of it."""

    @property
    def subject(self) -> str:
        """Whom or what the change is about, as the file writes it."""
        return str(getattr(self, self.kind))

    @property
    def label(self) -> str:
        """The change in a few words, such as `acquire Example Social`."""
        return f"{self.kind} {self.subject}"


class _Dated(Change):
    """A change that needs a day."""

    on: DayRange
    """From which day the change holds."""


class _Stated(_Dated):
    """People who come by a stated number."""

    users: Users | None = None
    """How many monthly users there are."""
    people_per_unit: PeoplePerUnit | None = None
    """How many people one unit is; for any unit but people."""
    growth: RateRange | None = None
    """How the number grows a month, from its month on; without it, the number stays."""
    overlap: StatedOverlap | None = None
    """How many of these people the group has already."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.users is None:
            return self
        if self.users.unit == "people" and self.people_per_unit is not None:
            raise ValueError("`people_per_unit` isn't for people: they are one each")
        if self.users.unit != "people" and self.people_per_unit is None:
            raise ValueError(
                f"{self.users.unit} aren't people: say how many people one is, such as people_per_unit: {{low: 0.6, high: 0.9}}"
            )
        if self.overlap is None:
            raise ValueError("needs `overlap`: a range, `independent_in`, or unknown")
        return self


class Acquire(_Stated):
    """A company joins the group: by a stated number, or by its contribution under the group's key."""

    kind: ClassVar[str] = "acquire"
    acquire: Annotated[Text, Field(max_length=100)]
    """The target's name."""
    contribution: Text | None = None
    """The file of the target's contribution for the base month, relative to the scenario's file."""
    models: tuple[TargetModel, ...] = ()
    """The AI models that the target uses."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.users is None) == (self.contribution is None):
            raise ValueError("needs either `users` or `contribution`")
        if self.contribution is not None and (self.overlap or self.people_per_unit or self.growth):
            raise ValueError("a contribution needs no `overlap`, `people_per_unit` or `growth`: its people are counted")
        return self


class Launch(_Stated):
    """The group begins something new, whose users are stated."""

    kind: ClassVar[str] = "launch"
    launch: Annotated[Text, Field(max_length=100)]
    """The name of what is new."""

    @model_validator(mode="after")
    def _stated(self) -> Self:
        if self.users is None:
            raise ValueError("needs `users`")
        return self


class Divest(_Dated):
    """An affiliate or a product leaves the group."""

    kind: ClassVar[str] = "divest"
    divest: Text
    """The affiliate, or affiliate/product."""


class Retire(_Dated):
    """A product ends: its people are no longer its users, and count only where they use another product."""

    kind: ClassVar[str] = "retire"
    retire: Text
    """The product, as affiliate/product."""


class Grow(_Dated):
    """A part of the group, or the whole, grows beside what its series lets expect."""

    kind: ClassVar[str] = "grow"
    grow: Text
    """The affiliate, the affiliate/product, or `group`."""
    by: RateRange
    """The growth a month from that day on, beside the series' own."""
    new_people: PartRange | None = None
    """How many of the growth's people are new to the group; without it, from the measured unique share to all."""


class OwnershipShare(Model):
    """A share of an entity that an owner has from a day on."""

    entity: Name
    """The entity."""
    owner: Name
    """Who has the share."""
    share: Part
    """The share; 0 % for none any more."""


class Ownership(_Dated):
    """An owner's share of an entity changes."""

    kind: ClassVar[str] = "ownership"
    ownership: OwnershipShare
    """Who has which share of what."""

    @property
    def subject(self) -> str:
        """The owner, the share and the entity."""
        return f"{self.ownership.owner} {float(self.ownership.share * 100):g} % of {self.ownership.entity}"


class Excluded(Model):
    """A product or an audience that doesn't count."""

    product: Text | None = None
    """The product, as affiliate/product."""
    audience: Audience | None = None
    """The audience."""

    @model_validator(mode="before")
    @classmethod
    def _from_product(cls, value: Any) -> Any:
        return {"product": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.product is None) == (self.audience is None):
            raise ValueError("is a product (affiliate/product), or {audience: internal}")
        return self


class Exclude(Change):
    """A product or an audience no longer counts."""

    kind: ClassVar[str] = "exclude"
    exclude: Excluded
    """The product, or the audience."""

    @property
    def subject(self) -> str:
        """The product, or the audience."""
        return self.exclude.product or f"audience {self.exclude.audience}"


class OtherReading(Change):
    """The clause is read otherwise."""

    kind: ClassVar[str] = "reading"
    reading: Name
    """The reading's name in readings.yaml."""


class OtherThreshold(Change):
    """Another threshold is tested."""

    kind: ClassVar[str] = "threshold"
    threshold: People
    """The threshold: more than this is over."""

    @property
    def subject(self) -> str:
        """The threshold."""
        return f"{self.threshold:,}"


class OtherClause(Change):
    """Another clause is tested."""

    kind: ClassVar[str] = "clause"
    clause: Text
    """The licence's id in the registry, or licence#clause."""


AnyChange = Acquire | Launch | Divest | Retire | Grow | Ownership | Exclude | OtherReading | OtherThreshold | OtherClause
KINDS: dict[str, type[AnyChange]] = {
    change.kind: change
    for change in (Acquire, Launch, Divest, Retire, Grow, Ownership, Exclude, OtherReading, OtherThreshold, OtherClause)
}
"""The kinds of changes, by the key that names each."""


def unique_names(changes: Sequence[AnyChange]) -> tuple[str, ...]:
    """The labels of changes, numbered where one comes twice: inputs are drawn by these names."""
    names: list[str] = []
    for change in changes:
        label = change.label
        again = sum(name == label or name.startswith(f"{label} #") for name in names)
        names.append(f"{label} #{again + 1}" if again else label)
    return tuple(names)
