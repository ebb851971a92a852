"""A figure: a number of people that never travels without its bounds and coverage. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.counting.bounds import Pool, Sketches, estimate_people, unite
from pipelines.counting.convention import Convention
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
    """The people by the method's convention (`pipelines.counting.convention`); null where nothing was contributed."""
    lower: int
    """95 % lower bound, rounded down."""
    upper: int | None
    """95 % upper bound, rounded up; null where something that is due has neither sketches that settled nor a count."""
    standard_error: float
    """The sketches' standard error alone."""
    identity_low: int | None
    """The fewest people that the identifiers of one namespace need, if that namespace has everybody."""
    identity_high: int | None
    """The most people that all identifiers can be, if namespaces and counted products share nobody."""
    summed_products: int | None
    """The sum over products: a person of two products counts twice."""
    coverage: Coverage
    complete: bool
    """Whether everything that is due is there in sketches, settled and unerased, and no month reaches over the window's edge."""
    state: str
    """preliminary, closed or restated."""
    lg_k: int | None
    """The lowest lg_k of the sketches; null without any."""
    reasons: tuple[str, ...]
    """What is missing, so why the figure isn't complete or has no upper bound."""
    unidentified_events: int
    """Events without a usable identifier: nobody's, so not counted."""
    undecided_events: int
    """Events that a condition left undecided, taken for false."""
    excluded_events: int | None = None
    """Events that `counts_when` leaves out, or of users of audiences that nobody contributes, as far as contributions tell; null
    where none does."""
    automated_users: int | None = None
    """Automated users, by the sketches' estimate; null where no contribution is of automated users."""

    def to_dict(self) -> dict[str, Any]:
        """The figure as `measure --json` writes it: the fields by their names, the coverage as a mapping."""
        return asdict(self) | {"reasons": list(self.reasons)}


@dataclass(frozen=True)
class Share:
    """A product's share in the figures."""

    pool: Pool
    stated_count: StatedCount | None
    """The count or ceiling that stands in where the sketches don't cover the window."""
    coverage: Coverage
    unbounded: tuple[str, ...]
    """Reasons why the sketches alone are no upper bound: missing, unsettled, erased."""
    unidentified_events: int
    undecided_events: int
    least_people: int | None = None
    """People whom the product has at least, by a count of a month that lies in the window whole."""
    notes: tuple[str, ...] = ()
    """Reasons why the figure isn't complete, though its bounds hold."""
    excluded_events: int | None = None
    empty_periods: int = 0
    """Periods with events of users who count, and nobody in their sketches."""
    automated: Sketches | None = None
    """The sketches of automated users; null where no contribution is of them."""


def figure_of(shares: Sequence[Share], convention: Convention, products: Iterable[Figure] = ()) -> Figure:
    """The figure of products together, in the state `preliminary`: one product, an affiliate's, or the group's.

    `products`: the figures of the products one by one, for their sum; without them the sum is the estimate.

    A count or a ceiling can't be united with anybody (decision 5). Where it stands in for sketches, it is added to the upper
    bound, a count also to the estimate and to `identity_high`; and there are at least as many people as the product of the
    largest count has.
    """
    pool = shares[0].pool if len(shares) == 1 else Pool.united([s.pool for s in shares])
    people = estimate_people(pool, convention.ranges)
    stand_ins = [s.stated_count for s in shares if s.stated_count is not None and s.unbounded]
    floor = max((s.least_people for s in shares if s.least_people is not None and s.unbounded), default=None)
    # A ceiling is no number of people: it bounds them from above, and adds nothing to estimate and `identity_high`.
    counted = sum(c.users for c in stand_ins if c.kind == "count")
    estimate = _at_least(round(people.estimate) if pool.stated else None, floor)
    if convention.adds_counts:
        estimate = _with_counts(shares, estimate, convention)
    # A gap that nothing stands in for leaves no upper bound: it may hold any number of people (decision 3).
    open_ended = any(s.unbounded for s in shares if s.stated_count is None) or not shares
    # Rounded outward: at 600 users and lg_k 21 the library's own 95 % interval holds 90 to 91 %, with floor and ceiling 99 %.
    upper = None if open_ended else math.ceil(people.upper) + sum(c.users for c in stand_ins)
    estimates = [p.estimate for p in products if p.estimate is not None]
    stand_in_notes = [f"{c.ref}: a {c.kind} of {c.users:,} {c.unit} stands in ({c.document})" for c in stand_ins]
    return Figure(
        estimate=estimate,
        lower=max(math.floor(people.lower), floor or 0),
        upper=upper,
        standard_error=people.standard_error,
        identity_low=_at_least(round(people.identity_low) if pool.stated else None, floor),
        identity_high=None if estimate is None else max(estimate, round(people.identity_high) + counted),
        summed_products=sum(estimates) if estimates else estimate,
        coverage=sum((s.coverage for s in shares), Coverage()),
        complete=bool(shares) and not any(s.unbounded or s.notes for s in shares),
        state="preliminary",
        lg_k=people.lg_k,
        reasons=(*(r for s in shares for r in s.unbounded), *(n for s in shares for n in s.notes), *stand_in_notes),
        unidentified_events=sum(s.unidentified_events for s in shares),
        undecided_events=sum(s.undecided_events for s in shares),
        excluded_events=sum_of_known(s.excluded_events for s in shares),
        automated_users=_automated_users(shares, convention),
    )


def sum_of_known(numbers: Iterable[int | None]) -> int | None:
    """The sum of the numbers that are known; null where none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _automated_users(shares: Sequence[Share], convention: Convention) -> int | None:
    """How many automated users there are in the products' sketches; null where no product tells."""
    told = [share.automated for share in shares if share.automated is not None]
    if not told:
        return None
    with_users = [sketches for sketches in told if sketches]
    if not with_users:
        return 0
    united = with_users[0] if len(with_users) == 1 else unite(with_users)
    return round(estimate_people(Pool.from_sketches(united), convention.ranges).estimate)


def _with_counts(shares: Sequence[Share], sketched: int | None, convention: Convention) -> int | None:
    """The people in sketches and, as other people, those in counts; `sketched`: those in any sketch.

    A product with a count has its people in the count: the sketches of some of its days are of the same people, and added to
    them would count these twice.
    """
    # Of a month that the window has a part of, a count says nothing certain: only whole months' counts are people here.
    counts = [s.least_people if s.unbounded else None for s in shares]
    if not any(counts):
        return sketched
    elsewhere = Pool.united([s.pool for s, count in zip(shares, counts, strict=True) if count is None])
    others = round(estimate_people(elsewhere, convention.ranges).estimate)
    # A count that is smaller than its own product's sketches takes nobody away.
    return max(others + sum(count or 0 for count in counts), sketched or 0)


def _at_least(number: int | None, floor: int | None) -> int | None:
    """The larger of a number and a floor; null stays null without a floor."""
    return number if floor is None else max(number or 0, floor)
