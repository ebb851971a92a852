"""Results of clauses by licensee: a row each test, a column each reading; each result leads to its reasoning. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from dashboards.web.router import Parameters
from pipelines.figures.published_licences import ClauseRow
from pipelines.licences.entry import Clause
from pipelines.licences.registry import Registry

METRICS = {
    "mau": "monthly users",
    "dau": "daily users",
    "display_mau": "monthly users; asks for the model's name to be shown",
}
"""By a clause's name in the registry, what the clause is about, for a reader."""
KEY = ("licence", "clause", "licensee", "product")
"""The parameters of an address that name a test, beside the reading."""


def matrix(tests: Sequence[ClauseRow], registry: Registry, readings: Sequence[str], parameters: Parameters) -> list[Component]:
    """Two tables for each licensee: what a release tests for a whole group, which is what the product is about, and the rest.

    Clauses that are never tested are left out: whatever the group's figures, their result is "not measured".
    """
    tables = []
    for licensee, of_licensee in by_licensee(tests, registry):
        captions = {True: f"Tested at a release, for {licensee} and its affiliates", False: f"Other clauses, for {licensee}"}
        tables += [
            _table(captions[is_first], rows, registry, readings, parameters) for is_first, rows in of_licensee.items() if rows
        ]
    return tables


def by_licensee(tests: Sequence[ClauseRow], registry: Registry) -> Iterator[tuple[str, dict[bool, list[ClauseRow]]]]:
    """By licensee the clauses that are tested: under true what a release tests for a whole group, the newest first."""
    for licensee, of_licensee in groupby(sorted(tests, key=lambda test: test.licensee), key=lambda test: test.licensee):
        by_kind: dict[bool, list[ClauseRow]] = {True: [], False: []}
        for test in of_licensee:
            clause = clause_of(test, registry)
            if clause is None or clause.tested:
                by_kind[clause is not None and clause.group_snapshot].append(test)
        # The newest release first: that is the version that somebody asks about.
        by_kind[True].sort(key=lambda test: test.month or date.min, reverse=True)
        yield licensee, by_kind


def clause_of(test: ClauseRow, registry: Registry) -> Clause | None:
    """The registry's clause of a test; null where the registry no longer has it."""
    entry = registry.get(test.licence)
    return next((clause for clause in entry.clauses if clause.id == test.clause), None) if entry else None


def asks(test: ClauseRow) -> str:
    """What a clause asks of users, in a few words: more than 700 M."""
    if test.threshold is None:
        return "–"
    return f"{'more than' if test.comparator == 'gt' else 'at least'} {formats.exact(test.threshold)}"


def address(test: ClauseRow, reading: str, parameters: Parameters) -> str:
    """The address of a result's reasoning."""
    named = {name: getattr(test, name) or None for name in KEY}
    return f"/licences{parameters.query(reading=reading, adopt=None, into=None, **named)}#reasoning"


def _table(
    caption: str, tests: Sequence[ClauseRow], registry: Registry, readings: Sequence[str], parameters: Parameters
) -> Component:
    record = {result.reading for test in tests for result in test.results.values() if result.of_record}
    # A phone shows one reading: the one that is chosen, else that of record, or where none is, the first.
    kept = parameters.reading or next((name for name in readings if name in record), readings[0] if readings else "")
    columns = [f"{name.replace('_', ' ')}{' (of record)' if name in record else ''}" for name in readings]
    head = ("Licence", "Asks", "Month tested", *columns)
    narrow = [1, 2, *(place for place, name in enumerate(readings, 3) if name != kept)]
    rows = [
        (
            _name(test, registry),
            asks(test),
            formats.month_name(test.month) if test.month else "–",
            *(_cell(test, name, parameters) for name in readings),
        )
        for test in tests
    ]
    return components.table(caption, head, rows, narrow)


def _name(test: ClauseRow, registry: Registry) -> list[Any]:
    entry = registry.get(test.licence)
    what = METRICS.get(test.clause, test.clause.replace("_", " "))
    about = [what, test.product] if test.product else [what]
    return [entry.name if entry else test.licence, html.Br(), html.Span(" · ".join(about), className="detail")]


def _cell(test: ClauseRow, reading: str, parameters: Parameters) -> Any:
    result = test.results.get(reading)
    if result is None:
        return "–"
    words = components.RESULTS[result.result][1]
    what = f"{test.licence}, {test.clause}, {test.product or test.licensee}, {reading}: {words}. Why?"
    return html.A(components.result(result.result), href=address(test, reading, parameters), **components.aria(label=what))
