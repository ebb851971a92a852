"""How the report of a deal is printed. Pure."""

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from affiliates.aggregation.clean_room import reveals
from affiliates.aggregation.clean_room.comparison import DealReport, DealSide, IdentifierKind, Number
from dashboards.cli import tables

NOT_MEASURED = "not measured"
NOT_MEASURABLE = "not measurable"


def shown(compared: DealReport, holds_key: bool) -> RenderableType:
    """A sentence first, then the tables, what they don't say, and what a sketch reveals."""
    columns = "", "people", "95 % interval"
    rows = [
        _row("ours", compared.ours.people),
        _row("theirs", compared.theirs.people),
        _row("on both sides", compared.common),
        _row("ours alone", compared.only_ours),
        _row("theirs alone (what only they bring)", compared.only_theirs),
        _row("together", compared.union),
    ]
    parts: list[RenderableType] = [Text(sentence(compared), "bold"), tables.table("", columns, rows, (1, 2))]
    if len(compared.kinds) > 1:
        kind_columns = "identifiers", "ours", "theirs", "on both sides", "of ours", "of theirs"
        parts.append(tables.table("", kind_columns, [_kind_row(kind) for kind in compared.kinds], (1, 2, 3, 4, 5)))
    parts += [Text(text, "yellow") for text in cautions(compared)]
    parts.append(Text("\nWhat ours still reveals to whoever has it and the key:"))
    parts += [Text(f"- {text}.") for text in (*compared.ours.reveals, *reveals.GENERAL)]
    whose = "This folder holds the key and both sides' sketches: whoever reads it can do the same with theirs."
    parts.append(Text(whose if holds_key else "This folder holds no key: nobody's membership can be tested here."))
    parts.append(Text("When the deal is over: mauwatch deal destroy. The other side does the same."))
    return Stack(*parts)


def sentence(compared: DealReport) -> str:
    """What the sketches say, in one sentence."""
    month = f"{compared.terms.month:%Y-%m}"
    if compared.common is None or compared.share_of_ours is None or compared.share_of_theirs is None:
        return (
            f"How many people both sides have in {month} was not measured: they share no kind of identifiers. Together they are "
            f"{_people(compared.union_at_least)} to {_people(compared.union_at_most)}."
        )
    common = compared.common
    if not compared.measurable:
        return (
            f"At most {_people(common.upper)} people are on both sides in {month}: too few to be told from none. That is at most "
            f"{_percent(compared.share_of_ours.upper)} of ours and {_percent(compared.share_of_theirs.upper)} of theirs."
        )
    return (
        f"{_people(common.estimate)} people ({_people(common.lower)} to {_people(common.upper)}) are on both sides in {month}: "
        f"{_percent(compared.share_of_ours.estimate)} of ours, {_percent(compared.share_of_theirs.estimate)} of theirs."
    )


def cautions(compared: DealReport) -> list[str]:
    """What the numbers don't say."""
    texts = [f"{kind.namespace}: {NOT_MEASURED}, {kind.why_not}." for kind in compared.kinds if kind.why_not]
    if compared.common is not None and compared.more_in_common >= 1:
        texts.append(
            f"Up to {_people(compared.more_in_common)} people more may be on both sides, known by other kinds of identifiers: "
            f"together they are {_people(compared.union_at_least)} to {_people(compared.union_at_most)}."
        )
    for name, side in (("Ours", compared.ours), ("Theirs", compared.theirs)):
        texts += _cautions_of(name, side)
    if compared.ours.definitions != compared.theirs.definitions:
        definitions = ", ".join(compared.ours.definitions), ", ".join(compared.theirs.definitions)
        texts.append(f"Active means {definitions[0]} for ours, {definitions[1]} for theirs: agree that both mean the same.")
    if compared.ours.zones != compared.theirs.zones:
        zones = ", ".join(compared.ours.zones), ", ".join(compared.theirs.zones)
        texts.append(f"The month's days are of {zones[0]} for ours, of {zones[1]} for theirs.")
    return texts


def _cautions_of(name: str, side: DealSide) -> list[str]:
    texts = []
    if side.unidentified is None:
        texts.append(f"{name}: how many events named nobody isn't known.")
    elif side.unidentified > 0:
        texts.append(f"{name}: {_percent(side.unidentified)} of the events named nobody, and aren't in it.")
    return [*texts, f"{name}, made by {'; '.join(side.made_by)}."]


def _row(name: str, number: Number | None) -> tuple[str, str, str]:
    if number is None:
        return name, NOT_MEASURED, "–"
    return name, _people(number.estimate), f"{_people(number.lower)} to {_people(number.upper)}"


def _kind_row(kind: IdentifierKind) -> tuple[str, ...]:
    sides = tuple(_people(side.estimate) if side else "–" for side in (kind.ours, kind.theirs))
    if kind.pair is None:
        return kind.namespace, *sides, NOT_MEASURED, "–", "–"
    if not kind.pair.measurable:
        return kind.namespace, *sides, f"{NOT_MEASURABLE}, at most {_people(kind.pair.common.upper)}", "–", "–"
    shares = (_percent(kind.pair.share_of_ours.estimate), _percent(kind.pair.share_of_theirs.estimate))
    return kind.namespace, *sides, _people(kind.pair.common.estimate), *shares


def _people(number: float) -> str:
    return f"{number:,.0f}"


def _percent(share: float) -> str:
    percent = 100 * share
    if 0 < percent < 0.01:
        return "under 0.01 %"
    return f"{percent:.1f} %" if percent >= 0.95 or percent == 0 else f"{percent:.2g} %"
