"""The manifests' counts and ceilings, brought into the store."""

from collections.abc import Iterator
from datetime import date

from affiliates.manifests.group import Group
from affiliates.manifests.product import Ceiling, Product, document_text
from affiliates.periods import month_before, month_days, months_between
from pipelines.records import StatedCount
from pipelines.workspace import Workspace


def take_counts(workspace: Workspace) -> int:
    """Make the manifests' counts and ceilings those in force in the store; gives how many changed.

    The manifests hold all of them: what is no longer there is withdrawn.
    """
    stated = list(_stated(workspace.group, workspace.today))
    store = workspace.store() if stated else workspace.store_if_any()
    return store.replace_counts(date.min, date.max, stated, workspace.now) if store else 0


def _stated(group: Group, today: date) -> Iterator[StatedCount]:
    """The manifests' counts, and their ceilings for each month that is over."""
    for ref, product in group.products.items():
        for count in product.counts:
            yield StatedCount(*ref, count.month, "count", count.users, count.unit, document_text(count), count.attested_by)
        # A manifest gives a ceiling for a stretch of days, and counting asks for one by month.
        for month in months_between(product.from_, month_before(today)) if product.ceilings else ():
            if (ceiling := _ceiling_of(product, month)) is not None:
                document = document_text(ceiling)
                yield StatedCount(*ref, month, "ceiling", ceiling.users, ceiling.unit, document, ceiling.attested_by)


def _ceiling_of(product: Product, month: date) -> Ceiling | None:
    """The ceiling that bounds a month's users; None unless one is in force on every day of the product's life in the month.

    Where the ceiling changed within the month, the higher one bounds the month.
    """
    lived = [day for day in month_days(month) if product.holds_on(day)]
    by_day = [next((ceiling for ceiling in product.ceilings if ceiling.holds_on(day)), None) for day in lived]
    in_force = [ceiling for ceiling in by_day if ceiling]
    if not in_force or None in by_day:
        return None
    return max(in_force, key=lambda ceiling: ceiling.users)
