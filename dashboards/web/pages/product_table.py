"""The products of a month as a table: people, share, what a product alone brings, change and its cause. Pure."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from affiliates.manifests.group import Group
from dashboards import formats
from dashboards.web import components
from dashboards.web.queries import product_name
from pipelines.figures.page_month import NOT_YET, MonthStep
from pipelines.figures.published_group import ProductAddition, ProductRow


def table(group: Group, products: Sequence[ProductRow]) -> list[Component]:
    """The table, the largest product first."""
    # A column of nothing but "not known" would take the place of the others.
    has_additions = any(row.addition for row in products)
    lines = [
        (
            product_name(group, row.product),
            formats.people(row.shown.figure.estimate),
            formats.between(row.shown.figure.lower, row.shown.figure.upper),
            "–" if row.share is None else formats.share(round(row.share * 1_000_000), 1_000_000),
            *([addition_in_words(row.addition)] if has_additions else []),
            change(row.step, row.shown.figure.estimate),
            cause(row.step),
        )
        for row in products
    ]
    alone = ["Nobody else has"] if has_additions else []
    head = ("Product", "People", "Range", "Share of the group", *alone, "Change", "Cause")
    last = len(head) - 1
    caption = "People of each product, each counted once in the product; shares add up to more where people use several"
    # Of numbers a phone shows people and change.
    shown = components.table(caption, head, lines, (2, 3, *([4] if has_additions else []), last), range(1, last))
    missing = [] if has_additions else [html.P(f"Whom each product alone brings is {NOT_YET}.", className="about")]
    return [shown, *missing]


def change(step: MonthStep, estimate: int | None) -> str:
    """The change from the month before; in words where the two can't be compared."""
    if step.comparable is None:
        return "not known"
    # Growth of somebody who wasn't there has no percentage.
    if step.difference is None or estimate is None or estimate == step.difference:
        return "not comparable"
    return formats.percent_change(step.difference / (estimate - step.difference))


def cause(step: MonthStep) -> str:
    """What moved a figure from the month before."""
    others = dict.fromkeys(change.what for change in step.changes if change.kind != "growth")
    return "; ".join(others) or growth_or_unknown(step)


def growth_or_unknown(step: MonthStep) -> str:
    """What is said of a step without another cause."""
    return "growth" if step.comparable else "–"


def addition_in_words(addition: ProductAddition | None) -> str:
    """Whom a product alone brings."""
    if addition is None:
        return "not known"
    if addition.state == "measured":
        return formats.people(addition.estimate)
    if addition.state == "not_measurable" and addition.upper is not None:
        return f"at most {formats.at_most(addition.upper)}"
    return "not measured"
