"""A scenario as the form of the what-if page holds it, and as its file would write it. Pure.

All that a form posts is the caller's word: a value that can't be a number stays the text that it is, for the scenario's own
checks to refuse in their own words. No file is named by a form: a page that reads files of a name given to it would be a door.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from affiliates.errors import RefusedError
from affiliates.manifests.yaml_lines import Document
from affiliates.periods import add_months
from pipelines.scenarios.changes import Acquire, AnyChange, Divest, Exclude, Grow, Launch, Ownership, Retire
from pipelines.scenarios.definition import Definition, parse

DRAFT = "draft"
"""The name of a scenario that isn't saved."""
MILLION = 1_000_000
FORM = "the scenario"
"""What refusals call a form, as if it were a file."""
BASE = "base"
"""The card of what isn't a change: horizon, threshold, release."""
AUDIENCE = "audience:"
"""Begins an excluded audience among excluded products."""
FILE_ALONE = {
    "acquire.contribution": "a target by its contribution, made under the group's key: then the overlap is measured",
    "acquire.models.from": "since when a target uses a model",
}
"""By kind of change and field of a scenario's file, what a form can't say, in words."""
_NAMED = {"acquire": "name", "launch": "name", "divest": "part", "retire": "part", "grow": "part"}
"""By kind of change, the field of whom or what the change is about."""


@dataclass(frozen=True)
class Card:
    """One change as the form holds it."""

    number: str
    """What tells the card from the form's other ones."""
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    """By field: numbers of people in millions, shares and growth in percent, days as YYYY-MM-DD."""


def new_card(number: str, kind: str, base: date, estimate: int) -> Card:
    """A card that runs as it is; `estimate`: the group's people, which give a size to begin with."""
    values: dict[str, Any] = {"on": f"{add_months(base, 3):%Y-%m-%d}"}
    if kind in ("acquire", "launch"):
        likely = float(f"{max(estimate, 1) / 10 / MILLION:.1g}")
        values |= {"name": "Target" if kind == "acquire" else "New product", "likely": likely, "unit": "people"}
        values |= {"month": f"{base:%Y-%m}", "overlap_of": "target", "overlap": [20, 40]}
    if kind == "grow":
        values |= {"part": "group", "by": [0, 1]}
    if kind == "ownership":
        values |= {"share": 100}
    # These hold from the base month on, unless a day is said.
    if kind in ("threshold", "exclude"):
        del values["on"]
    return Card(number, kind, values)


def definition_of(
    base: Mapping[str, Any],
    cards: Sequence[Card],
    month: date,
    reading: str,
    name: str = DRAFT,
    title: str | None = None,
    note: str | None = None,
) -> Definition:
    """The scenario that a form says. Raises `RefusedError` with every mistake."""
    data: dict[str, Any] = {
        "scenario": name,
        "title": _said(title),
        "note": _said(note),
        "month": f"{month:%Y-%m}",
        "reading": reading,
        "horizon": _said(base.get("horizon")),
        "threshold": _people(base.get("threshold")),
        "clause": _said(base.get("clause")),
        "releases": _releases(base) or None,
        "changes": [_change(card) for card in cards],
    }
    # The line of a mistake is the place of its change in the form, after what isn't a change.
    lines: dict[tuple[str | int, ...], int] = {(): 1, **{("changes", place): place + 2 for place in range(len(cards))}}
    return parse(Document(Path(), FORM, _without_nothing(data), lines))


def where(subject: str) -> str:
    """Where in the form a mistake is: by the change's place from above, instead of a file's line."""
    name, _, rest = subject.partition(":")
    line, _, more = rest.partition(" ")
    if name != FORM or not line.isdecimal():
        return subject
    return f"{'The form' if line == '1' else f'Change {int(line) - 1}'}: {more}".rstrip(": ")


def _change(card: Card) -> dict[str, Any]:
    """A change as a scenario's file writes it."""
    values = {name: _said(value) for name, value in card.values.items()}
    change: dict[str, Any] = {name: values.get(name) for name in ("source", "as_of", "note")}
    if values.get("on") is not None:
        last = values.get("on_to")
        change["on"] = values["on"] if last is None else {"from": values["on"], "to": last}
    kind = card.kind
    if kind in ("acquire", "launch"):
        change |= _stated(values)
    elif kind == "grow":
        change["by"] = _range(values.get("by"))
        change["new_people"] = _range(values.get("new_people")) if values.get("new_known") == "range" else None
    elif kind == "ownership":
        shared = {"entity": values.get("entity"), "owner": values.get("owner"), "share": _percent(values.get("share"))}
        return _without_nothing({**change, "ownership": _without_nothing(shared)})
    elif kind == "threshold":
        return _without_nothing({**change, kind: _people(values.get("threshold"))})
    elif kind == "exclude":
        what = values.get("part")
        is_audience = isinstance(what, str) and what.startswith(AUDIENCE)
        part = {"audience": str(what).removeprefix(AUDIENCE)} if is_audience else what
        return _without_nothing({**change, kind: part})
    subject = values.get(_NAMED.get(kind, kind))
    # An empty name is refused as one, and not as a change without a kind.
    return {**_without_nothing(change), kind: "" if subject is None else subject}


def _stated(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is stated of a target or a launch."""
    users = {end: _people(values.get(end)) for end in ("low", "likely", "high")}
    per_unit = {name: values.get(f"per_{name}") for name in ("low", "high", "source", "as_of")}
    # People are one each: what stands in the hidden field isn't said.
    has_unit = values.get("unit") not in (None, "people")
    return {
        "users": _without_nothing({**users, "unit": values.get("unit"), "month": values.get("month")}),
        "people_per_unit": _without_nothing(per_unit) or None if has_unit else None,
        # A slider at 0 says what leaving growth out says.
        "growth": None if values.get("growth") in (None, [0, 0]) else _range(values.get("growth")),
        "overlap": _overlap(values),
        "models": [{"licence": licence} for licence in values.get("models") or []] or None,
    }


def _releases(base: Mapping[str, Any]) -> list[Any]:
    """The days of the field for one and of the field for more."""
    more = base.get("releases")
    further = [day.strip() for day in more.split(",")] if isinstance(more, str) else [more]
    return [day for day in [base.get("release"), *further] if _said(day) is not None]


def _overlap(values: Mapping[str, Any]) -> Any:
    side = values.get("overlap_of")
    if side == "unknown":
        return "unknown"
    if side == "independent":
        low, high = _people(values.get("population_low")), _people(values.get("population_high"))
        return {"independent_in": _without_nothing({"low": low, "high": low if high is None else high})}
    if side == "both":
        return {"target": _range(values.get("overlap")), "group": _range(values.get("overlap_group"))}
    return _without_nothing({"of": side, **_range(values.get("overlap"))})


def cards_of(definition: Definition) -> tuple[dict[str, Any], list[Card]]:
    """What a form holds of a scenario: `definition_of` gives the scenario again, where the form can hold all that it says."""
    threshold = definition.threshold
    base: dict[str, Any] = {
        "horizon": definition.horizon,
        "threshold": None if threshold is None else threshold / MILLION,
        "clause": definition.clause,
        "release": f"{definition.releases[0]}" if definition.releases else None,
        "releases": ", ".join(f"{day}" for day in definition.releases[1:]) or None,
    }
    return base, [Card(f"kept-{place}", change.kind, _values(change)) for place, change in enumerate(definition.changes)]


def is_whole(definition: Definition, month: date, reading: str) -> bool:
    """Whether the form holds all that a scenario says."""
    base, cards = cards_of(definition)
    try:
        again = definition_of(base, cards, month, reading, definition.scenario, definition.title, definition.note)
    except RefusedError:
        # What only a file can say is missing in the form, such as a contribution in the place of a number.
        return False
    return again == definition.model_copy(update={"month": month, "reading": reading})


def _values(change: AnyChange) -> dict[str, Any]:
    values: dict[str, Any] = {"source": change.source, "as_of": change.as_of and f"{change.as_of}", "note": change.note}
    if change.on is not None:
        values["on"] = f"{change.on.from_}"
        values["on_to"] = f"{change.on.to}" if change.on.to != change.on.from_ else None
    if isinstance(change, Acquire | Launch):
        values |= _stated_values(change)
    elif isinstance(change, Divest | Retire):
        values["part"] = change.subject
    elif isinstance(change, Grow):
        values |= {"part": change.grow, "by": _ends(change.by)}
        if change.new_people is not None:
            values |= {"new_known": "range", "new_people": _ends(change.new_people)}
    elif isinstance(change, Ownership):
        of = change.ownership
        values |= {"entity": of.entity, "owner": of.owner, "share": float(of.share * 100)}
    elif isinstance(change, Exclude):
        values["part"] = change.exclude.product or f"{AUDIENCE}{change.exclude.audience}"
    else:
        stated: Any = getattr(change, change.kind)
        values[change.kind] = stated / MILLION if change.kind == "threshold" else stated
    return {name: value for name, value in values.items() if value is not None}


def _stated_values(change: Acquire | Launch) -> dict[str, Any]:
    values: dict[str, Any] = {"name": change.subject}
    if change.users is not None:
        ends = {end: getattr(change.users, end) for end in ("low", "likely", "high")}
        values |= {end: None if people is None else people / MILLION for end, people in ends.items()}
        values |= {"unit": change.users.unit, "month": f"{change.users.month:%Y-%m}"}
    if change.people_per_unit is not None:
        per_unit = change.people_per_unit
        values |= {"per_low": float(per_unit.low), "per_high": float(per_unit.high), "per_source": per_unit.source}
        values["per_as_of"] = per_unit.as_of and f"{per_unit.as_of}"
    values["growth"] = None if change.growth is None else _ends(change.growth)
    overlap = change.overlap
    if overlap is not None and overlap.unknown:
        values["overlap_of"] = "unknown"
    elif overlap is not None and overlap.independent_in is not None:
        span = overlap.independent_in
        values |= {"overlap_of": "independent", "population_low": span.low / MILLION, "population_high": span.high / MILLION}
    elif overlap is not None and overlap.target is not None and overlap.group is not None:
        values |= {"overlap_of": "both", "overlap": _ends(overlap.target), "overlap_group": _ends(overlap.group)}
    elif overlap is not None:
        values |= {"overlap_of": overlap.of, "overlap": None if overlap.low is None else _ends(overlap)}
    if isinstance(change, Acquire):
        values["models"] = [model.licence for model in change.models] or None
    return values


def _ends(span: Any) -> list[float]:
    return [float(Decimal(end) * 100) for end in (span.low, span.high)]


def _said(value: Any) -> Any:
    """A value of a field; null for an empty one."""
    return None if value is None or value == "" else value


def _people(value: Any) -> Any:
    """Millions as people; what is no number stays the text that it is."""
    number = _number(value)
    return _said(value) if number is None else round(number * MILLION)


def _percent(value: Any) -> Any:
    """Percent as a scenario's file writes it."""
    return None if _said(value) is None else f"{value} %"


def _range(value: Any) -> dict[str, Any]:
    """Both ends of a slider, in percent."""
    low, high = value if isinstance(value, list) and len(value) == 2 else (value, value)
    return _without_nothing({"low": _percent(low), "high": _percent(high)})


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    # Not infinite, and not so large that it can't be rounded.
    return number if abs(number) < 1e15 else None


def _without_nothing(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
