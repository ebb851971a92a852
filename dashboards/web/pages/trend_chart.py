"""The chart of months: what is published, what is expected, and what moved the figure besides growth."""

from collections.abc import Mapping
from typing import Any

from dashboards import formats
from dashboards.charts import trend
from dashboards.charts.table import Table, TableColumn
from dashboards.charts.trend import Mark, MonthTrend, PastMonth
from dashboards.web.pages.expectations import AHEAD, expected_months
from dashboards.web.queries import PageRows
from dashboards.web.router import Chart, Parameters
from pipelines.store.publications import RESTATED

NO_GROWTH = ("joined", "left", "definition", "grain", "crosswalk", "method", "stand_in", "restated")
"""Kinds of causes that move a figure and are no growth."""
_WORDS = {
    "definition": "another definition",
    "grain": "days instead of months, or months instead of days",
    "method": "counted otherwise",
}


def trend_of(rows: PageRows, parameters: Parameters, most_ahead: int | None = AHEAD) -> MonthTrend:
    """What is drawn up to the month that the page is about, and at most so many months to come."""
    month = rows.month_of(parameters)
    reading = rows.reading(parameters.reading, month)
    past = [PastMonth(m.month, m.estimate, m.lower, m.upper) for m in rows.trend(month, reading)]
    licence = rows.licence
    threshold = licence.clause.threshold if licence else None
    outlook = rows.outlook(month, reading)
    # A past month has no outlook of its own once a newer one is there.
    ahead = expected_months(outlook, most_ahead) if outlook else []
    return MonthTrend(past, ahead, marks_of(rows, parameters, past), threshold)


def marks_of(rows: PageRows, parameters: Parameters, past: list[PastMonth]) -> list[Mark]:
    """The months whose step from the month before isn't growth alone, with why."""
    if not past:
        return []
    reading = rows.reading(parameters.reading, rows.month_of(parameters))
    marks = []
    for month in past:
        publication = rows.in_force.get((month.month, reading.name))
        if publication is None:
            continue
        words = [publication.reason or "restated"] if publication.state == RESTATED else []
        causes = [cause for cause in rows.changes(publication) if cause["kind"] in NO_GROWTH]
        words += summarised(causes)
        if words:
            marks.append(Mark(month.month, "; ".join(words)))
    return marks


def summarised(causes: list[dict[str, Any]]) -> list[str]:
    """The causes in words; many of one kind in one phrase."""
    by_kind: dict[str, list[str]] = {}
    for cause in causes:
        by_kind.setdefault(cause["kind"], []).append(cause["what"])
    return [
        texts[0] if len(texts) == 1 else f"{_WORDS.get(kind, kind.replace('_', ' '))} of {len(texts)} products"
        for kind, texts in by_kind.items()
    ]


def figure(rows: PageRows, parameters: Parameters) -> Mapping[str, Any] | None:
    """The drawing; null for fewer than two months, which make no line."""
    drawn = trend_of(rows, parameters)
    return trend.figure(drawn) if len(drawn.past) > 1 else None


def svg(rows: PageRows, parameters: Parameters) -> str | None:
    """The drawing before scripts are there."""
    drawn = trend_of(rows, parameters)
    return trend.svg(drawn) if len(drawn.past) > 1 else None


def table(rows: PageRows, parameters: Parameters) -> Table:
    """The numbers of the drawing, month by month."""
    month = rows.month_of(parameters)
    reading = rows.reading(parameters.reading, month)
    drawn = trend_of(rows, parameters)
    columns = [
        TableColumn("month", "first day of the month"),
        TableColumn("kind", "published, or expected: what an outlook says of a month to come"),
        TableColumn("estimate", "people: the best estimate; of an expected month the middle of the paths, by the estimate"),
        TableColumn("lower", "people: 95 % lower bound; of an expected month 2.5 % of the paths lie below, by the range"),
        TableColumn("upper", "people: 95 % upper bound, empty where there is none; of an expected month as lower"),
        TableColumn("lower_by_estimate", "people: 2.5 % of the paths lie below, as if the estimate were the truth"),
        TableColumn("upper_by_estimate", "people: 2.5 % of the paths lie above, as if the estimate were the truth"),
        TableColumn("threshold", "people that must not be exceeded"),
        TableColumn("not_growth", "what moved the figure from the month before besides growth"),
    ]
    marks = {mark.month: mark.words for mark in drawn.marks}
    published = [
        (m.month, "published", m.estimate, m.lower, m.upper, None, None, drawn.threshold, marks.get(m.month, ""))
        for m in drawn.past
    ]
    expected = [
        (m.month, "expected", *map(round, (m.median, m.low, m.high, m.low_by_estimate, m.high_by_estimate)), drawn.threshold, "")
        for m in drawn.ahead
    ]
    # The month of the page decides what is as of when.
    newest = rows.in_force.get((month, reading.name))
    notes = [f"{rows.group_name}, up to {formats.month_name(month)}, reading {reading.name}"]
    notes += [f"as of {formats.moment(newest.known_at)}, {newest.state}"] if newest else []
    return Table("People by month", columns, [*published, *expected], notes)


def _fans(rows: PageRows, parameters: Parameters) -> Mapping[str, Any] | None:
    drawn = trend_of(rows, parameters, None)
    return trend.figure(drawn) if drawn.ahead else None


FAN_KEYS = (
    ("line", "best estimate"),
    ("bounds", "range of the past"),
    ("narrow", "expected of the estimate"),
    ("wide", "expected with the measuring error"),
    ("threshold", "threshold"),
)
"""The legend of the drawing with fans."""
FANS = Chart("fans", "Where the figure goes, without and with the measuring error", _fans, table)
CHART = Chart("trend", "People by month, with what is expected", figure, table, svg)
