"""Which products, people and revenue stand on a result other than under, granted or exempt. Pure."""

from collections.abc import Iterator
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from pipelines.figures.months import ClauseCount
from pipelines.licences.dependencies import Dependencies, Dependency


def dependencies(answer: Dependencies) -> Component:
    """A row for each use of a model, and what stands on open results together."""
    if not answer.uses:
        return components.notice(
            "No product is said to use a model.", "", "name the models in affiliates/*.yaml, under models of a product"
        )
    # Each use by itself: a product may use two models, and stand on an open result with one of them.
    rows = [
        (str(use.ref), use.use.model, html.Ul(list(_stands_on(use))), _people(use.users), _revenue(use), _alternative(use))
        for use in answer.uses
    ]
    head = ("Product", "Model", "Stands on", "People", "Revenue", "Alternative, cost of switching")
    caption = f"Uses of models on {answer.on}, people of {formats.month_name(answer.month)}"
    return html.Div([html.P(_together(answer), className="sentence"), components.table(caption, head, rows, (3, 5), (3,))])


def _stands_on(use: Dependency) -> Iterator[Component]:
    if use.open:
        yield from (html.Li(text.replace("_", " ")) for text in use.open)
    elif use.results:
        yield from (html.Li(components.result(name)) for name in use.results)
    else:
        yield html.Li("no threshold in its text")
    yield from (html.Li(days) for days in use.without_grant)


def _people(users: ClauseCount | None) -> Any:
    return formats.people(None) if users is None else formats.between(users.lower, users.upper)


def _revenue(use: Dependency) -> str:
    revenue = use.use.revenue
    if revenue is None:
        return "not said"
    share = f", {float(use.use.revenue_share * 100):g}{formats.SPACE}% of it" if use.use.revenue_share else ""
    return f"{revenue.amount:,.0f} {revenue.currency} ({revenue.year}){share}"


def _alternative(use: Dependency) -> str:
    cost = use.use.switching_cost
    parts = [use.use.alternative, f"{cost.amount:,.0f} {cost.currency}" if cost else None]
    return "; ".join(part for part in parts if part) or "not said"


def _together(answer: Dependencies) -> str:
    number = len({use.ref for use in answer.open})
    if not number:
        return "Nothing stands on another result than under, granted or exempt."
    money = ", ".join(f"{amount:,.0f} {currency} ({year})" for (currency, year), amount in sorted(answer.revenue.items()))
    unknown = f"; not said of {', '.join(answer.without_revenue)}" if answer.without_revenue else ""
    products = f"{number} product{'' if number == 1 else 's'}"
    people = "not measured" if answer.users is None else f"{_people(answer.users)} people, each once"
    return f"On another result than under, granted or exempt: {products}; {people}; revenue {money or 'not said'}{unknown}."
