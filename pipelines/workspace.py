"""A group directory at work: manifests, registry, key, crosswalks, the time, and the store."""

import time
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from affiliates.aggregation.contribute import EdgeContext
from affiliates.crosswalks.snapshot import NO_CROSSWALK, snapshots_by_month
from affiliates.identity.keyring import Keyring
from affiliates.manifests.group import Group
from affiliates.periods import local_day
from pipelines.licences import registry
from pipelines.store.contributions import ContributionStore, open_store
from pipelines.store.engine import exists


class Workspace:
    """A group directory at work: manifests, key, crosswalks, the time, and the store, opened once it is needed."""

    def __init__(self, directory: Path, group: Group, now: datetime) -> None:
        self.directory, self.group, self.now, self._began = directory, group, now, time.monotonic()
        self.registry = registry.from_directory(directory)
        keys = Keyring(group.settings, directory)
        keys.check_newest()
        self.edge = EdgeContext(directory, group.settings, keys, snapshots_by_month(group.settings.crosswalk, directory), now)
        if group.settings.crosswalk and "{month}" not in group.settings.crosswalk:
            self.edge.crosswalk(date.min)  # One snapshot for all: if it can't be read, no product can be counted.
        self._stack = ExitStack()
        self._store: ContributionStore | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store = None
        self._stack.__exit__(kind, error, trace)  # The store turns a database's error into a refusal that quotes nothing.

    @property
    def today(self) -> date:
        """The day that it is in the group's zone."""
        return local_day(self.now, self.group.settings.time_zone)

    def clock(self) -> datetime:
        """The time, for what waits: all that a run computes is of `now`."""
        return self.now + timedelta(seconds=time.monotonic() - self._began)

    def crosswalk_digest(self, month: date) -> str:
        """Of the snapshot that joins a month's identifiers; empty for none."""
        return crosswalk_digest(self.edge, month)

    def store(self) -> ContributionStore:
        """The store, made where there is none."""
        if self._store is None:
            opened = open_store(self.group.settings.store, self.directory, create=True)
            self._store = self._stack.enter_context(opened)
        return self._store

    def store_if_any(self) -> ContributionStore | None:
        """The store; it comes into being only with the first contribution that is accepted."""
        there = self._store is not None or exists(self.group.settings.store, self.directory)
        return self.store() if there else None


def crosswalk_digest(place: EdgeContext, month: date) -> str:
    snapshot = place.crosswalk(month)
    return snapshot.digest if snapshot else NO_CROSSWALK
