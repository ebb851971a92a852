"""A figure: a number of people that never travels without its bounds and coverage. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.counting.bounds import Pool, estimate_people
from pipelines.records import StatedCount


@dataclass(frozen=True)
class Coverage:
    """Product-periods that were due, and those of them that were contributed."""

    days_expected: int = 0
    days_present: int = 0
    months_expected: int = 0
    months_present: int = 0

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


@dataclass(frozen=True)
class Figure:
    """Different people in a calendar month, or another window, with bounds and coverage; all numbers are people."""

    estimate: int | None
    lower: int
    upper: int | None
    standard_error: float
    identity_low: int | None
    identity_high: int | None
    summed_products: int | None
    coverage: Coverage
    complete: bool
    state: str
    lg_k: int | None
    reasons: tuple[str, ...]
    """What is missing, so why the figure isn't complete or has no upper bound."""
    unidentified_events: int
    """Events without a usable identifier: nobody's, so not counted."""
    undecided_events: int
    """Events that a condition left undecided, taken for false."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"reasons": list(self.reasons)}


@dataclass(frozen=True)
class Share:
    """A product's share in the figures."""

    pool: Pool
    given: StatedCount | None
    """Stands in where the sketches don't cover the window."""
    coverage: Coverage
    unbounded: tuple[str, ...]
    """Reasons why the sketches alone are no upper bound: missing, unsettled, erased."""
    unidentified: int
    undecided: int
    least: int | None = None
    """People whom the product has at least, by a count of a month that lies in the window whole."""
    noted: tuple[str, ...] = ()
    """Why the figure isn't complete, though its bounds hold."""


def figure_of(shares: Sequence[Share], products: Iterable[Figure] = ()) -> Figure:
    pool = shares[0].pool if len(shares) == 1 else Pool.united([s.pool for s in shares])
    found = estimate_people(pool)
    stand_ins = [s.given for s in shares if s.given is not None and s.unbounded]
    # A count can't be united with anybody, but there are at least as many people as its product has.
    floor = max((s.least for s in shares if s.least is not None and s.unbounded), default=None)
    estimate = _at_least(round(found.estimate) if pool.stated else None, floor)
    counted = sum(g.users for g in stand_ins if g.kind == "count")
    open_ended = any(s.unbounded for s in shares if s.given is None) or not shares
    upper = None if open_ended else math.ceil(found.upper) + sum(g.users for g in stand_ins)
    estimates = [p.estimate for p in products if p.estimate is not None]
    notes = [f"{g.ref}: a {g.kind} of {g.users:,} {g.unit} stands in ({g.document})" for g in stand_ins]
    return Figure(
        estimate=estimate,
        lower=max(math.floor(found.lower), floor or 0),
        upper=upper,
        standard_error=found.standard_error,
        identity_low=_at_least(round(found.identity_low) if pool.stated else None, floor),
        identity_high=None if estimate is None else max(estimate, round(found.identity_high) + counted),
        summed_products=sum(estimates) if estimates else estimate,
        coverage=sum((s.coverage for s in shares), Coverage()),
        complete=bool(shares) and not any(s.unbounded or s.noted for s in shares),
        state="preliminary",
        lg_k=found.lg_k,
        reasons=(*(r for s in shares for r in s.unbounded), *(n for s in shares for n in s.noted), *notes),
        unidentified_events=sum(s.unidentified for s in shares),
        undecided_events=sum(s.undecided for s in shares),
    )


def _at_least(number: int | None, floor: int | None) -> int | None:
    return number if floor is None else max(number or 0, floor)
