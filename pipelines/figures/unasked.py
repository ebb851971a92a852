"""What the store has of a month that is in no figure, although it was counted before or nobody has said why it isn't.

Nothing is missing then and nothing was refused: the figure is low, and calls itself complete. A manifest is gone, hidden or
renamed; a product's life was moved; a share or its days were edited; no reading asks for an audience any more.

It is quiet where the manifests say why: an affiliate that left or joined on a stated day of the month, or that was never counted.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from datetime import date
from functools import cache

from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import DAY, month_before, month_days, month_end, months_between
from pipelines.runbook import DataFinding, Page
from pipelines.store import product_days, stored_products
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import COUNTED
from pipelines.store.stored_products import Span

UNASKED = "stored, and in no figure"
NO_READING = "users are asked for by no reading"
AUDIENCES = tuple(f"{audience} {NO_READING}" for audience in COUNTED)
"""How the finding of each audience begins (`DataFinding.what`). No month is in its words, so that it is accepted once for all."""


def find(store: ContributionStore, group: Group, months: Collection[date], spans: Collection[Span]) -> Iterator[DataFinding]:
    """What the store has of months (first days) that none of their figures has, product by product.

    `spans`: all products' (`stored_products.read_spans`).
    """
    stated = defaultdict[ProductRef, set[date]](set)
    for ref, month in stored_products.read_stated(store):
        stated[ref].add(month)
    stored = defaultdict[ProductRef, set[date]](set)
    for span in spans:
        stored[span.ref] |= set(months_between(span.first, span.last))
    asked = {month: _asked(group, month) for month in months}

    @cache
    def counted(month: date) -> set[ProductRef]:
        """The products that were counted in a month, or at last in the month before."""
        return stored_products.read_counted(store, month) | stored_products.read_counted(
            store, month_before(month), in_force=True
        )

    for ref in sorted(stored.keys() | stated.keys()):
        for month in sorted((stored[ref] | stated[ref]) & set(months)):
            why = "" if ref in asked[month] else _why(group, ref, month, counted)
            what, users = _what_is_there(store, ref, month, month in stated[ref]) if why else ("", 0)
            if what and not (month not in stated[ref] and _is_there_by_another_name(store, ref, month, asked[month])):
                text = f"{ref}: {what} of {month:%Y-%m} are stored, and in no figure: {why}"
                name = f"{UNASKED} of {month:%Y-%m}"
                yield DataFinding(text, Page.UNASKED, str(ref), name, month, month_end(month), users)
    yield from _audiences(store, group, months)


def _asked(group: Group, month: date) -> set[ProductRef]:
    """The products that a month's figures have, under any reading."""
    last = month_end(month)
    shares = {reading.control_share for reading in group.readings.readings}
    members = {member for share in shares for member in group.affiliates(last, share)}
    return {ref for ref, product in group.products.items() if ref.affiliate in members and product.due_between(month, last)}


def _why(group: Group, ref: ProductRef, month: date, counted: Callable[[date], set[ProductRef]]) -> str:
    """Why no figure of a month has a product; empty where the manifests say that it is so."""
    product = group.product(ref)
    if product is None:
        return "no manifest names the product; is a file in affiliates/ gone, or hidden by a name that begins with a dot?"
    if not product.due_between(month, month_end(month)):
        return f"by its manifest the product lives {_life(product)}"
    return _why_outside(group, ref, month, counted)


def _life(product: Product) -> str:
    """A product's life in words; the manifest's `to` is the first day after it."""
    return f"from {product.from_}" + (f" to before {product.to}" if product.to else " on")


def _why_outside(group: Group, ref: ProductRef, month: date, counted: Callable[[date], set[ProductRef]]) -> str:
    """Why a product's affiliate is outside the group at a month's end; empty for a stated end, and where it was never counted."""
    last = month_end(month)
    share = min(reading.control_share for reading in group.readings.readings)
    has_left_within = ref.affiliate in group.affiliates(month - DAY, share)
    if has_left_within or ref not in counted(month):
        return ""
    outside = group.why_outside(ref.affiliate, group.affiliates(last, share), last)
    return f"it was counted, and {ref.affiliate} is outside the group now ({outside}), with no day in {month:%Y-%m} as its end"


def _what_is_there(store: ContributionStore, ref: ProductRef, month: date, is_stated: bool) -> tuple[str, int]:
    """What the store has of a product and a month, in words, and its users added up; no words for nothing, or for nobody."""
    last = month_end(month)
    periods = [*product_days.read(store, ref, "day", month, last), *product_days.read(store, ref, "month", month, month)]
    with_users = [period for period in periods if period.users != 0]
    there = []
    number = 0
    if with_users:
        grains = {"day": "days", "month": "whole months"}
        number = max(sum(period.users or 0 for period in with_users if period.grain == grain) for grain in grains)
        there.append(f"{len(with_users)} {grains[with_users[0].grain]} (added up {number:,} users)")
    if is_stated:
        there.append("counts or ceilings")
    return " and ".join(there), number


def _is_there_by_another_name(store: ContributionStore, ref: ProductRef, month: date, asked: Collection[ProductRef]) -> bool:
    """Whether products that are counted have each sketch of this one, of the same period: it was renamed, and nobody is lost."""
    cells = store.read_cells(month_days(month))
    counted = {(cell.grain, cell.activity_date, cell.sketch) for cell in cells if cell.ref in asked}
    own = [cell for cell in cells if cell.ref == ref and cell.audience in COUNTED and cell.estimate != 0 and not cell.next_epoch]
    return all((cell.grain, cell.activity_date, cell.sketch) in counted for cell in own)


def _audiences(store: ContributionStore, group: Group, months: Collection[date]) -> Iterator[DataFinding]:
    """Users of an audience that no reading counts. Automated users are nobody, so nothing is said of them."""
    for audience in COUNTED:
        if any(audience in reading.audiences for reading in group.readings.readings):
            continue
        for ref, (first, last) in stored_products.read_users(store, months, audience).items():
            text = f"{ref}: it has {audience} users, and no reading of readings.yaml has this audience: they are in no figure"
            yield DataFinding(text, Page.UNASKED, str(ref), f"{audience} {NO_READING}", first, month_end(last))
