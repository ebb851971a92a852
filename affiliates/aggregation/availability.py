"""Which of a product's periods are there, whole and over, and whether their events have changed since."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from affiliates.aggregation import activity, ready_keys
from affiliates.manifests.product import Product
from affiliates.periods import Grain, end_of, first_day, month_end
from affiliates.sources.protocol import EventSource


def periods_present(
    found: Sequence[EventSource], product: Product, days: Sequence[date], zone: str, now: datetime
) -> dict[date, list[date]]:
    """Periods (by first day) that are over and whole in every source, with their days."""
    there = [d for d in days if end_of("day", d, zone) <= now and all(f.has(d) for f in found)]
    periods: dict[date, list[date]] = {}
    for day in there:
        periods.setdefault(first_day(product.grain, day), []).append(day)
    if product.grain == "day":
        return periods
    # A product that ends within a month has all of its days before the month is over; it is contributed with the others.
    over = {first: days_ for first, days_ in periods.items() if end_of("month", first, zone) <= now}
    return {f: days_ for f, days_ in over.items() if days_ == product.days_due(f, month_end(f), zone)}


def fingerprints(found: Sequence[EventSource], periods: Mapping[date, list[date]]) -> dict[date, str]:
    """By period, a digest that changes when what holds its events does."""
    each = [f.fingerprints(periods) for f in found]
    return {p: hashlib.sha256("".join(seen[p] for seen in each).encode()).hexdigest() for p in periods}


def events_now(found: Sequence[EventSource], grain: Grain, periods: Mapping[date, list[date]], zone: str) -> dict[date, int]:
    """By period, the events in its sources that count, identified or not: as many as a contribution tells of."""
    number = dict.fromkeys(periods, 0)
    days = sorted(day for days in periods.values() for day in days)
    for source in found if days else ():
        counted = (
            ready_keys.events_by_day(source, days) if source.source.person_keys else activity.events_by_day(source, days, zone)
        )
        for day, events in counted.items():
            if (first := first_day(grain, day)) in number:
                number[first] += events
    return number
