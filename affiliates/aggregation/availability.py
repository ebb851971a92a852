"""Which of a product's periods are there, whole and over, and whether their events have changed since.

`periods`, here and in `contribute`: the days of each period, in order, by the period's first day.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from affiliates.aggregation import activity, ready_keys
from affiliates.errors import Code, refused
from affiliates.manifests.product import Product
from affiliates.periods import Grain, end_of, first_day, local_day, month_end
from affiliates.sources.protocol import EventSource, Fingerprint


def periods_present(
    sources: Sequence[EventSource], product: Product, days: Sequence[date], zone: str, now: datetime
) -> dict[date, list[date]]:
    """The periods that are over and that every source holds as a whole, with their days, among `days` (in ascending order).

    `zone`: of the product's days. Raises `RefusedError` for a `complete_through` that can't be known yet.
    """
    check_complete_through(sources, zone, now)
    days_present = [day for day in days if end_of("day", day, zone) <= now and all(source.has(day) for source in sources)]
    periods: dict[date, list[date]] = {}
    for day in days_present:
        periods.setdefault(first_day(product.grain, day), []).append(day)
    if product.grain == "day":
        return periods
    # A product that ends within a month has all of its days before the month is over; it is contributed with the others.
    over = {first: month_days for first, month_days in periods.items() if end_of("month", first, zone) <= now}
    return {
        first: month_days for first, month_days in over.items() if month_days == product.days_due(first, month_end(first), zone)
    }


def check_complete_through(sources: Sequence[EventSource], zone: str, now: datetime) -> None:
    """Refuse a `complete_through` of a day that isn't over: nobody knows that its events are all there.

    Written once and for ever, it would make each day without data one of zero users; and of today, what had come so far would
    pass for all of it tomorrow. `zone`: of the product's days.
    """
    today = local_day(now, zone)
    for source in sources:
        day = source.complete_through
        if day is not None and day >= today:
            raise refused(
                Code.SOURCE_SETTING_WRONG,
                source.subject,
                "`complete_through` lies in the future" if day > today else "`complete_through` is today, which isn't over",
                f"{day}, and it is {today} in {zone}",
                "write the last day whose events are all there, or name a file that the export writes it into",
            )


def fingerprints(sources: Sequence[EventSource], periods: Mapping[date, list[date]]) -> dict[date, Fingerprint]:
    """By period, what changes with the period's events, as far as the sources' cheap look shows: digests over all sources."""
    by_source = [source.fingerprints(periods) for source in sources]
    of_period = {period: [fingerprint_of[period] for fingerprint_of in by_source] for period in periods}
    return {
        period: Fingerprint(_joined([part.stated for part in parts]), _joined([part.exact for part in parts]))
        for period, parts in of_period.items()
    }


def _joined(digests: Sequence[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def events_now(sources: Sequence[EventSource], grain: Grain, periods: Mapping[date, list[date]], zone: str) -> dict[date, int]:
    """By period, the events in its sources that count, identified or not: the number that a contribution would have today.

    `zone`: of the product's days. Raises `RefusedError` where a source can't be read.
    """
    number = dict.fromkeys(periods, 0)
    days = sorted(day for period_days in periods.values() for day in period_days)
    for event_source in sources if days else ():
        if event_source.source.person_keys:
            by_day = ready_keys.events_by_day(event_source, days)
        else:
            by_day = activity.events_by_day(event_source, days, zone)
        for day, events in by_day.items():
            # One file of all days also gives days of periods that weren't asked for.
            if (first := first_day(grain, day)) in number:
                number[first] += events
    return number
