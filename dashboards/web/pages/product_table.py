"""The products of a month as a table: people, share, what a product alone brings, change and its cause. Pure."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from affiliates.manifests.group import Group
from dashboards import formats
from dashboards.web import components
from dashboards.web.queries import product_name
from pipelines.figures.page_month import MonthStep
from pipelines.figures.published_group import ProductAddition, ProductRow

_NO_SKETCH = "nothing that can be compared was contributed for the month, such as a count without sketches"


def table(group: Group, products: Sequence[ProductRow], unshared: str) -> list[Component]:
    """The table, the largest product first; `unshared`: why nothing is known of whom each product alone brings."""
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
    if not has_additions:
        return (
            [shown, html.P(f"Whom each product alone brings isn't known. {unshared}", className="about")] if products else [shown]
        )
    reasons: dict[str, list[str]] = {}
    for row in products:
        if row.addition is None or row.addition.state != "measured":
            why = row.addition.what if row.addition and row.addition.what else _NO_SKETCH
            reasons.setdefault(why, []).append(product_name(group, row.product))
    items = [html.Li(f"{', '.join(names)}: {why}") for why, names in reasons.items()]
    told = [html.Details([html.Summary("Why it isn't known whom some products alone bring"), html.Ul(items)], className="how")]
    return [shown, *(told if items else [])]


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
