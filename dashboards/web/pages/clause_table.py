"""All results of clauses as one table, for CSV and Excel. Pure."""

from dashboards import formats
from dashboards.charts.table import Table, TableColumn
from dashboards.web.queries import PageRows
from dashboards.web.router import Chart, Parameters
from pipelines.figures import published_licences

_COLUMNS = (
    TableColumn("licence", "id of the licence in the registry"),
    TableColumn("clause", "id of the clause in the licence"),
    TableColumn("licensee", "whose people are counted"),
    TableColumn("product", "affiliate/product, where the clause asks about one"),
    TableColumn("reading", "the reading under which the clause is tested"),
    TableColumn("of_record", "yes: the reading of record"),
    TableColumn("month", "first day of the month that is tested; empty where none is"),
    TableColumn("threshold", "the number in the clause"),
    TableColumn("comparator", "gt: only more than the threshold is over; gte: the threshold itself is, too"),
    TableColumn("result", "under, over, undetermined, not_measured, granted or exempt"),
    TableColumn("estimate", "people; empty without a number"),
    TableColumn("lower", "people at least"),
    TableColumn("upper", "people at most; empty without an upper bound"),
    TableColumn("settled_by", "what would settle the result; empty where the result is settled"),
    TableColumn("known_since", "day in UTC since which the result stands"),
)


def _table(rows: PageRows, _: Parameters) -> Table:
    lines = [
        (
            test.licence, test.clause, test.licensee, test.product, result.reading, "yes" if result.of_record else "no",
            test.month,
            test.threshold, test.comparator, result.result, result.estimate, result.lower, result.upper,
            "; ".join(result.settled_by), result.known_at.date(),
        )
        for test in rows.read_group(published_licences.matrix) or ()
        for result in test.results.values()
    ]  # fmt: skip
    notes = ("All readings, as published.", f"As of {formats.moment(rows.now)}.")
    return Table(f"Results of clauses, {rows.group_name}", _COLUMNS, lines, notes)


def _no_picture(_: PageRows, __: Parameters) -> None:
    """A list of results isn't drawn."""


RESULTS = Chart("clause-results", "Results of clauses", _no_picture, _table)
