"""What of the products' data may make a figure wrong although nothing is missing and nothing was refused: one list.

`run` prints the list and ends with 1, an alert is about it, and /health, doctor, measure and the report show it. What a signed
month holds isn't found any more: whoever signed has seen the checks.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.product import Product
from affiliates.periods import DAY, last_day, local_day, month_before, month_end, month_of, months_between
from affiliates.sketches import plausibility
from pipelines.counting import contradictions
from pipelines.counting.measure import Measured
from pipelines.counting.missing import asked_of, missing, stands_in
from pipelines.figures import event_rates, exchanged, falls, losses, quality_checks, rows, two_computations, unasked
from pipelines.figures.falls import LEAST_EMPTY_DAYS, PAST_DAYS, Fall
from pipelines.figures.months import Months
from pipelines.runbook import DataFinding, Page
from pipelines.store import product_days, publications, stored_products
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import ProductDay

NO_USERS = "no users"
FEWER_USERS = "far fewer users than before"
UNLIKE_WEEKDAY = "unlike its weekday"
FEWER_EVENTS = "fewer events than users"
EVENT_RATE = "events per user far from before"
GROUP_RATE = "events per user far from the group's"
LOST_USERS = "fewer users than an earlier version"
CONTRADICTION = "numbers that contradict each other"
COUNT_ABOVE = "a count above its contributions"
"""As stores of earlier versions know a contradiction."""
MANY_EVENTS = "implausibly many events per user"
DECIDED_ONCE = unasked.AUDIENCES
"""How what a group decides for all months begins."""
SHOWN_BY_STORE = (
    *(NO_USERS, FEWER_USERS, UNLIKE_WEEKDAY, FEWER_EVENTS, EVENT_RATE, GROUP_RATE, LOST_USERS, CONTRADICTION, COUNT_ABOVE),
    *(MANY_EVENTS, unasked.UNASKED, two_computations.TWO_WAYS, *DECIDED_ONCE),
)
"""How what the store shows begins (`DataFinding.what`). All else is known to the run alone that has read the sources."""
KEEPS_OPEN = (unasked.UNASKED, two_computations.TWO_WAYS, *DECIDED_ONCE)
"""How begins what no check of a month or a product knows, and what a month isn't closed with."""


def read(store: ContributionStore, group: Group, now: datetime) -> list[DataFinding]:
    """What the store shows of all products' open months at a moment."""
    today = local_day(now, group.settings.time_zone)
    signed = set(rows.signed_months(store))
    unsigned = set(store.read_months()) - signed
    since = judged_since(signed, today)
    findings = list[DataFinding]()
    by_product = list[Sequence[ProductDay]]()
    stated = set[date]()
    # Asked for all products at once: a group may have thousands.
    recent = product_days.read_all(store, today - DAY * PAST_DAYS, today)
    for ref, product in group.products.items():
        periods = recent.get((ref, product.grain)) or recent.get((ref, product_days.other_grain(product.grain))) or []
        # An older product's data are judged by its own last days, and not by today.
        periods = periods or product_days.read_either(store, ref, product.grain, date.min, today)
        findings += _findings(product, periods, since)
        by_product.append(periods)
        # Two stated numbers of a product without sketches can contradict each other in any month.
        months = {month_of(period.day) for period in periods} - signed if periods else unsigned
        stated |= {month for month in months if stands_in(product, month)} if product.counts or product.ceilings else set()
    findings += _unlike_group(by_product)
    findings += unasked.find(store, group, unsigned, stored_products.read_spans(store))
    findings = [finding for finding in findings if _is_open(finding, signed)]
    # A month with a stated number is measured before it is published, since an alert may follow from its figures; so is one that
    # is published with a contradiction, which may be mended.
    return [*findings, *_contradicted(store, group, stated | _doubted(store, group, unsigned - stated))]


def read_month(store: ContributionStore, group: Group, month: date) -> list[DataFinding]:
    """What the store shows of a month (its first day), signed or not."""
    last = month_end(month)
    findings = list[DataFinding]()
    for ref, product in group.products.items():
        periods = product_days.read_either(store, ref, product.grain, month - DAY * PAST_DAYS, last)
        for finding in _findings(product, periods, month):
            if finding.last is not None and finding.last >= month:
                findings.append(finding)
    findings += unasked.find(store, group, {month}, stored_products.read_spans(store))
    # Only a stated number may have come since the month was published.
    stated = {month} if any(stands_in(product, month) for product in group.products.values()) else set()
    return [*findings, *_contradicted(store, group, stated | _doubted(store, group, {month} - stated))]


def read_exchanged(store: ContributionStore, group: Group, month: date) -> list[DataFinding]:
    """The days of a month whose users are others than before, by every version's registers: for whoever signs the month."""
    findings = list[DataFinding]()
    for ref, product in group.products.items():
        findings += exchanged.find(store, product_days.read_either(store, ref, product.grain, month, month_end(month)))
    return findings


def read_missing(store: ContributionStore, group: Group, now: datetime) -> dict[str, tuple[date, ...]]:
    """By product (affiliate/product), the days that are missing in the store at a moment; products without any are left out."""
    missing_days = {}
    for ref, product in group.products.items():
        zone = product.day_zone or group.settings.time_zone
        present = [(version.grain, version.activity_date) for version in store.read_versions(ref)]
        lacking = missing(product, present, product.from_, local_day(now, zone), zone, now)
        if days := asked_of(group, ref.affiliate, lacking):
            missing_days[str(ref)] = days
    return missing_days


def is_in_store(finding: DataFinding) -> bool:
    """Whether the store shows a finding; others are known to the run alone that has read the product's sources."""
    return finding.what.startswith(SHOWN_BY_STORE)


def judged_since(signed: Collection[date], today: date) -> date:
    """The day from which on single days are judged: the first of the month before, or of this month where that one is signed.

    Else a check would turn green with the next day's run, before anybody has looked.
    """
    this_month = month_of(today)
    before = month_before(this_month)
    return this_month if before in signed else before


def _findings(product: Product, periods: Sequence[ProductDay], since: date) -> Iterator[DataFinding]:
    """What a product's periods show. A fall of a few days that is over is judged from `since` on, as a single day is."""
    if not periods:
        return
    ref = str(periods[0].ref)
    grain = periods[0].grain
    lost = losses.find(periods, product.active.label)
    for loss in lost:
        text = f"{ref}: {loss}: {loss.question}"
        last = last_day(grain, loss.last)
        what = f"{LOST_USERS} from {loss.first}"
        yield DataFinding(text, Page.CHECK_LOSS, ref, what, loss.first, last, loss.before - loss.users)
    yield from two_computations.find(periods)
    in_loss = losses.days_of(lost)
    fallen = [fall for fall in falls.find(periods, in_loss) if not _is_cut(product, fall, grain)]
    for fall in fallen:
        if fall.last < since and fall.last < periods[-1].day and grain == "day" and fall.periods < LEAST_EMPTY_DAYS:
            continue
        what = f"{NO_USERS if fall.is_empty else FEWER_USERS} from {fall.first}"
        text = f"{ref}: {quality_checks.fall_in_words(fall)}{_hint(product, periods, fall)}"
        yield DataFinding(text, Page.CHECK_FALL, ref, what, fall.first, last_day(grain, fall.last))
    judged = [period for period in periods if period.day >= since]
    if not judged:
        return
    in_fall = falls.days_of(judged, fallen)
    for day in quality_checks.compared_days(periods, judged, fallen, lost) if grain == "day" else ():
        if day.is_unusual and day.day not in in_fall:
            text = f"{ref}: {day.users:,} users on {day.day}, usually {day.usual:,.0f} on that weekday"
            yield DataFinding(text, Page.CHECK_CHANGE, ref, f"{UNLIKE_WEEKDAY} on {day.day}", day.day, day.day)
    for day_rate in event_rates.unusual(periods, judged, in_fall | in_loss) if grain == "day" else ():
        rates = f"{day_rate.rate:,.1f} events per user on {day_rate.day}, usually {day_rate.usual:,.1f}"
        text = f"{ref}: {rates}: is it another column of identifiers?"
        yield DataFinding(text, Page.IDENTIFIERS, ref, f"{EVENT_RATE} on {day_rate.day}", day_rate.day, day_rate.day)
    for check in quality_checks.check_product(judged):
        if check.name == "events_at_least_users" and not check.passed:
            text = f"{ref}: fewer events than users, or events and no users: {check.explanation}"
            yield DataFinding(text, Page.CHECK_EVENTS, ref, f"{FEWER_EVENTS} since {since}", since, judged[-1].day)
    many = [
        period
        for period in judged
        if plausibility.are_many(period.events, period.users, (last_day(grain, period.day) - period.day).days + 1)
    ]
    if many:
        most = max(many, key=lambda period: (period.events or 0) / (period.users or 1))
        text = f"{ref}: {most.events:,} events of {most.users:,} users on {most.day}: have keys been lost, or become one?"
        yield DataFinding(text, Page.IDENTIFIERS, ref, f"{MANY_EVENTS} since {since}", since, judged[-1].day)


def _unlike_group(products: Sequence[Sequence[ProductDay]]) -> Iterator[DataFinding]:
    """Products whose own past is too short to judge their events per user by, and which no other product of the group is like."""
    for unlike in event_rates.unlike_group(products):
        others = f"{unlike.lowest:,.1f} to {unlike.highest:,.1f} with the group's other products"
        text = f"{unlike.ref}: {unlike.rate:,.1f} events per user, {others}: does the column hold the users' identifiers?"
        yield DataFinding(text, Page.IDENTIFIERS, unlike.ref, f"{GROUP_RATE} since {unlike.first}", unlike.first, unlike.last)


def contradictions_of(measured: Measured) -> list[DataFinding]:
    """The numbers of products that can't both be right, in a month's figures."""
    month = measured.inputs.month
    what = f"{CONTRADICTION} in {month:%Y-%m}"
    return [
        DataFinding(f"{month:%Y-%m}, {text}", Page.CHECK_NUMBERS, name, what, month, month_end(month))
        for name, figure in measured.products.items()
        for text in contradictions.among(figure.reasons)
    ]


def _contradicted(store: ContributionStore, group: Group, months: Collection[date]) -> Iterator[DataFinding]:
    """What contradicts each other in these months' figures, as a run would publish them now."""
    figures = Months(store, group, as_run=True)
    for month in sorted(months):
        try:
            measured = figures.figures_of(month, group.readings.reading_on(month_end(month)))
        except RefusedError:  # The run says so where it publishes the month.
            continue
        yield from contradictions_of(measured) if measured else ()


def _doubted(store: ContributionStore, group: Group, months: Collection[date]) -> set[date]:
    """Which of these months are published with numbers that contradict each other."""
    in_force = publications.in_force(store)
    readings = {month: group.readings.reading_on(month_end(month)).name for month in months}
    wanted = {in_force[key].id: key[0] for key in readings.items() if key in in_force}
    return {wanted[number] for number in publications.with_reason(store, list(wanted), contradictions.WRONG)}


def _is_cut(product: Product, fall: Fall, grain: str) -> bool:
    """Whether a month has few users because the product's life ends within it."""
    return grain == "month" and not fall.is_empty and product.to is not None and month_of(product.to) == fall.last


def _hint(product: Product, periods: Sequence[ProductDay], fall: Fall) -> str:
    """What a fall to nobody is most often: an export that stands still, or a condition that never holds."""
    if not fall.is_empty:
        return ""
    if fall.first == periods[0].day:
        return ": see to the source, `counts_when` and `automated_when`"
    if fall.last == periods[-1].day and any(source.complete_through for source in product.sources):
        return f", although `complete_through` says that all events are there through {fall.last}"
    return ""


def _is_open(finding: DataFinding, signed: Collection[date]) -> bool:
    """Whether any month that a finding is about is unsigned."""
    if finding.first is None or finding.last is None:
        return True
    return not set(months_between(finding.first, finding.last)) <= set(signed)
