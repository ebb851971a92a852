"""The short table of licence tests: a row for each result that a test has, whatever the readings. Pure.

Readings of one test that have the same result share a row, which shows the least headroom and the widest interval of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from dashboards.cli.licence_tables import below, cells, named, parts_of, whom
from dashboards.cli.tables import table

if TYPE_CHECKING:
    from pipelines.licences.clause_tests import ClauseTest
    from pipelines.licences.outcome import ReadingResult
    from pipelines.licences.release_tests import LicenceTest

    Test = LicenceTest | ClauseTest


_MORE = Text("Each reading by itself, and what each clause asks: --long. * with the group's reading of record.", style="dim")


def brief(tests: "Sequence[Test]") -> RenderableType:
    """All tests in one table; those without numbers in a line beneath, since their months alone tell them apart."""
    measured = [test for test in tests if any(o.result != "not_measured" for o in test.readings.values())]
    rows: list[Sequence[str | Text]] = []
    for test in measured:
        entry, clause, _, _, month = parts_of(test)
        threshold = f"{'more than' if clause.comparator == 'gt' else 'at least'} {clause.threshold:,}"
        head = [entry.id, threshold, month]
        for names, outcome in _by_result(test.readings):
            name, result, headroom, bounds = cells(names, outcome)
            rows.append([*head, result, name, headroom, bounds])
            head = [f"  {whom(test)}" if head[0] else "", "", ""]
    columns = ("licence", "asks", "tests", "result", "under the readings", "headroom, least", "95 % interval, widest")
    parts: list[RenderableType] = []
    if rows:
        parts += [table("What the licences' tests found", columns, rows, (5, 6), (2, 3)), _MORE]
    without = [test for test in tests if test not in measured]
    if without:
        listed = ", ".join(f"{name} ({parts_of(test)[-1]})" for name, test in zip(named(without), without, strict=True))
        parts.append(Text(f"Not measured, since nothing was contributed for the month that they test: {listed}."))
    parts += below(list(zip(named(measured), (test.readings for test in measured), strict=True)))
    return Stack(*parts)


def _by_result(readings: "Mapping[str, ReadingResult]") -> "Iterator[tuple[str, ReadingResult]]":
    """The readings by their result: their names, and a result with the least headroom and the widest interval of all."""
    by_result: dict[str, dict[str, ReadingResult]] = {}
    for name, outcome in readings.items():
        by_result.setdefault(outcome.result, {})[name] = outcome
    for alike in by_result.values():
        outcomes = list(alike.values())
        lowers = [o.lower for o in outcomes if o.lower is not None]
        uppers = [o.upper for o in outcomes if o.upper is not None]
        headrooms = [o.headroom for o in outcomes if o.headroom is not None]
        names = ", ".join(alike) if len(by_result) > 1 or len(alike) == 1 else f"all {len(alike)}"
        yield (
            names,
            replace(
                outcomes[0],
                lower=min(lowers, default=None),
                # One reading without an upper bound leaves the row without one.
                upper=max(uppers) if len(uppers) == len(outcomes) else None,
                headroom=min(headrooms) if len(headrooms) == len(outcomes) else None,
                of_record=any(o.of_record for o in outcomes),
            ),
        )
