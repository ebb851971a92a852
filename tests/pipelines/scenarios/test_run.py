"""A scenario's answer against a small group whose people are known by number."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from affiliates.manifests.yaml_lines import AS_WRITTEN
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import MonthAnswer
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.months import evaluate
from pipelines.scenarios.run import draft, run
from tests.support.deals import PEOPLE, Deal, deal_group, people, size

MEMBERS = {name: span for name, span in PEOPLE.items() if name != "joint/app"}
STATED = """
  users: {low: 20_000, high: 30_000, unit: people, month: 2026-10}
  overlap: {of: target, low: 20%, high: 50%}"""


@pytest.fixture(scope="module")
def deal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deal]:
    with deal_group(tmp_path_factory.mktemp("deal") / "group") as made:
        yield made


@pytest.fixture(scope="module")
def plain(deal: Deal) -> Baseline:
    """What a scenario starts from that names no contribution."""
    return deal.baseline(deal.definition("scenario: a\nchanges:\n- {divest: games, on: 2026-11-01}\n"))


def asked(start: Deal | Baseline, changes: str, head: str = "horizon: 3") -> ScenarioAnswer:
    """The answer of a scenario with these changes; on a baseline that is read anew where a deal is given."""
    text = f"scenario: a\n{head}\nchanges:\n{changes}\n"
    if isinstance(start, Baseline):
        definition = Definition.from_dict(yaml.load(text, AS_WRITTEN))  # noqa: S506
        return run(start, definition)
    definition = start.definition(text)
    return run(start.baseline(definition), definition)


def holds(month: MonthAnswer, truth: int) -> bool:
    """Whether a month's interval after the changes, and the bounds, hold a number."""
    lower, upper = month.bounds.after
    return month.after.p2_5 <= truth <= month.after.p97_5 and lower <= truth and (upper is None or truth <= upper)


def without(*names: str) -> int:
    """The true size of the group without some affiliates or products."""
    return size(*(span for name, span in MEMBERS.items() if name not in names and name.partition("/")[0] not in names))


@pytest.mark.parametrize("leaving", ["chat", "games", "shop", "games/quiz", "games/cards"])
@pytest.mark.parametrize("kind", ["divest", "retire", "exclude"])
def test_whoever_leaves_takes_only_those_whom_nobody_else_has(plain: Baseline, kind: str, leaving: str) -> None:
    """Taking a part's whole number off would make the rest silently low by all that both have."""
    if kind != "divest" and "/" not in leaving:
        leaving = next(name for name in MEMBERS if name.startswith(f"{leaving}/"))
    answer = asked(plain, f"- {kind}: {leaving}\n  on: 2026-10-01")
    assert answer.before.estimate is not None
    assert answer.before.estimate == pytest.approx(size(*MEMBERS.values()), rel=0.02)
    assert holds(answer.months[0], without(leaving))
    assert answer.after.basis == "measured"


def test_a_draft_is_the_answer_but_for_the_groups_parts(plain: Baseline) -> None:
    """What a slider shows is what is kept afterwards."""
    text = f"scenario: a\nchanges:\n- acquire: App\n  on: 2026-11-01{STATED}\n"
    definition = Definition.from_dict(yaml.load(text, AS_WRITTEN))  # noqa: S506
    whole, drafted = run(plain, definition), draft(plain, definition)
    assert [part.name for part in drafted.unique] == ["App"]
    assert replace(whole, unique=(), notes=()) == replace(drafted, unique=(), notes=())
    assert set(drafted.notes) <= set(whole.notes)


def test_a_target_by_contribution_is_united(deal: Deal) -> None:
    """Adding the target's number would count twice whom the group has; the overlap needs no statement."""
    deal.write_target(people(range(90_000, 130_000)))
    answer = asked(deal, "- acquire: Example Social\n  on: 2026-10-15\n  contribution: target.parquet")
    assert holds(answer.months[0], 130_000)
    target = next(u for u in answer.unique if u.kind == "target")
    assert target.lower is not None
    assert target.upper is not None
    assert target.lower <= 30_000 <= target.upper
    (pair,) = answer.overlaps
    assert pair.lower is not None
    assert pair.upper is not None
    assert pair.lower <= 10_000 <= pair.upper
    assert pair.share_of_first == pytest.approx(0.25, abs=0.03)
    assert list(answer.inputs.contributions) == ["target.parquet"]
    assert answer.after.basis == "measured"


def test_a_majority_of_shares_makes_a_member_with_all_its_people(plain: Baseline) -> None:
    """A stake over half carries every user of the entity into the group; a stake below carries none."""
    answer = asked(plain, "- ownership: {entity: joint, owner: parent, share: 60%}\n  on: 2026-12-01")
    assert [bool(month.in_force) for month in answer.months] == [False, False, True, True]
    assert answer.months[1].after == answer.months[1].before
    assert answer.after.estimate == pytest.approx(120_000, rel=0.02)
    assert any("counted from then on: joint" in note for note in answer.notes)
    less = asked(plain, "- ownership: {entity: shop, owner: parent, share: 50%}\n  on: 2026-10-31")
    assert holds(less.months[0], without("shop"))
    nothing = asked(plain, "- ownership: {entity: joint, owner: parent, share: 50%}\n  on: 2026-10-31")
    assert nothing.after.estimate == nothing.before.estimate


def test_the_order_of_days_counts_and_not_of_lines(plain: Baseline) -> None:
    """A file that is sorted otherwise must not answer otherwise."""
    changes = [
        f"- acquire: Later\n  on: 2026-12-10{STATED}",
        f"- acquire: Sooner\n  on: 2026-11-10{STATED.replace('of: target', 'of: group')}",
        "- divest: games\n  on: 2026-11-20",
        "- threshold: 80_000\n  on: 2026-12-01",
    ]
    first, second = asked(plain, "\n".join(changes)), asked(plain, "\n".join(reversed(changes)))
    assert first.months == second.months
    assert first.tornado == second.tornado
    assert first.headline == second.headline
    assert first.months[-1].in_force == ("acquire Sooner", "divest games", "threshold 80,000", "acquire Later")
    assert [month.after.probability_over for month in first.months][:2] == [0.0, 0.0]
    assert first.months[2].after.probability_over > 0.9
    assert first.months[2].before.probability_over == 0.0


def test_a_day_within_a_range_is_a_doubt_like_another(plain: Baseline) -> None:
    """A closing that may slip over a month's end: the month has both groups in it, and the tornado shows the day."""
    answer = asked(plain, "- divest: games\n  on: {from: 2026-11-16, to: 2026-12-15}")
    november, december = answer.months[1], answer.months[2]
    assert november.in_force == ()
    assert december.in_force == ("divest games",)
    assert november.after.p2_5 < 0.8 * november.after.p97_5
    # Half of the days lie in November.
    assert november.after.p2_5 == pytest.approx(without("games"), rel=0.05)
    assert november.after.p97_5 == pytest.approx(100_000, rel=0.05)
    assert "day of divest games" in [bar.assumption for bar in answer.tornado] or answer.decision_month > "2026-12"


def test_hard_bounds_hold_whatever_an_overlap_is(plain: Baseline) -> None:
    """A stated overlap is somebody's word: the bounds are those of arithmetic alone."""
    change = "- acquire: T\n  on: 2026-10-15\n  users: {likely: 40_000, unit: people, month: 2026-10}\n  overlap: "
    ways = ["unknown", "{of: target, low: 1%, high: 2%}", "{independent_in: 200_000}"]
    answers = [asked(plain, f"{change}{way}") for way in ways]
    assert len({answer.months[0].bounds.after for answer in answers}) == 1
    lower, upper = answers[0].months[0].bounds.after
    assert upper is not None
    assert lower <= 100_000 <= 140_000 <= upper
    assert lower >= answers[0].before.lower
    assert "nobody has said how far T overlaps" in answers[0].headline
    low, high = answers[0].months[-1].bounds.after
    assert f"({low:,}-{high:,} for certain; " in answers[0].headline
    assert f"({low:,}-{high:,} for certain); " in answers[1].headline
    assert [answer.after.basis for answer in answers] == ["assumed", "stated", "assumed"]


def test_the_same_inputs_give_the_same_bytes(deal: Deal) -> None:
    """A stored answer that can't be made again proves nothing."""
    grown = "- grow: games\n  on: 2026-11-01\n  by: {low: -1%, high: 2%}"
    text = f"- acquire: T\n  on: {{from: 2026-11-01, to: 2027-01-31}}{STATED}\n{grown}"
    first, second = (json.dumps(asked(deal, text).to_dict()) for _ in range(2))
    assert first == second
    assert ScenarioAnswer.from_dict(json.loads(first)).to_dict() == json.loads(first)


@pytest.mark.parametrize("horizon", [1, 60])
def test_the_shortest_and_the_longest_horizon(plain: Baseline, horizon: int) -> None:
    """A month more or less would be a wrong month at the end."""
    answer = asked(plain, f"- acquire: T\n  on: 2026-11-30{STATED}", f"horizon: {horizon}")
    assert len(answer.months) == horizon + 1
    assert answer.months[-1].month == ("2026-11" if horizon == 1 else "2031-10")
    assert answer.decision_month == answer.months[-1].month
    assert answer.months[-1].after.p50 > answer.months[-1].before.p50
    widths = [month.before.p97_5 - month.before.p2_5 for month in answer.months]
    assert widths[0] < widths[-1]


def test_growth_is_that_of_the_series_and_negative_growth_takes_people_away(plain: Baseline) -> None:
    """A growth with the wrong sign, or from the wrong day, is wrong in every month after."""
    shrinking = asked(plain, "- grow: group\n  on: 2026-11-01\n  by: -10%")
    ratio = [month.after.p50 / month.before.p50 for month in shrinking.months]
    assert ratio == [pytest.approx(0.9**passed, rel=1e-3) for passed in range(4)]
    part = asked(plain, "- grow: shop\n  on: 2026-11-01\n  by: 10%\n  new_people: 100%").months[1]
    assert part.after.p50 - part.before.p50 == pytest.approx(3_500 * part.before.p50 / 100_000, rel=0.05)
    half = asked(plain, "- grow: group\n  on: 2026-11-16\n  by: 10%").months[1]
    assert half.after.p50 / half.before.p50 == pytest.approx(1.1**0.5, rel=1e-3)
    sold = asked(plain, "- grow: shop\n  on: 2026-11-01\n  by: 50%\n- divest: shop\n  on: 2026-12-01")
    assert sold.months[1].after.p50 > sold.months[1].before.p50
    assert sold.months[2].after.p50 == pytest.approx(without("shop") * sold.months[2].before.p50 / 100_000, rel=0.02)


def test_a_part_that_grows_brings_at_least_its_unique_share(plain: Baseline) -> None:
    """Nobody knows who a part's new people are: at least as many are new as are its own, at most all of them."""
    month = asked(plain, "- grow: games\n  on: 2026-11-01\n  by: 100%").months[1]
    gained = [month.after.p2_5 - month.before.p2_5, month.after.p97_5 - month.before.p97_5]
    grown = month.before.p50 / 100_000
    assert 20_000 * grown < month.after.p50 - month.before.p50 < 40_000 * grown
    assert gained[0] > 0.6 * 40_000 * grown - 3_000
    assert gained[1] < 40_000 * grown + 3_000


def test_ranges_without_a_width_leave_only_what_is_measured(plain: Baseline) -> None:
    """A doubt that nobody stated would be made up."""
    overlap = "overlap: {of: target, low: 25%, high: 25%}"
    change = f"- acquire: T\n  on: 2026-10-01\n  users: {{likely: 20_000, unit: people, month: 2026-10}}\n  {overlap}"
    month = asked(plain, change).months[0]
    assert month.after.p50 - month.before.p50 == pytest.approx(15_000, abs=2)
    assert month.after.p97_5 - month.after.p2_5 == pytest.approx(month.before.p97_5 - month.before.p2_5, abs=4)


def test_a_release_tests_the_month_before_for_the_group_of_its_own_day(plain: Baseline) -> None:
    """A deal that closes between a month's end and the release carries its users into the month that is tested."""
    change = f"- acquire: T\n  on: 2026-12-10{STATED}"
    head = "horizon: 3\nthreshold: 105_000\nreleases: [2026-12-05, 2026-12-15]"
    answer = asked(plain, change, head)
    own = [licence for licence in answer.licences if licence.clause == "threshold"]
    assert [(licence.release, licence.month) for licence in own] == [("2026-12-05", "2026-11"), ("2026-12-15", "2026-11")]
    assert own[0].after == own[0].before
    assert own[1].after > 0.9 > 0.1 > own[1].before
    assert answer.decision_month == "2026-11"
    assert answer.months[1].after == answer.months[1].before
    assert {licence.name for licence in answer.licences} >= {"Llama 4 Community License"}


def test_a_threshold_that_counts_itself_is_over_at_itself(plain: Baseline) -> None:
    """One person decides: "that or more" isn't "more than that"."""
    change = "- threshold: 1\n  on: 2026-10-01"
    assert asked(plain, change).months[0].after.probability_over == 1.0
    assert asked(plain, "- clause: hyperclova-x-seed\n  on: 2026-10-01").threshold_after == 10_000_000


def test_the_frontier_and_the_break_even_agree_with_the_arithmetic(plain: Baseline) -> None:
    """The line that a negotiation goes by: each cell is the rest of the group and the new people."""
    answer = asked(plain, f"- acquire: T\n  on: 2026-10-01{STATED}", "horizon: 1\nthreshold: 120_000")
    table = answer.frontier
    assert table is not None
    rest = answer.months[-1].before.p50
    for users, row, over in zip(table.users, table.p50, table.p_over, strict=True):
        assert row == tuple(pytest.approx(rest + users * (1 - overlap), abs=2) for overlap in table.overlap)
        assert list(over) == sorted(over, reverse=True)
    for needed in answer.break_even:
        if needed.overlap_needed_p50:
            assert rest + needed.users * (1 - needed.overlap_needed_p50) == pytest.approx(120_000, abs=100)
        assert (needed.overlap_needed_p95 or 1) >= (needed.overlap_needed_p50 or 0)


def test_the_tornado_names_each_doubt_and_its_ends(plain: Baseline) -> None:
    """What isn't in the tornado nobody asks about; a held end must move the answer as the arithmetic says."""
    answer = asked(plain, f"- acquire: T\n  on: 2026-10-01{STATED}\n  growth: {{low: 0%, high: 5%}}")
    bars = {bar.assumption: bar for bar in answer.tornado}
    assert set(bars) == {
        "users of T", "overlap of T", "growth of T", "growth of the group by its series", "who is one person, and any overlap"
    }  # fmt: skip
    overlap = bars["overlap of T"]
    assert (overlap.low, overlap.high, overlap.basis) == ("20 % of the target", "50 % of the target", "assumed")
    assert overlap.after_at_low - overlap.after_at_high == pytest.approx(0.3 * 25_000 * 1.077, rel=0.03)
    widths = [abs(bar.after_at_high - bar.after_at_low) for bar in answer.tornado]
    assert widths == sorted(widths, reverse=True)


def test_a_slider_gives_the_months_of_the_whole_answer(deal: Deal) -> None:
    """A page that shows other months than the stored answer would be believed."""
    definition = deal.definition(f"scenario: a\nhorizon: 3\nchanges:\n- acquire: T\n  on: 2026-11-01{STATED}\n")
    baseline = deal.baseline(definition)
    assert evaluate(baseline, definition).months == run(baseline, definition).months


def test_what_each_part_brings_alone_is_measured(plain: Baseline) -> None:
    """A part's unique people are what a sale takes away."""
    unique: dict[str, Any] = {u.name: u for u in asked(plain, "- divest: games\n  on: 2026-10-01").unique}
    for name in ("chat", "games", "shop", "games/quiz", "games/cards"):
        truth = size(*MEMBERS.values()) - without(name)
        assert unique[name].lower <= truth <= unique[name].upper, name
        assert unique[name].measurable


def test_the_targets_own_models_are_tested_for_the_target(deal: Deal) -> None:
    """The target's licence rests on its own test; the next version tests the group with the target in it."""
    models = "\n  models: [{licence: llama-4}, {licence: llama-3.1}]"
    answer = asked(deal, f"- acquire: T\n  on: 2026-11-01{STATED}\n  growth: {{low: -1%, high: 1%}}{models}")
    (side,) = answer.target
    assert [(test.licence, test.own_test) for test in side.models] == [("llama-4", "under"), ("llama-3.1", "under")]
    assert "in it: chance of over 700 M" in side.next_version
    unstated = asked(deal, f"- acquire: T\n  on: 2026-11-01{STATED}{models}").target[0].models[0]
    assert (unstated.own_test, "no growth is stated" in unstated.why) == ("not_measured", True)


def test_nothing_of_a_scenario_is_stored(deal: Deal) -> None:
    """A scenario is no evidence: running one leaves no row and no file in the group's folder."""
    before = {path: path.stat().st_mtime_ns for path in Path(deal.workspace.directory).rglob("*") if path.is_file()}
    deal.write_target(people(range(90_000, 91_000)))
    asked(deal, "- acquire: Planted Name\n  on: 2026-10-15\n  contribution: target.parquet")
    after = {path: path.stat().st_mtime_ns for path in Path(deal.workspace.directory).rglob("*") if path.is_file()}
    assert after == before
    assert b"Planted Name" not in b"".join(path.read_bytes() for path in after)


def test_another_threshold_is_tested_for_both_sides(plain: Baseline) -> None:
    """A headline with one threshold's number and another one's chance would be wrong in both."""
    answer = asked(plain, "- threshold: 90_000\n  on: 2026-11-01", "horizon: 2\nthreshold: 120_000")
    own = {licence.clause: licence for licence in answer.licences if licence.clause.startswith("threshold")}
    assert {name: (one.threshold, one.before, one.after) for name, one in own.items()} == {
        "threshold": (120_000, 0.0, 0.0),
        "threshold after": (90_000, 1.0, 1.0),
    }
    assert "chance of over 90,000" in answer.headline
    assert (answer.threshold, answer.threshold_after) == (120_000, 90_000)
    assert [month.after.probability_over for month in answer.months] == [0.0, 1.0, 1.0]


def test_a_change_on_the_last_day_of_a_month_counts_in_it(plain: Baseline) -> None:
    """A month's group is that of its end: a day later is the next month's."""
    last, first = (asked(plain, f"- divest: games\n  on: {day}") for day in ("2026-11-30", "2026-12-01"))
    assert last.months[1].after.p50 < last.months[1].before.p50
    assert first.months[1].after == first.months[1].before
    assert first.months[2].after == last.months[2].after
