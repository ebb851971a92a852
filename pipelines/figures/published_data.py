"""What the page of data reads: contributions, files handed in and refused, late ones, restatements, signatures, runs."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import ProductRef
from affiliates.periods import add_months, local_day, month_end, month_of
from pipelines.store import page_rows, run_log
from pipelines.store.contributions import ContributionStore
from pipelines.store.run_log import LoggedRun

MOST = 200
"""Rows of a list, the newest ones."""
_MONTHS = 3
"""Months whose contributions are looked at for late ones."""


@dataclass(frozen=True)
class ProductPeriods:
    """A product's contributions of one grain."""

    product: str
    """As affiliate/product."""
    grain: str
    """day or month."""
    periods: int
    first: date
    last: date
    received_at: datetime
    """When the last of them was received."""


@dataclass(frozen=True)
class Receipt:
    """A file that was handed in, in the receipt's words."""

    file: str
    sha256: str
    sender: str | None
    """The affiliate; null where that couldn't be told."""
    received_at: datetime
    outcome: str
    """accepted or refused."""
    reasons: tuple[str, ...]
    """Why it was refused."""


@dataclass(frozen=True)
class LatePeriod:
    """A contribution that was computed before its late events had come: it may have more people."""

    product: str
    grain: str
    first_day: date
    computed_at: datetime
    settles_at: datetime
    """When its late events have come (`settles_after`); it is computed again then."""


COMPUTED_ANEW = "a run computed it after the month was signed"
"""The reason of a contribution that no person handed in: the signature of the restated month has the person's."""


@dataclass(frozen=True)
class Replaced:
    """A contribution that came, or replaced another, after its month was signed."""

    product: str
    grain: str
    first_day: date
    reason: str
    approved_by: str | None
    received_at: datetime


@dataclass(frozen=True)
class Signed:
    """A month that somebody has closed or restated, under one reading."""

    month: date
    reading: str
    state: str
    """closed or restated."""
    signed_by: str
    at: datetime
    despite: str | None
    """Why it was closed although something was open."""
    reason: str | None
    """Why it was restated."""


@dataclass(frozen=True)
class DataPage:
    """What the page of data shows; every list has the newest first, at most `MOST`."""

    products: tuple[ProductPeriods, ...]
    """In the order of products."""
    receipts: tuple[Receipt, ...]
    refused: tuple[Receipt, ...]
    late: tuple[LatePeriod, ...]
    """Of the last three months."""
    replaced: tuple[Replaced, ...]
    signed: tuple[Signed, ...]
    runs: tuple[LoggedRun, ...]
    """When a run has looked, also where nothing was new; empty where none is noted yet."""


def read(store: ContributionStore, group: Group, now: datetime, directory: Path | None) -> DataPage:
    """The page of data; `directory`: the group's, whose file notes runs that found nothing new."""
    today = local_day(now, group.settings.time_zone)
    return DataPage(
        tuple(
            ProductPeriods(_name(row), row["grain"], row["periods"], row["first"], row["last"], row["received_at"])
            for row in page_rows.newest_periods(store)
        ),
        _receipts(store, None),
        _receipts(store, "refused"),
        _late(store, group, add_months(month_of(today), 1 - _MONTHS), month_end(today)),
        tuple(
            Replaced(
                _name(row),
                row["grain"],
                row["activity_date"],
                row["reason"] or COMPUTED_ANEW,
                row["approved_by"],
                row["known_at"],
            )
            for row in page_rows.restated_periods(store, MOST)
        ),
        tuple(
            Signed(
                row["month"], row["reading"], row["state"], row["signed_by"] or "", row["known_at"], row["despite"], row["reason"]
            )
            for row in page_rows.signed(store)[:MOST]
        ),
        tuple(run_log.latest(store, directory, MOST)),
    )


def _name(row: page_rows.Row) -> str:
    return f"{row['affiliate']}/{row['product']}"


def _receipts(store: ContributionStore, outcome: str | None) -> tuple[Receipt, ...]:
    return tuple(
        Receipt(row["file"], row["sha256"], row["sender"], row["received_at"], row["outcome"], tuple(row["reasons"].splitlines()))
        for row in page_rows.receipts(store, MOST, outcome)
    )


def _late(store: ContributionStore, group: Group, first: date, last: date) -> tuple[LatePeriod, ...]:
    # Of a product that no manifest has nobody knows when it settles.
    late = []
    for row in page_rows.periods(store, first, last):
        ref = ProductRef(row["affiliate"], row["product"])
        if ref in group.products:
            settled = settles_at(group, ref, row["grain"], row["activity_date"], row["day_zone"])
            if row["computed_at"] < settled:
                late.append(LatePeriod(str(ref), row["grain"], row["activity_date"], row["computed_at"], settled))
    return tuple(sorted(late, key=lambda period: period.first_day, reverse=True)[:MOST])
