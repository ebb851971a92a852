"""Inputs of the what-if form, that a keyboard and a screen reader can use; each posts its value under its field's name. Pure."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboards.web import components
from dashboards.web.scenario_form import Card


def identity(card: str, kind: str, name: str) -> dict[str, str]:
    """The id of an input: nothing of it says what is typed there."""
    return {"form": "whatif", "card": card, "kind": kind, "field": name}


def text(card: Card, name: str, label: str) -> Component:
    """A line of text."""
    field: Component = dmc.TextInput(
        id=identity(card.number, card.kind, name), label=label, value=card.values.get(name) or "", debounce=400, persistence=False
    )
    return field


def lines(card: Card, name: str, label: str) -> Component:
    """Several lines of text."""
    field: Component = dmc.Textarea(
        id=identity(card.number, card.kind, name),
        label=label,
        value=card.values.get(name) or "",
        debounce=400,
        autosize=True,
        minRows=2,
        persistence=False,
    )
    return field


def number(card: Card, name: str, label: str, **limits: Any) -> Component:
    """A number, empty where nothing is said."""
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


def day(card: Card, name: str, label: str, description: str = "") -> Component:
    """A day; `description`: what an empty field means, where it may be empty."""
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


def select(card: Card, name: str, label: str, options: Sequence[Any], default: str | None = None, **more: Any) -> Component:
    """One of several options."""
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


def slider(card: Card, name: str, label: str, low: float, high: float, step: float, default: list[float]) -> Component:
    """A range in percent. It reaches as far as the value that it begins with: a thumb at the end would say another number."""
    ends = card.values.get(name) or default
    low, high = min(low, *ends), max(high, *ends)
    thumbs = dmc.RangeSlider(
        id=identity(card.number, card.kind, name),
        value=ends,
        min=low,
        max=high,
        step=step,
        # One value alone is both ends.
        minRange=0,
        marks=marks(low, high),
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
        [html.Span(f"{label}, in percent", className="slider-label"), thumbs],
        role="group",
        **components.aria(label=f"{label}, in percent"),
    )


def marks(low: float, high: float) -> list[dict[str, Any]]:
    """The marks of a slider: its ends, and no growth or the middle."""
    # No growth is the mark that a reader looks for.
    middle = 0 if low < 0 else (low + high) / 2
    return [{"value": value, "label": f"{value:g} %"} for value in (low, middle, high)]
