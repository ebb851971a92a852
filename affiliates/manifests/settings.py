"""group.yaml: what holds for the whole group, and where the group key of each epoch is kept. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from affiliates.manifests.base import Day, Model, Month, Name, Text, Zone
from affiliates.manifests.namespaces import Namespace, NobodyText
from affiliates.manifests.report_settings import ReportSettings


class KeySource(Model):
    """Where the group key of an epoch is kept, or what stands in its place."""

    file: Text | None = None
    """A file that holds the key, readable by its owner alone; relative to the group."""
    env: Text | None = None
    """A variable of the environment that holds the key."""
    canaries: Text | None = None
    """A file of canaries by the key's trustee: with it the centre checks contributions, and has no key."""
    destroyed: Day | None = None
    """The day on which the epoch's key was destroyed: what was contributed stays, nothing can be added."""
    epoch: Annotated[
        Name, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value), Field(max_length=32)
    ] = "1"
    """The epoch's name: all months that are hashed by this key."""
    from_: Month | None = Field(None, alias="from")
    """The first month that is hashed by this key; open for the first epoch."""
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{12}$")] | None = None
    """The key's fingerprint, as `mauwatch key check` shows it; any other key in its place is refused."""

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
    """The zone whose calendar days and months are measured."""
    store: Text = "sqlite:///.mauwatch/store.sqlite"
    """SQLAlchemy URL of the store: SQLite, or PostgreSQL."""
    dagster_store: Text | None = None
    """URL of a PostgreSQL database for what Dagster keeps of its runs; without one, files in .mauwatch/dagster."""
    key: KeySource | None = None
    """Where the group key is, for a group with one epoch."""
    keys: tuple[KeySource, ...] = ()
    """In the place of `key`: one for each epoch, in order; each but the first has a `from`."""
    crosswalk: Text | None = None
    """Parquet file of keys and person keys; `{month}` (YYYY-MM) in it means a snapshot a month."""
    namespaces: Mapping[Annotated[Name, Field(max_length=32)], Namespace] = Field(default_factory=dict)
    """What is known of identifiers, by namespace; `person` is the people whom the crosswalk joins."""
    names_nobody: tuple[NobodyText, ...] = ()
    """Values that name nobody in any namespace, beside those that mauwatch knows, such as `kein Wert` or -99."""
    forms: Literal["recognised"] | None = None
    """`recognised`: in a namespace without a `form`, UUIDs and long hex are one identifier in any case of letters, and 1000.0 is
    1000. Without it such spellings are different identifiers."""
    largest_person: Annotated[int, Field(ge=2)] = 100
    """Identifiers of one person at most. `mauwatch crosswalk` takes larger clusters for those of many people, and joins none; a
    snapshot made elsewhere that has any is refused, and so is one whose people have more than a twentieth on average, or 5."""
    lg_k: Annotated[int, Field(ge=12, le=21)] = 21
    """The sketches' precision: 2^lg_k registers. 21 is a standard error of 0.07 %."""
    evidence_key: Text | None = None
    """File of the private key (`mauwatch key pair`) that signs bundles of evidence; without it they aren't signed."""
    evidence_font: Text | None = None
    """File of a TrueType or OpenType font for names in scripts that the evidence's own font lacks."""
    legend: Annotated[str, Field(max_length=2000)] = ""
    """Counsel's own text, on every page, export and message, such as `Privileged and confidential.`"""
    report: ReportSettings | None = None
    """The monthly report, made by runs; without the key only `mauwatch report` writes one."""
    keep_sketches: Annotated[int, Field(ge=1, le=1200)] = 24
    """Whole months whose sketches `mauwatch erase --retention` keeps; older ones are erased."""

    @model_validator(mode="after")
    def _forms(self) -> Self:
        for name in ("email", "phone"):
            if name in self.namespaces and self.namespaces[name].form:
                raise ValueError(f"`{name}` in `namespaces` takes no `form`: such identifiers are normalised as what they are")
        return self

    @model_validator(mode="after")
    def _epochs(self) -> Self:
        if (self.key is None) == (not self.keys):
            raise ValueError("needs either `key`, or `keys` with one for each epoch")
        epochs = self.epochs
        if len({key.epoch for key in epochs}) != len(epochs):
            raise ValueError("`keys` must name each `epoch` once")
        # A month is of one epoch: hashed by two keys, everybody would be two people.
        begins = [key.from_ for key in epochs]
        if begins[0] is not None or None in begins[1:] or sorted(begin for begin in begins if begin) != begins[1:]:
            raise ValueError("each of `keys` but the first must have a `from`, in order: keys of two epochs are different people")
        return self

    @property
    def epochs(self) -> tuple[KeySource, ...]:
        """Where the group keys are, epoch by epoch in order, whether the file says `key` or `keys`."""
        return self.keys or ((self.key,) if self.key else ())

    def epoch_of(self, month: date) -> KeySource:
        """Where the key of a month's epoch is; the month is given as its first day."""
        # There always is one: the first epoch is open, and the validator above refuses any other list.
        return next(key for key in reversed(self.epochs) if key.from_ is None or key.from_ <= month)
