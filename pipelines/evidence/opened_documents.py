"""The documents of an opened bundle, read once for all checks; no database."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end, month_from_text
from pipelines import hash_chain
from pipelines.counting.inputs import gather
from pipelines.evidence import documents
from pipelines.evidence.archive import FORMAT, Bundle
from pipelines.evidence.bundle_reader import BundleReader, group_of
from pipelines.evidence.documents import FigureBasis, Json
from pipelines.hash_chain import LedgerEntry

LEDGER = "ledger.jsonl"
"""The file of the ledger, an entry a line."""


class OpenedDocuments:
    """What a bundle says. Reading it raises what a document that our code hasn't written makes it raise."""

    def __init__(self, opened: Bundle) -> None:
        self.opened = opened
        self.about = opened.about
        self.month = month_from_text(opened.about["month"])
        self.published: list[dict[str, Any]] = opened.json("figures.json")["published"]
        self.licence: dict[str, Any] = opened.json("licence.json")
        self.inputs: dict[str, Any] = opened.json("inputs.json")
        self.group_json: dict[str, Any] = opened.json("group.json")
        self.closing: dict[str, Any] = opened.json("closing.json")

    @property
    def is_compared(self) -> bool:
        """Whether the format is the one whose documents are compared whole."""
        return self.opened.format == FORMAT

    @cached_property
    def entries(self) -> list[LedgerEntry]:
        """The ledger's entries."""
        return hash_chain.from_lines((self.opened.folder / LEDGER).read_text(encoding="utf-8"))

    @property
    def head(self) -> LedgerEntry | None:
        """The entry that signs the month; null where nobody has signed it."""
        return hash_chain.head_of(self.entries, self.month)

    @cached_property
    def group(self) -> Group:
        """The group, by group.json and the readings."""
        return group_of(self.group_json, self.licence["read"])

    @property
    def readings(self) -> Sequence[Reading]:
        """The readings that are shown."""
        return self.group.readings.readings

    @cached_property
    def by_reading(self) -> Mapping[str, Json]:
        """By reading, the publication with its figures."""
        return {one["publication"]["reading"]: one for one in self.published}

    @cached_property
    def basis(self) -> Mapping[str, Json]:
        """By reading, what the month was signed on; empty where a signature keeps nothing, or nothing of this licence."""
        bases = {name: documents.basis_of(one["publication"]["collected"]) for name, one in self.by_reading.items()}
        kept = {name: basis for name, basis in bases.items() if basis and self.licence["licence"] in basis["licences"]}
        return kept if len(kept) == len(bases) else {}

    @property
    def months_key(self) -> str | None:
        """The public key that the month was signed with, as the ledger binds it; null where it binds none."""
        texts = [one["publication"]["collected"] for one in self.published]
        keys = [json.loads(text).get("public_key") for text in texts if text]
        return next((key for key in keys if key), None)

    @property
    def released(self) -> date:
        """The day of the licence's release."""
        return date.fromisoformat(self.licence["released"])

    def days_of(self, reading: Reading) -> list[date]:
        """The days on which a reading draws the group: the month's last, and the release date where the reading says so."""
        return [month_end(self.month), *([self.released] if reading.membership == "release_date" else [])]

    @cached_property
    def reader(self) -> BundleReader:
        """The contributions and counts."""
        return BundleReader(self.opened)

    @cached_property
    def bases(self) -> list[FigureBasis]:
        """What each reading's figures rest on, gathered anew from the documents, in the order of the readings."""
        return [
            FigureBasis(reading, on, gather(self.reader, self.group, self.month, reading, on, method=self.method_of(reading)))
            for reading in self.readings
            for on in self.days_of(reading)
        ]

    def method_of(self, reading: Reading) -> int:
        """The version of counting that has made a reading's figures: they are made again by the same."""
        method: int = self.by_reading[reading.name]["publication"]["method"]
        return method

    def basis_at(self, reading: Reading, on: date) -> FigureBasis:
        """What the figures under a reading rest on, for the group of a day."""
        return next(basis for basis in self.bases if (basis.reading.name, basis.on) == (reading.name, on))

    def tests_the_month_end(self, reading: Reading) -> bool:
        """Whether the reading's test is of the published figures: its group is that of the month's end, or the same one."""
        day = self.days_of(reading)[-1]
        return self.basis_at(reading, day).inputs.digest == self.basis_at(reading, month_end(self.month)).inputs.digest
