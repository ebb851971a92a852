"""The manifests' counts and ceilings, brought into the store."""

from collections.abc import Iterator
from datetime import date

from affiliates.manifests.group import Group
from affiliates.manifests.product import document_text
from affiliates.periods import month_before, month_days, months_between
from pipelines.records import StatedCount
from pipelines.workspace import Workspace


def take_counts(workspace: Workspace) -> int:
    """Bring the manifests' counts and ceilings into the store; says how many changed."""
    given = list(_given(workspace.group, workspace.today))
    store = workspace.store() if given else workspace.store_if_any()
    return store.replace_counts(date.min, date.max, given, workspace.now) if store else 0


def _given(group: Group, today: date) -> Iterator[StatedCount]:
    """The manifests' counts, and their ceilings for each month that is over."""
    for ref, p in group.products.items():
        for count in p.counts:
            yield StatedCount(*ref, count.month, "count", count.users, count.unit, document_text(count), count.attested_by)
        for month in months_between(p.from_, month_before(today)) if p.ceilings else ():
            alive = [day for day in month_days(month) if p.holds_on(day)]
            roofs = [next((c for c in p.ceilings if c.holds_on(day)), None) for day in alive]
            # In force on every day; where it changed in the month, the higher one holds.
            if (found := [c for c in roofs if c]) and None not in roofs:
                c = max(found, key=lambda c: c.users)
                yield StatedCount(*ref, month, "ceiling", c.users, c.unit, document_text(c), c.attested_by)
