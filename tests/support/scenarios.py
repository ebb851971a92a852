"""Scenarios and answers for tests."""

from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import (
    Assumption,
    BothBounds,
    BreakEven,
    ClauseChance,
    Crossing,
    CrossingMonths,
    Frontier,
    MonthAnswer,
    PairOverlap,
    RestsOn,
    ScenarioInputs,
    Side,
    Size,
    TargetModelTest,
    TargetSide,
    TornadoBar,
    UniqueAddition,
)


def _month(number: int) -> MonthAnswer:
    """One of the months from 2026-10 on, in which the changes hold from 2027-03 on."""
    year, month = 2026 + (9 + number) // 12, (9 + number) % 12 + 1
    grown = 612_000_000 + 2_000_000 * number
    after = grown + (46_000_000 if number >= 5 else 0)
    before_side = Side(grown - 9_000_000, grown, grown + 9_000_000, 0.0, 0.02, 0.0)
    after_side = Side(after - 14_000_000, after, after + 16_000_000, 0.12, 0.2, 0.12)
    bounds = BothBounds((450_000_000, 640_000_000), (450_000_000, None if number < 5 else 720_000_000))
    return MonthAnswer(f"{year}-{month:02}", before_side, after_side, bounds, ("acquire Example Social",) if number >= 5 else ())


ANSWER = ScenarioAnswer(
    scenario="project-apple",
    title="Buying Example Social",
    reading="broad",
    reading_after="broad",
    base_month="2026-10",
    horizon=12,
    threshold=700_000_000,
    threshold_after=700_000_000,
    threshold_name="Llama 4",
    comparator="gt",
    program="0.1.0",
    inputs=ScenarioInputs("a" * 64, "b" * 64, "c" * 64, "d" * 64, {"target.parquet": "e" * 64}, "f" * 64, 4),
    headline=(
        "Buying Example Social takes the group from 622 M to 654-684 M in 2027-03; "
        "chance of over 700 M when the next version is released: 12 %."
    ),
    notes=("no source is stated for the overlap",),
    before=Size(612_000_000, 450_000_000, 640_000_000, RestsOn.MEASURED),
    after=Size(658_000_000, 450_000_000, 700_000_000, RestsOn.STATED, ("chat/app: a count of 5 stands in",)),
    months=tuple(_month(number) for number in range(13)),
    decision_month="2027-03",
    bounds=(450_000_000, 720_000_000),
    licences=(
        ClauseChance("llama-4#mau", "Llama 4", 700_000_000, "gt", "2027-04-15", "2027-03", False, 0.0, 0.12, 0.02, 0.2),
        ClauseChance(
            "threshold", "the scenario's threshold", 650_000_000, "gt", "2027-04-15", "2027-03", True, 0.1, 0.8, 0.2, 0.7
        ),
    ),
    crossing=Crossing(CrossingMonths(None, None), CrossingMonths("2027-02", None)),
    unique=(
        UniqueAddition("games", "affiliate", 40_000_000, 39_000_000, 41_000_000, RestsOn.MEASURED, True),
        UniqueAddition("games/quiz", "product", None, None, None, RestsOn.MEASURED, False, "no kind of identifier is shared"),
        UniqueAddition("Example Social", "target", 46_000_000, 20_000_000, 60_000_000, RestsOn.STATED, True),
    ),
    overlaps=(
        PairOverlap(
            "Example Chat",
            "group",
            5_000_000,
            4_500_000,
            5_500_000,
            0.5,
            0.45,
            0.55,
            0.008,
            0.0073,
            0.009,
            RestsOn.MEASURED,
            True,
        ),
    ),
    tornado=(
        TornadoBar(
            "overlap of Example Social",
            "30 %",
            "60 %",
            672_000_000,
            652_000_000,
            0.2,
            0.01,
            RestsOn.STATED,
            "a panel",
            "2026-10-01",
        ),
        TornadoBar("growth of the group", "-1.2 %", "3.4 %", 650_000_000, 670_000_000, 0.02, 0.2, RestsOn.ASSUMED, None, None),
    ),
    frontier=Frontier(
        "Example Social",
        (25_000_000, 50_000_000, 100_000_000),
        (0.0, 0.5, 1.0),
        (
            (647_000_000, 634_500_000, 622_000_000),
            (672_000_000, 647_000_000, 622_000_000),
            (722_000_000, 672_000_000, 622_000_000),
        ),
        (
            (657_000_000, 644_500_000, 632_000_000),
            (682_000_000, 657_000_000, 632_000_000),
            (732_000_000, 682_000_000, 632_000_000),
        ),
        ((0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (0.99, 0.1, 0.0)),
    ),
    break_even=(BreakEven(50_000_000, 0.0, 0.1), BreakEven(100_000_000, 0.22, 0.4), BreakEven(200_000_000, 0.61, None)),
    target=(
        TargetSide(
            "Example Social",
            (TargetModelTest("llama-4", "under", "at most 60 M in 2025-03", "its own test stands until the next version"),),
            "the next version tests the group with Example Social in it",
        ),
    ),
    assumptions=(
        Assumption("acquire Example Social", "users", "50 to 60 M people", RestsOn.STATED, "the annual report", "2026-10-01"),
        Assumption("acquire Example Social", "overlap", "30 to 60 % of the target", RestsOn.STATED, None, None),
        Assumption("group", "growth", "as its 12 published months let expect", RestsOn.ASSUMED, None, None),
    ),
)
"""An answer with something in every field."""
