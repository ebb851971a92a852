"""Days whose users are others than those that an earlier version had, although there are as many. Numbers show no such exchange
(`losses`), registers do. Unpacking these takes long, so a run compares the days that it replaces, and whoever signs a month all.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from affiliates.periods import last_day
from affiliates.sketches import plausibility
from affiliates.sketches.registers import Registers
from pipelines.runbook import DataFinding, Page
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import COUNTED, ProductDay

EXCHANGED = "other users than an earlier version"


def find(store: ContributionStore, periods: Sequence[ProductDay]) -> Iterator[DataFinding]:
    """The periods of a product that lack users of an earlier version under the same key, crosswalk and settings."""
    for period in periods:
        gone = _gone(store, period)
        if gone:
            what = f"about {gone:,.0f} users of an earlier version of {period.day} are gone"
            text = f"{period.ref}: {what}: are they exchanged for others?"
            last = last_day(period.grain, period.day)
            name = f"{EXCHANGED} on {period.day}"
            yield DataFinding(text, Page.CHECK_LOSS, str(period.ref), name, period.day, last, round(gone))


def _gone(store: ContributionStore, period: ProductDay) -> float:
    """How many users of the oldest version the part lacks that lacks most; 0 for few, and where there is nothing to compare.

    Of the oldest one, of the current key, crosswalk and settings: what is mended is compared with what was there before the
    mistake, and not with the mistake. A part with fewer users isn't looked at: its number tells.
    """
    current = period.versions[-1] if period.versions else None
    if current is None:
        return 0.0
    oldest = next(v for v in period.versions if (v.key, v.settings) == (current.key, current.settings))
    parts = defaultdict[tuple[str, str], dict[int, Registers]](dict)
    for number, part in store.read_parts([oldest.id, current.id]) if oldest.id != current.id else ():
        if part.registers is not None and part.audience in COUNTED:  # Erased ones can't be compared.
            parts[part.audience, part.namespace][number] = part.registers
    gone = [0.0]
    for of_part in parts.values():
        if len(of_part) == 2:
            before, after = of_part[oldest.id], of_part[current.id]
            is_smaller = after.bounds().estimate < (1 - plausibility.MISSED) * before.bounds().estimate
            gone.append(0.0 if is_smaller else plausibility.gone(before, after))
    return max(gone)
