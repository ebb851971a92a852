"""A scenario's answer on a terminal: what a person reads before signing a deal."""

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import RenderableType

from dashboards.cli import scenario_tables
from dashboards.cli.console import PlainConsole
from pipelines.scenarios import compare
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import BothBounds, RestsOn
from tests.support.scenarios import ANSWER

KEPT = ["Kept as project-apple@1, seen by you alone: mauwatch whatif grant project-apple --to PERSON."]
LONG = replace(
    ANSWER,
    headline=ANSWER.headline * 2,
    horizon=60,
    months=tuple(
        replace(ANSWER.months[n % 13], month=f"{2026 + (9 + n) // 12}-{(9 + n) % 12 + 1:02}", in_force=tuple(map(str, range(n))))
        for n in range(61)
    ),
    notes=tuple(f"note {n}: {'a thing that the answer takes for granted ' * 4}" for n in range(30)),
    licences=ANSWER.licences * 5,
    tornado=ANSWER.tornado * 9,
    target=ANSWER.target * 6,
    assumptions=ANSWER.assumptions * 12,
)


def lines(shown: RenderableType) -> list[str]:
    """What a terminal of 80 columns shows."""
    out = StringIO()
    PlainConsole(file=out, width=scenario_tables.WIDTH, markup=False, highlight=False, force_terminal=False).print(shown)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def in_words(shown: RenderableType) -> str:
    return " ".join(" ".join(lines(shown)).split())


@pytest.mark.parametrize("height", [10, 24, 30, 33, 34, 40, 100])
@pytest.mark.parametrize("answer", [ANSWER, LONG, replace(LONG, notes=()), replace(LONG, months=ANSWER.months[:1])])
def test_an_answer_fits_a_screen(answer: ScenarioAnswer, height: int) -> None:
    """What scrolls off the screen first is the sentence that answers the question."""
    shown = lines(scenario_tables.answer(answer, KEPT, height))
    assert len(shown) <= min(max(height, 24), 40) - 1, "the prompt has a line of its own"
    decided = [line for line in shown if line.startswith(answer.decision_month)]
    assert decided or len(answer.months) == 1, "the month that decides is among the rows"
    assert max(map(len, shown)) <= 80
    assert " ".join(shown).startswith("Buying Example Social takes the group from 622 M to 654-684 M in 2027-03; chance")
    assert shown[-1] == scenario_tables.STANDING


def test_what_is_left_out_is_counted() -> None:
    """A note that is silently gone may be the one that says that nobody knows the overlap."""
    text = in_words(scenario_tables.answer(LONG, KEPT))
    shown_notes = text.count("- note ")
    assert 1 <= shown_notes < 30
    assert f"{30 - shown_notes} more notes (--json has all)" in text
    assert "… and 53 more months (--json has all)" in text
    assert re.search(r"… and \d more of this \(--json has all\)", text)
    others = tuple(replace(ANSWER.licences[0], threshold=1_000_000 * n) for n in range(10))
    tests = in_words(scenario_tables.answer(replace(ANSWER, licences=others, notes=())))
    assert "… and 8 more tests (--json has all)" in tests
    same = in_words(scenario_tables.answer(replace(ANSWER, licences=ANSWER.licences[:1] * 5, notes=())))
    assert "Llama 4 and 4 more of the same line, a release on" in same


def test_each_number_says_what_it_rests_on() -> None:
    """A stated overlap that looks like a measured one is believed."""
    text = in_words(scenario_tables.answer(ANSWER))
    assert "Before: measured in 2026-10, growth assumed. After: stated;" in text
    assert "stated: users, overlap of Example Social;" in text
    assert "assumed: growth of the group" in text
    assert "overlap of Example Social (stated): 672.0 M at 30 %, 652.0 M at 60 %" in text
    assert "growth of the group (assumed): 650.0 M" in text
    assert "Example Social alone brings 46.0 M (20.0–60.0 M), stated." in text
    assert "- no source is stated for the overlap" in text


def test_the_months_of_a_change_of_a_test_and_of_the_end_are_rows() -> None:
    rows = [line.split()[0] for line in lines(scenario_tables.answer(ANSWER)) if re.match(r"20\d\d-\d\d", line)]
    assert rows == sorted(rows)
    assert len(rows) == 8
    assert {"2026-10", "2027-03", "2027-10"} <= set(rows)
    one = lines(scenario_tables.answer(replace(ANSWER, months=ANSWER.months[:1], decision_month="2026-10", licences=())))
    assert sum(line.startswith("2026-10") for line in one) == 1


def test_no_upper_bound_is_no_number() -> None:
    row = next(line for line in lines(scenario_tables.answer(ANSWER)) if line.startswith("2026-10"))
    assert "450.0 M at least" in row
    month = replace(ANSWER.months[0], bounds=BothBounds((1, 2), (45, None)))
    small = in_words(scenario_tables.answer(replace(ANSWER, months=(month,))))
    assert "45 at least" in small


def test_a_stated_number_of_millions_has_three_digits() -> None:
    """2,271,784 people of a range that is 40 % wide look counted."""
    stated = replace(ANSWER.unique[2], estimate=2_271_784, lower=1_538_109, upper=12_345_678)
    text = in_words(scenario_tables.answer(replace(ANSWER, unique=(stated,))))
    assert "Example Social alone brings 2.27 M (1.54–12.3 M), stated." in text


def test_what_isnt_measured_says_so() -> None:
    unknown = replace(ANSWER.unique[2], estimate=None, lower=None, upper=None, why_not="no kind of identifier is shared")
    text = in_words(scenario_tables.answer(replace(ANSWER, unique=(unknown,))))
    assert "Example Social: whom it alone brings isn't measured, since no kind of identifier is shared." in text


def test_a_number_near_the_threshold_is_not_rounded_onto_it() -> None:
    side = replace(ANSWER.months[5].after, p2_5=650_000_000, p50=699_960_000, p97_5=700_000_001)
    text = in_words(scenario_tables.answer(replace(ANSWER, months=(replace(ANSWER.months[5], after=side),))))
    assert "699.96 M 650.0–700.000001 M" in text


def test_another_threshold_after_the_changes_has_not_the_name_of_the_first() -> None:
    """650 M under the name of Llama 4 would be a line that no licence has."""
    other = replace(ANSWER, threshold_after=650_000_000)
    line = "over 700.0 M (Llama 4) before, 650.0 M after"
    assert f"P(over): {line}." in in_words(scenario_tables.answer(other))
    rows = in_words(scenario_tables.compared(compare.side_by_side({"a@1": ANSWER, "b@1": other})))
    assert f"threshold over 700.0 M (Llama 4) {line}" in rows


def test_a_title_obeys_nobody() -> None:
    evil = replace(ANSWER, headline="Buying \x1b[2J\u202eit", notes=("a\x1b]0;b\x07c",))
    assert not re.search("[\x1b\u202e\x07]", "".join(lines(scenario_tables.answer(evil))))


def test_scenarios_side_by_side() -> None:
    other = replace(ANSWER, base_month="2026-09", inputs=replace(ANSWER.inputs, figure="9" * 64), months=ANSWER.months[:4])
    comparison = compare.side_by_side({"project-apple@1": ANSWER, "bob/pear@2": other})
    text = in_words(scenario_tables.compared(comparison))
    assert "project-apple@1" in text
    assert "bob/pear@2" in text
    assert "start from different months: not their changes alone make the difference." in text
    assert "start from different figures" in text
    same = compare.side_by_side({"a@1": ANSWER, "b@1": replace(ANSWER, headline="Another.")})
    assert same.notes == ()


def test_a_number_that_nobody_measured_is_no_zero_beside_others() -> None:
    empty = replace(ANSWER, before=replace(ANSWER.before, estimate=None, basis=RestsOn.ASSUMED), tornado=())
    text = in_words(scenario_tables.compared(compare.side_by_side({"a@1": ANSWER, "b@1": empty})))
    assert "612.0 M (measured)" in text
    assert "– (assumed)" in text
