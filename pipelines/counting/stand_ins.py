"""Counts and ceilings that stand in for a product's sketches, and what they say of a window. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import month_end
from pipelines.counting.window import Window
from pipelines.records import StatedCount


@dataclass(frozen=True)
class StatedBounds:
    """What a product's counts and ceilings say of the people in a window."""

    most: StatedCount | None = None
    """The count or ceiling of the window's month; of several months theirs added. Null where one of the months has none."""
    least: int | None = None
    """The largest count of a month that lies in the window whole: there are at least as many people."""
    ceiling: StatedCount | None = None
    """Of a month that has a count and a ceiling, the ceiling; the count is `most`."""


def stated_bounds(
    counts: Sequence[StatedCount], due: Sequence[tuple[ProductRef, Product]], window: Window
) -> Mapping[ProductRef, StatedBounds]:
    """By product, in order of products, what the counts and ceilings of the window's months say of the window.

    A number is of a calendar month. So the people in a part of the month are at most as many, and the people of several months
    at most all of them added. If one of the months has no number, nothing is known from above.
    """
    by_product: dict[ProductRef, dict[date, StatedCount]] = defaultdict(dict)
    ceilings = {(count.ref, count.month): count for count in counts if count.kind == "ceiling"}
    for count in counts:
        months = by_product[count.ref]
        # Where a month has a count and a ceiling, the count stands.
        if count.kind == "count" or count.month not in months:
            months[count.month] = count
    bounds = {}
    for ref, product in due:
        if by_month := by_product.get(ref):
            # A product of hours alone, by its zone, has no day in the window: then its months are all that the window is in.
            lived = [m for m in window.months if product.due_between(*window.part_of(m))] or window.months
            stated = [by_month[m] for m in lived if m in by_month]
            whole = [c.users for c in stated if c.kind == "count" and _is_whole(c.month, window)]
            most = _added(stated, window) if len(stated) == len(lived) else None
            beside = ceilings.get((ref, window.first)) if window.is_month and most and most.kind == "count" else None
            bounds[ref] = StatedBounds(most, max(whole, default=None), beside)
    return dict(sorted(bounds.items()))


def _is_whole(month: date, window: Window) -> bool:
    """Whether all days of a month are counted."""
    return window.first <= month and month_end(month) <= window.last


def _added(stated: Sequence[StatedCount], window: Window) -> StatedCount:
    """The numbers of a window's months as one; a ceiling unless all of them are counts."""
    if window.is_month:
        return stated[0]
    first = stated[0]
    kinds = {c.kind for c in stated}
    months = " and ".join(f"{c.month:%Y-%m}" for c in stated)
    part = "" if all(_is_whole(c.month, window) for c in stated) else ", of which the window has a part"
    return StatedCount(
        *first.ref,
        first.month,
        "count" if kinds == {"count"} else "ceiling",
        sum(c.users for c in stated),
        " and ".join(dict.fromkeys(c.unit for c in stated)),
        f"of {months}{part}: " + "; ".join(dict.fromkeys(c.document for c in stated)),
        "; ".join(dict.fromkeys(c.attested_by for c in stated)),
    )
