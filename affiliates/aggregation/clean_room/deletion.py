"""Destroying a deal: its key and its sketches are deleted, and what that means where they lay is said.

Deleted is not overwritten. No program can promise that a file's bytes are gone: a journal, a snapshot, a copy on write or a disk
that spares its cells may keep them. What is promised is that nothing here reads them again.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from affiliates.aggregation.clean_room.deal import CANARIES_FILE, KEY_FILE, OURS, THEIRS, Deal, write_terms

_MOUNTS = Path("/proc/self/mountinfo")
_COPIES_ON_WRITE = ("btrfs", "zfs", "bcachefs", "apfs", "nilfs2")
_OF_A_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "lustre", "glusterfs", "webdav")


@dataclass(frozen=True)
class Destroyed:
    """What was deleted of a deal, and what may be left."""

    files: tuple[str, ...]
    """From the deal's folder on."""
    size: int
    """Bytes that they had together."""
    left: tuple[str, ...]
    """Files that go on under another name: links, or what links lead to."""
    file_system: str
    meaning: str
    """What deletion means on this file system."""


def destroy(deal: Deal, today: date) -> Destroyed:
    """Delete a deal's key and the sketches of both sides, and note the day. May be called again: it deletes what has come since.

    Raises `OSError`.
    """
    # First, so that after a crash in between nothing uses what is left, and another call deletes that.
    if not deal.terms.destroyed:
        write_terms(deal.folder, deal.terms.model_copy(update={"destroyed": today}))
    paths = held(deal)
    left = [_beside(path, deal.folder) for path in paths]
    size = sum(path.lstat().st_size for path in paths)
    for path in paths:
        path.unlink()
    for side in (OURS, THEIRS):
        if (deal.folder / side).is_dir():
            shutil.rmtree(deal.folder / side)
    name = file_system(deal.folder)
    files = tuple(str(path.relative_to(deal.folder)) for path in paths)
    return Destroyed(files, size, tuple(text for text in left if text), name, meaning(name))


def held(deal: Deal) -> list[Path]:
    """The files that destroying the deal deletes: the key, its canaries, and all that lies in the folders of both sides."""
    tops = [deal.folder / name for name in (KEY_FILE, CANARIES_FILE)]
    paths = [path for path in tops if path.exists() or path.is_symlink()]
    for side in (OURS, THEIRS):
        folder = deal.folder / side
        # A link may lead to a folder that holds much else: the link alone is the deal's.
        inside = [folder] if folder.is_symlink() else folder.rglob("*")
        paths += [path for path in inside if path.is_symlink() or not path.is_dir()]
    return sorted(paths)


def _beside(path: Path, folder: Path) -> str | None:
    """Under what other name a file's content goes on; nothing where it doesn't."""
    name = path.relative_to(folder)
    if path.is_symlink():
        return f"{name}: it was a link; what it leads to is still there"
    others = path.stat().st_nlink - 1
    return f"{name}: the file has {others} other name{'s' if others > 1 else ''}, and is still there" if others else None


def file_system(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The kind of file system that a folder lies on, such as ext4, by the system's table of mounts; empty where it has none."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "apfs" if sys.platform == "darwin" else ""
    kind = ""
    longest = 0
    whole = os.fsencode(folder.resolve()).decode("utf-8", "surrogateescape")
    for line in lines:
        # proc_pid_mountinfo(5): the fifth field is the mount's place, the first one after " - " the file system.
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        place = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        inside = whole == place or whole.startswith(place.rstrip("/") + "/")
        # Of two mounts on one place, the later one lies on top.
        if inside and len(place) >= longest:
            longest = len(place)
            kind = after.split(" ")[0]
    return kind


def meaning(kind: str) -> str:
    """What deletion means on a kind of file system."""
    if kind in _COPIES_ON_WRITE:
        return (
            f"on {kind} writing never overwrites in place, and snapshots keep deleted files whole: delete the snapshots, too. "
            "The bytes stay on the disk until they are used for something else"
        )
    if kind in ("tmpfs", "ramfs"):
        return f"{kind} lies in memory: the bytes are gone when the memory is used again, or may be in the swap space"
    if kind.startswith("fuse") or kind in _OF_A_NETWORK:
        return f"the folder lies on another machine ({kind}): its copies, snapshots and backups are that machine's"
    if kind == "overlay":
        return "the folder lies in a container's layer (overlay): what an image or a commit of the container has keeps the files"
    named = f"on {kind}" if kind else "on this file system, whose kind can't be told,"
    return (
        f"{named} deleted bytes stay on the disk until they are used for something else; a journal and a solid-state disk may "
        "keep copies for longer. Only a disk that is encrypted as a whole, or destroyed, is sure"
    )
