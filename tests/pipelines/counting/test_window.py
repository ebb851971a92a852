"""Windows beside the calendar month: what would silently be too low, or carry a month's name.

The truths are sets of people in Python, by the same made-up events.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from affiliates.contributions.contract import Contribution
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.periods import DAY, days_between, month_days, month_end
from affiliates.sketches.registers import Registers
from dashboards.cli.commands import measure as commands_measure
from dashboards.cli.main import app
from pipelines.counting import inputs, measure
from pipelines.counting.measure import Measured
from pipelines.counting.window import Days
from pipelines.records import StatedCount
from pipelines.store.contributions import ContributionStore, open_store
from pipelines.workflows import close
from pipelines.workflows.close import Signature
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.databases import SQLITE, rows_of
from tests.support.events_by_hand import here
from tests.support.groups import NOW, entity, events, product, source, write_group
from tests.support.sketches import READING, contributed, give, keys

Make = Callable[..., Path]
Event = tuple[datetime, int]
"""The moment, and the person."""
DECEMBER, JANUARY, FEBRUARY, MARCH = date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)
LIFE: dict[str, Any] = {"from": "2024-12-01", "to": "2025-04-01", "sources": []}
ALL_DAYS = days_between(DECEMBER, date(2025, 3, 31))
LG_K = 16


def of(people: Sequence[int] | set[int]) -> Registers:
    return Registers.from_keys(LG_K, keys(0, 10_000)[sorted(set(people))])


def some(seed: str, over: Sequence[date] = ALL_DAYS, each: int = 5, people: int = 200) -> list[Event]:
    """So many events on each day, by people of one population that all products share."""
    chance = random.Random(seed)
    return [
        (datetime(d.year, d.month, d.day, tzinfo=UTC) + timedelta(hours=24 * chance.random()), chance.randrange(people))
        for d in over for _ in range(each)
    ]  # fmt: skip


def by_day(
    name: str, seen: Sequence[Event], over: Sequence[date] = ALL_DAYS, zone: str = "UTC", **changes: Any
) -> list[Contribution]:
    each: dict[date, set[int]] = defaultdict(set)
    for moment, who in seen:
        each[here(moment, zone)].add(who)
    return [contributed(name, day, {"email": of(each[day])}, day_zone=zone, **changes) for day in over]


def by_month(name: str, seen: Sequence[Event], months: Sequence[date], **changes: Any) -> list[Contribution]:
    each = {m: of({who for moment, who in seen if moment.date().replace(day=1) == m}) for m in months}
    return [contributed(name, m, {"email": r}, grain="month", **changes) for m, r in each.items()]


def people(seen: Sequence[Event], window: Days) -> set[int]:
    """The truth: who has an event in the window."""
    return {who for moment, who in seen if window.first <= moment.date() <= window.last}


def measured(store: ContributionStore, group: Group, window: Days) -> Measured:
    return measure.measure(store, group, inputs.gather_window(store, group, window, READING))


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[ContributionStore]:
    with open_store(store_url, tmp_path, create=True) as warehouse:
        yield warehouse


SEEN = {name: some(name) for name in ("a/x", "a/y", "b/z", "b/w")}
EDGES = [DECEMBER - DAY, *ALL_DAYS, date(2025, 4, 1)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ContributionStore, Group]]:
    """One product by days, one by months, one by Tokyo's days, and one by months until February and by days since."""
    directory = tmp_path_factory.mktemp("windows")
    entities = [
        entity("a", [product("x", **LIFE), product("y", grain="month", **LIFE)]),
        entity("b", [product("z", **{**LIFE, "from": "2024-11-01", "to": None}), product("w", **LIFE)]),
    ]
    group = read_group(write_group(directory / "group", entities))
    with open_store(group.settings.store, directory / "group", create=True) as store:
        give(store, group, *by_day("a/x", SEEN["a/x"]))
        give(store, group, *by_month("a/y", SEEN["a/y"], [DECEMBER, JANUARY, FEBRUARY, MARCH]))
        give(store, group, *by_day("b/z", SEEN["b/z"], EDGES, "Asia/Tokyo"))
        give(store, group, *by_month("b/w", SEEN["b/w"], [DECEMBER, JANUARY]))
        give(store, group, *by_day("b/w", SEEN["b/w"], days_between(FEBRUARY, date(2025, 3, 31))))
        yield store, group


WINDOWS = st.one_of(
    st.builds(Days.to_date, st.sampled_from(ALL_DAYS)),
    st.builds(Days.trailing, st.sampled_from([28, 30]), st.sampled_from(ALL_DAYS[29:])),
)


@settings(max_examples=30)
@given(window=WINDOWS)
def test_every_window_holds_the_truth(filled: tuple[ContributionStore, Group], window: Days) -> None:
    """A day too few at either edge, a whole month taken for its part, or left out of the bound from above."""
    store, group = filled
    figures = measured(store, group, window)
    for name, figure in [*figures.products.items(), ("", figures.group)]:
        truth = len(set().union(*(people(SEEN[n], window) for n in SEEN if name in ("", n))))
        assert figure.upper is not None
        assert figure.lower <= truth <= figure.upper, (name, window)
    assert figures.products["a/x"].estimate == len(people(SEEN["a/x"], window))
    assert figures.products["a/x"].complete
    assert figures.products["a/x"].coverage.days_expected == (window.last - window.first).days + 1
    for name in ("a/y", "b/w"):
        cut = [m for m in window.months if window.part_of(m) != (m, month_end(m)) and (name == "a/y" or m < FEBRUARY)]
        figure = figures.products[name]
        assert (figure.complete, len(figure.reasons)) == (not cut, len(cut))
        whole = [m for m in window.months if m not in cut]
        inside = {who for moment, who in SEEN[name] if window.first <= moment.date() <= window.last
                  and moment.date().replace(day=1) in whole}  # fmt: skip
        assert (figure.estimate or 0) == len(inside)
        assert all(f"{m:%Y-%m} was contributed as a whole month" in reason for m, reason in zip(cut, figure.reasons, strict=True))


def test_a_window_that_is_a_month_has_the_months_figures(filled: tuple[ContributionStore, Group]) -> None:
    """Two ways to count the same days that differ would both be doubted."""
    store, group = filled
    for window in (Days.trailing(28, month_end(FEBRUARY)), Days.to_date(month_end(FEBRUARY))):
        as_month, figures = measured(store, group, Days.from_month(FEBRUARY)), measured(store, group, window)
        assert (figures.group, figures.affiliates, figures.products) == (as_month.group, as_month.affiliates, as_month.products)


def test_a_months_digest_is_what_it_was(filled: tuple[ContributionStore, Group]) -> None:
    """It is signed with: were it to differ, every closed month would be called changed. As it was before there were other
    windows, and with the same figures. (Where group.yaml says something of namespaces, method 3 has other inputs.)"""
    store, group = filled
    known = [inputs.gather(store, group, month, READING, method=2).digest for month in (DECEMBER, JANUARY, FEBRUARY, MARCH)]
    assert [digest[:16] for digest in known] == ["73661bbe3f5d6ec5", "9018e57c5a0af1d4", "6ac2a44726e6965e", "5917abf86d934b66"]
    figures = [measured(store, group, Days.from_month(m)).group for m in (DECEMBER, JANUARY, FEBRUARY, MARCH)]
    assert [(f.estimate, f.lower, f.upper) for f in figures] == [
        (192, 192, 194), (187, 185, 189), (184, 182, 187), (195, 195, 197),
    ]  # fmt: skip


def test_days_that_are_missing_or_may_still_grow_leave_no_upper_bound(store: ContributionStore, make: Make) -> None:
    """As in a month: at the window's end the newest days haven't settled."""
    group = read_group(make([entity("a", [product("x", **LIFE)])]))
    last, seen = date(2025, 2, 12), some("a")
    window = Days.trailing(28, last)
    give(
        store,
        group,
        *by_day("a/x", seen, days_between(JANUARY, last - 2 * DAY), computed_at=datetime(2025, 2, 12, 6, tzinfo=UTC)),
    )
    figure = measured(store, group, window).group
    assert (figure.upper, figure.complete) == (None, False)
    assert figure.reasons == (
        "a/x: 2 of 28 days (2025-02-11 to 2025-02-12) missing",
        "a/x: 2 of 26 periods were computed before they settled; all have on 2025-02-14",
    )
    assert figure.estimate == len(people([e for e in seen if e[0].date() <= last - 2 * DAY], window))


@pytest.mark.parametrize(
    ("kinds", "window", "lower", "upper", "message"),
    [
        (["count", "count", "count"], Days.trailing(30, MARCH), 2000, 6000, "of 2025-01 and 2025-02 and 2025-03, of which"),
        (["count", None, "count"], Days.trailing(30, MARCH), 0, None, ""),
        (["ceiling", "count", "ceiling"], Days.trailing(30, MARCH), 2000, 6000, "a ceiling of 6,000"),
        (["count", "count", None], Days.trailing(30, date(2025, 2, 10)), 0, 3000, "of 2025-01 and 2025-02, of which"),
        (["count", "count", None], Days.trailing(28, month_end(FEBRUARY)), 2000, 2000, "of 2025-02: report"),
        ([None, "count", None], Days.trailing(30, MARCH), 2000, None, ""),
    ],
)  # fmt: skip
def test_a_count_is_of_a_month(
    store: ContributionStore, make: Make, kinds: list[str | None], window: Days, lower: int, upper: int | None, message: str
) -> None:
    """Of a part of a month it is no floor; without one of its months nothing bounds the window from above."""
    group = read_group(make([entity("a", [product("x", **LIFE)])]))
    numbered = zip((JANUARY, FEBRUARY, MARCH), kinds, (1000, 2000, 3000), strict=True)
    counts = [StatedCount("a", "x", m, kind, n, "people", "report", "CFO") for m, kind, n in numbered if kind]
    store.replace_counts(JANUARY, MARCH, counts, NOW)
    figure = measured(store, group, window).group
    assert (figure.lower, figure.upper, figure.complete) == (lower, upper, False)
    assert figure.estimate == (lower or None)
    assert any(message in reason for reason in figure.reasons)


def test_keys_and_snapshots_that_nobody_can_join_are_kept_apart(store: ContributionStore, make: Make) -> None:
    """United, everybody who came before and after would be two people in the lower bound, or be refused for a month."""
    group = read_group(make([entity("a", [product("x", **LIFE)]), entity("b", [product("z", **LIFE)])]))
    seen, window = some("a"), Days.trailing(28, date(2025, 2, 14))
    before, after = days_between(DECEMBER, month_end(JANUARY)), days_between(FEBRUARY, date(2025, 2, 28))
    give(store, group, *by_day("a/x", seen, before, key_epoch="1"), *by_day("a/x", seen, after, key_epoch="2"))
    early, late = ({who for moment, who in seen if moment.date() in some_ and moment.date() >= window.first
                    and moment.date() <= window.last} for some_ in (before, after))  # fmt: skip
    figure = measured(store, group, window).products["a/x"]
    assert (figure.estimate, figure.identity_low, figure.identity_high) == (
        len(early) + len(late), max(len(early), len(late)), len(early) + len(late),
    )  # fmt: skip
    assert figure.upper is not None
    assert figure.lower <= max(len(early), len(late)) <= len(early | late) <= len(early) + len(late) <= figure.upper
    assert figure.reasons == (
        "a/x: 14 periods (2025-01-18 to 2025-01-31) are under the key of epoch 1, not of 2: whether they have the same people "
        "nobody can tell, so they are added in the estimate and the upper bound",
    )
    assert not figure.complete

    def joined(over: Sequence[date], digest: str) -> list[Contribution]:
        of_day = {d: {who for moment, who in seen if moment.date() == d} for d in over}
        parts = {
            d: {"person": of({w for w in who if w < 100}), "email": of({w for w in who if w >= 100})} for d, who in of_day.items()
        }
        return [contributed("b/z", d, p, crosswalk_digest=digest, key_epoch="2") for d, p in parts.items()]

    give(store, group, *joined(before, "f" * 64), *joined(after, "e" * 64))
    figure = measured(store, group, window).products["b/z"]
    persons = len({w for w in early if w < 100}) + len({w for w in late if w < 100})
    others = len({w for w in early | late if w >= 100})  # Their keys are the same under either snapshot.
    assert figure.estimate == persons + others
    assert figure.upper is not None
    assert figure.lower <= len(early | late) <= figure.upper
    assert "14 periods (2025-01-18 to 2025-01-31) are joined by another crosswalk snapshot" in figure.reasons[0]


def test_the_share_of_a_month_that_has_come_by_a_day(
    filled: tuple[ContributionStore, Group], store: ContributionStore, make: Make
) -> None:
    """Divided by a month with a gap, each later day would look fuller than it is."""
    group = read_group(make([entity("a", [product("x", **LIFE)]), entity("b", [product("y", grain="month", **LIFE)])]))
    seen = SEEN["a/x"]
    give(store, group, *by_day("a/x", seen, month_days(FEBRUARY)[:-1]), *by_month("b/y", seen, [FEBRUARY]))
    assert measure.share_seen_by_day(store, group, FEBRUARY, READING) == {}
    give(store, group, *by_day("a/x", seen, month_days(FEBRUARY)))
    shares = measure.share_seen_by_day(store, group, FEBRUARY, READING)
    whole = len(people(seen, Days.from_month(FEBRUARY)))
    assert {d: round(share * whole) for d, share in shares.items()} == {
        d: len(people(seen, Days.to_date(d))) for d in month_days(FEBRUARY)
    }
    assert shares[month_end(FEBRUARY)] == 1
    assert measure.share_seen_by_day(store, group, JANUARY, READING) == {}


def ran(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """January and February of one product, counted and January closed."""
    rows = [(f"{d}T12:00:00Z", f"u{i % 40}@example.com") for i, d in enumerate(month_days(JANUARY) + month_days(FEBRUARY))]
    app_ = product(sources=[source(complete_through="2025-02-28")], to="2025-03-01")
    directory = tmp_path_factory.mktemp("counted")
    write_group(directory, [entity("a", [app_])], {"events.parquet": events(rows)}, lg_k=LG_K)
    assert run(directory, read_group(directory), NOW).clean
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close.close_month(workspace, JANUARY, Signature("Head of Finance"))
    return directory


def test_a_window_carries_its_name_and_is_stored_nowhere(counted: Path) -> None:
    """Read as a month's, a figure of 28 days would be tested against a clause that means the month."""
    before = rows_of(SQLITE, counted)
    where = ["--group", str(counted)]
    for asked, kind, first in (
        (["--trailing", "28", "--to", "2025-02-10"], "trailing_28_days", "2025-01-14"),
        (["--trailing", "30", "--to", "2025-02-10"], "trailing_30_days", "2025-01-12"),
        (["--to-date", "--to", "2025-02-10"], "month_to_date", "2025-02-01"),
    ):
        answer = json.loads(ran("measure", *asked, *where, "--json"))
        assert answer["window"] == {"kind": kind, "first": first, "last": "2025-02-10"}
        assert (answer.get("month"), answer["note"], answer["published"]) == (None, "no licence tests this window", None)
        month = json.loads(ran("measure", "--month", "2025-01", *where, "--json"))
        assert list(answer["group"]) == list(month["group"])
        days_ = (date(2025, 2, 10) - date.fromisoformat(first)).days + 1
        assert (answer["group"]["estimate"], answer["group"]["coverage"]["days_expected"]) == (min(days_, 40), days_)
        shown = " ".join(ran("measure", *asked, *where).split())
        assert f"People in the {kind.replace('_', ' ')}, {first} to 2025-02-10 (UTC)" in shown
        assert (
            "By the reading unique_people, of what the store has now. Nothing of it is published: no licence tests this window."
            in (shown)
        )
    assert rows_of(SQLITE, counted) == before


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([], "say which days"),
        (["--month", "2025-01", "--trailing", "28"], "--month and --trailing ask for two windows"),
        (["--month", "2025-01", "--to-date"], "--month and --to-date ask for two windows"),
        (["--trailing", "28", "--to-date"], "--trailing and --to-date ask for two windows"),
        (["--trailing", "29"], "--trailing is 28 or 30"),
        (["--month", "2025-01", "--to", "2025-01-10"], "--to goes with --trailing or --to-date"),
        (["--trailing", "28", "--anew"], "no other window is published"),
        (["--to-date", "--as-known-on", "2025-02-10"], "no other window is published"),
        (["--to-date", "--to", "10.2.2025"], "write a day as YYYY-MM-DD"),
        (["--to-date", "--to", "2024-05-05"], "no data: nothing was contributed for these days"),
    ],
)
def test_two_windows_at_once_are_none(counted: Path, asked: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["measure", *asked, "--group", str(counted)], env={"COLUMNS": "300"})
    assert done.exit_code != 0
    assert message in " ".join(done.output.replace("│", " ").split()) or message in str(done.exception)
    if not isinstance(done.exception, SystemExit):
        assert type(done.exception).__name__ == "RefusedError"  # With which `main` ends by 2.
    else:
        assert done.exit_code == 2


def test_without_a_day_it_is_the_last_that_is_over(make: Make) -> None:
    """Today, by the group's clock, isn't over: its missing hours would be a gap on every day."""
    group = read_group(make([entity("a", [product("x", **LIFE)])], time_zone="Asia/Tokyo"))
    midnight = datetime(2025, 2, 9, 15, tzinfo=UTC)
    assert commands_measure.last_over(group, midnight - timedelta(seconds=1)) == date(2025, 2, 8)
    assert commands_measure.last_over(group, midnight) == date(2025, 2, 9)
