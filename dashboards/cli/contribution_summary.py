"""What a contribution holds, what stayed behind, and what it reveals: counted while it is written or read, then shown."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from affiliates.contributions.contract import Contribution
from affiliates.manifests.product import AUDIENCES, ProductRef
from affiliates.sketches.registers import Registers
from dashboards.cli import tables

REVEALS = """\
It reveals how many people used which product on which day, by audience and namespace, within the sketch's error.
All columns, all metadata and every other byte of it were looked at: there is nothing but the contract's columns.
It holds no identifier. Who has the group key and an identifier can test whether its sketch could hold that person; who
has not, a centre with a trustee among them, can't. So it is personal data all the same: keep it as such."""


@dataclass
class _Cell:
    """One product's users of one audience and namespace, over all periods."""

    periods: int = 0
    events: int | None = 0
    people: Registers | None = None
    lg_k: int = 21


@dataclass
class ContributionSummary:
    """Filled contribution by contribution; people of two keys are never united, and a day under both has its events once."""

    path: Path | None = None
    cells: dict[tuple[str, str, str, str], _Cell] = field(default_factory=lambda: defaultdict(_Cell))
    periods: int = 0
    first: date = date.max
    last: date = date.min
    unidentified: int = 0
    undecided: int = 0
    excluded: int | None = None
    """Null where no contribution tells."""
    events_noted: set[tuple[ProductRef, str, date]] = field(default_factory=set)
    """Affiliate, product, grain and first day of each."""
    made_by: set[str] = field(default_factory=set)
    """Key epoch, crosswalk, normalisation, definition, zone and producer of each."""
    missing: dict[str, list[date]] = field(default_factory=dict)
    unread: dict[str, list[str]] = field(default_factory=dict)
    """By product: files that lie where its sources point and aren't read, with numbers and reasons."""
    bytes_read: int = 0
    looks: list[str] = field(default_factory=list)
    """What of the identifiers somebody has to see to."""
    audiences: set[str | None] = field(default_factory=set)
    """Those that contributions are of; null for all."""

    def read(self, subject: str, missing: Sequence[date], size: int, unread: Sequence[str] = ()) -> None:
        """Note what of a product isn't there, how much its sources hold, and which files of theirs aren't read, and why."""
        self.unread |= {subject: list(unread)} if unread else {}
        self.missing |= {subject: list(missing)} if missing else {}
        self.bytes_read += size

    def leaves(self, contribution: Contribution) -> Contribution:
        """Note a contribution, and give it as it leaves."""
        self.audiences.add(contribution.audiences)
        self.periods += 1
        self.first = min(self.first, contribution.activity_date)
        self.last = max(self.last, contribution.activity_date)
        about = contribution.ref, contribution.grain, contribution.activity_date
        # A day before a change of the key has two contributions of the same events: the events are noted once.
        if about not in self.events_noted:
            self.events_noted.add(about)
            self.unidentified += contribution.unidentified_events or 0
            self.undecided += contribution.undecided_events or 0
            if contribution.excluded_events is not None:
                self.excluded = (self.excluded or 0) + contribution.excluded_events
        crosswalk = contribution.crosswalk_digest[:12] or "none"
        settings = (
            f"key epoch {contribution.key_epoch}, crosswalk {crosswalk}, {contribution.normalisation}, "
            f"{contribution.definition}, days of {contribution.day_zone}"
        )
        self.made_by.add(f"{settings}, by {contribution.producer}")
        for part in contribution.parts:
            cell = self.cells[str(contribution.ref), part.audience, part.namespace, contribution.key_epoch]
            cell.periods += 1
            # One row without a number leaves the sum unknown: a sum of the others would pass for the whole.
            cell.events = None if cell.events is None or part.events is None else cell.events + part.events
            # A union is as exact as its least exact sketch.
            cell.lg_k = min(cell.lg_k, part.registers.lg_k)
            cell.people = Registers.union([part.registers, *([cell.people] if cell.people else [])])
        return contribution

    @property
    def missing_said(self) -> str:
        """What is missing, in words: each product with its number of days and the first of them."""
        return "; ".join(f"{name}: {len(days)} days from {days[0]}" for name, days in self.missing.items())

    def to_dict(self) -> dict[str, Any]:
        """What `contribute --json` and `inspect --json` answer."""
        rows = [
            {
                "product": p,
                "audience": a,
                "namespace": n,
                "key_epoch": e,
                "periods": c.periods,
                "people": _people(c),
                "events": c.events,
                "lg_k": c.lg_k,
            }
            for (p, a, n, e), c in sorted(self.cells.items())
        ]
        return {
            "file": str(self.path),
            "bytes": self._size(),
            "from": f"{self.first}",
            "to": f"{self.last}",
            "contributions": self.periods,
            "holds": rows,
            "audiences": sorted({a for limited_to in self.audiences for a in (limited_to or " ".join(AUDIENCES)).split()}),
            "unidentified_events": self.unidentified,
            "undecided_events": self.undecided,
            "excluded_events": self.excluded,
            "made_by": sorted(self.made_by),
            "left_out": self.unread,
            "identifiers": self.looks,
            "missing_days": {n: [f"{d}" for d in ds] for n, ds in self.missing.items()},
        }

    def shown(self, inspected: bool = False) -> RenderableType:
        """As a table, with what it means below."""
        # Under one key the column would say the same in each row.
        one = len({epoch for *_, epoch in self.cells}) == 1
        rows = [
            (
                p,
                a,
                n if one else f"{n}, key {e}",
                f"{c.periods:,}",
                f"{_people(c):,}",
                "–" if c.events is None else f"{c.events:,}",
                f"{c.lg_k}",
            )
            for (p, a, n, e), c in sorted(self.cells.items())
        ]
        title = f"{self.path}: {self.periods:,} contributions, {self.first} to {self.last}, {self._size():,} bytes"
        columns = "product", "audience", "namespace", "periods", "people", "their events", "lgK"
        parts: list[RenderableType] = [tables.table(title, columns, rows, (3, 4, 5, 6))]
        parts += [Text(f"Made with {provenance}.") for provenance in sorted(self.made_by)]
        if self.unidentified:
            parts.append(Text(f"{self.unidentified:,} events named no user and aren't counted.", "yellow"))
        if self.undecided:
            parts.append(Text(f"{self.undecided:,} events were left undecided by a condition, taken for false.", "yellow"))
        if left_out := tables.not_counted(0, 0, self.excluded or 0, 0):
            parts.append(left_out)
        # Who doesn't read the manifest still learns here why a reading may have no upper bound.
        limited = sorted(" and ".join(a.split()) for a in self.audiences if a)
        if limited:
            parts.append(Text(f"Of {', '.join(limited)} users alone: a reading that counts others has no upper bound from it."))
        # Whoever inspects a file wasn't there when it was made, so nothing can be said of what stayed behind.
        if inspected:
            return Stack(*parts, Text(REVEALS))
        parts.append(
            Text(
                f"Left: the file, with a sketch for each period and row above, these numbers, and names of products.\n"
                f"Stayed: all identifiers, in {self.bytes_read:,} bytes of events; and the key."
            )
        )
        if self.unread:
            files = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in self.unread.items())
            parts.append(Text(f"Left out of the sources: {files}.", "yellow"))
        parts += [Text(f"{text}.", "bold red") for text in self.looks]
        if self.missing:
            parts.append(Text(f"Missing, and so not in it: {self.missing_said}.", "bold red"))
        return Stack(*parts, Text(f"Next: mauwatch inspect {self.path}, then hand it over."))

    def _size(self) -> int:
        if self.path is None or not self.path.exists():
            return 0
        # Engines write a folder of part-files where one machine writes a file.
        return sum(p.stat().st_size for p in self.path.rglob("*")) if self.path.is_dir() else self.path.stat().st_size


def _people(cell: _Cell) -> int:
    return round(cell.people.bounds().estimate) if cell.people else 0
