"""What would settle an undetermined test: each cause of the range tried at its best and at its worst, alone and together. Pure.

A cause is something that nobody knows: who shares identifiers, who the people of a stated number or of a missing day are, what
finer sketches would say. At its best it adds nobody whom the rest doesn't have; at its worst everybody in it is somebody else.
Only what, tried so, turns the result is named, the widest first (decision 67).
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, NamedTuple

from affiliates.sketches.image import MAX_LG_K
from affiliates.sketches.registers import standard_error
from pipelines.counting.contradictions import standing_in
from pipelines.counting.figure import Figure
from pipelines.records import StatedCount

Kind = Literal["identity", "stand_in", "gap", "sketches"]
"""Unjoined identifiers; a count or a ceiling in the place of sketches; what is missing, unsettled or erased; coarse sketches."""


class Cause(NamedTuple):
    """Something that nobody knows, and that makes a range wide."""

    kind: Kind
    subject: str
    """The product (affiliate/product) that it is about; empty where it is about all together."""
    what: str
    """What would have to be brought, as a phrase."""


@dataclass(frozen=True)
class Spread:
    """The parts of the range of one number of people: of a group, or of a product where a reading adds products up."""

    least: int
    """The people by sketches, by their estimates, if all unjoined identifiers are the same people."""
    most: int
    """The people by sketches, by their estimates, if all unjoined identifiers are different people."""
    error: int
    """How far the upper bound lies above `most` and the stand-ins."""
    finest_error: int
    """The same error with the finest sketches."""
    lower: int
    """The lower bound of the people by sketches."""
    lg_k: int
    """The precision of sketches that would be brought."""
    causes: Mapping[Cause, StatedCount | None]
    """The causes of this range; with a stand-in its number."""

    def upper(self, brought: Collection[Cause]) -> int:
        """The upper bound if these causes are brought and each shows its best; gaps count as if they added nobody."""
        kinds = {cause.kind for cause in self.causes if cause in brought}
        people = self.least if "identity" in kinds else self.most
        shown = [stated.users for cause, stated in self.causes.items() if stated and stated.kind == "count" and cause in brought]
        left = sum(stated.users for cause, stated in self.causes.items() if stated and cause not in brought)
        # A product that is known to have so many people by its count has them also where others know all of them.
        known = max([people, *shown])
        error = self.finest_error if "sketches" in kinds else self.error
        return known + max(error, self._error_of(known) if known > people else 0) + left

    def lower_bound(self, brought: Collection[Cause]) -> int:
        """The lower bound if these causes are brought and each shows its worst; gaps count as if they added nobody."""
        kinds = {cause.kind for cause in self.causes if cause in brought}
        people = self.most - self.error if "identity" in kinds else self.lower
        people += self.error - self.finest_error if "sketches" in kinds else 0
        users = sum(stated.users for cause, stated in self.causes.items() if stated and cause in brought)
        shown = users - self._error_of(users)
        floors = [s.users for cause, s in self.causes.items() if s and s.kind == "count" and cause not in brought]
        return max([people + shown, *floors])

    def _error_of(self, number: int) -> int:
        """How far the bounds of so many people's sketches may lie from them: their estimate errs, and has bounds around it."""
        return math.ceil(4 * standard_error(self.lg_k, number))

    @property
    def gaps(self) -> list[Cause]:
        """The causes without which there is no upper bound."""
        return [cause for cause in self.causes if cause.kind == "gap"]


@dataclass(frozen=True)
class Way:
    """Causes that together turn an undetermined test, none of which could be left out."""

    causes: tuple[Cause, ...]
    """The widest first."""
    results: tuple[Literal["under", "over"], ...]
    """What the test can then find: at the causes' best, at their worst."""
    upper_at_best: int
    """The upper bound if the causes are brought and show their best."""
    lower_at_worst: int
    """The lower bound if the causes are brought and show their worst."""
    share: float
    """The part of the range's width that the causes are; a gap is no part of it."""

    def to_dict(self) -> dict[str, Any]:
        """The way as JSON shows it."""
        return {
            "causes": [cause._asdict() for cause in self.causes],
            "results": list(self.results),
            "upper_at_best": self.upper_at_best,
            "lower_at_worst": self.lower_at_worst,
            "share": round(self.share, 4),
        }


@dataclass(frozen=True)
class Settling:
    """How far the bounds of an undetermined test are from a result, and what could bring them there."""

    upper_must_fall: int | None
    """By how many people the upper bound must come down for `under`; null where there is no upper bound."""
    lower_must_rise: int
    """By how many people the lower bound must come up for `over`."""
    most_under: int
    """The most people that are still under."""
    ways: tuple[Way, ...] = field(default=())
    """The widest first."""

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON shows it."""
        return {
            "upper_must_fall": self.upper_must_fall,
            "lower_must_rise": self.lower_must_rise,
            "ways": [way.to_dict() for way in self.ways],
        }

    @property
    def sentences(self) -> tuple[str, ...]:
        """The distance first, then a sentence for each way."""
        fall = (
            f"for `under` the upper bound must come down by {self.upper_must_fall:,}, to {self.most_under:,}"
            if self.upper_must_fall is not None
            else f"for `under` there must be an upper bound, of {self.most_under:,} or less"
        )
        distance = f"{fall}; for `over` the lower bound must rise by {self.lower_must_rise:,}"
        if not self.ways:
            return (f"{distance}: nothing that could be brought does either, alone or together",)
        return (distance, *self.remedies)

    @property
    def remedies(self) -> tuple[str, ...]:
        """A sentence for each way."""
        return tuple(_sentence(way) for way in self.ways)


def _sentence(way: Way) -> str:
    """A way in words."""
    brought = "; and ".join(cause.what for cause in way.causes)
    share = f" ({way.share * 100:.0f} % of the range)" if way.share >= 0.01 else ""
    # At its best or worst: what is brought may also leave the test open, so the condition is said.
    effects = {
        "under": f"`under` at best (at most {way.upper_at_best:,} people)",
        "over": f"`over` at worst (at least {way.lower_at_worst:,} people)",
    }
    alone = "alone" if len(way.causes) == 1 else "together"
    return f"{brought}{share}: {alone} enough for {', or for '.join(effects[result] for result in way.results)}"


def spread(
    figure: Figure,
    stated_counts: Iterable[StatedCount],
    lower: int,
    lg_k: int,
    crosswalk: str,
    product: str = "",
    before: str = "",
    least: int | None = None,
) -> Spread:
    """The parts of a figure's range, with the causes.

    `stated_counts`: counts and ceilings that may stand in; those stand in whose product a reason of the figure names. `lower`:
    a lower bound of the people by sketches alone. `lg_k`: the group's precision. `crosswalk`: what would join the identifiers,
    as a phrase. `product`: whose figure it is, where a reading adds products up. `before`: what to say before each cause, such
    as the month of a mean. `least`: the people by sketches alone if all unjoined identifiers are the same people, where a count
    hides them in the figure.
    """
    named: dict[str, list[str]] = {}
    for reason in figure.reasons:
        # A reason begins with the product that it is about.
        subject, _, what = reason.partition(": ")
        named.setdefault(subject, []).append(what)
    stand_ins = {str(stated.ref): stated for stated in standing_in(figure.reasons, stated_counts)}
    causes: dict[Cause, StatedCount | None] = {}
    for subject, reasons in named.items():
        if stated := stand_ins.get(subject):
            what = f"sketches of {subject} in the place of its {stated.kind} of {stated.users:,}"
            causes[Cause("stand_in", subject, f"{before}{what}")] = stated
        else:
            causes[Cause("gap", subject, f"{before}{subject}: {'; '.join(reasons)}")] = None
    counted = sum(stated.users for stated in stand_ins.values() if stated.kind == "count")
    most = max((figure.identity_high or 0) - counted, 0)
    least = min((figure.identity_low or 0) if least is None else least, most)
    if most > least:
        causes[Cause("identity", product, f"{before}{crosswalk}")] = None
    # Without an upper bound its distance isn't known: the library's bounds lie two standard errors from the estimate.
    error = (
        math.ceil(2 * figure.standard_error)
        if figure.upper is None
        else max(figure.upper - most - sum(stated.users for stated in stand_ins.values()), 0)
    )
    finest_error = error
    if figure.lg_k is not None and figure.lg_k < MAX_LG_K:
        # The error falls with the root of the number of registers.
        finest_error = math.ceil(error / 2 ** ((MAX_LG_K - figure.lg_k) / 2))
        if finest_error < error:
            what = f"sketches{f' of {product}' if product else ''} by lg_k {MAX_LG_K} in the place of {figure.lg_k}"
            causes[Cause("sketches", product, f"{before}{what}")] = None
    return Spread(least, most, error, finest_error, min(lower, figure.lower), figure.lg_k or lg_k, causes)


def settle(
    spreads: Sequence[Spread], lower: int, upper: int | None, most_under: int, months: int = 1, can_be_over: bool = True
) -> Settling:
    """What would settle a test of the sum of these numbers of people, or of their mean over so many months.

    `lower` and `upper` are the test's own bounds, of which neither decides; `most_under` is the most that is still under.
    `can_be_over`: whether more people bring the test's lower bound up as much; for users of a day they don't.
    """
    every = [cause for part in spreads for cause in part.causes]
    gaps = [gap for part in spreads for gap in part.gaps]

    def upper_with(brought: Collection[Cause]) -> int:
        return math.ceil(sum(part.upper(brought) for part in spreads) / months)

    def lower_with(brought: Collection[Cause]) -> int:
        return sum(part.lower_bound(brought) for part in spreads) // months

    def under(brought: Collection[Cause]) -> bool:
        return all(gap in brought for gap in gaps) and upper_with(brought) <= most_under

    def over(brought: Collection[Cause]) -> bool:
        # Nobody knows how many people a gap hides, so a gap alone is never said to lead to `over`.
        return can_be_over and lower_with(brought) > most_under

    widths = {
        cause: (cause.kind == "gap", max(upper_with(()) - upper_with((cause,)), lower_with((cause,)) - lower_with(())))
        for cause in every
    }
    widest_first = sorted(every, key=lambda cause: widths[cause], reverse=True)
    results: dict[tuple[Cause, ...], list[Literal["under", "over"]]] = {}
    for causes in _smallest(widest_first, under):
        results.setdefault(causes, []).append("under")
    for causes in _smallest([cause for cause in widest_first if cause.kind != "gap"], over):
        results.setdefault(causes, []).append("over")
    width = max(upper_with(()) - lower, 1)
    ways = [
        Way(
            causes,
            tuple(outcomes),
            upper_with(causes),
            lower_with(causes),
            (upper_with(()) - upper_with(causes)) / width,
        )
        for causes, outcomes in results.items()
    ]
    ways.sort(key=lambda way: (len(way.causes), -way.share))
    fall = None if upper is None else upper - most_under
    return Settling(fall, most_under + 1 - lower, most_under, tuple(ways))


def _smallest(widest_first: Sequence[Cause], settles: Callable[[Collection[Cause]], bool]) -> Iterator[tuple[Cause, ...]]:
    """Each cause that settles alone; where none does, one smallest set that settles together; nothing where all don't."""
    alone = [(cause,) for cause in widest_first if settles((cause,))]
    if alone:
        yield from alone
        return
    # Few causes: every set is tried, so that none smaller is missed. Many: the widest first, and then each left out again.
    if len(widest_first) <= 12:
        sets = (chosen for size in range(2, len(widest_first) + 1) for chosen in combinations(widest_first, size))
        yield from ([next((chosen for chosen in sets if settles(chosen)), None)] if settles(widest_first) else [])  # type: ignore[misc]
        return
    kept: list[Cause] = []
    for cause in widest_first:
        kept.append(cause)
        if settles(kept):
            break
    else:
        return
    for cause in reversed(kept[:-1]):
        fewer = [other for other in kept if other != cause]
        if settles(fewer):
            kept = fewer
    yield tuple(kept)
