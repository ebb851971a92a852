"""A value that no list knows, and that stands for everybody who isn't signed in: one person in place of thousands."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from affiliates.aggregation import contribute
from affiliates.aggregation.frequent import masked
from affiliates.errors import Code, RefusedError
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import GroupKey
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.settings import Settings
from affiliates.sketches.kernels.cells import FIRST_CODE
from affiliates.sketches.kernels.frequent import frequent_rows
from affiliates.sources import resolve
from tests.support.groups import KEY, NOW, product, source

DAY = date(2025, 1, 1)
SETTINGS = Settings.model_validate({"group": "g", "ultimate_parent": "parent", "key": {"file": "k"}, "lg_k": 18})
BOTH = [{"column": "user", "namespace": "account"}, {"column": "device", "namespace": "device"}]


def counted(directory, frame: pl.DataFrame, n_days: int = 1, **changes: object) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """People, each once a day, and unidentified events of events that are spread over so many days. Raises `RefusedError`."""
    directory.mkdir(exist_ok=True)
    days = [DAY + timedelta(number) for number in range(n_days)]
    for number, day in enumerate(days):
        frame.gather_every(n_days, number).write_parquet(directory / f"events-{day}.parquet")
    ours = {"files": "events-{day}.parquet", "time": None, "complete_through": None, "identifiers": BOTH}
    manifest = Product.model_validate(product(sources=[source(**ours)]) | changes)
    context = contribute.EdgeContext(directory, SETTINGS, Keyring.from_key(SETTINGS, GroupKey(KEY, "1")), lambda month: None, NOW)
    sources = resolve.find("shop/app", manifest, directory, "UTC")
    passes = contribute.contribute(ProductRef("shop", "app"), manifest, sources, {day: [day] for day in days}, context)
    contributions = [c for one_pass in passes for c in one_pass]
    users = sum(part.distinct_users or 0 for contribution in contributions for part in contribution.parts)
    return users, sum(contribution.unidentified_events or 0 for contribution in contributions)


def events(people: int, of_value: int, value: str | None, devices: int, each: int = 1) -> pl.DataFrame:
    """`people` with `each` events of their own, and `of_value` events of one value beside so many devices."""
    users = [f"u{i}" for i in range(people)] * each + [value] * of_value
    own = [f"own{i}" for i in range(people)] * each + [f"d{i % devices}" if devices else None for i in range(of_value)]
    frame = pl.DataFrame({"user": users, "device": own}, schema={"user": pl.String, "device": pl.String})
    return frame.sample(fraction=1, shuffle=True, seed=3)


REFUSED = [
    pytest.param(events(5, 20, "xyzzy", 20), "beside 20 different", id="few people, more devices than people"),
    pytest.param(events(300, 400, "xyzzy", 300), "events", id="most events"),
    pytest.param(events(2000, 900, "xyzzy", 0), "in 900 of 2,900 events; the limit is 20%", id="a third, and no device"),
    pytest.param(events(5000, 400, "xyzzy", 400), "beside 400 different next identifiers; the limit is 100", id="many devices"),
    pytest.param(events(60, 150, "xyzzy", 0), "in 150 of 210 events; the limit is 50%", id="most of a small product's events"),
]


@pytest.mark.parametrize(("frame", "words"), REFUSED)
def test_one_value_of_many_people_is_refused(tmp_path, frame: pl.DataFrame, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RefusedError) as error:
        counted(tmp_path, frame)
    (refusal,) = error.value.refusals
    assert refusal.code == Code.EVENTS_OF_ONE_VALUE
    assert words in str(refusal)
    assert "column user, `x…` of 5 characters" in str(refusal)
    assert "xyzzy" not in str(refusal)


@pytest.mark.parametrize(
    ("frame", "people"),
    [
        (events(5, 6, "anna", 3), 6),
        (events(3, 30, "anna", 1), 4),
        (events(0, 500, "anna", 2), 1),
        (events(50, 300, "anna", 4, each=10), 51),
        (events(5000, 90, "anna", 90), 5001),
        (events(20_000, 150, "anna", 150), 20_001),
        (events(5, 20, None, 20), 25),
        (events(5, 20, r"\N", 20), 25),
    ],
)
def test_people_who_stand_out_are_people(tmp_path, frame: pl.DataFrame, people: int) -> None:  # type: ignore[no-untyped-def]
    """A refusal of an honest day would keep its users out of the month."""
    assert counted(tmp_path, frame)[0] == people


IN_MONTH = [
    pytest.param(
        events(60, 130, "xyzzy", 40, each=6), "2025-01", "beside 40 different next identifiers; the limit is 31", id="few"
    ),
    pytest.param(events(150, 1200, "xyzzy", 0, each=7), "2025-01", "in 1,200 of 2,250 events; the limit is 50%", id="events"),
    pytest.param(events(3000, 620, "xyzzy", 310, each=3), "2025-01", "beside 310 different next identifiers", id="many"),
]


@pytest.mark.parametrize(("frame", "period", "words"), IN_MONTH)
def test_days_too_small_to_judge_make_a_month(tmp_path, frame: pl.DataFrame, period: str, words: str) -> None:  # type: ignore[no-untyped-def]
    """Eight events a day of nobody are in no day's notable share, and hide forty people of a hundred in a month."""
    with pytest.raises(RefusedError) as error:
        counted(tmp_path, frame, n_days=31)
    (refusal,) = error.value.refusals
    assert refusal.code == Code.EVENTS_OF_ONE_VALUE
    assert refusal.subject == f"shop/app, {period}"
    assert words in str(refusal)
    assert "xyzzy" not in str(refusal)


def test_a_new_cookie_every_day_is_one_persons(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A refusal of an honest month would keep its users out."""
    assert counted(tmp_path, events(20, 62, "anna", 31, each=31), n_days=31)[0] > 31
    assert counted(tmp_path, events(60, 290, "anna", 5, each=6), n_days=31)[0] > 31


def test_a_manifest_raises_the_limits(tmp_path) -> None:  # type: ignore[no-untyped-def]
    frame = events(300, 400, "till", 300)
    assert counted(tmp_path, frame, largest_identifier={"share": "60 %", "beside": 300, "reason": "a till"})[0] == 301
    with pytest.raises(RefusedError, match="limit is 299"):
        counted(tmp_path, frame, largest_identifier={"share": "60 %", "beside": 299, "reason": "a till"})
    with pytest.raises(ValueError, match="reason"):
        Product.model_validate(product(largest_identifier={"share": "60 %"}))


def test_robots_may_have_most_events(tmp_path) -> None:  # type: ignore[no-untyped-def]
    frame = events(300, 400, "robot", 300)
    automated = {"files": "events-{day}.parquet", "time": None, "complete_through": None, "identifiers": BOTH}
    assert counted(tmp_path, frame, sources=[source(**automated, automated_when="user = 'robot'")])[0] == 301


@pytest.mark.parametrize("n_days", [1, 40])
def test_no_frequent_key_is_left_out(n_days: int) -> None:
    """The buckets are shared: what they leave out is never looked at again."""
    rng = np.random.default_rng(n_days)
    n = 200_000
    keys = rng.integers(0, 2**64, 60_000, np.uint64)[rng.integers(0, 60_000, n)]
    days = rng.integers(0, n_days, n).astype(np.int32)
    heavy = rng.random(n) < 0.05
    keys[heavy] = 12345
    flags = np.where(rng.random(n) < 0.9, 1, 16 + 1).astype(np.uint8)
    codes = np.full(n, int(FIRST_CODE), np.uint8)
    rows = np.empty(n, np.int64)
    chosen = rows[: frequent_rows(days, flags, codes, keys, n_days, 3, rows)]
    expected = np.flatnonzero((keys == 12345) & (flags == 1))
    assert set(expected.tolist()) <= set(chosen.tolist())
    assert len(chosen) < 2 * len(expected)
    assert not (flags[chosen] == 17).any()


def test_masked_shows_little() -> None:
    assert masked("user@example.com") == "`u…` of 16 characters"
    assert masked("") == "`…` of 0 characters"
