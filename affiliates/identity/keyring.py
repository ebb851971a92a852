"""The group's keys by month: each epoch's, read when it is needed, or what its trustee gave in its place."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cached_property
from pathlib import Path

from affiliates.errors import Code, RefusedError, refused
from affiliates.identity import canaries
from affiliates.identity.canaries import Canaries
from affiliates.identity.keys import GroupKey, read_key
from affiliates.manifests.settings import KeySource, Settings


class _Epoch:
    """One epoch's key; `read` is asked once, and only if somebody needs it."""

    def __init__(self, source: KeySource, read: Callable[[], GroupKey]) -> None:
        self.source = source
        self._read = read

    @cached_property
    def key(self) -> GroupKey:
        return self._read()


class Keyring:
    """Keys of all epochs: keys of two epochs are different people, so a month is hashed by one."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings = settings
        self._directory = directory
        self._epochs = {s.epoch: _Epoch(s, lambda s=s: self._read(s)) for s in settings.epochs}  # type: ignore[misc]
        self._canaries: dict[str, Canaries] = {}

    @classmethod
    def from_key(cls, settings: Settings, key: GroupKey) -> "Keyring":
        """A ring of one key that is at hand already."""
        ring = cls(settings, Path())
        ring._epochs = {key.epoch: _Epoch(KeySource(env="KEY", epoch=key.epoch), lambda: key)}
        ring._settings = settings.model_copy(update={"key": KeySource(env="KEY", epoch=key.epoch), "keys": ()})
        return ring

    def source(self, month: date) -> KeySource:
        """Where the key of a month's epoch is."""
        return self._settings.epoch_of(month)

    def key(self, month: date) -> GroupKey:
        """The key that hashes a month; raises `RefusedError` where there is none here, or none any more."""
        return self._epochs[self.source(month).epoch].key

    def newest(self) -> None:
        """Read what is there of the newest epoch: without it nothing can be counted. Raises `RefusedError`."""
        source = self._settings.epochs[-1]
        if source.canaries:
            self.canaries(date.max)
        elif not source.destroyed:
            self.key(date.max)

    def canaries(self, month: date) -> Canaries:
        """What proves that a contribution of a month was hashed by its key."""
        source = self.source(month)
        if source.epoch not in self._canaries:
            self._canaries[source.epoch] = self._known(source)
        return self._canaries[source.epoch]

    def of_epoch(self, epoch: str | None = None) -> Canaries:
        """What a trustee hands out of an epoch (default: the newest), from its key. Raises `RefusedError` without the key."""
        chosen = epoch or self._settings.epochs[-1].epoch
        if chosen not in self._epochs:
            raise refused(
                Code.USAGE_INVALID,
                "the group key",
                "has no such epoch",
                f"there are {', '.join(self._epochs)}",
                "name one of them",
            )
        source = self._epochs[chosen].source
        return self._known(source) if not source.canaries else canaries.from_key(self._epochs[chosen].key)

    def fingerprint(self, month: date) -> str | None:
        """Of the key of a month's epoch; None once it is destroyed."""
        return None if self.source(month).destroyed else self.canaries(month).fingerprint

    @property
    def several(self) -> bool:
        """Whether there is more than one epoch."""
        return len(self._epochs) > 1

    def _known(self, source: KeySource) -> Canaries:
        if not source.canaries:
            others = []
            for other in self._epochs.values():
                with suppress(RefusedError):  # Good for a diagnosis only.
                    others += [other.key] if other.source.epoch != source.epoch else []
            return canaries.from_key(self._epochs[source.epoch].key, others)
        found = canaries.from_file(self._directory / source.canaries)
        if found.epoch != source.epoch:
            raise refused(
                Code.CANARIES_UNUSABLE,
                "the trustee's canaries",
                "are of another epoch",
                f"{found.epoch}, group.yaml says {source.epoch}",
                "ask the trustee for this epoch's, or correct group.yaml",
            )
        return found

    def _read(self, source: KeySource) -> GroupKey:
        if source.canaries:
            raise refused(
                Code.KEY_MISSING,
                "the group key",
                "isn't here: a trustee keeps it",
                f"epoch {source.epoch}",
                "count where the key is, by `mauwatch contribute`, and receive the file here",
            )
        if source.destroyed:
            raise refused(
                Code.KEY_DESTROYED,
                "the group key",
                "was destroyed",
                f"epoch {source.epoch}, on {source.destroyed}",
                "nothing of its months can be counted again; what was contributed stays",
            )
        return read_key(source, self._directory)
