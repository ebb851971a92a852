"""group.yaml: what holds for the whole group, and where the group key of each epoch is kept. Pure."""

from datetime import date
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from affiliates.manifests.base import Model, Month, Name, Text, Zone


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
