"""Rules on a month's figures and on a product's days, checked before anybody trusts a figure. Pure but for `check_month`.

A check that doesn't pass says what is wrong and why; a check changes no figure and keeps nothing from being published.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple

from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import DAY, Grain, end_of, midnight, month_after, month_end
from affiliates.sketches.registers import standard_error
from pipelines.counting import contradictions
from pipelines.counting.inputs import Inputs
from pipelines.counting.measure import Measured
from pipelines.counting.missing import missing
from pipelines.figures import falls, losses
from pipelines.figures.falls import LEAST_WEEKS, MAD_TO_DEVIATION, PAST_DAYS, WEEKS, Fall
from pipelines.figures.losses import Loss
from pipelines.store import product_days
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import ProductDay

UNUSUAL_SHARE = 0.5
"""A day is unusual only if its users differ from the usual number by more than this share of the usual number."""

UNUSUAL_SCATTERS = 8.0
"""A day is unusual only if its users differ from the usual number by more than this many times the usual scatter."""

ERRORS = 4.0
"""Standard errors of the sketches within which two estimates may contradict each other. Of normal errors one in 16,000 lies
further out, on both sides together."""


@dataclass(frozen=True)
class Check:
    """The outcome of one rule for one subject."""

    name: str
    subject: str
    """The group's month as YYYY-MM, or affiliate/product."""
    passed: bool
    explanation: str
    """What the rule compared, in numbers and days."""


class ComparedDay(NamedTuple):
    """A day's users beside the usual number."""

    day: date
    users: int
    usual: float
    """The median of the same weekday in the weeks before."""
    weeks: int
    """How many weeks before were there to compare with."""
    is_unusual: bool


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
        """Per product with missing days (`pipelines.counting.missing`), how many there are, in words."""
        inputs = self.inputs
        present = defaultdict[ProductRef, list[tuple[Grain, date]]](list)
        for version in inputs.versions:
            present[version.ref].append((version.grain, version.activity_date))
        late_products = list[str]()
        for ref, product in inputs.due:
            # A count that isn't in the manifest any more stands in as long as the store has it.
            if ref in inputs.stated_counts:
                continue
            zone = product.day_zone or self.group.settings.time_zone
            late = missing(product, present[ref], inputs.month, month_end(inputs.month), zone, self.now)
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
            # The days before are read as well: they are the past of the month's first days.
            periods = product_days.read_either(store, ref, product.grain, past_since(month), month_end(month))
            checks += check_product(periods, since=month, label=product.active.label)
    return checks


def past_since(day: date) -> date:
    """The first of the days that the checks of a day are to be given: its past."""
    return day - DAY * PAST_DAYS


def check_figures(measured: Measured, due: MonthDue | None = None) -> list[Check]:
    """Whether a month's figures cover what was due, and agree with each other.

    `due`: the month is judged by what is due at a moment; without it, as a month that is to be signed.
    """
    return [_coverage(measured, due), _largest_to_sum(measured), _numbers_agree(measured)]


def check_product(days: Sequence[ProductDay], since: date = date.min, label: str | None = None) -> list[Check]:
    """Whether a product's periods from `since` on are possible and usual; the periods before are their past.

    Empty without any period from `since` on. Only days are compared with their past: a month has no weekday. `label`:
    ID/VERSION of what the manifest calls active.
    """
    judged = [day for day in days if day.day >= since]
    if not judged:
        return []
    lost = losses.find(days, label)
    fallen = falls.find(days, losses.days_of(lost))
    checks = [_events_at_least_users(judged), _no_loss(judged, lost), _no_fall(judged, fallen)]
    return [*checks, _usual_change(days, judged, fallen, lost)] if judged[0].grain == "day" else checks


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


def _numbers_agree(measured: Measured) -> Check:
    """Red where two numbers of a product can't both be right: a stated number and its sketches, its month and its days."""
    wrong = contradictions.among(measured.group.reasons)
    return Check("numbers_agree", _month(measured), not wrong, _first_of(wrong) or "no two numbers contradict each other")


def _events_at_least_users(days: Sequence[ProductDay]) -> Check:
    """Red where a period has fewer events than users: each user has at least one event, so identifiers were invented or doubled.
    Red, too, where a period has events and no users: each event is some user's, so the users were lost.

    A sketch may err upwards, so four of its standard errors are allowed.
    """
    wrong = [
        f"{d.day}: {d.events:,} events, {d.users:,} users"
        for d in days
        if d.events is not None
        and d.users is not None
        and (d.users - ERRORS * standard_error(d.lg_k, d.users) > d.events or (d.events > 0 and d.users == 0))
    ]
    return Check("events_at_least_users", _product(days), not wrong, _first_of(wrong) or f"none of {len(days)} periods has fewer")


def _no_loss(judged: Sequence[ProductDay], lost: Sequence[Loss]) -> Check:
    """Red where periods have lost many of the users, or all of them, that an earlier version had (`losses`)."""
    first = judged[0].day
    wrong = [str(loss) for loss in lost if loss.last >= first]
    return Check("no_loss", _product(judged), not wrong, _first_of(wrong) or f"none of {len(judged)} periods has lost many")


def _no_fall(judged: Sequence[ProductDay], fallen: Sequence[Fall]) -> Check:
    """Red where a product has nobody, or at most a quarter of its past, for longer than chance explains (`falls`)."""
    first = judged[0].day
    wrong = [fall_in_words(fall) for fall in fallen if fall.last >= first]
    return Check("no_fall", _product(judged), not wrong, _first_of(wrong) or f"none of {len(judged)} periods has fallen")


def fall_in_words(fall: Fall) -> str:
    """A fall with its days and numbers, as part of a sentence."""
    days = f"on {fall.first}" if fall.first == fall.last else f"from {fall.first} to {fall.last}"
    if not fall.is_empty:
        return f"{fall.users:,.0f} users {days}, usually {fall.usual:,.0f}"
    return f"no users {days}, " + (f"{fall.usual:,.1f} on average before" if fall.usual else "the whole time that was looked at")


def compared_days(
    days: Sequence[ProductDay], judged: Sequence[ProductDay], fallen: Sequence[Fall], lost: Sequence[Loss] = ()
) -> Iterator[ComparedDay]:
    """The judged days that have a past, each beside what that past has it expect.

    A day is unusual that has over 50 % fewer or more users than usual. The usual number is the median of the same weekday in
    the 8 weeks before (at least 4 of them): weekdays differ by a factor of three in work software, and a median isn't moved by
    one holiday. A day must also lie further out than eight times the scatter of that past. The scatter is 1.4826 times the
    median absolute deviation, which is the standard deviation of normal numbers (Rousseeuw, Croux 1993), but never less than
    the square root of the median: what chance alone does to a number of independent people (Poisson). The first condition lets
    growth pass, the second a product of a dozen users that doubles by chance.
    """
    # What has fallen, or has lost users, is no past: else the first usual day after a gap would be called unusual.
    no_past = falls.days_of(days, fallen) | losses.days_of(lost)
    users = {d.day: d.users for d in days if d.users is not None}
    for day in judged:
        number = users.get(day.day)
        weeks_before = (day.day - timedelta(weeks=week) for week in range(1, WEEKS + 1))
        past = [users[d] for d in weeks_before if d in users and d not in no_past]
        if number is None or len(past) < LEAST_WEEKS:
            continue
        usual = median(past)
        scatter = max(MAD_TO_DEVIATION * median(abs(n - usual) for n in past), math.sqrt(usual))
        is_unusual = abs(number - usual) > max(UNUSUAL_SHARE * usual, UNUSUAL_SCATTERS * scatter)
        yield ComparedDay(day.day, number, usual, len(past), is_unusual)


def _usual_change(
    days: Sequence[ProductDay], judged: Sequence[ProductDay], fallen: Sequence[Fall], lost: Sequence[Loss]
) -> Check:
    """Red where a day has over 50 % fewer or more users than the product's own past has it expect (`compared_days`)."""
    compared = list(compared_days(days, judged, fallen, lost))
    wrong = [
        f"{d.day}: {d.users:,} users, usually {d.usual:,.0f} on that weekday (of {d.weeks} weeks before)"
        for d in compared
        if d.is_unusual
    ]
    comparable = f"{len(compared)} of {len(judged)} days could be compared"
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
