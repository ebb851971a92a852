"""One product computed here and handed in for the same days: what came last has replaced the other, and either may be the whole.

Days and a whole month of one product are compared in `pipelines.counting.contradictions`.
"""

from collections.abc import Iterator, Sequence

from affiliates.periods import last_day, stretches
from pipelines.runbook import DataFinding, Page
from pipelines.store.product_days import ProductDay

TWO_WAYS = "computed here, and handed in"


def find(periods: Sequence[ProductDay]) -> Iterator[DataFinding]:
    """Periods of a product that were computed here and handed in, with other users: the last of the two counts."""
    of_both = {period.day: period for period in periods if _other_way(period) is not None}
    for first, last in stretches(periods[0].grain, of_both) if of_both else ():
        days = [period for day, period in of_both.items() if first <= day <= last]
        here = days[-1].versions[-1].sender is None
        counted = "what was computed here" if here else "what was handed in"
        other = "what was handed in" if here else "what was computed here"
        users = sum(period.users or 0 for period in days)
        before = sum(_other_way(period) or 0 for period in days)
        span = f"on {first}" if first == last else f"from {first} to {last}"
        text = f"{days[0].ref}: {counted} counts {span} ({users:,} users), and has replaced {other} ({before:,} users)"
        what = f"{TWO_WAYS} from {first}"
        yield DataFinding(text, Page.TWO_COMPUTATIONS, str(days[0].ref), what, first, last_day(days[0].grain, last))


def _other_way(period: ProductDay) -> int | None:
    """The users of the newest version that came the other way than the current one; null where there is none."""
    if not period.versions:
        return None
    here = period.versions[-1].sender is None
    others = [version.users or 0 for version in period.versions if (version.sender is None) != here]
    return others[-1] if others else None
