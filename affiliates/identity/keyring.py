"""The group's keys by month: the key of each epoch, read when it is needed, or what its trustee gave in its place."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cached_property, partial
from pathlib import Path

from affiliates.errors import Code, RefusedError, refused
from affiliates.identity import canaries
from affiliates.identity.canaries import Canaries
from affiliates.identity.keys import GroupKey, check_fingerprint, read_key
from affiliates.identity.normalisation import rules_of
from affiliates.manifests.settings import KeySource, Settings


class _Epoch:
    """One epoch's key, read once and only if it is needed: commands that hash nobody run without it."""

    def __init__(self, source: KeySource, read: Callable[[], GroupKey]) -> None:
        self.source = source
        self._read = read

    @cached_property
    def key(self) -> GroupKey:
        return self._read()


class Keyring:
    """The keys of all epochs of group.yaml. Keys of two epochs are different people, so one key hashes a whole month."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        """`directory` is the group's, to which the paths of keys and canaries are relative. Reads nothing yet."""
        self._settings = settings
        self._directory = directory
        self._epochs = {source.epoch: self._epoch(source) for source in settings.epochs}
        self._canaries: dict[str, Canaries] = {}

    @classmethod
    def from_key(cls, settings: Settings, key: GroupKey) -> "Keyring":
        """A keyring of one key that is at hand already, for all months."""
        ring = cls(settings, Path())
        # A source must name a place; this one is never read.
        source = KeySource(env="KEY", epoch=key.epoch)
        ring._epochs = {key.epoch: _Epoch(source, lambda: key)}
        ring._settings = settings.model_copy(update={"key": source, "keys": ()})
        return ring

    def source(self, month: date) -> KeySource:
        """Where the key of a month's epoch is kept. `month` may be any day of it."""
        return self._settings.epoch_of(month)

    def key(self, month: date) -> GroupKey:
        """The key that hashes a month. Raises `RefusedError` where it isn't here, was destroyed, or is no key."""
        return self._epochs[self.source(month).epoch].key

    def check_newest(self) -> None:
        """Read the newest epoch's key, or its trustee's canaries: without them nothing can be counted.

        Raises `RefusedError` where they aren't there or can't be used.
        """
        source = self._settings.epochs[-1]
        if source.canaries:
            self.canaries(date.max)
        elif not source.destroyed:
            self.key(date.max)

    def canaries(self, month: date) -> Canaries:
        """What proves that a contribution of a month was hashed by its epoch's key. Raises `RefusedError` as `key` does."""
        source = self.source(month)
        if source.epoch not in self._canaries:
            self._canaries[source.epoch] = self._read_canaries(source)
        return self._canaries[source.epoch]

    def canaries_from_key(self, epoch: str | None = None) -> Canaries:
        """What a trustee hands out for an epoch (None: the newest), by its key.

        Raises `RefusedError` for an unknown epoch, and where the key isn't here.
        """
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
        # Where only a trustee's file is here, asking for its key gives the refusal that says so.
        return (
            self._read_canaries(source)
            if not source.canaries
            else canaries.from_key(self._epochs[chosen].key, rules=partial(rules_of, self._settings))
        )

    def fingerprint(self, month: date) -> str | None:
        """The fingerprint of the key of a month's epoch; None once the key is destroyed."""
        return None if self.source(month).destroyed else self.canaries(month).fingerprint

    @property
    def has_several_epochs(self) -> bool:
        """Whether there is more than one epoch, so that months may differ in their keys."""
        return len(self._epochs) > 1

    def _epoch(self, source: KeySource) -> _Epoch:
        return _Epoch(source, lambda: self._read(source))

    def _read_canaries(self, source: KeySource) -> Canaries:
        """An epoch's canaries: from its key, or from its trustee's file."""
        if not source.canaries:
            others = []
            for other in self._epochs.values():
                # The other keys serve a diagnosis alone, so one that isn't here any more hinders nothing.
                with suppress(RefusedError):
                    others += [other.key] if other.source.epoch != source.epoch else []
            return canaries.from_key(self._epochs[source.epoch].key, others, partial(rules_of, self._settings))
        from_trustee = canaries.from_file(self._directory / source.canaries)
        if from_trustee.epoch != source.epoch:
            raise refused(
                Code.CANARIES_UNUSABLE,
                "the trustee's canaries",
                "are of another epoch",
                f"{from_trustee.epoch}, group.yaml says {source.epoch}",
                "ask the trustee for this epoch's, or correct group.yaml",
            )
        check_fingerprint(from_trustee.fingerprint, source, "ask the trustee for this key's canaries, or correct group.yaml")
        return from_trustee

    def _read(self, source: KeySource) -> GroupKey:
        """An epoch's key from its file or variable; raises `RefusedError` where only a trustee has it, or nobody any more."""
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
