"""The form of the what-if page: a card for each change, inputs that a keyboard and a screen reader can use. Pure."""

from datetime import date
from typing import Any, get_args

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from affiliates.manifests.group import Group
from affiliates.manifests.product import Audience
from dashboards.web import components
from dashboards.web.pages import whatif_inputs as inputs
from dashboards.web.scenario_form import AUDIENCE, BASE, FILE_ALONE, Card
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
    {"value": "both", "label": "a share of either side's people"},
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


def base_fields(values: dict[str, Any], choices: FormChoices) -> Component:
    """What isn't a change: horizon, release, and another line than the newest licence's."""
    card = Card(BASE, BASE, values)
    return html.Fieldset(
        [
            html.Legend("What is tested"),
            _row(
                inputs.number(card, "horizon", "Months ahead", decimalScale=0, min=1, max=60),
                inputs.day(card, "release", "Next release on", "assumed where empty"),
            ),
            inputs.text(card, "releases", "Further releases (YYYY-MM-DD, a comma between two)"),
            _row(
                inputs.number(card, "threshold", "Own threshold", **_MILLIONS),
                inputs.select(card, "clause", "or a licence's clause", choices.licences, clearable=True),
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
            _more(
                "Source, date, note",
                _row(inputs.text(card, "source", "Source"), inputs.day(card, "as_of", "As of")),
                inputs.lines(card, "note", "Note"),
            ),
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
        _row(inputs.number(card, "low", "At least", **_MILLIONS), inputs.number(card, "high", "At most", **_MILLIONS)),
        _row(inputs.select(card, "unit", "Counted are", get_args(Unit)), inputs.text(card, "month", "In the month (YYYY-MM)")),
        _row(
            inputs.number(card, "per_low", "People for one, at least"),
            inputs.number(card, "per_high", "at most"),
        ),
        _row(inputs.text(card, "per_source", "Source of that"), inputs.day(card, "per_as_of", "As of", "may be empty")),
        inputs.slider(card, "growth", "Growth a month", -5, 10, 0.1, [0, 0]),
    ]
    population = _row(
        inputs.number(card, "population_low", "Population, at least", **_MILLIONS),
        inputs.number(card, "population_high", "at most", **_MILLIONS),
    )
    both = inputs.slider(card, "overlap_group", "Of the group's people, if shares of either side are said", 0, 100, 0.1, [0, 10])
    models = [_models(card, choices)] if card.kind == "acquire" else []
    return [
        _row(inputs.text(card, "name", "Name"), inputs.number(card, "likely", "Monthly users", **_MILLIONS)),
        _days(card),
        inputs.select(card, "overlap_of", "Overlap with the group is", _OVERLAPS),
        inputs.slider(card, "overlap", "Overlap", 0, 100, 1, [20, 40]),
        _more("Range, unit, growth, other overlaps", *details, population, both, *models),
    ]


def _models(card: Card, choices: FormChoices) -> Component:
    select: Component = dmc.MultiSelect(
        id=inputs.identity(card.number, card.kind, "models"),
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
        inputs.select(card, "part", "What grows", [GROUP, *choices.parts]),
        _days(card),
        inputs.slider(card, "by", "Growth a month beside the series' own", -10, 20, 0.1, [0, 1]),
        _more(
            "New people among the growth",
            inputs.select(card, "new_known", "New to the group are", known, "measured"),
            inputs.slider(card, "new_people", "Share of new people", 0, 100, 1, [0, 100]),
        ),
    ]


def _ownership(card: Card, choices: FormChoices) -> list[Component]:
    share = dmc.Slider(
        id=inputs.identity(card.number, card.kind, "share"),
        value=card.values.get("share", 100),
        min=0,
        max=100,
        step=1,
        marks=inputs.marks(0, 100),
        thumbLabel="Share in percent",
        labelAlwaysOn=True,
        mt=34,
        persistence=False,
        mb=26,
    )
    return [
        _row(
            inputs.select(card, "entity", "Of the entity", choices.entities),
            inputs.select(card, "owner", "has the owner", choices.entities),
        ),
        html.Div(
            [html.Span("a share, in percent, of", className="slider-label"), share],
            role="group",
            **components.aria(label="Share, in percent"),
        ),
        _days(card),
    ]


def _part(card: Card, choices: FormChoices) -> list[Component]:
    parts = choices.products if card.kind == "retire" else choices.parts
    return [inputs.select(card, "part", "What", parts), _days(card)]


def _exclude(card: Card, choices: FormChoices) -> list[Component]:
    what = inputs.select(card, "part", "What doesn't count", [*choices.products, *choices.audiences])
    return [what, _days(card, "the base month")]


def _reading(card: Card, choices: FormChoices) -> list[Component]:
    return [inputs.select(card, "reading", "Reading", choices.readings), _days(card, "the base month")]


def _threshold(card: Card, choices: FormChoices) -> list[Component]:
    return [inputs.number(card, "threshold", "Threshold", **_MILLIONS), _days(card, "the base month")]


def _clause(card: Card, choices: FormChoices) -> list[Component]:
    return [inputs.select(card, "clause", "Licence", choices.licences), _days(card, "the base month")]


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


def by_file() -> Component:
    """What the form can't say, and how it is said: no page reads a file of a name that is typed."""
    command = html.Code("mauwatch whatif new FILE.yaml")
    run = html.Code("mauwatch whatif FILE.yaml")
    return _more(
        "What only a scenario's file can say",
        html.Ul([html.Li(words) for words in FILE_ALONE.values()]),
        html.P([command, " writes such a file, and ", run, " runs it. What it keeps stands under Saved scenarios."]),
    )


def _days(card: Card, empty: str = "") -> Component:
    """From which day a change holds, or between which days it comes; `empty`: what no day means."""
    return _row(inputs.day(card, "on", "From", empty), inputs.day(card, "on_to", "or as late as", "may be empty"))


def _row(*fields: Component) -> Component:
    return html.Div(list(fields), className="fields")


def _more(title: str, *fields: Component) -> Component:
    return html.Details([html.Summary(title), *fields], className="how")
