"""Events in files of every kind, and what is contributed of them."""

import csv
import gzip
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from affiliates.aggregation import availability, contribute
from affiliates.aggregation.contribute import EdgeContext
from affiliates.contributions.contract import Contribution
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.sources import resolve
from tests.support.groups import KEY, NOW

JANUARY = [date(2025, 1, 1) + timedelta(i) for i in range(31)]


def contributions(directory: Path, days: list[date] | None = None, **place: Any) -> dict[date, Contribution]:
    """What the first product with sources contributes for these days."""
    group = read_group(directory)
    ref, first_product = next((ref, product) for ref, product in group.products.items() if product.sources)
    work = EdgeContext(
        directory,
        group.settings,
        Keyring.from_key(group.settings, GroupKey(KEY, "1")),
        place.pop("crosswalk", lambda month: None),
        place.pop("now", NOW),
    )
    files = resolve.find(str(ref), first_product, directory, group.settings.time_zone)
    periods = availability.periods_present(files, first_product, days or JANUARY, group.settings.time_zone, work.now)
    return {
        c.activity_date: c
        for contributions_ in contribute.contribute(ref, first_product, files, periods, work)
        for c in contributions_
    }


def users(contribution: Contribution, audience: str = "external") -> dict[str, int]:
    """Exact users by namespace, where there are any."""
    return {p.namespace: p.distinct_users or 0 for p in contribution.parts if p.audience == audience and p.distinct_users}


def as_csv(frame: pl.DataFrame) -> bytes:
    """A frame as a CSV file with a header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(frame.columns)
    writer.writerows(frame.rows())
    return out.getvalue().encode()


def as_jsonl(frame: pl.DataFrame) -> bytes:
    """A frame as JSON, a line a row."""
    return "".join(json.dumps(row, default=str) + "\n" for row in frame.to_dicts()).encode()


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """The same events with times as ISO 8601 text."""
    return frame.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%z"))


def encoded(kind: str, frame: pl.DataFrame) -> bytes:
    """A frame as a file of a kind: parquet, csv or jsonl, the texts also with .gz or .zst."""
    name, _, packed = kind.partition(".")
    if name == "parquet":
        out = io.BytesIO()
        frame.write_parquet(out)
        return out.getvalue()
    data = as_csv(as_text(frame)) if name == "csv" else as_jsonl(as_text(frame))
    return packed_as(data, packed)


def packed_as(data: bytes, packed: str) -> bytes:
    """Bytes packed as gz, as zst or, by an empty text, not at all."""
    return gzip.compress(data) if packed == "gz" else zstandard.compress(data) if packed == "zst" else data
