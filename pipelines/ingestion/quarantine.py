"""Where refused files go: out of the inbox, with their receipts, for whoever mends them."""

import os
import shutil
from datetime import datetime
from pathlib import Path

from affiliates import signing
from affiliates.concurrency import private_folder
from pipelines.ingestion import inbox
from pipelines.ingestion.inbox import RECEIPT_ENDING, STATE, State, shown_name
from pipelines.ingestion.receipts import ReceivedFile
from pipelines.ingestion.staging import signature_of

QUARANTINE = STATE / "quarantine"
UNKNOWN_SENDER = "_unknown"
"""The folder for files whose sender isn't known; no entity can have this name."""


def put_away(file: ReceivedFile, directory: Path, at: datetime) -> Path:
    """Put the copy of a refused file, which was judged, into the quarantine, with its receipt; gives the new path.

    From the inbox the file itself goes, unless somebody has written it again since: then it waits to be judged. A file that
    couldn't be copied is moved. Raises `OSError`.
    """
    offer = file.offer
    folder = directory / QUARANTINE / shown_name(file.sender or offer.folder or UNKNOWN_SENDER, "folder")
    private_folder(private_folder(directory / QUARANTINE) / folder.name)
    target = _free_path(folder, offer.name, at)
    # The receipt first: a process that is killed here leaves a receipt without a file, and no file without its reasons.
    inbox.put_receipt(target.with_name(target.name + RECEIPT_ENDING), file.receipt(at))
    in_inbox = offer.folder is not None
    # A file that a person names out of the quarantine lies there already.
    in_quarantine = (directory / QUARANTINE).absolute() in offer.path.absolute().parents
    if file.copy is not None and (in_inbox or not in_quarantine):
        shutil.move(file.copy.path, target)
    if in_inbox and _is_unchanged(offer.path, file.state):
        _remove_from_inbox(file, target)
    return target


def _free_path(folder: Path, name: str, at: datetime) -> Path:
    """A path that is free, and so is that of its receipt: two refused in one second must not replace each other."""
    path = folder / f"{at:%Y%m%dT%H%M%SZ}-{name}"
    number = 1
    while os.path.lexists(path) or path.with_name(path.name + RECEIPT_ENDING).exists():
        number += 1
        path = folder / f"{at:%Y%m%dT%H%M%SZ}-{number}-{name}"
    return path


def _remove_from_inbox(file: ReceivedFile, target: Path) -> None:
    offer = file.offer
    if file.copy is None:
        shutil.move(offer.path, target)
    elif offer.path.is_dir():
        shutil.rmtree(offer.path)
    else:
        offer.path.unlink()
    # Another signature than the copy's belongs to the file that comes next.
    if offer.signature.exists() and (file.copy is None or signature_of(offer) == file.copy.signature):
        shutil.move(offer.signature, target.with_name(target.name + signing.ENDING))


def _is_unchanged(path: Path, before: State) -> bool:
    try:
        return inbox.state_of(path) == before
    except OSError:  # Taken away meanwhile.
        return False
