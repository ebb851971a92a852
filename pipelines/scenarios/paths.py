"""The group's people on every path, before and after the changes, in any month for the group of any day. Pure.

One set of paths carries all doubts together: the growth of the group's series, the sketches' error, and whatever a change states
as a range. A month's group without a change is its base month's figure, times the size of the products that count by then over
the size of those that counted in the base month, times the path's growth: products keep their sizes relative to the group.

Over 300 lines: before and after are the same steps on one set of draws.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from affiliates.manifests.product import ProductRef
from affiliates.periods import month_end, month_from_number, month_number
from pipelines.forecasting.forecast import NORMAL_95
from pipelines.scenarios.additions import Addition
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.changes import (
    GROUP,
    Acquire,
    AnyChange,
    Divest,
    Grow,
    Launch,
    OtherClause,
    OtherReading,
    OtherThreshold,
    Ownership,
    unique_names,
)
from pipelines.scenarios.clauses import Threshold, other_threshold, threshold_of
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.draws import Days, Draws, Flags, Floats, distinct, months_since
from pipelines.scenarios.membership import MEMBERSHIP, Composition, composition
from pipelines.scenarios.sizes import GroupSize

SERIES = "group"
"""The name of what the base takes for granted, among the names of the changes."""


@dataclass(frozen=True)
class GroupPaths:
    """The group in one month, one number a path. `lower` and `upper` hold for certain, whatever is said of overlaps."""

    people: Floats
    lower: Floats
    upper: Floats | None
    """Null where something is missing in the base month."""
    by_range: Floats | None
    """The people with the doubt that the figure's bounds leave; null without an upper bound."""
    limit: Floats
    """The most people that are still under the threshold in force."""
    reasons: tuple[str, ...] = ()
    """Why there is no upper bound."""


@dataclass
class _Sums:
    """What is added up a month, one number a path."""

    people: Floats
    lower: Floats
    upper: Floats
    by_range: Floats
    known: bool = True
    """Whether there is an upper bound on each path."""
    reasons: list[str] = field(default_factory=list)


class ScenarioPaths:
    """A scenario's paths on a baseline; months and days are asked for one by one.

    `held`: inputs that are held at a place of their range, by change and key, as `Draws` has them.
    """

    def __init__(self, baseline: Baseline, definition: Definition, held: Mapping[tuple[str, str], float] | None = None) -> None:
        self.baseline = baseline
        self.definition = definition
        self.draws = Draws(held=held or {})
        self.threshold = threshold_of(baseline.registry, definition)
        changes = sorted(definition.changes, key=lambda c: (c.on.from_, c.on.to) if c.on else (date.min, date.min))
        self.changes: tuple[AnyChange, ...] = tuple(changes)
        """In the order of their days: the lines' order decides between those of one day alone."""
        self.names = unique_names(self.changes)
        self.days: tuple[Days, ...] = tuple(
            self.draws.days(name, change.on) for name, change in zip(self.names, self.changes, strict=True)
        )

    @property
    def threshold_after(self) -> Threshold:
        """The threshold once every change has come."""
        changes = [change for change in self.changes if isinstance(change, OtherThreshold | OtherClause)]
        return other_threshold(self.baseline.registry, changes[-1]) if changes else self.threshold

    @cached_property
    def _normal(self) -> Floats:
        """The sketches' error, in standard errors."""
        return self.draws.normal(SERIES, "measuring")

    @cached_property
    def _within_bounds(self) -> Floats:
        """Where the truth lies between the figure's bounds, in standard deviations."""
        return self.draws.normal(SERIES, "bounds")

    @cached_property
    def _growth(self) -> Floats:
        """The growth of the series since the base month, a path a row, the months from the base month on."""
        ratios = self.baseline.ratios(self.definition.horizon)
        place = self.draws.held.get((SERIES, "growth"))
        return ratios if place is None else np.broadcast_to(np.quantile(ratios, place, axis=0), ratios.shape)

    def additions(self, summed: bool) -> dict[int, Addition]:
        """By place among the changes, the people who come by a stated number; `summed`: as a reading that adds products up."""
        if summed not in self._additions:
            self._additions[summed] = dict(self._settled(summed))
        return self._additions[summed]

    def _settled(self, summed: bool) -> Iterator[tuple[int, Addition]]:
        """Each addition, drawn so that what is said of the overlap holds in the month in which the target joins."""
        for place, change in enumerate(self.changes):
            if isinstance(change, Acquire | Launch) and change.users is not None:
                addition = Addition(change, self.draws, summed)
                offset = self.offset_of(change.on.from_)
                holds = self.in_force(max(change.on.to, self.baseline.month))
                addition.settle(month_number(self.month(offset)), self._group(offset, change.on.to, holds, stated=False).people)
                yield place, addition

    def offset_of(self, day: date) -> int:
        """How many months after the base month a day lies, within the horizon."""
        return min(max(month_number(day) - month_number(self.baseline.month), 0), self.definition.horizon)

    @cached_property
    def _additions(self) -> dict[bool, dict[int, Addition]]:
        return {}

    def in_force(self, day: date) -> Flags:
        """By path and change, whether the change holds on a day."""
        number = day.toordinal()
        return np.column_stack([days <= number for days in self.days])

    def before(self, offset: int, day: date | None = None) -> GroupPaths:
        """The group without the changes, so many months after the base month, for the group of a day (its month's last)."""
        return self._group(offset, day, np.zeros((self.draws.paths, len(self.changes)), bool))

    def after(self, offset: int, day: date | None = None) -> GroupPaths:
        """The group with the changes that hold on the day (the month's last)."""
        return self._group(offset, day, self.in_force(day or month_end(self.month(offset))))

    def all_at_once(self) -> GroupPaths:
        """The group of the base month as if every change had come by then."""
        return self._group(0, None, np.ones((self.draws.paths, len(self.changes)), bool))

    def without(self, places: Sequence[int], offset: int, day: date | None = None) -> GroupPaths:
        """The group with all changes of the day but those at these places, as if they never came."""
        holds = self.in_force(day or month_end(self.month(offset)))
        holds[:, list(places)] = False
        return self._group(offset, day, holds)

    def members_moved(self, place: int) -> tuple[list[str], list[str]]:
        """The affiliates that begin and cease to count by one change beside what its subject says, by the changes before it."""
        change = self.changes[place]
        if not isinstance(change, Divest | Ownership | OtherReading):
            return [], []
        day = change.on.to if change.on else month_end(self.baseline.month)
        earlier = [other for other in self.changes[:place] if isinstance(other, MEMBERSHIP)]
        lists = (earlier, [*earlier, change])
        sides = [composition(self.baseline.group, self.baseline.reading, of, day, day).products for of in lists]
        names = [{ref.affiliate for ref in side} for side in sides]
        return sorted(names[1] - names[0]), sorted(names[0] - names[1])

    def moved_by_manifests(self) -> str:
        """The products that begin or cease to count within the horizon by the manifests' own days, and the month of the first."""
        baseline = self.baseline
        for offset in range(1, self.definition.horizon + 1):
            month = self.month(offset)
            counted = composition(baseline.group, baseline.reading, (), month, month_end(month))
            moved = baseline.sizes.limited(counted).products ^ baseline.composition.products
            if moved:
                return f"{month:%Y-%m}: {', '.join(sorted(map(str, moved)))}"
        return ""

    def month(self, offset: int) -> date:
        """The month so many months after the base month."""
        return month_from_number(month_number(self.baseline.month) + offset)

    def _group(self, offset: int, day: date | None, holds: Flags, stated: bool = True) -> GroupPaths:
        """The group by the changes that hold on each path; `stated`: with the people who come by stated numbers."""
        month = self.month(offset)
        member_day = day or month_end(month)
        paths = self.draws.paths
        sums = _Sums(np.zeros(paths), np.zeros(paths), np.zeros(paths), np.zeros(paths))
        summed = np.zeros(paths, bool)
        # Where no day is a range, all paths are alike, and one composition is all there is.
        patterns, which = (holds[:1], np.zeros(paths, np.int64)) if (holds == holds[0]).all() else distinct(holds)
        for number, pattern in enumerate(patterns):
            chosen = which == number if len(patterns) > 1 else np.ones(paths, bool)
            changes = [change for change, held in zip(self.changes, pattern, strict=True) if held]
            of_members = [change for change in changes if isinstance(change, MEMBERSHIP)]
            counted = composition(self.baseline.group, self.baseline.reading, of_members, month, member_day)
            counted = self.baseline.sizes.limited(counted)
            self._add_members(sums, counted, offset, chosen)
            self._add_growth(sums, counted, pattern, offset, chosen)
            summed |= chosen & (counted.reading.counts == "summed_products")
        if stated:
            self._add_stated(sums, summed, holds, offset)
        upper = sums.upper if sums.known else None
        by_range = sums.by_range if sums.known else None
        lower = np.minimum(sums.lower, sums.people)
        limit = self._limits(holds)
        return GroupPaths(sums.people, lower, upper, by_range, limit, tuple(dict.fromkeys(sums.reasons)))

    def _add_members(self, sums: _Sums, counted: Composition, offset: int, chosen: Flags) -> None:
        """The people of the products that count: the figure's size, grown."""
        size = self._size(counted)
        grown = self._growth[chosen, offset]
        people = size.estimate * grown
        sums.people[chosen] = people * (1 + self._normal[chosen] * size.relative_error)
        sums.lower[chosen] = size.lower * grown
        sums.upper[chosen] = (size.upper or 0) * grown
        sums.by_range[chosen] = people * _factor(size, self._within_bounds[chosen])
        if size.upper is None:
            sums.known = False
            sums.reasons += size.reasons

    def _size(self, counted: Composition) -> GroupSize:
        """A composition's size, as a part of the base month's figure in force."""
        baseline = self.baseline
        base = baseline.sizes.of(baseline.composition)
        if counted.products == baseline.composition.products and not counted.targets and counted.reading == baseline.reading:
            figure = baseline.people
            return GroupSize(baseline.estimate, figure.lower, figure.upper, base.relative_error, figure.figure.reasons)
        size = baseline.sizes.of(counted)
        # Today's manifests may give the base month another figure than the one in force.
        scale = baseline.estimate / base.estimate if base.estimate else 1.0
        upper = None if size.upper is None else round(size.upper * scale)
        return GroupSize(size.estimate * scale, int(size.lower * scale), upper, size.relative_error, size.reasons)

    def _add_growth(self, sums: _Sums, counted: Composition, pattern: Flags, offset: int, chosen: Flags) -> None:
        """The people whom stated growth of a part, or of the whole, brings or takes."""
        for place in np.flatnonzero(pattern):
            change = self.changes[place]
            if not isinstance(change, Grow):
                continue
            rate = self.draws.within(self.names[place], "by", change.by)[chosen]
            factor = (1 + rate) ** months_since(self.days[place][chosen], self.month(offset)) - 1
            if change.grow == GROUP:
                for name in ("people", "lower", "upper", "by_range"):
                    getattr(sums, name)[chosen] *= 1 + factor
                continue
            part = counted.only([ref for ref in counted.products if ref.belongs_to(change.grow)])
            new = self._new_share(self.names[place], change, counted, part.products)[chosen]
            moved = self._size(part).estimate * self._growth[chosen, offset] * factor
            sums.people[chosen] += moved * new
            sums.by_range[chosen] += moved * new
            # Nobody knows for certain whether a part's new people are new to the group, or those who leave leave the group.
            sums.lower[chosen] = np.maximum(sums.lower[chosen] + np.minimum(moved, 0), 0)
            sums.upper[chosen] += np.maximum(moved, 0)

    def _new_share(self, name: str, change: Grow, counted: Composition, part: frozenset[ProductRef]) -> Floats:
        """Of a part's growth, the share of people who are new to the group."""
        if change.new_people is not None:
            return self.draws.within(name, "new_people", change.new_people)
        sizes = self.baseline.sizes
        own = sizes.of(counted.only(part)).estimate
        least = (sizes.of(counted).estimate - sizes.of(counted.without(part)).estimate) / own if own else 0.0
        least = min(max(least, 0.0), 1.0)
        return least + (1 - least) * self.draws.uniform(name, "new_people")

    def _add_stated(self, sums: _Sums, summed: Flags, holds: Flags, offset: int) -> None:
        """The people who come by stated numbers, in the order of their days on each path."""
        places = list(self.additions(False))
        if not places:
            return
        number = month_number(self.month(offset))
        days = np.column_stack([self.days[place] for place in places])
        # Each against the group as it is when it comes: the order matters where a share is the group's.
        order = np.argsort(days, axis=1, kind="stable") if (np.diff(days, axis=1) < 0).any() else None
        for turn in range(len(places)):
            for column, place in enumerate(places):
                now = holds[:, place] & (
                    True if order is None and turn == column else order is not None and order[:, turn] == column
                )
                if not now.any():
                    continue
                people = self.additions(False)[place].people(number)
                added, _ = self.additions(False)[place].added(number, sums.people)
                by_range, _ = self.additions(False)[place].added(number, sums.by_range)
                added, by_range = np.where(summed, people, added), np.where(summed, people, by_range)
                sums.people[now] += added[now]
                sums.by_range[now] += by_range[now]
                sums.lower[now] = np.where(summed, sums.lower + people, np.maximum(sums.lower, people))[now]
                sums.upper[now] += people[now]

    def _limits(self, holds: Flags) -> Floats:
        """The most people that are still under, by the threshold that holds on each path."""
        limits = np.full(len(holds), self.threshold.most_under)
        for place, change in enumerate(self.changes):
            if isinstance(change, OtherThreshold | OtherClause):
                limits[holds[:, place]] = other_threshold(self.baseline.registry, change).most_under
        return limits


def _factor(size: GroupSize, drawn: Floats) -> Floats:
    """From the estimate to a truth that its bounds leave open, as `forecasting.forecast` draws it."""
    if size.upper is None or size.estimate <= 0:
        return np.ones(len(drawn))
    low = np.log(size.estimate / max(size.lower, size.estimate / 100))
    high = np.log(max(size.upper, size.estimate) / size.estimate)
    spread = drawn / NORMAL_95
    return np.asarray(np.exp(np.where(spread < 0, spread * low, spread * high)))
