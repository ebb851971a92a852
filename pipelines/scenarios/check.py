"""Whether a scenario fits its group: names, days and shares that the group must have. Pure; every mistake at once."""

from collections.abc import Callable, Collection, Iterator
from datetime import date
from decimal import Decimal

from affiliates.errors import Code, Refusal, RefusedError, did_you_mean
from affiliates.manifests.group import Group
from affiliates.periods import month_end
from pipelines.licences.registry import Registry
from pipelines.scenarios.changes import GROUP, Acquire, AnyChange, Divest, Exclude, Grow, Launch, OtherReading, Ownership, Retire
from pipelines.scenarios.clauses import month_of_horizon
from pipelines.scenarios.definition import Definition

Refuse = Callable[[str, str, str], Refusal]
"""A refusal of the change at hand by its rule, values and next step."""


def check(definition: Definition, group: Group, registry: Registry, base: date) -> None:
    """Raises `RefusedError` with every mistake that the group or the base month shows."""
    mistakes = list(_of_whole(definition, base))
    last = max([month_end(month_of_horizon(base, definition.horizon)), *definition.releases])
    members = set(group.affiliates(month_end(base)))
    for place, change in enumerate(definition.changes, 1):

        def refusal(rule: str, values: str, next_step: str, subject: str = f"change {place} ({change.label})") -> Refusal:
            return Refusal(Code.SCENARIO_INVALID, subject, rule, values, next_step)

        mistakes += _day(change, base, last, refusal)
        mistakes += _names(change, group, registry, members, refusal)
    mistakes += _shares(definition, group, base)
    if mistakes:
        raise RefusedError(*mistakes)


def _of_whole(definition: Definition, base: date) -> Iterator[Refusal]:
    last = month_of_horizon(base, definition.horizon)
    for day in definition.releases:
        if not base < day <= month_end(_next(last)):
            yield Refusal(
                Code.SCENARIO_INVALID,
                f"scenario {definition.scenario}, `releases`",
                "a release tests a month outside the scenario's months",
                f"{day} tests the month before; the months are {base:%Y-%m} to {last:%Y-%m}",
                "name another day, or a longer horizon",
            )
        elif day.replace(day=1) == base:
            yield Refusal(
                Code.SCENARIO_INVALID,
                f"scenario {definition.scenario}, `releases`",
                "a release tests a month before the base month",
                f"{day}, the base month is {base:%Y-%m}",
                "name a later day",
            )


def _next(month: date) -> date:
    return month_of_horizon(month, 1)


def _day(change: AnyChange, base: date, last: date, refusal: Refuse) -> Iterator[Refusal]:
    """A day before the base month, whose figure has such a change in it already, or behind the last day that is asked about."""
    if change.on is None:
        return
    if change.on.from_ < base:
        yield refusal(
            "its day lies before the base month", f"{change.on.from_}, the base month is {base:%Y-%m}", "correct the day"
        )
    if change.on.to > last:
        yield refusal("its day lies behind the horizon", f"{change.on.to}, the horizon ends {last}", "name a longer horizon")


def _names(change: AnyChange, group: Group, registry: Registry, members: Collection[str], refusal: Refuse) -> Iterator[Refusal]:
    """Names that the group or the registry doesn't have."""
    products = {str(ref) for ref in group.products}
    if isinstance(change, Acquire | Launch):
        yield from _target(change, group, registry, members, refusal)
    elif isinstance(change, Divest):
        if change.divest == group.settings.ultimate_parent:
            yield refusal("is the ultimate parent: it can't leave its own group", "", "name an affiliate or a product")
        else:
            yield from _known(change.divest, {*group.entities, *products}, "affiliate or product", refusal)
            affiliate = change.divest.partition("/")[0]
            if affiliate in group.entities and affiliate not in members:
                yield refusal("isn't a member of the group in the base month", affiliate, "name a member")
    elif isinstance(change, Retire) or (isinstance(change, Exclude) and change.exclude.product):
        yield from _known(change.subject, products, "product", refusal)
    elif isinstance(change, Grow) and change.grow != GROUP:
        yield from _known(change.grow, {*group.entities, *products}, "affiliate or product", refusal)
    elif isinstance(change, Ownership):
        yield from _known(change.ownership.entity, group.entities, "entity", refusal)
        yield from _known(change.ownership.owner, group.entities, "entity", refusal)
        if change.ownership.entity == group.settings.ultimate_parent:
            yield refusal("is the ultimate parent: nobody of the group holds it", "", "name another entity")
    elif isinstance(change, OtherReading):
        yield from _known(change.reading, {reading.name for reading in group.readings.readings}, "reading", refusal)


def _target(
    change: Acquire | Launch, group: Group, registry: Registry, members: Collection[str], refusal: Refuse
) -> Iterator[Refusal]:
    """A target that is a member already, and models that the registry doesn't know."""
    names = {name.casefold() for member in members for name in (member, group.entities[member].name) if name}
    names |= {str(ref).casefold() for ref in group.products if ref.affiliate in members}
    if change.subject.casefold() in names:
        yield refusal("is a member of the group already", change.subject, "name another target, or take the change away")
    if isinstance(change, Acquire):
        for model in change.models:
            if registry.get(model.licence) is None:
                hint = did_you_mean(model.licence, [entry.id for entry in registry.entries])
                yield refusal("no such licence", hint, "see: mauwatch licences")


def _known(name: str, known: Collection[str], kind: str, refusal: Refuse) -> Iterator[Refusal]:
    if name not in known:
        yield refusal(f"no such {kind}", did_you_mean(name, known), "correct the name")


def _shares(definition: Definition, group: Group, base: date) -> Iterator[Refusal]:
    """Shares of one entity that sum to over 100 %, once all changes up to a day have come."""
    named = [(place, change) for place, change in enumerate(definition.changes, 1) if isinstance(change, Ownership)]
    by_day = sorted(named, key=lambda item: item[1].on.from_)
    for place, change in by_day:
        entity, day = change.ownership.entity, max(change.on.from_, base)
        if entity not in group.entities:
            continue
        held = {holding.owner: holding.share for holding in group.entities[entity].owned_by if holding.holds_on(day)}
        held |= {c.ownership.owner: c.ownership.share for _, c in by_day if c.ownership.entity == entity and c.on.from_ <= day}
        total = sum(held.values(), Decimal(0))
        if total > 1:
            parts = " + ".join(f"{owner} {float(share * 100):g} %" for owner, share in held.items())
            rule = f"the shares of {entity} sum to {float(total * 100):g} %"
            yield Refusal(Code.SCENARIO_CONTRADICTORY, f"change {place} ({change.label})", rule, parts, "correct the shares")
