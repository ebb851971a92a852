"""A product's contributions under its days' own keys, and of the days before a change of the key under the coming one's, too."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from affiliates.aggregation import contribute as aggregation_contribute
from affiliates.aggregation.contribute import EdgeContext
from affiliates.contributions.contract import Contribution
from affiliates.errors import RefusedError
from affiliates.identity import epochs
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import month_of
from affiliates.sources.protocol import EventSource


def next_epoch_days(product: Product, days: Sequence[date], place: EdgeContext) -> dict[date, list[date]]:
    """By the first month of the coming epoch, those of the days that can be contributed under its key here as well.

    None of a product that counts by month, or whose keys are made elsewhere; nor where the key or the month's crosswalk isn't
    there (yet), or either epoch is destroyed.
    """
    found: dict[date, list[date]] = {}
    for day in days if product.grain == "day" and not product.has_ready_keys else ():
        after = epochs.next_epoch(place.settings, day)
        if after and after.from_ and not place.settings.epoch_of(month_of(day)).destroyed:
            found.setdefault(after.from_, []).append(day)
    return {month: found[month] for month in found if _can_hash(place, month)}


def _can_hash(place: EdgeContext, month: date) -> bool:
    try:
        place.keys.key(month)
        place.crosswalk(month)
    except RefusedError:
        return False
    return True


def contribute(
    ref: ProductRef,
    product: Product,
    found: Sequence[EventSource],
    periods: dict[date, list[date]],
    next_epoch: Mapping[date, Sequence[date]],
    place: EdgeContext,
) -> Iterator[list[Contribution]]:
    """As `edge.contribute`; then second contributions of the days `next_epoch`, as `next_epoch_days` gives them."""
    yield from aggregation_contribute.contribute(ref, product, found, periods, place)
    for month, days in next_epoch.items():
        yield from aggregation_contribute.contribute(ref, product, found, {day: [day] for day in days}, place, month)
