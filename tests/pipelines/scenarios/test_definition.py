"""A scenario's file: what is read from it, and where each mistake stands.

A scenario that is read otherwise than its writer meant answers another question, and looks like an answer to this one.
"""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest

from affiliates.errors import Code, RefusedError
from pipelines.scenarios.changes import Acquire, Divest, Exclude, Grow, Launch, OtherThreshold, Ownership
from pipelines.scenarios.definition import Definition, read_definition

WHOLE = """\
    scenario: project-apple
    title: Buying Example Social
    month: 2026-10
    reading: broad
    horizon: 18
    releases: [2027-04-15]
    threshold: 700_000_000
    changes:
      - acquire: Example Social
        on: 2027-03-01
        users: {low: 50_000_000, likely: 55_000_000, high: 60_000_000, unit: accounts, month: 2026-09}
        people_per_unit: {low: 0.6, high: 0.9, source: a panel, as_of: 2026-10-01}
        growth: {low: -1%, high: 3%}
        overlap: {of: target, low: 30%, high: 60%}
        source: the target's annual report
        as_of: 2026-10-01
        models: [{licence: llama-4, from: 2025-06-01}]
      - acquire: Example Chat
        on: {from: 2027-02-01, to: 2027-05-01}
        contribution: target-2026-10.parquet
      - divest: games
        on: 2027-06-30
      - launch: New app
        on: 2027-01-01
        users: {likely: 1000, unit: people, month: 2027-01}
        overlap: {independent_in: 130_000_000}
      - retire: shop/app
        on: 2027-01-31
      - grow: group
        on: 2026-11-01
        by: 1 %
        new_people: {low: 40%, high: 100%}
      - ownership: {entity: joint, owner: parent, share: 30%}
        on: 2027-01-01
      - exclude: {audience: internal}
      - exclude: shop/app
        on: 2027-02-01
      - reading: narrow
      - threshold: 500_000_000
        note: >
          A board's own line,
          in two lines.
"""


def written(folder: Path, text: str) -> Path:
    """A scenario's file."""
    path = folder / "scenario.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def refusals(folder: Path, text: str) -> list[str]:
    """What is refused of a scenario's file, one text a refusal."""
    with pytest.raises(RefusedError) as error:
        read_definition(written(folder, text))
    assert {refusal.code for refusal in error.value.refusals} == {Code.SCENARIO_INVALID}
    return [str(refusal) for refusal in error.value.refusals]


def test_a_whole_scenario_is_read_as_it_is_written(tmp_path: Path) -> None:
    """A value that is read otherwise than it stands there would move the answer in silence."""
    definition = read_definition(written(tmp_path, WHOLE))
    kinds = [change.kind for change in definition.changes]
    assert " ".join(kinds) == "acquire acquire divest launch retire grow ownership exclude exclude reading threshold"
    bought, counted, sold, launched, _, grown, owned, audience, product, _, threshold = definition.changes
    assert isinstance(bought, Acquire)
    assert bought.users is not None
    assert bought.users.span == (50_000_000, 55_000_000, 60_000_000)
    assert bought.overlap is not None
    assert bought.overlap.of_group is None
    assert bought.overlap.of_target is not None
    assert (bought.overlap.of_target.low, bought.overlap.of_target.high) == (Decimal("0.3"), Decimal("0.6"))
    assert bought.growth is not None
    assert (bought.growth.low, bought.growth.high) == (Decimal("-0.01"), Decimal("0.03"))
    assert bought.models[0].licence == "llama-4"
    assert isinstance(counted, Acquire)
    assert (counted.on.from_, counted.on.to) == (date(2027, 2, 1), date(2027, 5, 1))
    assert isinstance(sold, Divest)
    assert (sold.on.from_, sold.on.to) == (date(2027, 6, 30), date(2027, 6, 30))
    assert isinstance(launched, Launch)
    assert launched.overlap is not None
    assert launched.overlap.independent_in is not None
    assert launched.overlap.independent_in.low == launched.overlap.independent_in.high == 130_000_000
    assert isinstance(grown, Grow)
    assert grown.by.low == grown.by.high == Decimal("0.01")
    assert isinstance(owned, Ownership)
    assert owned.label == "ownership parent 30 % of joint"
    assert isinstance(audience, Exclude)
    assert audience.label == "exclude audience internal"
    assert isinstance(product, Exclude)
    assert product.label == "exclude shop/app"
    assert isinstance(threshold, OtherThreshold)
    assert threshold.note == "A board's own line, in two lines.\n"


def test_a_scenario_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    """A stored scenario is run again: what its JSON loses, the second answer hasn't got."""
    definition = read_definition(written(tmp_path, WHOLE))
    again = Definition.from_dict(json.loads(json.dumps(definition.to_dict())))
    assert again == definition
    assert again.digest == definition.digest


def test_the_digest_is_of_what_is_said_and_not_of_its_order(tmp_path: Path) -> None:
    """Two files that say the same are one scenario; one other digit is another."""
    a = read_definition(written(tmp_path, "scenario: a\nmonth: 2026-10\nchanges:\n- {divest: x, on: 2027-01-01}\n"))
    b = read_definition(written(tmp_path, "changes:\n- {on: 2027-01-01, divest: x}\nmonth: 2026-10\nscenario: a\n"))
    c = read_definition(written(tmp_path, "scenario: a\nmonth: 2026-10\nchanges:\n- {divest: x, on: 2027-01-02}\n"))
    assert a.digest == b.digest != c.digest


@pytest.mark.parametrize("share", ["0%", "0", "100%", "1"])
def test_a_share_of_nobody_and_of_everybody_can_be_said(tmp_path: Path, share: str) -> None:
    """A nought taken for nothing said would make an unknown overlap of a disjoint target."""
    text = BUY.replace("unknown", f"{{of: target, low: {share}, high: {share}}}")
    (change,) = read_definition(written(tmp_path, f"scenario: a\nchanges:\n- {text}\n")).changes
    assert isinstance(change, Acquire)
    assert change.overlap is not None
    assert change.overlap.of_target is not None
    assert change.overlap.of_target.high == Decimal(share.removesuffix("%")) / (100 if share.endswith("%") else 1)


BUY = "acquire: T\n  on: 2027-01-01\n  users: {likely: 5_000_000, unit: people, month: 2026-10}\n  overlap: unknown"


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (BUY.replace("unknown", "{of: target, low: 30%, high: 130%}"), 6, "over 100 %"),
        (BUY.replace("unknown", "{of: target, low: -3%, high: 13%}"), 6, "below 0 %"),
        (BUY.replace("unknown", "{of: target, low: 60%, high: 30%}"), 6, "`low` 0.6 lies over `high` 0.3"),
        (BUY.replace("unknown", "{of: target, low: 60%}"), 6, "needs `of`, `low` and `high` together"),
        (BUY.replace("unknown", "40%"), 6, "isn't said of whom"),
        (BUY.replace("unknown", "{}"), 6, "is said in one way"),
        (BUY.replace("unknown", "{of: target, low: 1%, high: 2%, independent_in: 9_000_000}"), 6, "is said in one way"),
        (BUY.replace("unknown", "{of: both, low: 1%, high: 2%}"), 6, "`of`"),
        (BUY.replace("\n  overlap: unknown", ""), 3, "needs `overlap`"),
        (BUY.replace("5_000_000", "-5_000_000"), 5, "is no number of people over 0"),
        (BUY.replace("5_000_000", "0"), 5, "is no number of people over 0"),
        (BUY.replace("5_000_000", "5.5"), 5, "is no whole number"),
        (BUY.replace("5_000_000", "five"), 5, "is no whole number"),
        (BUY.replace("5_000_000", "900_000_000_000"), 5, "too many digits"),
        (BUY.replace("likely: 5_000_000", "low: 6_000_000, high: 5_000_000"), 5, "must be in order"),
        (BUY.replace("likely: 5_000_000", "low: 6_000_000"), 5, "needs `low` and `high`"),
        (BUY.replace("{likely: 5_000_000, unit: people, month: 2026-10}", "5_000_000"), 5, "has no unit and no month"),
        (BUY.replace("unit: people", "unit: accounts"), 3, "accounts aren't people"),
        (BUY.replace("unit: people", "unit: eyeballs"), 5, "`unit`"),
        (BUY + "\n  people_per_unit: 0.5", 3, "isn't for people"),
        (BUY + "\n  growth: -100%", 7, "a fall of everybody"),
        (BUY + "\n  growth: {low: 1%, high: 300%}", 7, "over 100 % a month"),
        (BUY + "\n  contribution: file.parquet", 3, "either `users` or `contribution`"),
        (BUY + "\n  owerlap: unknown", 7, "did you mean `overlap`"),
        ("acquire: T\n  on: 2027-01-01", 3, "either `users` or `contribution`"),
        ("acquire: T\n  on: 2027-01-01\n  contribution: f.parquet\n  growth: 1%", 3, "needs no `overlap`"),
        ("divest: x", 3, "`on` is missing"),
        ("divest: x\n  on: {from: 2027-02-01, to: 2027-01-01}", 4, "lies after"),
        ("divest: x\n  on: 2027-13-01", 4, "no day"),
        ("divest: x\n  retire: y/z\n  on: 2027-01-01", 3, "two kinds of change"),
        ("devest: x\n  on: 2027-01-01", 3, "did you mean divest"),
        ("grow: group\n  on: 2027-01-01", 3, "`by` is missing"),
        ("ownership: {entity: a, owner: b, share: 130%}\n  on: 2027-01-01", 3, "over 100 %"),
        ("exclude: {audience: robots}", 3, "audience"),
        ("launch: New\n  on: 2027-01-01", 3, "needs `users`"),
        ("threshold: 0", 3, "over 0"),
        (f"{BUY}\n- {BUY}", 7, "acquired or launched twice"),
    ],
)
def test_each_mistake_is_refused_with_its_line(tmp_path: Path, change: str, line: int, words: str) -> None:
    """A mistake that passes is answered with a number; without its line nobody finds the mistake among fifty changes."""
    texts = refusals(tmp_path, f"scenario: a\nchanges:\n- {change}\n")
    assert len(texts) == 1, texts
    assert texts[0].startswith(f"scenario.yaml:{line}:"), texts
    assert words in texts[0]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("scenario: Project Apple", "is no name"),
        ("title: x", "`scenario` is missing"),
        ("scenario: a\nhorizon: 0", "horizon"),
        ("scenario: a\nhorizon: 61", "horizon"),
        ("scenario: a\nmonth: 2026-10-05", "YYYY-MM"),
        ("scenario: a\nthreshold: 5\nclause: llama-4", "both `threshold` and `clause`"),
        ("scenario: a\nthreshhold: 5", "did you mean `threshold`"),
        ("scenario: a\nscenario: b", "stands twice"),
    ],
)
def test_each_mistake_of_the_whole_is_refused(tmp_path: Path, head: str, words: str) -> None:
    """The whole's keys decide month, threshold and horizon for all changes."""
    texts = refusals(tmp_path, f"{head}\nchanges:\n- {{divest: x, on: 2027-01-01}}\n")
    assert any(words in text for text in texts), texts


@pytest.mark.parametrize("text", ["", "scenario: a\n", "scenario: a\nchanges: []\n", "scenario: a\nchanges: 5\n", "- 1\n", "[\n"])
def test_a_file_without_changes_is_refused(tmp_path: Path, text: str) -> None:
    """A scenario that changes nothing would answer that nothing changes."""
    assert refusals(tmp_path, text)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    """One mistake a run would take an afternoon."""
    texts = refusals(tmp_path, "scenario: A\nhorizon: 99\nchanges:\n- {divest: x}\n- {retire: y}\n")
    assert [text.partition(": ")[0] for text in texts] == [f"scenario.yaml:{line}" for line in (1, 2, 4, 5)]
