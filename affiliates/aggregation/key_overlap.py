"""Both keys around a change of the group key: a day's contribution by its own key, and a second one by the next epoch's.

A trailing window that reaches back over the change can only be counted under one key. See `affiliates.identity.epochs`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from affiliates.aggregation.contribute import EdgeContext, contribute
from affiliates.contributions.contract import Contribution
from affiliates.errors import RefusedError
from affiliates.identity import epochs
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import month_of
from affiliates.sources.protocol import EventSource


def next_epoch_days(product: Product, days: Sequence[date], context: EdgeContext) -> dict[date, list[date]]:
    """The days that can be contributed a second time here, under the next epoch's key, by that epoch's first month.

    There are none of a product that counts by month, or whose keys are made elsewhere; nor where the key or the month's
    crosswalk isn't there (yet), or either epoch is destroyed.
    """
    by_month: dict[date, list[date]] = {}
    for day in days if product.grain == "day" and not product.has_ready_keys else ():
        following = epochs.next_epoch(context.settings, day)
        if following and following.from_ and not context.settings.epoch_of(month_of(day)).destroyed:
            by_month.setdefault(following.from_, []).append(day)
    return {month: month_days for month, month_days in by_month.items() if _can_hash(context, month)}


def _can_hash(context: EdgeContext, month: date) -> bool:
    """Whether the month's key and crosswalk are there; both are read to find out."""
    try:
        context.keys.key(month)
        context.crosswalk(month)
    except RefusedError:
        return False
    return True


def contribute_under_both_keys(
    ref: ProductRef,
    product: Product,
    sources: Sequence[EventSource],
    periods: Mapping[date, list[date]],
    next_epoch: Mapping[date, Sequence[date]],
    context: EdgeContext,
) -> Iterator[list[Contribution]]:
    """As `contribute.contribute`; then the second contributions of the days `next_epoch`, as `next_epoch_days` gives them."""
    yield from contribute(ref, product, sources, periods, context)
    for month, days in next_epoch.items():
        yield from contribute(ref, product, sources, {day: [day] for day in days}, context, month)
