"""People who come by a stated number: how many they are, and how many of them the group hasn't yet. Pure.

Of a target of T people and a group of G, as many as `shared` are in both: the group grows by T - shared. Whatever is said of
the overlap, the group then has at least max(G, T) people and at most G + T. Independence in a population of P people makes
T G / P of them shared.
"""

from dataclasses import dataclass

import numpy as np

from affiliates.errors import Code, refused
from affiliates.periods import month_number
from pipelines.scenarios.assumptions import StatedOverlap
from pipelines.scenarios.changes import Acquire, Launch
from pipelines.scenarios.draws import Draws, Flags, Floats
from pipelines.scenarios.ranges import PeopleRange
from pipelines.scenarios.wording import people as in_words

ALMOST_ALL = 0.975
"""The share of paths from which on statements contradict each other: a few paths of a young series reach nearly anything."""
_ROUNDS = 5
TOLERANCE = 1.05
"""Shares of both sides agree within this factor: stated shares are rounded."""


@dataclass(frozen=True)
class Shared:
    """The people whom a target and the group have in common, one number a path."""

    people: Floats
    impossible: Flags
    """Where what is said can't hold: the nearest number that can stands in `people`."""


def _within(span: PeopleRange, place: Floats) -> Floats:
    """The numbers at these places (0 to 1) of a range."""
    return span.low + (span.high - span.low) * place


class Addition:
    """A target or a launch by a stated number, drawn on every path."""

    def __init__(self, change: Acquire | Launch, draws: Draws, summed: bool = False) -> None:
        assert change.users is not None
        assert change.overlap is not None
        self.change = change
        self.overlap: StatedOverlap = change.overlap
        self._summed = summed
        """Whether a person of two products counts twice: then nobody is shared."""
        self._users = draws.users(change.label, "users", change.users).copy()
        if change.people_per_unit is not None:
            self._users = self._users * draws.within(change.label, "people_per_unit", change.people_per_unit)
        self._growth = None if change.growth is None else draws.within(change.label, "growth", change.growth).copy()
        self._place = draws.uniform(change.label, "overlap").copy()
        self.impossible = 0.0
        """The share of paths on which what is said of the overlap couldn't hold before `settle`."""
        self._stated = month_number(change.users.month)

    def people(self, month: int) -> Floats:
        """The target's own people in a month, as `month_number` counts months."""
        if self._growth is None:
            return self._users
        return np.asarray(self._users * (1 + self._growth) ** (month - self._stated))

    def settle(self, month: int, group: Floats) -> None:
        """Draw again the paths on which what is said can't hold in a month, from those on which it does.

        Both sides' shares are true together, or a share and the group's size: so they say something of the target's size, too.
        """
        if self._summed:
            return
        impossible = self.shared(self.people(month), group).impossible
        self.impossible = float(impossible.mean())
        if self.impossible >= ALMOST_ALL:
            return
        # What holds for one path's group may not hold for another's: a few rounds are enough for all but a few.
        for _ in range(_ROUNDS):
            if not impossible.any():
                return
            again = np.flatnonzero(impossible)
            # Evenly from all paths on which it holds, so that the same scenario draws the same again.
            taken = np.flatnonzero(~impossible)
            chosen = taken[np.arange(len(again)) * len(taken) // len(again)]
            for drawn in (self._users, self._place, *([] if self._growth is None else [self._growth])):
                drawn[again] = drawn[chosen]
            impossible = self.shared(self.people(month), group).impossible

    def added(self, month: int, group: Floats) -> tuple[Floats, Flags]:
        """The people new to a group of so many, and where the statements can't hold."""
        people = self.people(month)
        if self._summed:
            return people, np.zeros(len(people), bool)
        shared = self.shared(people, group)
        return people - shared.people, shared.impossible

    def shared(self, people: Floats, group: Floats) -> Shared:
        """The people in both, of a target of `people` and a group of `group`."""
        most = np.minimum(people, group)
        wanted, impossible = self._wanted(people, group)
        return Shared(np.clip(wanted, 0, most), impossible | (wanted > most * (1 + 1e-9)))

    def _wanted(self, people: Floats, group: Floats) -> tuple[Floats, Flags]:
        """The people in both as the scenario says them, possible or not."""
        possible = np.zeros(len(people), bool)
        overlap = self.overlap
        if overlap.independent_in is not None:
            population = _within(overlap.independent_in, self._place)
            least = np.maximum(people, group)
            return people * group / np.maximum(population, least), population < least
        place = self._place
        of_target, of_group = overlap.of_target, overlap.of_group
        if of_target is None and of_group is None:
            return place * np.minimum(people, group), possible
        lows = [float(s.low) * n for s, n in ((of_target, people), (of_group, group)) if s is not None]
        highs = [float(s.high) * n for s, n in ((of_target, people), (of_group, group)) if s is not None]
        low, high = np.maximum.reduce(lows), np.minimum.reduce(highs)
        # Where the two sides' ranges just miss each other, between them.
        agreed = np.where(low > high, (low + high) / 2, low + (high - low) * place)
        return agreed, low > high * TOLERANCE

    def check(self, month: int, group: Floats) -> float:
        """The share of paths on which the statements can't hold.

        Raises `RefusedError` with the arithmetic where that is nearly all of them (`ALMOST_ALL`).
        """
        people = self.people(month)
        impossible = self.shared(people, group).impossible
        if self._summed or impossible.mean() < ALMOST_ALL:
            return 0.0 if self._summed else float(impossible.mean())
        target, there = float(np.median(people)), float(np.median(group))
        rule, values = self._arithmetic(target, there)
        raise refused(
            Code.SCENARIO_CONTRADICTORY,
            self.change.label,
            rule,
            values,
            "correct the number or the overlap; `overlap: unknown` takes all that is possible",
        )

    def _arithmetic(self, target: float, group: float) -> tuple[str, str]:
        """The rule that the statements break, and the numbers that show it."""
        both = f"the target has {in_words(target)}, the group {in_words(group)}"
        of_target, of_group = self.overlap.of_target, self.overlap.of_group
        if self.overlap.independent_in is not None:
            population = self.overlap.independent_in.high
            return "the population is smaller than one side's users", f"at most {in_words(population)} live there; {both}"
        products = [
            f"{float(span.low * 100):g} to {float(span.high * 100):g} % of the {side}'s {in_words(size)} are "
            f"{in_words(float(span.low) * size)} to {in_words(float(span.high) * size)}"
            for side, size, span in (("target", target, of_target), ("group", group, of_group))
            if span is not None
        ]
        if len(products) == 2:
            return "the shared people by the target's share aren't those by the group's share", "; ".join(products)
        return "there would be more shared people than one side has", f"{products[0]}; {both}"
