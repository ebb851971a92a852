"""Time: each case from made-up events to figures and licence results, beside truths by Python sets of the same events.

What would silently go wrong: a person counted in no day or in two, a month that lacks what was never due or doesn't miss what
was, a bound that the truth lies outside of, a closed month that moves.
"""

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import yaml

from affiliates.aggregation import availability, contribute
from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution
from affiliates.crosswalks.snapshot import Crosswalk, Snapshots, from_table
from affiliates.errors import RefusedError
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.periods import DAY, days_between, end_of, month_days, month_end
from affiliates.sources import resolve
from dashboards.cli.commands import contribute as commands_contribute
from dashboards.demo import conglomerate, git_activity
from pipelines.counting import inputs, measure
from pipelines.counting.measure import Measured
from pipelines.figures import quality_checks, query
from pipelines.ingestion import acceptance, stated_counts
from pipelines.licences import release_tests
from pipelines.licences.outcome import ReadingResult
from pipelines.licences.release_tests import Licence
from pipelines.records import AcceptedContribution, OutcomeCounts
from pipelines.store import contributions
from pipelines.workflows import close
from pipelines.workflows.close import Signature
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.crosswalks import from_people
from tests.support.databases import rows_of
from tests.support.events_by_hand import (
    DAILY,
    FIRST_KEY,
    LG_K,
    OTHER,
    SECOND_KEY,
    TWO_KEYS,
    Event,
    at,
    here,
    made,
    people,
    some,
    unknown,
    write_day,
)
from tests.support.groups import NOW, Manifests, entity, product, source

Make = Callable[..., Path]
JANUARY, FEBRUARY, MARCH = (date(2025, m, 1) for m in (1, 2, 3))


def by_day(subject: str, events: Iterable[Event], over: Iterable[date], zone: str = "UTC", **said: Any) -> list[Contribution]:
    """Contributions of these days of a zone; without an event, a day has nobody."""
    each: dict[date, list[str]] = defaultdict(list)
    for moment, who in events:
        each[here(moment, zone)].append(who)
    return [made(subject, day, each[day], day_zone=zone, **said) for day in over]


def hand_in(directory: Path, each: Sequence[Contribution], now: datetime = NOW) -> OutcomeCounts:
    """By file, as an affiliate would."""
    group, path = read_group(directory), directory / "handed-in.parquet"
    contract.write(path, each)
    keys = Keyring(group.settings, directory)
    joined = Snapshots(group.settings, directory, keys)
    accepted = acceptance.accept([path], group, keys.canaries, lambda m: ((c := joined(m)) and c.digest) or "", now)
    with contributions.open_store(group.settings.store, directory, create=True) as store:
        return store.append_contributions(accepted, now)


def measured(directory: Path, month: date, on: date | None = None, **reading: Any) -> Measured:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        read = group.readings.readings[0].model_copy(update=reading)
        return measure.measure(store, group, inputs.gather(store, group, month, read, on))


def results(directory: Path, released: date, threshold: int) -> dict[str, ReadingResult]:
    """A version released on a day, by the newest clause with another threshold."""
    group, version = read_group(directory), release_tests.if_released(released)
    version = version.model_copy(update={"clause": version.clause.model_copy(update={"threshold": threshold})})
    with contributions.open_store(group.settings.store, directory) as store:
        (test,) = release_tests.run_tests(store, group, [version])
        return test.readings


def go(directory: Path, now: datetime = NOW, first: date | None = None, last: date | None = None) -> Report:
    return run(directory, read_group(directory), now, first, last)


def versions(directory: Path, day: date) -> list[dict[str, Any]]:
    stored = rows_of(read_group(directory).settings.store, directory)["contributions"]
    return sorted((r for r in stored if r["activity_date"] == day), key=lambda r: r["id"])


# 1. Late events.


@pytest.mark.parametrize("way", ["run", "handed in"])
def test_late_events(make: Make, way: str) -> None:
    """Until the days have settled nothing bounds the month; late events make a version, none make a confirmation."""
    life = {"settles_after": 3, "to": "2025-02-01"}
    directory = make([entity("a", [product("x", sources=[DAILY] if way == "run" else [], **life)])], lg_k=LG_K)
    early, settled, later = at(FEBRUARY, 5), at(date(2025, 2, 4), 5), at(date(2025, 2, 20))
    events = some("late", month_days(JANUARY))
    late = [(at(date(2025, 1, 31), 23), "late"), (at(date(2025, 1, 31), 1), "later")]

    def bring(known: list[Event], over: Sequence[date], now: datetime) -> OutcomeCounts:
        if way == "handed in":
            return hand_in(directory, by_day("a/x", known, over, computed_at=now), now)
        for day in over:
            write_day(directory, day, known)
        return go(directory, now).products[0].received

    assert bring(events, month_days(JANUARY), early).new == 31
    found = measured(directory, JANUARY).group
    assert (found.estimate, found.upper, found.complete) == (len(people(events, JANUARY)), None, False)
    assert found.reasons == ("a/x: 3 of 31 periods were computed before they settled; all have on 2025-02-04",)
    assert results(directory, FEBRUARY, 10**6)["unique_people"].result == "undetermined"
    events.append(late[0])
    last_days = days_between(date(2025, 1, 29), date(2025, 1, 31))
    got = bring(events, last_days, settled)
    assert (got.new, got.replaced, got.confirmed) == (0, 1, 2)
    found = measured(directory, JANUARY).group
    assert (found.estimate, found.complete, found.reasons) == (len(people(events, JANUARY)), True, ())
    truth = len(people(events, JANUARY))
    assert {n: results(directory, FEBRUARY, n)["unique_people"].result for n in (truth - 1, truth + 1)} == {
        truth - 1: "over" if found.lower > truth - 1 else "undetermined", truth + 1: "under",
    }  # fmt: skip
    events.append(late[1])  # Long after it settled.
    got = bring(events, last_days, later)
    assert (got.new, got.replaced, got.confirmed) == (0, 1, 0)
    assert measured(directory, JANUARY).group.estimate == len(people(events, JANUARY))
    kept = versions(directory, date(2025, 1, 31))
    assert [r["supersedes"] for r in kept] == [None, kept[0]["id"], kept[1]["id"]]
    assert len(versions(directory, date(2025, 1, 30))) == 1
    got = bring(events, last_days, later + DAY)
    assert (got.replaced, got.confirmed) == (0, 0)
    if way == "handed in":
        # An older computation of the same day, on its way for long, undoes nothing.
        assert bring(events[:-2], last_days, settled).older == 1
        assert measured(directory, JANUARY).group.estimate == len(people(events, JANUARY))


# 2. Restated history.


def test_restated_history(make: Make) -> None:
    """Three months again, by another definition: the closed one stands, the others move, every version is kept, and a month
    hasn't changed because the next one has."""
    directory = make([entity("a", [unknown("x", to="2025-04-01"), unknown("y", to="2025-04-01")])], lg_k=LG_K)
    all_days = days_between(JANUARY, month_end(MARCH))
    events = {name: some(name, all_days) for name in ("a/x", "a/y")}
    often = {
        name: [(moment, who) for moment, who in each if Counter(w for _, w in each)[who] > 4] for name, each in events.items()
    }
    for name, each in events.items():
        hand_in(directory, by_day(name, each, all_days, computed_at=NOW - DAY * 9))

    def truth(of: Mapping[str, list[Event]], month: date) -> int:
        return len(set().union(*(people(each, month) for each in of.values())))

    assert go(directory).findings == []
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close.close_month(workspace, JANUARY, Signature("Head of Finance"))

    def shown(month: date, anew: bool = False) -> int | None:
        group = read_group(directory)
        with contributions.open_store(group.settings.store, directory) as store:
            reading = group.readings.readings[0]
            return query.figures_of_month(store, group, month, reading, anew=anew)[0].group.estimate

    now = NOW + DAY
    for name, each in often.items():
        restated = by_day(name, each, days_between(FEBRUARY, month_end(MARCH)), definition="often/2", computed_at=NOW)
        assert hand_in(directory, restated, now).replaced == 59
    report = go(directory, now)
    # Nothing of January: its neighbour's first day is no part of it. That the new definition counts fewer is told.
    assert all("by an earlier version" in str(told) and "2025-01" not in str(told) for told in report.findings)
    assert len(report.findings) == 4, "two products, two months"
    assert report.published == [FEBRUARY, MARCH]
    assert [shown(m) for m in (JANUARY, FEBRUARY, MARCH)] == [
        truth(events, JANUARY), truth(often, FEBRUARY), truth(often, MARCH),
    ]  # fmt: skip
    for name, each in often.items():
        hand_in(
            directory, by_day(name, each, days_between(JANUARY, date(2025, 1, 20)), definition="often/2", computed_at=NOW), now
        )
    told = map(str, go(directory, now + DAY).findings)
    (finding,) = [text for text in told if "by an earlier version" not in text]
    assert "2025-01 is closed, and what it rests on has changed" in finding
    half = {n: [e for e in each if e[0].date() > date(2025, 1, 20)] for n, each in events.items()}
    half = {n: each + [e for e in often[n] if e[0].date() <= date(2025, 1, 20)] for n, each in half.items()}
    assert (shown(JANUARY), shown(JANUARY, anew=True)) == (truth(events, JANUARY), truth(half, JANUARY))
    assert "a/x: who is active was defined in two ways within the month: 20 periods by often/2, 11 periods by seen/1" in (
        measured(directory, JANUARY).inputs.not_counted
    )
    assert [r["definition"] for r in versions(directory, FEBRUARY)] == ["seen/1"] * 2 + ["often/2"] * 2


# 3. Acquisition and divestiture in the middle of a month.


def test_who_comes_and_goes_in_the_middle_of_a_month(make: Make) -> None:
    """Bought on the 16th, sold on the 10th, handed from one member to another on the 16th, bought after the month."""

    def held(*spans: tuple[str, str | None, str | None]) -> dict[str, Any]:
        return {
            "owned_by": [{"owner": o, "share": 1, **({"from": f} if f else {}), **({"to": t} if t else {})} for o, f, t in spans]
        }

    entities = {
        "a": held(("parent", None, None)),
        "bought": held(("parent", "2025-03-16", None)),
        "sold": held(("parent", None, "2025-03-10")),
        "moved": held(("a", None, "2025-03-16"), ("bought", "2025-03-16", None)),
        "after": held(("parent", "2025-04-16", None)),
    }
    directory = make([entity(n, [unknown("x")], **owned) for n, owned in entities.items()], lg_k=LG_K)
    events = {n: [(m, who) for m, who in some(n, month_days(MARCH), people=150)] for n in entities}
    for name, each in events.items():
        assert hand_in(directory, by_day(f"{name}/x", each, month_days(MARCH))).new == 31  # Its days before the purchase, too.

    def members(day: date) -> set[str]:
        """By hand."""
        there = {"a", "moved"} | ({"sold"} if day < date(2025, 3, 10) else set())
        return there | ({"bought"} if day >= date(2025, 3, 16) else set()) | ({"after"} if day >= date(2025, 4, 16) else set())

    def truth(names: Iterable[str]) -> int:
        return len(set().union(*(people(events[n], MARCH) for n in names)))

    assert len({truth(members(d)) for d in (date(2025, 3, 9), date(2025, 3, 10), date(2025, 3, 16), date(2025, 4, 16))}) == 4
    group = read_group(directory)
    assert {d: set(group.affiliates(d)) - {"parent"} for d in days_between(MARCH, date(2025, 4, 30))} == {
        d: members(d) for d in days_between(MARCH, date(2025, 4, 30))
    }
    for day in (date(2025, 3, d) for d in (9, 10, 15, 16)):
        found = measured(directory, MARCH, on=day)
        assert (set(found.affiliates), found.group.estimate) == (members(day), truth(members(day)))
        assert found.group.summed_products == sum(truth([n]) for n in members(day))
        assert found.group.complete
    at_end = measured(directory, MARCH)
    assert (set(at_end.affiliates), at_end.group.estimate) == ({"a", "moved", "bought"}, truth(["a", "moved", "bought"]))
    assert "sold: not under control: members hold 0 %" in at_end.inputs.not_counted
    assert any(said.startswith("after: not under control") for said in at_end.inputs.not_counted)
    # Registers can't be subtracted: what is left is united again, and is exactly the union of the others.
    assert truth(entities) - truth(["sold", "after"]) < truth(["a", "moved", "bought"])
    (directory / "readings.yaml").write_text(
        "readings: [{name: release, counts: unique_people}, {name: month, counts: unique_people, membership: month_end}]\n"
    )
    # A version of April tests March, with the group as it is on the release date: with whole months of who came in between.
    for released, with_after in ((date(2025, 4, 15), False), (date(2025, 4, 16), True)):
        found_ = results(directory, released, 10**6)
        assert {n: o.estimate for n, o in found_.items()} == {
            "release": truth(["a", "moved", "bought", *(["after"] if with_after else [])]),
            "month": truth(["a", "moved", "bought"]),
        }
        assert {o.result for o in found_.values()} == {"under"}
    # And one of March tests February, in which nothing was contributed, whoever is in.
    assert {o.result for o in results(directory, date(2025, 3, 12), 10**6).values()} == {"not_measured"}


# 4. Products that start and end.

LIVES = {
    "from-the-31st": ("day", date(2025, 1, 31), date(2025, 3, 1)),
    "to-the-1st": ("day", date(2025, 1, 1), date(2025, 2, 2)),
    "one-day": ("day", date(2025, 1, 15), date(2025, 1, 16)),
    "old-name": ("day", date(2025, 1, 1), date(2025, 1, 12)),
    "new-name": ("day", date(2025, 1, 12), date(2025, 3, 1)),
    "by-month": ("month", date(2025, 1, 10), date(2025, 2, 20)),
}


def test_what_was_due_of_products_that_start_and_end(make: Make) -> None:
    """Each day of each life is due and no other: by sets of days."""
    lives = {n: {"grain": g, "from": str(f), "to": str(t)} for n, (g, f, t) in LIVES.items()}
    directory = make([entity("a", [unknown(n, **said) for n, said in lives.items()])], lg_k=LG_K)
    events = {n: some(n, days_between(f, t - DAY)) for n, (_, f, t) in LIVES.items()}
    for name, (grain, first, after) in LIVES.items():
        subject = f"a/{name}"
        if grain == "day":
            outside = by_day(subject, [], [first - DAY, after])
            inside = by_day(subject, events[name], days_between(first, after - DAY))
        else:
            outside = [made(subject, m, [], grain="month") for m in (date(2024, 12, 1), MARCH)]
            of_month = {m: [w for at_, w in events[name] if at_.month == m.month] for m in (JANUARY, FEBRUARY)}
            inside = [made(subject, m, who, grain="month") for m, who in of_month.items()]
        for wrong in outside:
            with pytest.raises(RefusedError, match="outside the product's life"):
                hand_in(directory, [wrong])
        hand_in(directory, inside)
    for month in (JANUARY, FEBRUARY):
        alive = {n: set(month_days(month)) & set(days_between(f, t - DAY)) for n, (_, f, t) in LIVES.items()}
        found = measured(directory, month)
        assert {n: (f.coverage.days_expected, f.coverage.months_expected) for n, f in found.products.items()} == {
            f"a/{n}": (len(ds), 0) if LIVES[n][0] == "day" else (0, 1) for n, ds in alive.items() if ds
        }
        assert found.group.complete
        assert found.group.estimate == len(set().union(*(people(each, month) for each in events.values())))
        names = "old-name", "new-name"
        assert sum(found.products[f"a/{n}"].coverage.days_present for n in names if alive[n]) == len(month_days(month))


def test_a_product_by_month_that_has_ended_waits_for_the_months_end(make: Make) -> None:
    """All of its days are there on the 20th, but its period is the month: computed now, it would be refused every day."""
    ended = product("x", grain="month", to="2025-01-20", sources=[DAILY])
    directory = make([entity("a", [ended])], lg_k=LG_K)
    events = some("ended", days_between(JANUARY, date(2025, 1, 19)))
    for day in days_between(JANUARY, date(2025, 1, 19)):
        write_day(directory, day, events)
    report = go(directory, at(date(2025, 1, 25)))
    assert (report.products[0].refusals, report.products[0].periods) == ((), 0)
    assert go(directory).products[0].periods == 1
    found = measured(directory, JANUARY).group
    assert (found.estimate, found.complete, found.coverage.months_present) == (len(people(events, JANUARY)), True, 1)


# 5. Time zones.

CLOCKS = {
    "no change": ("Asia/Tokyo", date(2025, 1, 31)),
    "no midnight in Brazil": ("America/Sao_Paulo", date(2018, 11, 4)),
    "no midnight in Lebanon": ("Asia/Beirut", date(2024, 3, 31)),
    "midnight ends the longer day": ("Asia/Beirut", date(2024, 10, 26)),
    "a day that wasn't": ("Pacific/Apia", date(2011, 12, 30)),
    "25 hours in Berlin": ("Europe/Berlin", date(2024, 10, 27)),
    "23 hours in Berlin": ("Europe/Berlin", date(2025, 3, 30)),
    "25 hours in New York": ("America/New_York", date(2024, 11, 3)),
    "23 hours in New York": ("America/New_York", date(2025, 3, 9)),
    "half an hour": ("Australia/Lord_Howe", date(2025, 4, 6)),
    "yesterday comes again": ("America/St_Johns", date(2010, 11, 6)),
    "yesterday comes again at a month's edge": ("America/St_Johns", date(2009, 10, 31)),
    "midnight twice": ("America/Havana", date(2024, 11, 3)),
}


@pytest.mark.parametrize(("zone", "around"), CLOCKS.values(), ids=CLOCKS)
def test_every_event_is_in_exactly_one_day(make: Make, zone: str, around: date) -> None:
    """Each day computed by itself, so that what is filtered away for one is nowhere else; everybody comes once."""
    over = days_between(around - 2 * DAY, around + 2 * DAY)
    start = at(around, -36)
    events = [(start + timedelta(minutes=30 * i + 5), f"v{i}") for i in range(3 * 48)]
    # As a clock on the wall shows them: the hour that comes twice is there twice.
    local = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment, _ in events]
    users = [f"{who}@example.com" for _, who in events]
    frames = {
        "x.parquet": pl.DataFrame({"at": [moment for moment, _ in events], "user": users}),
        "y.parquet": pl.DataFrame({"at": local, "user": users}),
    }
    life = {"from": str(over[0]), "to": str(over[-1] + DAY)}
    known = {"complete_through": str(over[-1])}
    apps = [
        product("x", **life, sources=[source(files="x.parquet", **known)]),
        product("y", **life, sources=[source(files="y.parquet", time={"column": "at", "zone": zone}, **known)]),
    ]
    directory = make([entity("a", apps)], frames, time_zone=zone, lg_k=LG_K)
    group = read_group(directory)
    place = contribute.EdgeContext(directory, group.settings, Keyring(group.settings, directory), lambda month: None, NOW)
    truth = Counter(here(moment, zone) for moment, _ in events)
    each: list[Contribution] = []
    for ref, app in group.products.items():
        found = resolve.find(str(ref), app, directory, zone)
        alone = [availability.periods_present(found, app, [day], zone, NOW) for day in over]
        of_app = [c for periods in alone for some_ in contribute.contribute(ref, app, found, periods, place) for c in some_]
        assert {c.activity_date: sum(p.events or 0 for p in c.parts) for c in of_app} == {day: truth[day] for day in over}
        each += of_app
    hand_in(directory, each)
    for month in {day.replace(day=1) for day in over}:
        assert measured(directory, month).group.estimate == len(people(events, month, zone))
        assert measured(directory, month).group.complete


def test_an_hour_that_never_was_is_refused_by_its_number(make: Make) -> None:
    frame = pl.DataFrame({"at": [datetime(2018, 11, 4, 0, 30), datetime(2018, 11, 4, 1, 30)], "user": ["a", "b"]})
    said = source(time={"column": "at", "zone": "America/Sao_Paulo"}, complete_through="2018-11-05")
    app = product("x", **{"from": "2018-11-01"}, to="2018-11-06", sources=[said])
    directory = make([entity("a", [app])], {"events.parquet": frame}, time_zone="America/Sao_Paulo", lg_k=LG_K)
    (refusal,) = go(directory).products[0].refusals
    assert "events without a readable time (1 in column at, as in events.parquet)" in str(refusal)


def test_a_day_that_was_not_is_not_due(make: Make) -> None:
    """Samoa went from the 29th to the 31st of December 2011: the 30th can't be missing for ever."""
    life = {"from": "2011-12-01", "to": "2012-01-01"}
    over = [d for d in month_days(date(2011, 12, 1)) if d.day != 30]
    apps = [
        unknown("x", **life),
        product("by-day", **life, sources=[DAILY | {"time": None, "day_zone": "Pacific/Apia"}]),
        product("by-month", **life, grain="month", sources=[DAILY | {"time": None, "day_zone": "Pacific/Apia"}]),
    ]
    for app in apps[1:]:
        del app["sources"][0]["time"]
    directory = make([entity("a", apps)], time_zone="Pacific/Apia", lg_k=LG_K)
    events = some("samoa", over)
    for day in over:
        write_day(directory, day, events)
    hand_in(
        directory, by_day("a/x", [(m.replace(hour=20) - DAY * (m.day == 31), w) for m, w in events if m.day < 29], over, "UTC")
    )
    report = go(directory)
    assert (report.clean, [p.missing for p in report.products]) == (True, [(), (), ()])
    found = measured(directory, date(2011, 12, 1))
    named = len({who for _, who in events})
    assert {n: (f.estimate, f.coverage.days_expected) for n, f in found.products.items() if n != "a/x"} == {
        "a/by-day": (named, 30), "a/by-month": (named, 0),
    }  # fmt: skip
    assert found.products["a/by-day"].complete
    assert found.products["a/by-month"].complete
    directory = make([entity("a", [unknown("x", **life), unknown("z", **life)])])
    hand_in(directory, by_day("a/z", [(m - timedelta(hours=12), w) for m, w in events], over, "Pacific/Apia"))
    found = measured(directory, date(2011, 12, 1))
    coverage = found.products["a/z"].coverage
    assert (coverage.days_expected, coverage.days_present, found.products["a/z"].complete) == (30, 30, True)


APART = {
    "east of the group": ("UTC", "Asia/Tokyo"),
    "west of the group": ("UTC", "America/New_York"),
    "half the world": ("America/Sao_Paulo", "Asia/Tokyo"),
    "a whole day": ("Pacific/Apia", "Pacific/Pago_Pago"),
    "more than a day east": ("Pacific/Pago_Pago", "Pacific/Kiritimati"),
    "more than a day west": ("Pacific/Kiritimati", "Pacific/Pago_Pago"),
}


@pytest.mark.parametrize(("ours", "theirs"), APART.values(), ids=APART)
def test_days_of_another_zone_hold_the_truth(make: Make, ours: str, theirs: str) -> None:
    """A person every two hours, who never comes again: the edges' days alone are uncertain, and must be there and settled."""
    directory = make([entity("a", [unknown("x", **{"from": "2024-12-01"})])], time_zone=ours, lg_k=LG_K)
    events = [(at(date(2024, 12, 28), 2 * i + 1), f"w{i}") for i in range(12 * 38)]
    truth = len(people(events, JANUARY, ours))
    hand_in(directory, by_day("a/x", events, month_days(JANUARY), theirs))
    found = measured(directory, JANUARY).group
    assert (found.upper, found.complete) == (None, False)
    assert f"its days are {theirs}'s, and the periods around the month's edges aren't all there" in found.reasons[0]
    near = [date(2024, 12, 30), date(2024, 12, 31), FEBRUARY, FEBRUARY + DAY]
    touching = [d for d in near if _overlaps(d, theirs, ours)]
    for day in touching:
        hand_in(directory, by_day("a/x", events, [day], theirs, computed_at=end_of("day", day, theirs) + timedelta(hours=1)))
    found = measured(directory, JANUARY).group
    assert (found.upper, found.complete) == (None, False)
    assert f"{len(touching)} of {31 + len(touching)} periods were computed before they settled" in found.reasons[0]
    assert found.coverage.days_expected == found.coverage.days_present == 31
    hand_in(directory, by_day("a/x", events, near, theirs))
    found = measured(directory, JANUARY).group
    assert (found.complete, found.estimate) == (True, len(people(events, JANUARY, theirs)))
    assert found.upper is not None
    assert found.lower <= truth <= found.upper
    assert found.upper - found.lower <= 12 * 4 + 4


def _overlaps(day: date, theirs: str, ours: str) -> bool:
    return any(here(datetime.combine(day, datetime.min.time(), ZoneInfo(theirs)) + timedelta(hours=h + 0.5), ours).replace(day=1)
               == JANUARY for h in range(24))  # fmt: skip


@pytest.mark.parametrize(("zone", "life", "settled"), [
    ("UTC", {}, at(date(2025, 2, 4), 0)),
    ("Asia/Tokyo", {}, at(date(2025, 2, 4), 15)),  # The 1st of February there.
    ("Asia/Tokyo", {"grain": "month"}, at(date(2025, 3, 3), 15)),
    ("Asia/Tokyo", {"to": "2025-02-01"}, at(date(2025, 2, 4), 0)),  # By the other product, whose days are UTC's.
    ("America/New_York", {}, at(date(2025, 2, 4), 5)),
])  # fmt: skip
def test_a_month_has_settled_when_what_reaches_into_it_has(make: Make, zone: str, life: Manifests, settled: datetime) -> None:
    """Judged earlier, its missing upper bound would be a red check at each month's beginning."""
    named = DAILY | {"day_zone": zone}
    del named["time"]
    directory = make([entity("a", [product("x", sources=[named], **life), unknown("y")])], lg_k=LG_K)
    hand_in(directory, by_day("a/y", [], month_days(JANUARY)))
    assert quality_checks.MonthDue(measured(directory, JANUARY).inputs, read_group(directory), NOW).settled_at == settled


@pytest.mark.parametrize(("zone", "life", "month"), [
    ("Asia/Tokyo", {"from": "2025-02-01"}, JANUARY), ("America/New_York", {"from": "2025-01-01", "to": "2025-02-01"}, FEBRUARY),
])  # fmt: skip
def test_hours_of_a_product_that_lives_in_the_month_beside(make: Make, zone: str, life: Manifests, month: date) -> None:
    """Its first day begins, or its last one ends, in another month of the group's zone: its people there are people of it."""
    directory = make([entity("a", [unknown("x"), unknown("y", **life)])], lg_k=LG_K)
    ours = some("ours", days_between(JANUARY, month_end(FEBRUARY)))
    theirs = [(at(date(2025, 1, 30), 1 + i), f"w{i}") for i in range(72)]
    living = [d for d in days_between(JANUARY, month_end(FEBRUARY)) if str(d) >= life["from"] and str(d) < life.get("to", "9999")]
    theirs = [e for e in theirs if here(e[0], zone) in living]
    hand_in(directory, by_day("a/x", ours, days_between(JANUARY, month_end(FEBRUARY))))
    hand_in(directory, by_day("a/y", theirs, living, zone))
    found = measured(directory, month)
    truth = people([*ours, *theirs], month)
    assert len(truth) > len(people(ours, month))
    assert found.group.upper is not None
    assert found.group.lower <= len(truth) <= found.group.upper
    assert found.products["a/y"].coverage.days_expected == 0
    assert found.group.complete


def test_months_handed_in_whole_and_days_since(make: Make) -> None:
    """The first month by days is the neighbour of the last whole one: at their edge either bounds the other."""
    life = {"from": "2025-01-01", "to": "2025-03-01"}
    directory = make([entity("a", [unknown("x", **life)])], lg_k=LG_K)
    events = some("whole", days_between(JANUARY, month_end(FEBRUARY)), each=3)
    of_january = [who for moment, who in events if here(moment, "Asia/Tokyo").month == 1]
    hand_in(directory, [made("a/x", JANUARY, of_january, grain="month", day_zone="Asia/Tokyo")])
    hand_in(directory, by_day("a/x", events, month_days(FEBRUARY), "Asia/Tokyo"))
    for month in (JANUARY, FEBRUARY):
        found, truth = (
            measured(directory, month).group,
            len(people([e for e in events if here(e[0], "Asia/Tokyo") >= JANUARY], month)),
        )
        assert found.complete
        assert found.upper is not None
        assert found.lower <= truth <= found.upper


@pytest.mark.parametrize(("zone", "over"), [
    ("Asia/Tokyo", datetime(2025, 1, 31, 15, tzinfo=UTC)), ("America/Sao_Paulo", datetime(2025, 2, 1, 3, tzinfo=UTC)),
])  # fmt: skip
def test_a_month_is_over_by_the_groups_clock(make: Make, zone: str, over: datetime) -> None:
    """A month that can be closed has its ceilings; and an evening's run in Brazil hands in what was over yesterday there."""
    roof = {"users": 70, "unit": "cards", "document": "d", "attested_by": "CFO"}
    directory = make([entity("a", [unknown("x", ceilings=[roof])])], time_zone=zone, lg_k=LG_K)
    group = read_group(directory)
    for now, upper in ((over - timedelta(minutes=1), None), (over, 70)):
        with Workspace(directory, group, now) as workspace:
            stated_counts.take_counts(workspace)
        if upper:
            assert measured(directory, JANUARY).group.upper == upper
        place = contribute.EdgeContext(directory, group.settings, Keyring(group.settings, directory), lambda month: None, now)
        (app,) = group.entities["a"].products
        last = commands_contribute.days_asked(app, None, place)[-1]
        assert last == (date(2025, 1, 31) if upper else date(2025, 1, 30))


# 6. Leap days and the lengths of months.


@pytest.mark.parametrize(("month", "length"), [
    (date(2023, 2, 1), 28), (date(2024, 2, 1), 29), (date(2000, 2, 1), 29), (date(2024, 4, 1), 30), (date(2024, 12, 1), 31),
])  # fmt: skip
def test_each_month_has_its_days(make: Make, month: date, length: int) -> None:
    """29 February is due in a leap year, can be missing, closed and stood in for; in another year it is nowhere."""
    life = {"from": str(month), "to": str(month_end(month) + DAY)}
    given = {"month": f"{month:%Y-%m}", "users": 300, "unit": "people", "document": "d", "attested_by": "CFO"}
    roof = {"users": 500, "unit": "cards", "document": "d", "attested_by": "CFO", **life}
    directory = make(
        [entity("a", [unknown("x", **life), unknown("y", **life, counts=[given]), unknown("z", **life, ceilings=[roof])])],
        lg_k=LG_K,
    )
    events = some("leap", month_days(month))
    each = by_day("a/x", events, month_days(month))
    assert len(each) == length
    hand_in(directory, each[:-1])
    go(directory)
    found = measured(directory, month)
    assert found.products["a/x"].reasons == (f"a/x: 1 of {length} days ({month_end(month)}) missing",)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        with pytest.raises(RefusedError, match=f"{length - 1} of|1 of {length} days"):
            close.close_month(workspace, month, Signature("Head of Finance"))
        hand_in(directory, each[-1:])
        closed = close.close_month(workspace, month, Signature("Head of Finance"))["unique_people"]
    truth = len(people(events, month))
    assert closed.group.coverage.days_expected == 3 * length
    assert (closed.products["a/x"].estimate, closed.group.lower) == (truth, 300)
    assert closed.products["a/x"].upper is not None
    assert closed.group.upper == closed.products["a/x"].upper + 800


def test_a_source_named_by_a_day_that_there_is_not(make: Make) -> None:
    """Its events count nowhere: said by `doctor`, since nothing of a month that has no such day is missing."""
    life = {"from": "2023-02-01", "to": "2023-03-01"}
    directory = make([entity("a", [product("x", sources=[DAILY], **life)])], lg_k=LG_K)
    february = date(2023, 2, 1)
    events = some("no leap", month_days(february))
    for day in month_days(february):
        write_day(directory, day, events)
    shutil.copy(directory / "days-2023-02-28.parquet", directory / "days-2023-02-29.parquet")
    assert go(directory).clean
    found = measured(directory, february).group
    assert (found.estimate, found.coverage.days_expected, found.complete) == (len(people(events, february)), 28, True)
    (seen,) = resolve.find("a/x", read_group(directory).entities["a"].products[0], directory, "UTC")
    assert "left out: 1 file named by a day that there isn't, such as 2023-02-29" in seen.summary()
    make([entity("b", [product("x", sources=[DAILY], **{"from": "2023-02-29"})])])
    with pytest.raises(RefusedError, match=r"b\.yaml:\d+"):
        read_group(directory)


# 7. What is missing is never under a threshold.


def results_of(found: Iterable[Mapping[str, ReadingResult]]) -> set[str]:
    return {outcome.result for readings in found for outcome in readings.values()}


def test_a_missing_week_is_under_nothing_but_by_a_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up conglomerate, and a week of one of its affiliates that never came: of a month counted by days, and of one
    handed in whole."""
    week = days_between(date(2023, 7, 10), date(2023, 7, 16))
    stored = contributions.ContributionStore.append_contributions

    def is_lost(c: Contribution) -> bool:
        return c.affiliate == "social" and (c.grain == "month" or c.activity_date in week)

    def lost(self: contributions.ContributionStore, received: Sequence[AcceptedContribution], *args: Any) -> OutcomeCounts:
        kept = [r for r in received if not is_lost(r.contribution)]
        return stored(self, kept, *args)

    def copied(directory: Path, name: str) -> None:
        copy(directory, name)
        with (directory / "group.yaml").open("a") as settings:
            settings.write("lg_k: 14\n")  # Coarser than the demo's, which would take seconds.

    copy = git_activity.copy
    monkeypatch.setattr(git_activity, "copy", copied)
    monkeypatch.setattr(contributions.ContributionStore, "append_contributions", lost)
    directory, now = tmp_path / "demo", datetime(2023, 8, 5, tzinfo=UTC)
    shown = conglomerate.play(directory, now, 0.0001, lambda what, done, of: None)
    assert "social/feed: 7 of 31 days (2023-07-10 to 2023-07-16) missing" in shown.last.group.reasons
    threshold = release_tests.llama_releases()[0].clause.threshold or 0
    whole, by_days = release_tests.llama_releases()[0], release_tests.if_released(date(2023, 8, 15))
    path = directory / "affiliates" / "social.yaml"
    manifest = yaml.safe_load(path.read_text())

    def with_ceilings(users: int | None, *asked: Licence) -> list[Mapping[str, ReadingResult]]:
        """Results by licence, with such a ceiling for each of the affiliate's products."""
        roof = {"users": users, "unit": "accounts", "document": "register", "attested_by": "CFO"}
        for said in manifest["products"]:
            said["ceilings"] = [] if users is None else [roof]
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
        with Workspace(directory, read_group(directory), now) as workspace:
            stated_counts.take_counts(workspace)
            return [t.readings for t in release_tests.run_tests(workspace.store(), workspace.group, asked, as_run=True)]

    without = with_ceilings(None, whole, by_days)
    assert results_of(without) == {"undetermined"}
    assert {o.upper for readings in without for o in readings.values()} == {None}
    low = with_ceilings(1_000_000, whole, by_days)
    assert results_of(low) == {"under"}
    products = len(manifest["products"])
    sketched = (low[1]["unique_people"].upper or 0) - products * 1_000_000
    at_most = (threshold - sketched) // products  # The bound is then at the threshold, as nearly as equal ceilings go.
    for ceiling, result in ((at_most, "under"), (at_most + 1, "undetermined")):
        assert with_ceilings(ceiling, by_days)[0]["unique_people"].result == result
    kiosk = directory / "affiliates" / "retail.yaml"
    said = yaml.safe_load(kiosk.read_text())
    said["products"][-1]["ceilings"] = []  # A product that has never contributed.
    kiosk.write_text(yaml.safe_dump(said, sort_keys=False))
    assert results_of(with_ceilings(1, by_days)) == {"undetermined"}


# 8. Key epochs.


@pytest.mark.parametrize(("ours", "theirs"), APART.values(), ids=APART)
def test_an_epochs_change_beside_days_of_another_zone(make: Make, ours: str, theirs: str) -> None:
    """The same people each day, hashed by two keys: united they'd be twice as many. Days of the month beside are in the upper
    bound alone, which may be wider for it and never lower; the lower bound rests on the month's own key."""
    life = {"from": "2025-01-20", "to": "2025-02-12"}
    settings = {"time_zone": ours, "lg_k": LG_K}
    directory = make(
        [entity("a", [unknown("x", **life), unknown("y", **life)])], {"second.key": OTHER.encode()}, keys=TWO_KEYS, **settings
    )
    said = yaml.safe_load((directory / "group.yaml").read_text())
    del said["key"]
    (directory / "group.yaml").write_text(yaml.safe_dump(said, sort_keys=False))
    over = days_between(date(2025, 1, 20), date(2025, 2, 11))
    each = [made("a/x", day, [f"u{i}" for i in range(40)], day_zone=theirs, key=_key(day)) for day in over]
    each += [made("a/y", day, [f"u{i}" for i in range(20, 60)], day_zone=ours, key=_key(day)) for day in over]
    hand_in(directory, each)
    for month in (JANUARY, FEBRUARY):
        found = measured(directory, month)
        assert found.group.complete
        for name, truth in (("a/x", 40), ("a/y", 40)):
            figure = found.products[name]
            assert figure.upper is not None
            assert (figure.estimate, figure.lower <= truth <= figure.upper) == (truth, True)
        assert (found.group.estimate, found.group.lower) == (60, 60)
        assert found.group.upper is not None
        assert 60 <= found.group.upper <= 60 + 40 + 2
    wrong = [made("a/x", FEBRUARY, ["u1"], day_zone=theirs, key=FIRST_KEY)]
    with pytest.raises(RefusedError, match=r"another key epoch \(1, the month's is 2\)"):
        hand_in(directory, wrong)


def _key(day: date) -> GroupKey:
    return FIRST_KEY if day < FEBRUARY else SECOND_KEY


# 9. A late crosswalk.


def test_a_snapshot_replaced_after_days_were_handed_in(make: Make) -> None:
    """Half by each snapshot would count a person twice: it is refused, and says whose days have to come again."""
    apps = [unknown(n, to="2025-02-01") for n in ("x", "y")]
    directory = make([entity("a", apps)], crosswalk="joined-{month}.parquet", lg_k=LG_K)
    events = {n: some(n, month_days(JANUARY), people=90) for n in ("a/x", "a/y")}

    def snapshot(together: int) -> Crosswalk:
        who = [f"u{i}" for i in range(60)]  # The other thirty are in no snapshot.
        links = pl.DataFrame(
            {"identifier": [f"{w}@example.com" for w in who], "person": [f"p{i // together}" for i in range(60)]}
        )
        table = from_people(links, "email", FIRST_KEY)
        table.write_parquet(directory / "joined-2025-01.parquet")
        return from_table(table)

    def truth(together: int, names: Iterable[str] = ("a/x", "a/y")) -> int:
        seen = set().union(*(people(events[n], JANUARY) for n in names))
        return len({f"p{int(w[1:]) // together}" if int(w[1:]) < 60 else w for w in seen})

    first = snapshot(2)
    for name, each in events.items():
        hand_in(directory, by_day(name, each, month_days(JANUARY), joined=first))
    assert measured(directory, JANUARY).group.estimate == truth(2)
    second = snapshot(3)
    with pytest.raises(RefusedError, match="another crosswalk than the month's"):
        hand_in(directory, by_day("a/y", events["a/y"], month_days(JANUARY), joined=first))
    assert measured(directory, JANUARY).group.estimate == truth(2)  # What was counted stands until something new comes.
    hand_in(directory, by_day("a/y", events["a/y"], month_days(JANUARY), joined=second))
    with pytest.raises(RefusedError, match="two crosswalk snapshots can't be united") as refused:
        measured(directory, JANUARY)
    for words in ("31 periods, such as a/x's", "31 periods, such as a/y's", "mauwatch run --from 2025-01-01", "handed in again"):
        assert words in str(refused.value)
    assert {o.result for o in results(directory, FEBRUARY, 10**6).values()} == {"not_measured"}
    hand_in(directory, by_day("a/x", events["a/x"], month_days(JANUARY), joined=second))
    assert measured(directory, JANUARY).group.estimate == truth(3)
