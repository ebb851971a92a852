"""Rules on a month's figures and on a product's days, checked before anybody trusts a figure. Pure but for `check_month`.

A check that doesn't pass says what is wrong and why; a check changes no figure and keeps nothing from being published.
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
"""How many weeks before a day are its past: the day is compared with the same weekday of each."""

LEAST_WEEKS = 4
"""How many of these weeks must be there for a comparison."""

UNUSUAL_SHARE = 0.5
"""A day is unusual only if its users differ from the usual number by more than this share of the usual number."""

UNUSUAL_SCATTERS = 8.0
"""A day is unusual only if its users differ from the usual number by more than this many times the usual scatter."""

ERRORS = 4.0
"""Standard errors of the sketches within which two estimates may contradict each other. Of normal errors one in 16,000 lies
further out, on both sides together."""

MAD_TO_DEVIATION = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation: 1 / 0.6745, the 75 % quantile."""


@dataclass(frozen=True)
class Check:
    """The outcome of one rule for one subject."""

    name: str
    subject: str
    """The group's month as YYYY-MM, or affiliate/product."""
    passed: bool
    explanation: str
    """What the rule compared, in numbers and days."""


@dataclass(frozen=True)
class MonthDue:
    """What is due of a month at a moment."""

    inputs: Inputs
    """As `gather` reads them from the store: the inputs of a publication don't name each contribution."""
    group: Group
    now: datetime
    """The moment."""

    @property
    def settled_at(self) -> datetime:
        """When everything that is due in the month has settled."""
        month = self.inputs.month
        zone = self.group.settings.time_zone
        return max((self._settles(ref, product) for ref, product in self.inputs.due), default=end_of("month", month, zone))

    def _settles(self, ref: ProductRef, product: Product) -> datetime:
        """When the last of the product's periods that reach into the month has settled."""
        month = self.inputs.month
        group_zone = self.group.settings.time_zone
        product_zone = product.day_zone or group_zone
        after = month_after(month)
        # East of the group the next month's first day begins before the month is over, so it bounds the month as well.
        reaches = product.holds_on(after) and midnight(after, product_zone) < midnight(after, group_zone)
        if reaches:
            return settles_at(self.group, ref, product.grain, after, product_zone)
        return settles_at(self.group, ref, "month", month, product_zone)

    @property
    def late(self) -> list[str]:
        """Per product that counts by day, how many days have settled and aren't there, in words."""
        inputs = self.inputs
        group = self.group
        late_products = list[str]()
        present = {(v.ref, v.activity_date) for v in inputs.versions if v.grain == "day"}
        whole = {v.ref for v in inputs.versions if v.grain == "month"} | set(inputs.stated_counts)
        for ref, product in inputs.due:
            # A product without a source is handed in, and a whole month or a count has no days that could be missing.
            if not product.sources or product.grain == "month" or ref in whole:
                continue
            zone = product.day_zone or group.settings.time_zone
            last = month_end(inputs.month)
            late = [
                day
                for day in product.days_due(inputs.month, last, zone)
                if (ref, day) not in present and settles_at(group, ref, "day", day, zone) <= self.now
            ]
            if late:
                late_products.append(f"{ref}: {len(late)} day{'s' * (len(late) > 1)} missing, the first {late[0]}")
        return late_products


def check_month(store: ContributionStore, group: Group, measured: Measured) -> list[Check]:
    """All checks of a month: of its figures, and of the days of each product that the figures rest on."""
    month = measured.inputs.month
    checks = check_figures(measured)
    for name in measured.products:
        ref = ProductRef.parse(name)
        product = group.product(ref)
        if product is not None:  # A signed month may have a product that no manifest names any more.
            # The weeks before are read as well: they are the past of the month's first days.
            back = month - timedelta(weeks=WEEKS)
            checks += check_product(product_days.read(store, ref, product.grain, back, month_end(month)), since=month)
    return checks


def check_figures(measured: Measured, due: MonthDue | None = None) -> list[Check]:
    """Whether a month's figures cover what was due, and agree with each other.

    `due`: the month is judged by what is due at a moment; without it, as a month that is to be signed.
    """
    return [_coverage(measured, due), _largest_to_sum(measured)]


def check_product(days: Sequence[ProductDay], since: date = date.min) -> list[Check]:
    """Whether a product's periods from `since` on are possible and usual; the periods before are their past.

    Empty without any period from `since` on. Only days are compared with their past: a month has no weekday.
    """
    judged = [day for day in days if day.day >= since]
    if not judged:
        return []
    checks = [_events_at_least_users(judged)]
    return [*checks, _usual_change(days, judged)] if judged[0].grain == "day" else checks


def _coverage(measured: Measured, due: MonthDue | None) -> Check:
    """Red where the group has no upper bound: something that is due is missing or hasn't settled, so the figure may rise by
    any number. A count or a ceiling that stands in bounds the figure; the explanation names the stand-in.

    While the month lasts and settles, something is missing every day (decision 31). Until everything due has settled, the check
    is red only where a day is missing that has settled.
    """
    figure = measured.group
    coverage = figure.coverage
    present = f"{coverage.days_present} of {coverage.days_expected} days"
    if coverage.months_expected:
        present += f", {coverage.months_present} of {coverage.months_expected} months"
    if due is None or due.now >= due.settled_at:
        return Check("coverage", _month(measured), figure.upper is not None, "; ".join([present, *figure.reasons]))
    late = due.late
    return Check("coverage", _month(measured), not late, "; ".join([present, _first_of(late) or "the others aren't due yet"]))


def _largest_to_sum(measured: Measured) -> Check:
    """Red where the group has fewer people than its largest product, or more than all of its products together.

    Neither can be, whoever the people are; a wrong union or a product counted under another key leads to it. Estimates of
    sketches may miss each other by their errors. The errors add up over the products, since products that share people share
    registers, so that their errors aren't independent.
    """
    group = measured.group
    products = measured.products
    # A product that gave no sketch has no estimate, so it can't contradict anything.
    known = {name: f for name, f in products.items() if f.estimate is not None}
    if group.estimate is None or not known:
        return Check("largest_product_to_sum", _month(measured), True, "nothing was contributed")
    name = max(known, key=lambda n: known[n].estimate or 0)
    largest = known[name].estimate or 0
    total = sum(f.estimate or 0 for f in known.values())
    low = largest - ERRORS * (group.standard_error + known[name].standard_error)
    high = total + ERRORS * (group.standard_error + sum(f.standard_error for f in known.values()))
    numbers = f"the largest product {name} has {largest:,}, the group {group.estimate:,}, all products together {total:,}"
    return Check("largest_product_to_sum", _month(measured), math.floor(low) <= group.estimate <= math.ceil(high), numbers)


def _events_at_least_users(days: Sequence[ProductDay]) -> Check:
    """Red where a period has fewer events than users: each user has at least one event, so identifiers were invented or doubled.

    A sketch may err upwards, so four of its standard errors are allowed.
    """
    wrong = [
        f"{d.day}: {d.events:,} events, {d.users:,} users"
        for d in days
        if d.events is not None and d.users is not None and d.users - ERRORS * standard_error(d.lg_k, d.users) > d.events
    ]
    return Check("events_at_least_users", _product(days), not wrong, _first_of(wrong) or f"none of {len(days)} periods has fewer")


def _usual_change(days: Sequence[ProductDay], judged: Sequence[ProductDay]) -> Check:
    """Red where a day has over 50 % fewer or more users than the product's own past has it expect.

    The usual number is the median of the same weekday in the 8 weeks before (at least 4 of them): weekdays differ by a factor
    of three in work software, and a median isn't moved by one holiday. A day must also lie further out than eight times
    the scatter of that past. The scatter is 1.4826 times the median absolute deviation, which is the standard deviation of
    normal numbers (Rousseeuw, Croux 1993), but never less than the square root of the median: what chance alone does to a
    number of independent people (Poisson). The first condition lets growth pass, the second a product of a dozen users that
    doubles by chance.
    """
    users = {d.day: d.users for d in days if d.users is not None}
    wrong = []
    compared = 0
    for day in judged:
        number = users.get(day.day)
        past = [users[d] for week in range(1, WEEKS + 1) if (d := day.day - timedelta(weeks=week)) in users]
        if number is None or len(past) < LEAST_WEEKS:
            continue
        compared += 1
        usual = median(past)
        scatter = max(MAD_TO_DEVIATION * median(abs(n - usual) for n in past), math.sqrt(usual))
        if abs(number - usual) > max(UNUSUAL_SHARE * usual, UNUSUAL_SCATTERS * scatter):
            wrong.append(f"{day.day}: {number:,} users, usually {usual:,.0f} on that weekday (of {len(past)} weeks before)")
    comparable = f"{compared} of {len(judged)} days could be compared"
    return Check("usual_change", _product(days), not wrong, _first_of(wrong) or comparable)


def _month(measured: Measured) -> str:
    """The subject of a check of a month's figures."""
    return f"{measured.inputs.month:%Y-%m}"


def _product(days: Sequence[ProductDay]) -> str:
    """The subject of a check of a product's periods."""
    return str(days[0].ref)


def _first_of(wrong: Sequence[str]) -> str:
    """The first three texts, and how many more there are; empty without any."""
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
