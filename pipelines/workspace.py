"""A group directory at work: manifests, licence registry, keys, crosswalks, the time, and the store."""

import time
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from affiliates.aggregation.contribute import EdgeContext
from affiliates.crosswalks.digest_memo import DigestMemo
from affiliates.crosswalks.snapshot import Snapshots
from affiliates.identity.keyring import Keyring
from affiliates.manifests.group import Group
from affiliates.periods import local_day
from pipelines.figures.figure_cache import code_digest
from pipelines.figures.published_inputs import PublishedInputs
from pipelines.licences import registry
from pipelines.store.contributions import ContributionStore, open_store
from pipelines.store.engine import exists

_CODE = ("affiliates/crosswalks", "affiliates/identity/keys.py", "affiliates/sources/parquet_metadata.py")
_LIBRARIES = ("polars", "numpy")
"""What decides a snapshot's digest, and whether it is refused."""


class Workspace:
    """A group directory with all that a command needs of it; a context manager, which closes the store at its end.

    `now` is the moment that everything in one command is computed for. Raises `RefusedError` where the registry's additions,
    the newest key or a crosswalk for all months can't be read.
    """

    def __init__(self, directory: Path, group: Group, now: datetime) -> None:
        self.directory = directory
        self.group = group
        self.now = now
        self.registry = registry.from_directory(directory)
        # A monotonic clock: `clock()` mustn't jump where the machine's time is set anew during a run.
        self._began = time.monotonic()
        keys = Keyring(group.settings, directory)
        keys.check_newest()  # A wrong key setting is refused before any source is read.
        self.snapshots = Snapshots(group.settings, directory, keys, DigestMemo(directory, code_digest(_CODE, _LIBRARIES)))
        self.edge = EdgeContext(directory, group.settings, keys, self.snapshots, now)
        # One snapshot for all months: if that can't be read, no product can be counted.
        if group.settings.crosswalk and "{month}" not in group.settings.crosswalk:
            self.snapshots.digest(date.min)
        self.published_inputs = PublishedInputs()
        self._stack = ExitStack()
        self._store: ContributionStore | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store = None
        self._stack.__exit__(kind, error, trace)  # The store turns a database's error into a refusal that quotes nothing.

    @property
    def today(self) -> date:
        """The day of `now` in the group's zone."""
        return local_day(self.now, self.group.settings.time_zone)

    def clock(self) -> datetime:
        """`now` and the time that has passed since, for what waits or retries; whatever is computed is of `now` itself."""
        return self.now + timedelta(seconds=time.monotonic() - self._began)

    def crosswalk_digest(self, month: date) -> str:
        """The digest of the snapshot that joins a month's identifiers; empty for none. Raises `RefusedError`."""
        return self.snapshots.digest(month)

    def store(self) -> ContributionStore:
        """The open store; made where there is none, and migrated where its schema is older. Raises `RefusedError`."""
        if self._store is None:
            opened = open_store(self.group.settings.store, self.directory, create=True)
            self._store = self._stack.enter_context(opened)
        return self._store

    def store_if_any(self) -> ContributionStore | None:
        """The open store, or None where there is none: only the first accepted contribution makes one."""
        is_there = self._store is not None or exists(self.group.settings.store, self.directory)
        return self.store() if is_there else None
