"""Where refused files go: out of the inbox, with their receipts, for whoever mends them."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from affiliates import signing
from affiliates.concurrency import private_folder
from pipelines.ingestion import inbox
from pipelines.ingestion.inbox import RECEIPT_ENDING, STATE, AcceptedFiles, State, shown_name
from pipelines.ingestion.receipts import ReceivedFile
from pipelines.ingestion.staging import signature_of
from pipelines.runbook import Finding, Page

QUARANTINE = STATE / "quarantine"
UNKNOWN_SENDER = "_unknown"
"""The folder for files whose sender isn't known; no entity can have this name."""
MOST_TOLD = 20
"""Files in quarantine that are told one by one."""


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


def findings(directory: Path, accepted: AcceptedFiles) -> Iterator[Finding]:
    """A finding for each file that lies in quarantine, with its path, why it was refused, and what to do.

    One that was handed in again as it is and accepted since is none. Of over `MOST_TOLD` files the others are a number.
    """
    receipts = {path: inbox.read_receipt(path.with_name(path.name + RECEIPT_ENDING)) for path in _files(directory)}
    digests = {str(receipt.get("sha256")) for receipt in receipts.values() if receipt.get("sha256")}
    taken = {sha256 for sha256, _ in accepted(sorted(digests))} if digests else set[str]()
    lying = {path: receipt for path, receipt in receipts.items() if receipt.get("sha256") not in taken}
    for path, receipt in list(lying.items())[:MOST_TOLD]:
        name = path.relative_to(directory)
        yield Finding(f"{name} lies in quarantine, and nothing of it counts: {_why(receipt)}; then delete it", Page.QUARANTINE)
    if len(lying) > MOST_TOLD:
        yield Finding(f"{len(lying) - MOST_TOLD:,} more files lie in {QUARANTINE}, and nothing of them counts", Page.QUARANTINE)


def _files(directory: Path) -> Iterator[Path]:
    """The files and folders in quarantine, without receipts and signatures, the oldest of each affiliate first."""
    for folder in sorted((directory / QUARANTINE).glob("*/")):
        yield from (path for path in sorted(folder.iterdir()) if not path.name.endswith((RECEIPT_ENDING, signing.ENDING)))


def _why(receipt: dict[str, Any]) -> str:
    """Why a file was refused and what to do, by the first reason of its receipt."""
    reasons = [reason for reason in receipt.get("refusals") or () if isinstance(reason, dict)]
    if not reasons:
        return "no receipt beside it says why; hand it in again by mauwatch receive"
    first = {name: str(reasons[0].get(name, "")) for name in ("subject", "rule", "values", "next_step")}
    values = f" ({first['values']})" if first["values"] else ""
    more = f", and {len(reasons) - 1} more reasons in its receipt" if len(reasons) > 1 else ""
    return f"{first['subject']}: {first['rule']}{values}{more}. Next: {first['next_step']}"
