"""What is looked at before anybody trusts a figure: rules on a month's figures and on a product's days. Pure but for `of_month`.

A check that doesn't pass says what and why; it changes no figure and keeps nothing from being published.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import end_of, midnight, month_after, month_end
from affiliates.sketches.registers import standard_error
from pipelines.counting.inputs import Inputs
from pipelines.counting.measure import Measured
from pipelines.store import product_days
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import ProductDay

WEEKS = 8
LEAST = 4
"""The past that a day is compared with: the same weekday of this many weeks, and how many of them must be there."""

SHARE = 0.5
SCALES = 8.0
"""How far from usual is too far: this share of the usual number, and this many times its usual scatter."""

ERRORS = 4.0
"""Standard errors of the sketches within which two estimates may contradict each other: 1 in 16,000."""


@dataclass(frozen=True)
class Check:
    """The outcome of one rule for one subject."""

    name: str
    subject: str
    """The group's month, or affiliate/product."""
    passed: bool
    said: str
    """What was found, in numbers and days."""


@dataclass(frozen=True)
class MonthDue:
    """What is due of a month at a time."""

    inputs: Inputs
    """As they are gathered from the store: those of a publication don't name each contribution."""
    group: Group
    now: datetime

    @property
    def settled_at(self) -> datetime:
        """When everything that is due in the month has settled."""
        month = self.inputs.month
        zone = self.group.settings.time_zone
        return max((self._settles(ref, product) for ref, product in self.inputs.due), default=end_of("month", month, zone))

    def _settles(self, ref: ProductRef, product: Product) -> datetime:
        """When the last of its periods that reach into the month has: east of the group, a day begins before the month ends."""
        month = self.inputs.month
        ours = self.group.settings.time_zone
        after = month_after(month)
        theirs = product.day_zone or ours
        reaches = product.holds_on(after) and midnight(after, theirs) < midnight(after, ours)
        grain, period = (product.grain, after) if reaches else ("month", month)
        return settles_at(self.group, ref, grain, period, theirs)

    @property
    def late(self) -> list[str]:
        """By product that counts by day, the days that have settled and aren't there."""
        inputs = self.inputs
        group = self.group
        found = list[str]()
        there = {(v.ref, v.activity_date) for v in inputs.versions if v.grain == "day"}
        whole = {v.ref for v in inputs.versions if v.grain == "month"} | set(inputs.stated_counts)
        for ref, p in inputs.due:
            if not p.sources or p.grain == "month" or ref in whole:
                continue
            zone = p.day_zone or group.settings.time_zone
            last = month_end(inputs.month)
            late = [
                d
                for d in p.days_due(inputs.month, last, zone)
                if (ref, d) not in there and settles_at(group, ref, "day", d, zone) <= self.now
            ]
            if late:
                found.append(f"{ref}: {len(late)} day{'s' * (len(late) > 1)} missing, the first {late[0]}")
        return found


def of_month(store: ContributionStore, group: Group, measured: Measured) -> list[Check]:
    """All checks of a month: of its figures, and of the days of each product that they rest on."""
    month = measured.inputs.month
    found = of_figures(measured)
    for name in measured.products:
        ref = ProductRef.parse(name)
        known = group.product(ref)
        if known is not None:
            back = month - timedelta(weeks=WEEKS)
            found += of_product(product_days.read(store, ref, known.grain, back, month_end(month)), since=month)
    return found


def of_figures(measured: Measured, due: MonthDue | None = None) -> list[Check]:
    """Whether a month's figures cover what was due, and agree with each other.

    `due`: judged by what is due at a time; without it, as for a month that is to be signed.
    """
    return [_coverage(measured, due), _largest_to_sum(measured)]


def of_product(days: Sequence[ProductDay], since: date = date.min) -> list[Check]:
    """Whether a product's days from `since` on are possible and usual; the days before are their past.

    Says nothing without any such day.
    """
    judged = [day for day in days if day.day >= since]
    if not judged:
        return []
    found = [_events_at_least_users(judged)]
    return [*found, _usual_change(days, judged)] if judged[0].grain == "day" else found


def _coverage(measured: Measured, due: MonthDue | None) -> Check:
    """Red where the group has no upper bound: then something that is due is missing or hasn't settled, and the figure
    may rise by any number. A count or a ceiling that stands in for it bounds it, and is only said.

    While the month lasts and settles, that is so every day: until it has settled, red where a day is missing that has.
    """
    figure = measured.group
    c = measured.group.coverage
    said = f"{c.days_present} of {c.days_expected} days"
    if c.months_expected:
        said += f", {c.months_present} of {c.months_expected} months"
    if due is None or due.now >= due.settled_at:
        return Check("coverage", _month(measured), figure.upper is not None, "; ".join([said, *figure.reasons]))
    late = due.late
    return Check("coverage", _month(measured), not late, "; ".join([said, _said(late) or "the others aren't due yet"]))


def _largest_to_sum(measured: Measured) -> Check:
    """Red where the group has fewer people than its largest product, or more than all of its products together.

    Neither can be, whoever the people are; a wrong union or a product counted under another key does it. Estimates of
    sketches may miss each other by their errors, which add up over the products.
    """
    group = measured.group
    products = measured.products
    known = {name: f for name, f in products.items() if f.estimate is not None}
    if group.estimate is None or not known:
        return Check("largest_product_to_sum", _month(measured), True, "nothing was contributed")
    name = max(known, key=lambda n: known[n].estimate or 0)
    largest = known[name].estimate or 0
    total = sum(f.estimate or 0 for f in known.values())
    low = largest - ERRORS * (group.standard_error + known[name].standard_error)
    high = total + ERRORS * (group.standard_error + sum(f.standard_error for f in known.values()))
    said = f"the largest product {name} has {largest:,}, the group {group.estimate:,}, all products together {total:,}"
    return Check("largest_product_to_sum", _month(measured), math.floor(low) <= group.estimate <= math.ceil(high), said)


def _events_at_least_users(days: Sequence[ProductDay]) -> Check:
    """Red where a day has fewer events than users: each user has at least one, so identifiers were invented or doubled.

    A sketch may err upwards; four of its standard errors are allowed.
    """
    wrong = [
        f"{d.day}: {d.events:,} events, {d.users:,} users"
        for d in days
        if d.events is not None and d.users is not None and d.users - ERRORS * standard_error(d.lg_k, d.users) > d.events
    ]
    return Check("events_at_least_users", _product(days), not wrong, _said(wrong) or f"none of {len(days)} periods has fewer")


def _usual_change(days: Sequence[ProductDay], judged: Sequence[ProductDay]) -> Check:
    """Red where a day has over 50 % fewer or more users than the product's own past has it expect.

    Expected is the median of the same weekday in the 8 weeks before (at least 4 of them): weekdays differ by a factor of
    three in work software, and a median isn't moved by one holiday. A day must also lie further out than eight times
    the scatter of that past, which is 1.4826 times the median absolute deviation (the standard deviation, were it
    normal), but never less than the square root of the median: what chance alone does to a number of independent
    people. The first condition lets growth pass, the second a product of a dozen users that doubles by chance.
    """
    users = {d.day: d.users for d in days if d.users is not None}
    wrong = []
    compared = 0
    for day in judged:
        found = users.get(day.day)
        past = [users[d] for w in range(1, WEEKS + 1) if (d := day.day - timedelta(weeks=w)) in users]
        if found is None or len(past) < LEAST:
            continue
        compared += 1
        usual = median(past)
        scatter = max(1.4826 * median(abs(n - usual) for n in past), math.sqrt(usual))
        if abs(found - usual) > max(SHARE * usual, SCALES * scatter):
            wrong.append(f"{day.day}: {found:,} users, usually {usual:,.0f} on that weekday (of {len(past)} weeks before)")
    return Check("usual_change", _product(days), not wrong, _said(wrong) or f"{compared} of {len(judged)} days could be compared")


def _month(measured: Measured) -> str:
    return f"{measured.inputs.month:%Y-%m}"


def _product(days: Sequence[ProductDay]) -> str:
    return str(days[0].ref)


def _said(wrong: Sequence[str]) -> str:
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
