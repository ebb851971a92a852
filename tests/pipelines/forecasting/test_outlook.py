"""The one outlook that is published: drawn once, the same for everybody who asks, and another where anything else is the case."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from affiliates.periods import month_from_number
from pipelines.forecasting import history, outlook
from pipelines.forecasting.forecast import forecast
from pipelines.forecasting.history import KnownMonths
from pipelines.forecasting.series import Point
from pipelines.store import contributions, outlooks
from pipelines.store.engine import Store
from pipelines.store.outlooks import PublishedOutlook
from tests.support.databases import both_databases

NOW = datetime(2026, 4, 2, tzinfo=UTC)
POINTS = [Point(24_300 + i, round(1e6 * 1.05**i), round(0.95e6 * 1.05**i), round(1.05e6 * 1.05**i)) for i in range(14)]
LAST = month_from_number(POINTS[-1].number)
LEADS = {"licence_request": 90, "migration": 180}
LINE = 2_000_000


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
    with contributions.open_store(store_url, tmp_path, create=True) as opened:
        yield opened


def known(points: list[Point], notes: tuple[str, ...] = ()) -> KnownMonths:
    return KnownMonths(points, list(notes), [], frozenset(point.number for point in points))


def published(
    store: Store, points: list[Point] = POINTS, threshold: int = LINE, now: datetime = NOW, month: date = LAST, **leads: int
) -> PublishedOutlook | None:
    return outlook.published(store, "unique_people", None, known(points), threshold, month, LEADS | leads, now)


@both_databases
def test_an_outlook_is_drawn_once_and_read_as_it_was_drawn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two drawings of one question, by unlike months or horizons, gave 57.89 and 57.78 % for the same chance."""
    first = published(store)
    assert first is not None
    drawn = forecast(history.series_of("the published months", known(POINTS)), LINE, outlook.HORIZON)
    assert (first.within_quarter, first.within_year) == (drawn.ahead[2].crossed, drawn.ahead[11].crossed)
    assert 0 < first.within_year < 1
    with monkeypatch.context() as patched:
        patched.setattr(outlook, "forecast", lambda *_: pytest.fail("drawn again"))
        again = published(store, now=NOW + timedelta(days=3))
    assert again == first
    assert outlooks.newest(store, "unique_people", "", LINE) == first
    series = history.series_of("the group", known(POINTS))
    shown = outlook.read(store, "unique_people", series, LINE, LEADS)
    assert shown is not None
    assert replace(shown, series=drawn.series, at_estimate=replace(shown.at_estimate, series=drawn.series)) == drawn


def test_whatever_an_outlook_rests_on_makes_it_another_one(store: Store) -> None:
    """Else alerts would go by a figure, a threshold or a lead time of before."""
    first = published(store)
    last = POINTS[-1]
    others = [
        published(store, POINTS[:-1], month=month_from_number(POINTS[-2].number)),
        published(store, [*POINTS[:-1], replace(last, upper=2_500_000.0)]),
        published(store, [*POINTS[:-1], replace(last, value=1_950_000.0)]),
        published(store, [*POINTS[:-1], replace(last, break_="another definition")]),
        published(store, threshold=LINE + 1),
        published(store, migration=181),
    ]
    assert first is not None
    assert len({one.basis for one in [first, *others] if one is not None}) == 7
    moved = outlook.read(store, "unique_people", history.series_of("g", known(POINTS)), LINE, LEADS | {"migration": 90})
    assert moved is not None
    assert "what it rests on has changed since" in moved.notes[-1]
    assert outlook.read(store, "unique_people", history.series_of("g", known(POINTS)), LINE + 0.5, LEADS) is None


def test_a_month_that_is_no_evidence_has_no_outlook(store: Store) -> None:
    assert published(store, POINTS[:1], month=month_from_number(POINTS[0].number)) is None
    assert published(store, POINTS, month=month_from_number(POINTS[-1].number + 1)) is None
    assert outlooks.newest(store, "unique_people", "", LINE) is None


def test_what_is_published_adds_up(store: Store) -> None:
    """The crossing's distribution and what is left beyond the horizon are one; days to decide lie before a crossing."""
    one = published(store)
    assert one is not None
    assert sum(one.first_passage.values()) + one.not_within == pytest.approx(1)
    assert sum(one.first_passage_by_estimate.values()) + one.not_within_by_estimate == pytest.approx(1)
    own, *ahead = one.months
    assert (own.month, len(ahead)) == (LAST, outlook.HORIZON)
    assert own.p50 == pytest.approx(one.estimate, rel=0.01)
    assert own.p2_5_by_estimate == own.p97_5_by_estimate == one.estimate
    assert one.lower is not None
    assert own.p2_5 == pytest.approx(one.lower, rel=0.01), "the fan with the measuring error begins at the month's own bounds"
    told_apart = [(m.p97_5 - m.p2_5) > (m.p97_5_by_estimate - m.p2_5_by_estimate) for m in ahead[:3]]
    assert all(told_apart)
    for decision in one.decisions:
        for name, day in decision.days.items():
            assert decision.crossing is not None
            assert decision.crossing - day == timedelta(LEADS[name])
    assert one.crossing == next(d.crossing for d in one.decisions if (d.doubt, d.probability) == ("range", 0.5))
