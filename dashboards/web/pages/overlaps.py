"""Whom two products of a month have in common, as it is published: for the heat map and its downloads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from affiliates.periods import add_months, month_of
from dashboards import formats
from dashboards.charts.table import Table, TableColumn
from dashboards.web.queries import PageRows, VisibleGroup, product_name
from dashboards.web.router import Parameters
from pipelines.counting.in_common import COMPARED_MONTHS
from pipelines.figures.published_group import Overlap


@dataclass(frozen=True)
class MeasuredOverlaps:
    """The published overlaps of a month; products by their full names."""

    products: Sequence[str]
    """In the order of rows and columns, the largest first."""
    shares: Mapping[tuple[str, str], float | None]
    """Of the first product's people the share that is in the second, too; null where that isn't measured."""
    words: Mapping[tuple[str, str], str]
    """By pair, what is known, in words."""


def measured_of(rows: PageRows, visible: VisibleGroup | None) -> MeasuredOverlaps | None:
    """The overlaps of a month; null where none are published."""
    if visible is None or not visible.overlaps:
        return None
    shares: dict[tuple[str, str], float | None] = {}
    words: dict[tuple[str, str], str] = {}
    for (first, second), overlap in visible.overlaps.items():
        names = product_name(rows.group, first), product_name(rows.group, second)
        is_measured = overlap.state == "measured"
        shares[names] = overlap.share_of_first if is_measured else None
        shares[names[1], names[0]] = overlap.share_of_second if is_measured else None
        words[names] = words[names[1], names[0]] = f"{names[0]} and {names[1]}: {in_words(overlap)}"
    # A product without a sketch has no overlap at all: a row of nothing would say nothing.
    paired = {product for pair in visible.overlaps for product in pair}
    products = [product_name(rows.group, row.product) for row in visible.products if row.product in paired]
    return MeasuredOverlaps(products, shares, words)


def why_not(rows: PageRows, month: date) -> str:
    """Why nothing is published of whom the products of a month share, and what to do."""
    name = formats.month_name(month)
    if month < add_months(month_of(rows.today), -COMPARED_MONTHS):
        told = f"It is measured when a month is published, of the newest months alone: {name} was too old by then."
        step = f"run a what-if that begins in {name} and retires a product; before less after is whom that product alone brings"
        # Who sees one affiliate's figures has no what-if.
        return f"{told} What to do: {step}." if rows.sees_group else told
    return (
        f"It is measured when a month is published: no two products of {name} could be compared, or an older version has "
        f"published the month. What to do: nothing; it comes when {name} is published next."
    )


def of_page(rows: PageRows, parameters: Parameters) -> MeasuredOverlaps | None:
    """The overlaps of the page's month; null where none are published."""
    month = rows.month_of(parameters)
    return measured_of(rows, rows.products_page(month, rows.reading(parameters.reading, month)))


def in_words(overlap: Overlap) -> str:
    """Whom two products have in common."""
    if overlap.state == "measured" and overlap.lower is not None:
        return f"{formats.people(overlap.estimate)} in both, {formats.between(overlap.lower, overlap.upper)}"
    why = overlap.what or "not measurable"
    return f"{why}; at most {formats.at_most(overlap.upper)}" if overlap.upper is not None else why


def summary(measured: MeasuredOverlaps) -> str:
    """How many pairs are measured, in a sentence."""
    known = [pair for pair, share in measured.shares.items() if share is not None]
    return f"{len(known) // 2} of {len(measured.shares) // 2} pairs are measured. All numbers are in the downloads."


def table(rows: PageRows, parameters: Parameters) -> Table:
    """The numbers of the heat map, a row each pair."""
    columns = [
        TableColumn("first", "affiliate/product"),
        TableColumn("second", "affiliate/product"),
        TableColumn("state", "measured; not_measurable: too few for the sketches; not_measured: nothing can be compared"),
        TableColumn("estimate", "people in both; empty if not measured"),
        TableColumn("lower", "people: 95 % lower bound"),
        TableColumn("upper", "people: 95 % upper bound"),
        TableColumn("share_of_first", "share of the first's people who are in the second, too, 0 to 1"),
        TableColumn("share_of_second", "share of the second's people who are in the first, too, 0 to 1"),
        TableColumn("what", "why it isn't measured"),
    ]
    month = rows.month_of(parameters)
    reading = rows.reading(parameters.reading, month)
    visible = rows.products_page(month, reading)
    lines = [
        (*pair, o.state, o.estimate, o.lower, o.upper, o.share_of_first, o.share_of_second, o.what)
        for pair, o in (visible.overlaps.items() if visible else ())
    ]
    published = rows.in_force.get((month, reading.name))
    notes = [f"{rows.group_name}, {formats.month_name(month)}, reading {reading.name}", "?: not measurable, or not measured"]
    notes += [f"as of {formats.moment(published.known_at)}"] if published else []
    return Table("Overlaps of products", columns, lines, notes)
