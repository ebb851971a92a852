"""A source of ready-made keys: for an engine that can hash and can't sketch. Its events have no identifiers any more.

A row is a key with how many events it stands for, on a day (or in a month), by audience and namespace; a row without a key
tells of events that aren't counted; rows of the audience `canary` hold the keys of the protocol's fixed identifiers, and prove
how the others were made. `mauwatch contribute --print-sql ENGINE --person-keys` prints the query that makes such a table.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import polars as pl

from affiliates.activity import Batch, Look
from affiliates.crosswalk import NO_CROSSWALK, Crosswalk
from affiliates.errors import Code, refused
from affiliates.group import AUDIENCES
from affiliates.identity import PERSON, as_key
from affiliates.kernels import Keys
from affiliates.periods import Grain, first_day
from affiliates.source import PERSON_KEY_COLUMNS
from affiliates.sources.found import Found

BATCH_ROWS = 1_000_000
_CANARY = "canary"
Row = tuple[date | None, str]
"""The day in a file's name, and a namespace."""
_NUMBERS = ("events", "unidentified_events", "undecided_events")


def batches(found: Found, days: Sequence[date], grain: Grain, crosswalk: Crosswalk | None) -> Iterator[Batch]:
    """Keys of these days, batch by batch, joined by the crosswalk where the table's aren't yet; and the canaries' keys.

    Raises `RefusedError` for what is no key, an unknown audience or namespace, or keys joined by another crosswalk.
    """
    found.check(days)
    known, proved, keyed = {*found.source.person_keys, PERSON}, set[Row](), set[Row]()
    with found.reading():
        for frame in found.frames(days, list(PERSON_KEY_COLUMNS)):
            rows = frame.select("__day__", *PERSON_KEY_COLUMNS).filter(_wanted(days, grain))
            for batch in rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False):
                _check(batch, known, crosswalk.digest if crosswalk else NO_CROSSWALK, grain, found.subject)
                of_keys = batch.filter(pl.col("person_key").is_not_null())
                for these, where in ((proved, pl.col("audience") == _CANARY), (keyed, pl.col("audience") != _CANARY)):
                    these.update(of_keys.filter(where).select("__day__", "namespace").unique().iter_rows())
                yield _batch(batch, days, grain, crosswalk)
    if alone := sorted(f"{day}, {namespace}" for day, namespace in keyed - proved if day):
        raise refused(
            Code.SOURCE_KEYS_INVALID,
            found.subject,
            "files of keys without canaries",
            f"{len(alone)}, such as {alone[0]}",
            "each file has the canaries of the query that made it: another's don't prove its keys",
        )


def counted(found: Found, days: Sequence[date]) -> dict[date, int]:
    """Events that count, by day."""
    number: dict[date, int] = defaultdict(int)
    with found.reading():
        for frame in found.frames(days, list(PERSON_KEY_COLUMNS)):
            events = pl.col("events").fill_null(0) + pl.col("unidentified_events").fill_null(0)
            rows = frame.filter(pl.col("audience") != _CANARY).group_by("activity_date").agg(n=events.sum())
            for day, events_of in rows.collect(engine="streaming").iter_rows():
                number[day] += events_of
    return dict(number)


def look(found: Found, rows: int = 10_000) -> Look:
    """A first look at the newest of a source."""
    with found.reading():
        seen = found.newest(rows).filter(pl.col("audience") != _CANARY).head(rows).collect()
    return Look(seen.is_empty(), int(seen["events"].sum()), int(seen["unidentified_events"].sum()))


def _wanted(days: Sequence[date], grain: Grain) -> pl.Expr:
    begin = first_day(grain, days[0])
    day = pl.col("activity_date")
    return (pl.col("audience") == _CANARY) | day.is_null() | day.is_between(begin, days[-1])


def _check(rows: pl.DataFrame, namespaces: set[str], digest: str, grain: Grain, subject: str) -> None:
    of_events, day = pl.col("audience").ne_missing(_CANARY), pl.col("activity_date")
    said = rows.select(
        day=(of_events & day.is_null()).sum(),
        first=(of_events & (pl.lit(grain == "month") & (day.dt.day() != 1)).fill_null(False)).sum(),
        no_key=(pl.col("person_key").is_not_null() & (~pl.col("person_key").str.contains("^[0-9a-f]{16}$"))).sum(),
        audience=(~pl.col("audience").is_in([*AUDIENCES, _CANARY]).fill_null(False)).sum(),
        namespace=(pl.col("person_key").is_not_null() & ~pl.col("namespace").is_in(namespaces).fill_null(False)).sum(),
        number=pl.any_horizontal((pl.col(n) < 0) | pl.col(n).is_null() for n in _NUMBERS).sum(),
        crosswalk=(of_events & ~pl.col("crosswalk_digest").is_in([NO_CROSSWALK, digest]).fill_null(False)).sum(),
    ).to_dicts()[0]
    for what, rule, next_step in (
        ("day", "rows without a day", "write the day, or a month's first one, of each"),
        ("first", "days in a table of months", "write each month's first day, or `grain: day` into the manifest"),
        ("no_key", "texts that are no key", "write 16 characters of 0-9 and a-f, in lower case"),
        ("audience", "unknown audiences", "write external, internal, automated or canary"),
        ("namespace", "namespaces that the manifest doesn't name", "name them under `person_keys`, or correct the query"),
        ("number", "numbers of events that are missing or negative", "write 0 where there are none"),
        ("crosswalk", "keys joined by another crosswalk than the month's", "compute them with the month's, or without any"),
    ):
        if said[what]:
            raise refused(Code.SOURCE_KEYS_INVALID, subject, rule, f"{said[what]:,} rows", next_step)


def _batch(rows: pl.DataFrame, days: Sequence[date], grain: Grain, crosswalk: Crosswalk | None) -> Batch:
    # A month's rows carry its first day, which may lie before the product's life.
    first_of = {first_day(grain, day): day for day in reversed(days)}
    cells, canaries = [], dict[str, Keys]()
    keyed = rows.filter(pl.col("person_key").is_not_null()).with_columns(person_key=as_key(pl.col("person_key")))
    for (day, audience, namespace), group in keyed.group_by("activity_date", "audience", "namespace"):
        keys, place = group["person_key"].to_numpy(), str(namespace)
        if audience == _CANARY:
            canaries[place] = keys
        elif isinstance(day, date) and day in first_of:
            events = group["events"].to_numpy()
            joined, people = crosswalk.persons(keys) if crosswalk else (np.zeros(len(keys), bool), keys)
            for some, name in ((joined, PERSON), (~joined, place)):
                if some.any():
                    cells.append((first_of[day], str(audience), name, people[some], int(events[some].sum())))
    left_out = rows.filter(pl.col("audience") != _CANARY).group_by("activity_date").agg(pl.col(*_NUMBERS[1:]).sum())
    return Batch(cells, [(first_of[d], u, n, 0) for d, u, n in left_out.iter_rows() if d in first_of], canaries)
