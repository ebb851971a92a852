"""What is missing: one meaning for products with sources and products that are handed in."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from affiliates.manifests.loader import read_group
from affiliates.manifests.product import Product
from affiliates.manifests.readings import Readings
from affiliates.periods import Grain, days_between
from pipelines.counting.missing import Absent, absent, asked_of, day_ranges, missing
from tests.support.groups import entity, product

JANUARY = date(2025, 1, 1), date(2025, 1, 31)
COUNT = {"month": "2025-01", "users": 7, "unit": "people", "document": "calls", "attested_by": "CFO"}
CEILING = {"users": 9, "unit": "cards", "document": "register", "attested_by": "CFO"}


def made(**changes: Any) -> Product:
    return Product.model_validate(product(**changes))


def moment(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2025, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("settings", "present", "now", "number"),
    [
        ({}, [], moment(1, 1), 0),
        ({}, [], moment(1, 4, 23), 0),
        ({}, [], moment(1, 5), 1),
        ({}, [], moment(2, 10), 31),
        ({"sources": []}, [], moment(2, 10), 31),
        ({"sources": []}, [], moment(1, 20), 16),
        ({"sources": [], "grain": "month"}, [], moment(1, 20), 0),
        ({"sources": [], "grain": "month"}, [], moment(2, 3, 23), 0),
        ({"sources": [], "grain": "month"}, [], moment(2, 4), 31),
        ({"sources": [], "grain": "month"}, [("month", JANUARY[0])], moment(3, 1), 0),
        ({}, [("month", JANUARY[0])], moment(3, 1), 0),
        ({}, [("month", JANUARY[0]), ("day", JANUARY[0])], moment(3, 1), 30),
        ({}, [("day", day) for day in days_between(*JANUARY)], moment(3, 1), 0),
        ({"to": "2025-01-11"}, [], moment(3, 1), 10),
        ({"sources": [], "counts": [COUNT]}, [], moment(3, 1), 0),
        ({"counts": [COUNT]}, [], moment(3, 1), 0),
        ({"sources": [], "counts": [{**COUNT, "month": "2024-12"}]}, [], moment(1, 20), 0),
        ({"sources": [], "counts": [{**COUNT, "month": "2024-12"}]}, [], moment(2, 4), 31),
        ({"sources": [], "ceilings": [CEILING]}, [], moment(1, 20), 0),
        ({"sources": [], "ceilings": [{**CEILING, "to": "2025-01-20"}]}, [], moment(3, 1), 31),
        ({"sources": []}, [("month", date(2024, 12, 1))], moment(1, 20), 0),
        ({"sources": []}, [("month", date(2024, 12, 1))], moment(2, 4), 31),
    ],
    ids=["it lasts", "not settled", "settled", "all of it", "handed in and never received", "handed in, and it lasts",
         "a month that lasts", "a month that settles", "a month", "a month that came", "days that came as a month",
         "one day of its own", "days that came", "it has ended", "a count stands in", "beside a source, too",
         "counted by month, and it lasts", "counted, and not this month", "a ceiling stands in", "not of all its days",
         "handed in by month, and it lasts", "handed in by month, and not this one"],
)  # fmt: skip
def test_what_is_missing(settings: dict[str, Any], present: list[tuple[Grain, date]], now: datetime, number: int) -> None:
    """A product that hands in files and never did was missing for `measure` alone, and `run` ended with 0."""
    assert len(missing(made(**settings), present, *JANUARY, "UTC", now)) == number


def test_the_zone_of_the_days() -> None:
    """In Auckland a day is over thirteen hours before it is in UTC."""
    assert missing(made(), [], *JANUARY, "Pacific/Auckland", moment(1, 4, 11)) == (JANUARY[0],)
    assert missing(made(), [], *JANUARY, "Pacific/Auckland", moment(1, 4, 10)) == ()


def test_what_is_absent_is_so_whether_due_or_not() -> None:
    """`measure` shows of a month that lasts what isn't there yet."""
    assert absent(made(), [("day", JANUARY[0])], *JANUARY, "UTC") == Absent(tuple(days_between(date(2025, 1, 2), JANUARY[1])))
    assert absent(made(grain="month"), [], *JANUARY, "UTC") == Absent(months=(JANUARY[0],))
    assert absent(made(grain="month"), [("day", JANUARY[0])], *JANUARY, "UTC").months == ()


def test_days_in_words() -> None:
    days = [date(2025, 1, d) for d in (1, 2, 5, 9, 10, 12)]
    assert day_ranges(days) == "2025-01-01 to 2025-01-02, 2025-01-05, 2025-01-09 to 2025-01-10 …"


def test_nothing_is_missing_of_who_is_outside_the_group(make: Callable[..., Path]) -> None:
    """`run`, the alert and /health told 640 days of an entity that was bought later, which no figure has products of."""
    bought = [{"owner": "parent", "share": "100 %", "from": "2025-02-10"}]
    half = [{"owner": "parent", "share": "50 %", "from": "2024-01-01"}]
    group = read_group(make([entity("a", [product()], owned_by=bought), entity("b", [product()], owned_by=half)]))
    days = tuple(days_between(date(2025, 1, 30), date(2025, 2, 2)))
    assert asked_of(group, "a", days) == days[2:], "the month in which an entity joins counts whole"
    assert asked_of(group, "b", days) == ()
    wide = [{"name": "wide", "counts": "unique_people", "control_share": "40 %"}, {"name": "usual", "counts": "unique_people"}]
    settings = group.model_copy(update={"readings": Readings.model_validate({"readings": wide})})
    assert asked_of(settings, "b", days) == days, "one reading counts the entity"
