"""What the pages of group and products read: people, unique addition, step and cause, coverage by day, overlaps of products."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import DAY as ONE_DAY
from affiliates.periods import Grain, end_of, month_days, month_end
from pipelines.counting.figure import Figure
from pipelines.figures import page_month, rows
from pipelines.figures.months import ClauseCount, clause_count
from pipelines.figures.page_month import Month, MonthStep, PageMonth, ShownFigure
from pipelines.store import alert_log, page_rows
from pipelines.store.alert_log import AlertKey
from pipelines.store.contributions import ContributionStore
from pipelines.store.page_rows import Row

State = Literal["measured", "not_measurable", "not_measured"]
"""`not_measurable`: less than three standard errors from nobody, so the interval is all that is known. `not_measured`: no kind of
identifier is in both, so nobody in common can be seen; or there are no sketches."""
DayState = Literal[
    "present",
    "unsettled",
    "replaced",
    "restated",
    "stand_in",
    "refused",
    "missing",
    "awaited",
    "coming",
    "outside",
]
"""Of a day of a product, in this order: there and settled; there, and late events may come; there, in the place of an earlier
version; there, or in the place of an earlier version, only after the month was signed; a count or a ceiling stands in; not there,
and its product's data are refused now; not there and due; not there, and late events may come; not over; the product doesn't live
then, or isn't in the group."""


@dataclass(frozen=True)
class ProductAddition:
    """Whom a product alone brings beside all others, in people."""

    state: State
    estimate: int | None
    lower: int | None
    upper: int | None
    what: str
    """Why it isn't measured; empty where it is."""


@dataclass(frozen=True)
class ProductRow:
    """A product of a month."""

    product: str
    """As affiliate/product."""
    affiliate: str
    shown: ShownFigure
    share: float | None
    """Of the group's estimate, from 0 to 1; together shares are more where people use several. Null without estimates."""
    addition: ProductAddition | None
    """Null where it isn't published yet."""
    step: MonthStep
    """The step from the month before."""


@dataclass(frozen=True)
class AffiliateRow:
    """An affiliate of a month, with its products."""

    affiliate: str
    shown: ShownFigure
    share: float | None
    step: MonthStep
    products: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """Whom two products have in common, in people."""

    state: State
    estimate: int | None
    lower: int | None
    upper: int | None
    share_of_first: float | None
    share_of_second: float | None
    what: str
    """Why it isn't measured; empty where it is."""


@dataclass(frozen=True)
class DayCell:
    """A day of a product."""

    day: date
    state: DayState
    computed_at: datetime | None = None
    received_at: datetime | None = None
    reason: str | None = None
    """Why a day of a closed month was replaced."""


@dataclass(frozen=True)
class GroupPage:
    """What the page of the group shows for a month."""

    month: Month
    affiliates: tuple[AffiliateRow, ...]
    """The largest first."""
    products: tuple[ProductRow, ...]
    """The largest first."""
    step: MonthStep
    """The group's step from the month before, by what the reading counts."""
    calendar: Mapping[str, tuple[DayCell, ...]]
    """By product (affiliate/product), each day of the month."""
    overlaps: Mapping[tuple[str, str], Overlap]
    """By two products in the order of their names; empty where that isn't published yet."""


def read(store: ContributionStore, group: Group, page: PageMonth, now: datetime) -> GroupPage:
    """The group's page for a month (`page_month.page_month`)."""
    month = page_month.month(store, page)
    before = rows.read_figures(store, page.before, page.reading) if page.before else None
    noted = page_month.changes(store, page.publication, page.before)
    whole = month.group.figure.estimate
    additions = {row["product"]: _addition(row) for row in page_rows.additions(store, page.publication.inputs)}

    def share(shown: ShownFigure) -> float | None:
        return shown.figure.estimate / whole if whole and shown.figure.estimate is not None else None

    products = [
        ProductRow(
            name,
            ProductRef.parse(name).affiliate,
            shown,
            share(shown),
            additions.get(name),
            page_month.step(shown.figure.estimate, _estimate(before.products.get(name) if before else None), noted, name),
        )
        for name, shown in month.products.items()
    ]
    affiliates = [
        AffiliateRow(
            name,
            shown,
            share(shown),
            page_month.step(shown.figure.estimate, _estimate(before.affiliates.get(name) if before else None), noted, name),
            tuple(row.product for row in products if row.affiliate == name),
        )
        for name, shown in month.affiliates.items()
    ]
    return GroupPage(
        month,
        tuple(sorted(affiliates, key=lambda row: (-(row.shown.figure.estimate or 0), row.affiliate))),
        tuple(sorted(products, key=lambda row: (-(row.shown.figure.estimate or 0), row.product))),
        page_month.step(month.counted.estimate, _estimate(clause_count(before, page.reading) if before else None), noted),
        coverage_calendar(store, group, month, now),
        {(row["first"], row["second"]): _overlap(row) for row in page_rows.overlaps(store, page.publication.inputs)},
    )


def coverage_calendar(store: ContributionStore, group: Group, month: Month, now: datetime) -> dict[str, tuple[DayCell, ...]]:
    """By product of the month's figures, the state of each of its days, by what the store has now."""
    first = month.page.month
    periods: dict[str, list[Row]] = {}
    for row in page_rows.periods(store, first, month_end(first)):
        periods.setdefault(f"{row['affiliate']}/{row['product']}", []).append(row)
    # Receipts name files, and no days: which products are refused now is what the alert knows.
    refused = _refused(store)
    manifests = {str(ref): product for ref, product in group.products.items()}
    signed = page_rows.first_signed(store).get(first)
    calendar = {}
    for name, shown in month.products.items():
        stands_in = shown.figure.upper is not None and not shown.figure.complete
        product = manifests.get(name)
        there = _by_day(periods.get(name, []), first)
        calendar[name] = tuple(
            _cell(group, name, product, day, there.get(day), now, signed, stands_in, name in refused) for day in month_days(first)
        )
    return calendar


def _estimate(figure: Figure | ClauseCount | None) -> int | None:
    return figure.estimate if figure is not None else None


def _by_day(of_product: list[Row], first: date) -> dict[date, Row]:
    """By day the contribution that has it: a whole month's where the day has none of its own."""
    whole = next((row for row in of_product if row["grain"] == "month"), None)
    by_day = dict.fromkeys(month_days(first), whole) if whole else {}
    return {day: row for day, row in (by_day | {r["activity_date"]: r for r in of_product if r["grain"] == "day"}).items() if row}


def _cell(
    group: Group,
    name: str,
    product: Product | None,
    day: date,
    row: Row | None,
    now: datetime,
    signed: datetime | None,
    stands_in: bool,
    is_refused: bool,
) -> DayCell:
    ref = ProductRef.parse(name)
    if row is not None:
        settled = settles_at(group, ref, row["grain"], row["activity_date"], row["day_zone"]) if product else row["computed_at"]
        state: DayState = (
            "unsettled"
            if row["computed_at"] < settled
            else "restated"
            if row["reason"] is not None or (signed is not None and row["known_at"] > signed)
            else "replaced"
            if row["supersedes"] is not None
            else "present"
        )
        return DayCell(day, state, row["computed_at"], row["known_at"], row["reason"])
    # A day without a contribution has no zone of its own: its product's is taken, or the group's.
    zone = (product.day_zone if product else None) or group.settings.time_zone
    if product is None or not product.holds_on(day) or ref.affiliate not in group.affiliates(month_end(day)):
        return DayCell(day, "outside")
    # Of a product that counts by month no day is due before the month is over.
    unit: Grain = product.grain
    over = end_of(unit, day, zone)
    if over > now:
        return DayCell(day, "coming")
    if stands_in:
        return DayCell(day, "stand_in")
    if is_refused:
        return DayCell(day, "refused")
    return DayCell(day, "awaited" if over + ONE_DAY * product.settles_after > now else "missing")


def _refused(store: ContributionStore) -> set[str]:
    """The products whose data are refused now, by the alert about failed runs, which names them with their days."""
    failed = alert_log.current(store).get(AlertKey("failed_run"))
    return {line.partition(",")[0] for line in failed.subjects.splitlines()} if failed and failed.is_open else set()


def _addition(row: Row) -> ProductAddition:
    return ProductAddition(row["state"], row["estimate"], row["lower"], row["upper"], row["what"])


def _overlap(row: Row) -> Overlap:
    shares = row["share_of_first"], row["share_of_second"]
    return Overlap(row["state"], row["estimate"], row["lower"], row["upper"], *shares, row["what"])
