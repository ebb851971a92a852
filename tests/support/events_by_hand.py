"""Events made by hand, their truth by Python sets, and contributions of them."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from affiliates.contributions.contract import Contribution, Part
from affiliates.crosswalks import snapshot
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey, person_key
from affiliates.identity.normalisation import normalise
from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY
from affiliates.sketches.registers import Registers
from tests.support.groups import KEY, NOW, Manifests, product, source

Event = tuple[datetime, str]
"""The moment, and the person."""
LG_K = 18
OTHER = "abcdef0123456789" * 4
FIRST_KEY, SECOND_KEY = GroupKey(KEY, "1"), GroupKey(OTHER, "2")
TWO_KEYS = [{"epoch": 1, "file": "group.key"}, {"epoch": 2, "file": "second.key", "from": "2025-02"}]


def at(day: date, hour: float = 12) -> datetime:
    """A moment of a day in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def some(seed: str, over: Sequence[date], each: int = 6, people: int = 120) -> list[Event]:
    """So many events on each day, by people of one population that all products share."""
    chance = random.Random(seed)
    return [(at(day, 24 * chance.random()), f"u{chance.randrange(people)}") for day in over for _ in range(each)]


def here(moment: datetime, zone: str) -> date:
    """The day of a moment in a zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def people(events: Iterable[Event], month: date, zone: str = "UTC") -> set[str]:
    """The truth: who has an event in the month."""
    return {who for moment, who in events if here(moment, zone).replace(day=1) == month}


def keys_of(who: Iterable[str], key: GroupKey) -> Any:
    """The person keys of people, under a group key."""
    frame = pl.DataFrame({"x": [f"{name}@example.com" for name in sorted(who)]}, schema={"x": pl.String})
    return frame.select(person_key(normalise(pl.col("x"), "email"), "email", key)).to_series().to_numpy()


@cache
def proof(namespace: str, key: GroupKey) -> bytes:
    """The canary's image of a namespace under a group key."""
    return canaries.image(namespace, key, LG_K)


def made(subject: str, first: date, who: Sequence[str], joined: snapshot.Crosswalk | None = None, **changes: Any) -> Contribution:
    """What an affiliate makes of a period's events, with no code of ours but hashing and sketching."""
    affiliate, product_ = ProductRef.parse(subject)
    key = changes.pop("key", FIRST_KEY)
    keys = keys_of(list(who), key)  # One for each event.
    of_namespace = {"email": keys}
    if joined is not None:
        known, keys = joined.persons(keys)
        of_namespace = {"email": keys[~known], "person": keys[known]}
    parts = tuple(
        Part("external", n, Registers.from_keys(LG_K, np.unique(k)), len(k), len(set(k.tolist())), proof(n, key))
        for n, k in of_namespace.items()
    )
    plain = {
        "grain": "day", "definition": "seen/1", "definition_digest": None, "day_zone": "UTC", "computed_at": NOW - DAY,
        "crosswalk_digest": joined.digest if joined else "", "normalisation": "v1 unicode",
    }  # fmt: skip
    return Contribution(
        affiliate=affiliate, product=product_, activity_date=first, key_epoch=key.epoch, unidentified_events=0,
        undecided_events=0, producer="by hand", parts=parts, **{**plain, **changes},
    )  # fmt: skip


def unknown(name: str, /, **changes: Any) -> Manifests:
    """A product whose sketches are handed in."""
    return product(name, sources=[], **changes)


def write_day(directory: Path, day: date, events: Iterable[Event]) -> None:
    """Write the file of a day with that day's events, by UTC."""
    rows = [(moment, f"{who}@example.com") for moment, who in events if moment.date() == day]
    frame = pl.DataFrame(rows, schema={"at": pl.Datetime("us", "UTC"), "user": pl.String}, orient="row")
    frame.write_parquet(directory / f"days-{day}.parquet")


DAILY = source(files="days-{day}.parquet", complete_through=None)
