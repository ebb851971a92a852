"""A scenario's answer as a file, by its suffix: workbook, page, picture or rows. Each is for its owner alone."""

import csv
from collections.abc import Iterator
from pathlib import Path

from affiliates.concurrency import atomic_write
from affiliates.errors import Code, refused
from dashboards.charts import scenario
from pipelines.scenarios.answer import ScenarioAnswer

SUFFIXES = (".xlsx", ".csv", ".html", ".png", ".svg")
"""The endings of files that can be written."""
COLUMNS = ("month", "changes", "quantity", "value", "unit", "rests_on")
"""The columns of a CSV file: a row for each month, before or after the changes, and quantity."""


def write(answer: ScenarioAnswer, path: Path) -> None:
    """Write an answer in the format that the path's suffix says, readable by its owner alone.

    Raises `RefusedError` for another suffix, and `OSError`.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise refused(
            Code.USAGE_INVALID,
            "the file to write",
            "has no ending that says its format",
            "",
            f"name one that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
        )
    with atomic_write(path, mode=0o600) as unfinished:
        if suffix == ".xlsx":
            from dashboards.report import scenario_workbook

            scenario_workbook.write(answer, unfinished)
        elif suffix == ".csv":
            _write_rows(answer, unfinished)
        elif suffix == ".html":
            from dashboards.report import scenario_html

            unfinished.write_text(scenario_html.page(answer), encoding="utf-8")
        else:
            from dashboards.charts import scenario_slide

            scenario_slide.write(answer, unfinished, suffix)


def _write_rows(answer: ScenarioAnswer, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(answer))


def rows(answer: ScenarioAnswer) -> Iterator[tuple[str, str, str, int | float | None, str, str]]:
    """The months in long form, as `COLUMNS`; a bound that there isn't is null.

    No text of the scenario's writer is among them: a spreadsheet would take one that begins with `=` for a formula.
    """
    for number, month in enumerate(answer.months):
        for changes, side, bounds in (
            ("before", month.before, month.bounds.before),
            ("after", month.after, month.bounds.after),
        ):
            basis = scenario.rests_on(answer, number, is_after=changes == "after").value
            for quantity in ("p2_5", "p50", "p97_5"):
                yield month.month, changes, quantity, getattr(side, quantity), "people", basis
            for quantity in ("probability_over", "probability_over_by_range", "crossed"):
                yield month.month, changes, quantity, getattr(side, quantity), "probability", basis
            yield month.month, changes, "at_least", bounds[0], "people", basis
            yield month.month, changes, "at_most", bounds[1], "people", basis
        yield month.month, "after", "threshold", answer.threshold_after, "people", "stated"
