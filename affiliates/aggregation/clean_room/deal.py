"""The folder of a deal: what both sides agreed, the key made for it, and the sketches of either side.

The deal's name is its folder's alone. No file in the folder has it, so that what is handed over doesn't tell it.
"""

import json
import re
import secrets
from datetime import date
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from affiliates.concurrency import atomic_write, private_folder, read_small, write_secret
from affiliates.contributions.contract import DEAL_EPOCH
from affiliates.errors import Code, refused
from affiliates.identity import canaries
from affiliates.identity.canaries import Canaries
from affiliates.identity.keys import PERSON, GroupKey, read_key
from affiliates.identity.normalisation import NORMALISATION, Rules
from affiliates.manifests.base import Day, Model, Month
from affiliates.manifests.namespaces import Form
from affiliates.manifests.settings import KeySource

KEY_FILE = "deal.key"
TERMS_FILE = "deal.json"
CANARIES_FILE = "canaries.json"
OURS = "ours"
THEIRS = "theirs"
_FORMAT = "mauwatch deal 1"
_MOST_BYTES = 1 << 20
NAMESPACE = r"[a-z0-9][a-z0-9_.-]{0,31}"
"""What a kind of identifiers is called."""


class Terms(Model):
    """What both sides agreed on: without any of it, one person would be two, or two months would be compared."""

    format: str = Field(_FORMAT, pattern=f"^{_FORMAT}$")
    fingerprint: str = Field(pattern="^[0-9a-f]{12}$")
    """The fingerprint of the deal's key; a destroyed key keeps its fingerprint."""
    month: Month
    """The calendar month whose users are compared."""
    lg_k: int = Field(21, ge=12, le=21)
    """log2 of the sketches' registers."""
    normalisation: str = Field(NORMALISATION, pattern=f"^{NORMALISATION}$")
    """The version of normalisation."""
    namespaces: dict[str, Form | None] = Field(min_length=1, max_length=16)
    """The kinds of identifiers that mean the same on both sides, each with the form in which they are written, or null."""
    destroyed: Day | None = None
    """The day on which the key and the sketches were destroyed here."""

    @model_validator(mode="after")
    def _namespaces(self) -> Self:
        for name, form in self.namespaces.items():
            # `person` is made by a group's crosswalk, which is of the group's key.
            if not re.fullmatch(NAMESPACE, name) or name == PERSON:
                raise ValueError("a namespace is a-z, 0-9, dot, dash and underscore, and not `person`")
            if form and name in ("email", "phone"):
                raise ValueError("`email` and `phone` take no form: such identifiers are normalised as what they are")
        return self

    @property
    def epoch(self) -> str:
        """The epoch that the deal's contributions name: no group's, and without the deal's name."""
        return f"{DEAL_EPOCH}{self.fingerprint}"

    def rules(self, namespace: str) -> Rules:
        """The rules by which a namespace's canaries are normalised: the same on both sides, whatever else names nobody there."""
        if namespace in ("email", "phone"):
            return Rules()
        return Rules((), self.namespaces.get(namespace) or "recognised")


class Deal:
    """A deal's folder whose terms were read; files of it are read when they are needed."""

    def __init__(self, folder: Path, terms: Terms) -> None:
        self.folder = folder
        self.terms = terms

    def key(self) -> GroupKey:
        """The deal's key. Raises `RefusedError` where it isn't there, is no key, or isn't the deal's."""
        self.check_usable()
        source = KeySource(file=KEY_FILE, epoch=self.terms.epoch)
        if not (self.folder / KEY_FILE).is_file():
            raise refused(
                Code.KEY_MISSING,
                "the deal's key",
                "isn't in the deal's folder",
                KEY_FILE,
                "put the key there that the other side handed over, for its owner's eyes alone",
            )
        key = read_key(source, self.folder)
        if key.fingerprint != self.terms.fingerprint:
            raise refused(
                Code.KEY_INVALID,
                "the deal's key",
                "isn't the deal's",
                f"its fingerprint is {key.fingerprint}, the deal's {self.terms.fingerprint}",
                "compare both fingerprints by telephone, and put the deal's key there",
            )
        return key

    def canaries(self) -> Canaries:
        """What proves that a contribution was hashed by the deal's key; the key itself isn't needed.

        Raises `RefusedError` where the file isn't there, or is another key's.
        """
        self.check_usable()
        read = canaries.from_file(self.folder / CANARIES_FILE)
        if read.fingerprint != self.terms.fingerprint:
            raise refused(
                Code.CANARIES_UNUSABLE,
                CANARIES_FILE,
                "is of another key than the deal's",
                f"{read.fingerprint}, the deal's is {self.terms.fingerprint}",
                "take deal.json and canaries.json of one deal",
            )
        return read

    def check_usable(self) -> None:
        """Raise `RefusedError` where the deal was destroyed."""
        if self.terms.destroyed:
            raise refused(
                Code.DEAL_DESTROYED,
                "the deal",
                "was destroyed: its key and its sketches are gone",
                f"on {self.terms.destroyed}",
                "make a new deal with a new key: mauwatch deal new",
            )

    def files(self, side: str) -> list[Path]:
        """The files of one side's sketches that lie in the folder, in the order of their names."""
        folder = self.folder / side
        return sorted(path for path in folder.iterdir() if path.suffix == ".parquet") if folder.is_dir() else []

    @property
    def holds_key(self) -> bool:
        """Whether the deal's key lies in the folder."""
        return (self.folder / KEY_FILE).exists()


def new(folder: Path, month: date, namespaces: dict[str, Form | None], lg_k: int) -> Deal:
    """Make a deal's folder with a new key. Raises `RefusedError` where there is one, and inside of a group directory."""
    whole = folder.resolve()
    if any((parent / "group.yaml").is_file() for parent in (whole, *whole.parents)):
        raise refused(
            Code.USAGE_INVALID,
            "a deal's folder",
            "would lie in a group directory, which is kept in git and read by others",
            "",
            "name a folder elsewhere",
        )
    if folder.exists():
        raise refused(Code.FILE_EXISTS, str(folder), "is there already", "a deal's key is never overwritten", "name a new folder")
    text = secrets.token_hex(32)
    fingerprint = GroupKey(text, "deal").fingerprint
    try:
        terms = Terms(fingerprint=fingerprint, month=month, lg_k=lg_k, namespaces=namespaces)
    except ValidationError as error:
        raise refused(
            Code.USAGE_INVALID, "the deal's terms", "can't be agreed on so", _faults(error), "correct the options"
        ) from None
    private_folder(folder)
    for side in (OURS, THEIRS):
        private_folder(folder / side)
    write_secret(folder / KEY_FILE, f"{text}\n".encode("ascii"))
    key = GroupKey(text, terms.epoch)
    canaries.to_file(canaries.from_key(key, rules=terms.rules), terms.namespaces, folder / CANARIES_FILE)
    # Last: a folder without terms is none, so a deal is there whole or not at all.
    write_terms(folder, terms)
    return Deal(folder, terms)


def read(folder: Path) -> Deal:
    """The deal of a folder, a destroyed one too. Raises `RefusedError` where the folder is none."""
    try:
        terms = Terms.model_validate(json.loads(read_small(folder / TERMS_FILE, _MOST_BYTES)))
    except ValidationError as error:
        raise refused(
            Code.DEAL_UNUSABLE, TERMS_FILE, "isn't a deal's terms", _faults(error), "ask who made the deal for the file"
        ) from None
    except (OSError, ValueError, RecursionError):
        raise refused(
            Code.DEAL_UNUSABLE,
            str(folder),
            "is no deal's folder",
            f"no readable {TERMS_FILE}",
            "name the folder that `mauwatch deal new` made, or the one that the other side's three files were put into",
        ) from None
    return Deal(folder, terms)


def write_terms(folder: Path, terms: Terms) -> None:
    """Write the terms into a deal's folder, over those that are there. Raises `OSError`."""
    with atomic_write(folder / TERMS_FILE, mode=0o600) as unfinished:
        unfinished.write_text(json.dumps(terms.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")


def _faults(error: ValidationError) -> str:
    """Which of the terms are wrong, without their values: those of a stranger's file may hold anything."""
    return ", ".join(sorted({str(fault["loc"][0]) if fault["loc"] else "namespaces" for fault in error.errors()}))[:200]
