"""What doesn't fit the group is refused, with what is wrong, and nothing is answered."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import Code, RefusedError
from pipelines.scenarios.months import evaluate
from pipelines.scenarios.run import run
from tests.support.deals import BASE, Deal, deal_group, people

TWO = {"chat/app": range(4_000), "shop/app": range(3_000, 6_000), "joint/app": range(5_000, 9_000)}
USERS = "users: {likely: 2_000, unit: people, month: 2026-10}"
BUY = f"acquire: T\n  on: 2026-11-10\n  {USERS}\n  overlap: {{of: target, low: 20%, high: 50%}}"
FILE = "acquire: T\n  on: 2026-11-10\n  contribution: target.parquet"


@pytest.fixture(scope="module")
def deal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deal]:
    with deal_group(tmp_path_factory.mktemp("deal") / "group", TWO, months=2) as made:
        yield made


def refused(deal: Deal, changes: str, head: str = "horizon: 3") -> list[tuple[Code, str]]:
    """The codes and texts of what is refused of a scenario."""
    definition = deal.definition(f"scenario: a\n{head}\nchanges:\n- {changes}\n")
    with pytest.raises(RefusedError) as error:
        evaluate(deal.baseline(definition), definition)
    return [(refusal.code, str(refusal)) for refusal in error.value.refusals]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ("divest: chad\n  on: 2026-11-01", Code.SCENARIO_INVALID, "change 1 (divest chad): no such affiliate or product"),
        ("divest: chat/ap\n  on: 2026-11-01", Code.SCENARIO_INVALID, "did you mean chat/app"),
        ("divest: parent\n  on: 2026-11-01", Code.SCENARIO_INVALID, "is the ultimate parent"),
        ("divest: joint\n  on: 2026-11-01", Code.SCENARIO_INVALID, "isn't a member of the group"),
        ("retire: chat\n  on: 2026-11-01", Code.SCENARIO_INVALID, "no such product"),
        ("exclude: chat/x", Code.SCENARIO_INVALID, "no such product"),
        ("grow: everything\n  on: 2026-11-01\n  by: 1%", Code.SCENARIO_INVALID, "no such affiliate or product"),
        ("ownership: {entity: x, owner: parent, share: 60%}\n  on: 2026-11-01", Code.SCENARIO_INVALID, "no such entity"),
        ("ownership: {entity: joint, owner: x, share: 60%}\n  on: 2026-11-01", Code.SCENARIO_INVALID, "no such entity"),
        ("reading: narrow", Code.SCENARIO_INVALID, "no such reading"),
        ("clause: lama-4", Code.LICENCE_UNKNOWN, "no such licence"),
        ("clause: llama-4#x", Code.LICENCE_UNTESTABLE, "no such clause"),
        (f"{BUY}\n  models: [{{licence: lama-4}}]", Code.SCENARIO_INVALID, "no such licence"),
        (BUY.replace("acquire: T", "acquire: chat"), Code.SCENARIO_INVALID, "is a member of the group already"),
        (BUY.replace("acquire: T", "acquire: CHAT/app"), Code.SCENARIO_INVALID, "is a member of the group already"),
        (BUY.replace("2026-11-10", "2026-09-30"), Code.SCENARIO_INVALID, "its day lies before the base month"),
        (BUY.replace("2026-11-10", "2027-03-01"), Code.SCENARIO_INVALID, "its day lies behind the horizon"),
        (
            "ownership: {entity: chat, owner: joint, share: 1%}\n  on: 2026-11-01",
            Code.SCENARIO_CONTRADICTORY,
            "the shares of chat sum to 101 % (parent 100 % + joint 1 %)",
        ),
        (
            BUY.replace("{of: target, low: 20%, high: 50%}", "{of: group, low: 60%, high: 90%}"),
            Code.SCENARIO_CONTRADICTORY,
            "60 to 90 % of the group's 5,9",
        ),
        (
            BUY.replace("{of: target, low: 20%, high: 50%}", "{target: 10%, group: 20%}"),
            Code.SCENARIO_CONTRADICTORY,
            "10 to 10 % of the target's 2,000 are 200 to 200; 20 to 20 % of the group's",
        ),
        (
            BUY.replace("{of: target, low: 20%, high: 50%}", "{independent_in: 5_000}"),
            Code.SCENARIO_CONTRADICTORY,
            "at most 5,000 live there",
        ),
    ],
)
def test_what_doesnt_fit_the_group_is_refused(deal: Deal, changes: str, code: Code, words: str) -> None:
    """A scenario about somebody else, or about what can't be, would be answered by a number like any other."""
    refusals = refused(deal, changes)
    assert any(code == kind and words in text for kind, text in refusals), refusals


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("reading: narrow", "no such reading"),
        ("releases: [2026-10-20]", "a release tests a month before the base month"),
        ("releases: [2025-01-01]", "outside the scenario's months"),
        ("horizon: 3\nreleases: [2027-03-01]", "outside the scenario's months"),
        ("clause: gpl", "no such licence"),
        ("month: 2027-05", "no data"),
    ],
)
def test_what_doesnt_fit_of_the_whole_is_refused(deal: Deal, head: str, words: str) -> None:
    """A release outside the months would silently be tested by no month."""
    day = "2027-05-10" if "2027-05" in head else "2026-11-01"
    refusals = refused(deal, f"divest: chat\n  on: {day}", head)
    assert any(words in text for _, text in refusals), refusals


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"key": "5eed" * 16}, "canary"),
        ({"month": date(2026, 9, 1)}, "holds other months than the base month"),
        ({"product": "chat/app"}, "is of a member of the group already"),
        ({"product": "chat/other"}, "is of a member of the group already"),
        ({"key_epoch": "2"}, "another key epoch"),
        ({"crosswalk_digest": "ab" * 32}, "another crosswalk than the month's"),
        ({"normalisation": "v9"}, "unknown normalisation"),
    ],
)
def test_a_contribution_that_cant_be_united_is_refused(deal: Deal, target: dict[str, Any], words: str) -> None:
    """Sketches under another key share nobody with the group's: the target would look wholly new, or wholly the same."""
    deal.write_target(people(range(8_000, 9_500)), "wrong.parquet", **target)
    refusals = refused(deal, FILE.replace("target.parquet", "wrong.parquet"))
    assert {code for code, _ in refusals} == {Code.SCENARIO_CONTRIBUTION_WRONG}
    assert any(words in text and text.startswith("acquire T") for _, text in refusals), refusals


def test_a_file_that_is_no_contribution_is_refused(deal: Deal, tmp_path: Path) -> None:
    """A path that leads nowhere, or to something else, is no target without users."""
    assert "there is no such file" in refused(deal, FILE.replace("target.parquet", "missing.parquet"))[0][1]
    (deal.folder / "notes.parquet").write_text("not a table")
    assert refused(deal, FILE.replace("target.parquet", "notes.parquet"))[0][0] == Code.SCENARIO_CONTRIBUTION_WRONG


def test_all_mistakes_about_the_group_come_at_once(deal: Deal) -> None:
    """One mistake a run would take an afternoon."""
    refusals = refused(deal, "divest: x\n  on: 2026-01-01\n- retire: y/z\n  on: 2026-11-01")
    assert [text.partition(":")[0] for _, text in refusals] == [
        "change 1 (divest x)",
        "change 1 (divest x)",
        "change 2 (retire y/z)",
    ]


def test_a_whole_sale_of_shares_is_no_contradiction(deal: Deal) -> None:
    """The seller's share falls on the day on which the buyer's comes: only both together are the shares of a day."""
    buyer, seller = (
        f"- ownership: {{entity: joint, owner: {who}}}\n  on: 2026-11-01\n" for who in ("chat, share: 71%", "parent, share: 0%")
    )
    definition = deal.definition(f"scenario: a\nhorizon: 2\nchanges:\n{buyer}{seller}")
    months = evaluate(deal.baseline(definition), definition).months
    assert months[1].after.p50 > months[1].before.p50
    assert date(2026, 10, 1) == BASE


REUSED = "divest: chat\n  on: 2026-11-01"


@pytest.mark.parametrize(
    ("changes", "head", "code", "words"),
    [
        (FILE, "horizon: 3", Code.SCENARIO_NOT_READ, "the contribution target.parquet of T"),
        ("exclude: {audience: internal}", "horizon: 3", Code.SCENARIO_NOT_READ, "users who are external"),
        (f"{BUY}\n  models: [{{licence: llama-4}}]", "horizon: 3", Code.SCENARIO_NOT_READ, "the group's test of llama-4"),
        (REUSED, "reading: summed_products", Code.SCENARIO_NOT_READ, "the reading summed_products"),
        (REUSED, "month: 2026-09", Code.SCENARIO_NOT_READ, "the month 2026-09"),
        ("divest: chad\n  on: 2026-11-01", "horizon: 3", Code.SCENARIO_INVALID, "no such affiliate or product"),
        ("retire: chat/x\n  on: 2026-11-01", "horizon: 3", Code.SCENARIO_INVALID, "no such product"),
        ("reading: narrow", "horizon: 3", Code.SCENARIO_INVALID, "no such reading"),
    ],
)
def test_a_baseline_that_was_read_for_another_scenario(deal: Deal, changes: str, head: str, code: Code, words: str) -> None:
    """A page asks again without the store: what was not read would be left out of the group, or end in an error of ours."""
    deal.write_target(people(range(8_000, 9_500)))
    baseline = deal.baseline(deal.definition(f"scenario: a\nhorizon: 3\nchanges:\n- {REUSED}\n"))
    other = deal.definition(f"scenario: a\n{head}\nchanges:\n- {changes}\n")
    for asked in (evaluate, run):
        with pytest.raises(RefusedError) as error:
            asked(baseline, other)
        assert {refusal.code for refusal in error.value.refusals} == {code}
        assert words in str(error.value)
    again = baseline if code == Code.SCENARIO_INVALID else deal.baseline(other)
    assert (again.lacks(other) == []) == (code != Code.SCENARIO_INVALID or not baseline.lacks(other))


def test_one_baseline_answers_other_assumptions_as_one_of_their_own(deal: Deal) -> None:
    """Where nothing else of the store is needed, reading again would change nothing but the time that it takes."""
    first, second = (
        deal.definition(f"scenario: a\nhorizon: 3\nchanges:\n- {text}\n") for text in (REUSED, BUY.replace("50%", "40%"))
    )
    warm = deal.baseline(first)
    assert warm.lacks(second) == []
    fresh = run(deal.baseline(second), second)
    assert run(warm, second).months == evaluate(warm, second).months == fresh.months
