"""A product's contributions under its days' own keys, and of the days before a change of the key under the coming one's, too."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from affiliates import edge, epochs
from affiliates.contribution import Contribution
from affiliates.edge import Workplace
from affiliates.errors import RefusedError
from affiliates.group import Product, ProductRef
from affiliates.periods import month_of
from affiliates.sources.found import Found


def next_epoch_days(product: Product, days: Sequence[date], place: Workplace) -> dict[date, list[date]]:
    """By the first month of the coming epoch, those of the days that can be contributed under its key here as well.

    None of a product that counts by month, or whose keys are made elsewhere; nor where the key or the month's crosswalk isn't
    there (yet), or either epoch is destroyed.
    """
    found: dict[date, list[date]] = {}
    for day in days if product.grain == "day" and not product.made_keys else ():
        after = epochs.coming(place.settings, day)
        if after and after.from_ and not place.settings.epoch_of(month_of(day)).destroyed:
            found.setdefault(after.from_, []).append(day)
    return {month: found[month] for month in found if _can_hash(place, month)}


def _can_hash(place: Workplace, month: date) -> bool:
    try:
        place.keys.key(month)
        place.crosswalk(month)
    except RefusedError:
        return False
    return True


def contribute(
    ref: ProductRef,
    product: Product,
    found: Sequence[Found],
    periods: dict[date, list[date]],
    next_epoch: Mapping[date, Sequence[date]],
    place: Workplace,
) -> Iterator[list[Contribution]]:
    """As `edge.contribute`; then second contributions of the days `next_epoch`, as `next_epoch_days` gives them."""
    yield from edge.contribute(ref, product, found, periods, place)
    for month, days in next_epoch.items():
        yield from edge.contribute(ref, product, found, {day: [day] for day in days}, place, month)
