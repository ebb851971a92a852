"""What a killed `evidence` has left in the folder that it wrote into, sketches among them: the next run removes it.

The folder may be anywhere, and is never named again. So it is noted in the state of the group directory while it is written.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from affiliates.concurrency import private_folder, remove_left, temporary_folder

NOTES = Path(".mauwatch") / "evidence"
"""Holds a folder for each process that writes evidence, locked while that process lives."""
_WHERE = "where"
"""The file in it that names the folder of the evidence."""


@contextmanager
def room_in(directory: Path, to: Path) -> Iterator[Path]:
    """A temporary folder in the folder `to`, for evidence of a group directory; first removes what others have left.

    `to` is made where it isn't there, and goes again where nothing came of it. Raises `OSError`.
    """
    remove(directory)
    was_there = to.exists()
    with temporary_folder(private_folder(directory / NOTES)) as note:
        (note / _WHERE).write_text(str(to.absolute()), encoding="utf-8")
        try:
            # In it, since that is on the disk that has room for the bundles.
            with temporary_folder(private_folder(to)) as room:
                yield room
        finally:
            if not was_there:
                with suppress(OSError):  # Something came of it.
                    to.rmdir()


def remove(directory: Path) -> None:
    """Remove what killed processes have left in the folders that they wrote into. What a process still writes stays."""
    notes = list((directory / NOTES).glob(f"*/{_WHERE}"))
    for note in notes:
        remove_left(Path(note.read_text(encoding="utf-8")))
    if notes:
        with temporary_folder(directory / NOTES):  # Removes the notes of those that are gone.
            pass
