"""Names, numbers and months as the page of evidence writes them. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any

Content = Mapping[str, Any]
"""A part of a bundle's JSON."""


def month_name(text: str) -> str:
    """2025-03 as March 2025."""
    return f"{date.fromisoformat(text + '-01'):%B %Y}"


def group_name(group: Content) -> str:
    """The group's name."""
    return str(group["name"] or group["group"])


def entity_name(group: Content, entity: str) -> str:
    """An entity's full name, with the short one that paths and figures use."""
    name = next((e["name"] for e in group["entities"] if e["entity"] == entity), "")
    return f"{name} ({entity})" if name and name != entity else entity


def subject_name(group: Content, figure: Content) -> str:
    """Whom a figure is of: the group, an affiliate, or a product, set in by its rank."""
    if figure["scope"] == "group":
        return group_name(group)
    if figure["scope"] == "affiliate":
        return f"  {entity_name(group, figure['subject'])}"
    affiliate, _, product = figure["subject"].partition("/")
    products = {p["product"]: p["name"] for e in group["entities"] if e["entity"] == affiliate for p in e["products"]}
    name = products.get(product) or ""
    return f"    {name} ({figure['subject']})" if name else f"    {figure['subject']}"


def more_than(licence: Content) -> str:
    """The clause's comparator and threshold, in words."""
    return f"{'more than' if licence['clause']['comparator'] == 'gt' else 'at least'} {licence['threshold']:,}"


def people(number: int | None) -> str:
    """A number of people; a dash where there is none."""
    return "–" if number is None else f"{number:,}"


def with_sign(number: int) -> str:
    """A number with its sign; a true minus, which isn't taken for a dash between two numbers."""
    return f"{number:+,}".replace("-", "−")


def interval(lower: int | None, upper: int | None) -> str:
    """The two ends of a range, in people."""
    if lower is None:
        return "–"
    return f"{lower:,} to {upper:,}" if upper is not None else f"from {lower:,}, no most"


def covered(figure: Content) -> str:
    """How much of what was due was handed in."""
    parts = [f"{figure['days_present']}/{figure['days_expected']} days"] if figure["days_expected"] else []
    parts += [f"{figure['months_present']}/{figure['months_expected']} months"] if figure["months_expected"] else []
    return ", ".join(parts) or "by count"
