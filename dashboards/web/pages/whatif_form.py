"""The form of the what-if page: a card for each change, inputs that a keyboard and a screen reader can use. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import Any, get_args

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from affiliates.manifests.group import Group
from affiliates.manifests.product import Audience
from dashboards.web import components
from dashboards.web.scenario_form import AUDIENCE, BASE, Card
from pipelines.licences.registry import Registry
from pipelines.scenarios.assumptions import Unit
from pipelines.scenarios.changes import GROUP

KINDS = {
    "acquire": "Acquire a company",
    "divest": "Divest an affiliate or a product",
    "launch": "Launch something new",
    "retire": "Retire a product",
    "grow": "Grow a part, or the whole",
    "ownership": "Change an owner's share",
    "exclude": "Don't count a product or an audience",
    "reading": "Read the clause otherwise",
    "threshold": "Test another threshold",
    "clause": "Test another clause",
}
"""Kinds of change, in words."""
_MILLIONS = {"decimalScale": 6, "allowNegative": False, "hideControls": True, "suffix": " M", "thousandSeparator": ","}
_OVERLAPS = [
    {"value": "target", "label": "a share of the target's people"},
    {"value": "group", "label": "a share of the group's people"},
    {"value": "independent", "label": "as chance has it in a population"},
    {"value": "unknown", "label": "unknown"},
]


class FormChoices:
    """What the form's choices offer: names of the group and of the registry."""

    def __init__(self, group: Group, registry: Registry) -> None:
        self.products = sorted(str(ref) for ref in group.products)
        self.entities = sorted(group.entities)
        self.parts = sorted({ref.affiliate for ref in group.products}) + self.products
        self.readings = [reading.name for reading in group.readings.readings]
        self.licences = sorted(entry.id for entry in registry.entries)
        self.audiences = [f"{AUDIENCE}{audience}" for audience in get_args(Audience)]


def identity(card: str, kind: str, name: str) -> dict[str, str]:
    """The id of an input: nothing of it says what is typed there."""
    return {"form": "whatif", "card": card, "kind": kind, "field": name}


def base_fields(values: dict[str, Any], choices: FormChoices) -> Component:
    """What isn't a change: horizon, release, and another line than the newest licence's."""
    card = Card(BASE, BASE, values)
    return html.Fieldset(
        [
            html.Legend("What is tested"),
            _row(
                _number(card, "horizon", "Months ahead", decimalScale=0, min=1, max=60),
                _day(card, "release", "Next release on", "assumed where empty"),
            ),
            _row(
                _number(card, "threshold", "Own threshold", **_MILLIONS),
                _select(card, "clause", "or a licence's clause", choices.licences, clearable=True),
            ),
        ],
        className="card",
    )


def card_of(card: Card, choices: FormChoices) -> Component:
    """One change with its inputs."""
    fields = _FIELDS[card.kind](card, choices)
    return html.Fieldset(
        [
            html.Legend(KINDS[card.kind]),
            *fields,
            _more("Source and date", _row(_text(card, "source", "Source"), _day(card, "as_of", "As of"))),
            dmc.Button(
                "Remove this change", id={"whatif": "remove", "card": card.number}, variant="subtle", size="compact-sm", px=0
            ),
        ],
        className="card",
        id={"whatif": "card", "card": card.number},
    )


def _stated(card: Card, choices: FormChoices) -> list[Component]:
    """A target or a launch by a stated number."""
    details = [
        _row(_number(card, "low", "At least", **_MILLIONS), _number(card, "high", "At most", **_MILLIONS)),
        _row(_select(card, "unit", "Counted are", get_args(Unit)), _text(card, "month", "In the month (YYYY-MM)")),
        _row(
            _number(card, "per_low", "People for one, at least", decimalScale=4),
            _number(card, "per_high", "at most", decimalScale=4),
        ),
        _slider(card, "growth", "Growth a month", -5, 10, 0.1, [0, 0]),
    ]
    population = _row(
        _number(card, "population_low", "Population, at least", **_MILLIONS),
        _number(card, "population_high", "at most", **_MILLIONS),
    )
    models = [_models(card, choices)] if card.kind == "acquire" else []
    return [
        _row(_text(card, "name", "Name"), _number(card, "likely", "Monthly users", **_MILLIONS)),
        _row(_day(card, "on", "From"), _day(card, "on_to", "or as late as", "may be empty")),
        _select(card, "overlap_of", "Overlap with the group is", _OVERLAPS),
        _slider(card, "overlap", "Overlap", 0, 100, 1, [20, 40]),
        _more("Range, unit, growth", *details, population, *models),
    ]


def _models(card: Card, choices: FormChoices) -> Component:
    select: Component = dmc.MultiSelect(
        id=identity(card.number, card.kind, "models"),
        label="AI models that the target uses",
        data=choices.licences,
        value=card.values.get("models") or [],
        searchable=True,
        persistence=False,
    )
    return select


def _grow(card: Card, choices: FormChoices) -> list[Component]:
    known = [{"value": "measured", "label": "from what only this part has, to all"}, {"value": "range", "label": "a range"}]
    return [
        _row(_select(card, "part", "What grows", [GROUP, *choices.parts]), _day(card, "on", "From")),
        _slider(card, "by", "Growth a month beside the series' own", -10, 20, 0.1, [0, 1]),
        _more(
            "New people among the growth",
            _select(card, "new_known", "New to the group are", known, "measured"),
            _slider(card, "new_people", "Share of new people", 0, 100, 1, [0, 100]),
        ),
    ]


def _ownership(card: Card, choices: FormChoices) -> list[Component]:
    share = dmc.Slider(
        id=identity(card.number, card.kind, "share"),
        value=card.values.get("share", 100),
        min=0,
        max=100,
        step=1,
        marks=_marks(0, 100),
        thumbLabel="Share in percent",
        labelAlwaysOn=True,
        mt=34,
        persistence=False,
        mb=26,
    )
    return [
        _row(
            _select(card, "entity", "Of the entity", choices.entities), _select(card, "owner", "has the owner", choices.entities)
        ),
        html.Div(
            [html.Span("a share, in percent, of", className="slider-label"), share],
            role="group",
            **components.aria(label="Share, in percent"),
        ),
        _day(card, "on", "From"),
    ]


def _part(card: Card, choices: FormChoices) -> list[Component]:
    parts = choices.products if card.kind == "retire" else choices.parts
    return [_row(_select(card, "part", "What", parts), _day(card, "on", "From"))]


def _exclude(card: Card, choices: FormChoices) -> list[Component]:
    return [_select(card, "part", "What doesn't count", [*choices.products, *choices.audiences])]


def _reading(card: Card, choices: FormChoices) -> list[Component]:
    return [_row(_select(card, "reading", "Reading", choices.readings), _day(card, "on", "From"))]


def _threshold(card: Card, choices: FormChoices) -> list[Component]:
    return [_row(_number(card, "threshold", "Threshold", **_MILLIONS), _day(card, "on", "From"))]


def _clause(card: Card, choices: FormChoices) -> list[Component]:
    return [_row(_select(card, "clause", "Licence", choices.licences), _day(card, "on", "From"))]


_FIELDS = {
    "acquire": _stated,
    "launch": _stated,
    "divest": _part,
    "retire": _part,
    "grow": _grow,
    "ownership": _ownership,
    "exclude": _exclude,
    "reading": _reading,
    "threshold": _threshold,
    "clause": _clause,
}


def base_of(month: date, reading: str) -> dict[str, str]:
    """What the form's scenario starts from."""
    return {"month": f"{month:%Y-%m}", "reading": reading}


def _row(*fields: Component) -> Component:
    return html.Div(list(fields), className="fields")


def _more(title: str, *fields: Component) -> Component:
    return html.Details([html.Summary(title), *fields], className="how")


def _text(card: Card, name: str, label: str) -> Component:
    field: Component = dmc.TextInput(
        id=identity(card.number, card.kind, name), label=label, value=card.values.get(name) or "", debounce=400, persistence=False
    )
    return field


def _number(card: Card, name: str, label: str, **limits: Any) -> Component:
    value = card.values.get(name)
    field: Component = dmc.NumberInput(
        id=identity(card.number, card.kind, name),
        label=label,
        value="" if value is None else value,
        debounce=400,
        persistence=False,
        **limits,
    )
    return field


def _day(card: Card, name: str, label: str, description: str = "") -> Component:
    field: Component = dmc.DateInput(
        id=identity(card.number, card.kind, name),
        label=label,
        value=card.values.get(name),
        valueFormat="YYYY-MM-DD",
        placeholder=description or "YYYY-MM-DD",
        clearable=bool(description) or name == "as_of",
        persistence=False,
    )
    return field


def _select(card: Card, name: str, label: str, options: Sequence[Any], default: str | None = None, **more: Any) -> Component:
    field: Component = dmc.Select(
        id=identity(card.number, card.kind, name),
        label=label,
        data=list(options),
        value=card.values.get(name, default),
        searchable=True,
        allowDeselect=False,
        persistence=False,
        **more,
    )
    return field


def _slider(card: Card, name: str, label: str, low: float, high: float, step: float, default: list[float]) -> Component:
    slider = dmc.RangeSlider(
        id=identity(card.number, card.kind, name),
        value=card.values.get(name) or default,
        min=low,
        max=high,
        step=step,
        # One value alone is both ends.
        minRange=0,
        marks=_marks(low, high),
        labelAlwaysOn=True,
        thumbFromLabel=f"{label}, at least, in percent",
        thumbToLabel=f"{label}, at most, in percent",
        # Once at the end of a movement: one answer for each pixel would queue up behind the one that is wanted.
        updatemode="mouseup",
        persistence=False,
        mt=34,
        mb=26,
    )
    return html.Div(
        [html.Span(f"{label}, in percent", className="slider-label"), slider],
        role="group",
        **components.aria(label=f"{label}, in percent"),
    )


def _marks(low: float, high: float) -> list[dict[str, Any]]:
    # No growth is the mark that a reader looks for.
    middle = 0 if low < 0 else (low + high) / 2
    return [{"value": value, "label": f"{value:g} %"} for value in (low, middle, high)]
