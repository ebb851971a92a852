"""A group directory as its files say now, read again only where one has changed."""

from dataclasses import dataclass
from pathlib import Path

from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from pipelines.licences import registry
from pipelines.licences.registry import Registry


@dataclass(frozen=True)
class GroupManifests:
    """A group directory as its files say now."""

    group: Group
    registry: Registry
    files: tuple[object, ...]
    """Names, sizes and times of change of the files: other files are another group."""


class GroupDirectory:
    """A group directory whose manifests are read again only where a file has changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._known: GroupManifests | None = None

    def read(self) -> GroupManifests:
        """The manifests and the licence registry. Raises `RefusedError` where a manifest can't be read."""
        state = self._state()
        # Another thread may read at the same time: both read the same, and the later one stays.
        known = self._known
        if known is None or known.files != state:
            known = GroupManifests(read_group(self.directory), registry.from_directory(self.directory), state)
            self._known = known
        return known

    def _state(self) -> tuple[object, ...]:
        """Names, sizes and times of change of all manifests: another state is read anew."""
        # A glob follows no order of its own, and a list that differs would read everything anew.
        folders = ("affiliates", "licences", "attested")
        paths = [*self.directory.glob("*.yaml"), *(path for name in folders for path in self.directory.glob(f"{name}/*"))]
        stated = ((path, path.stat()) for path in sorted(paths))
        return tuple((path, status.st_mtime_ns, status.st_size) for path, status in stated)
