"""What was published of each month: the figures in force, month after month, under each month's reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication

FIGURE_COLUMNS = (
    "scope", "subject", "estimate", "lower", "upper", "complete", "summed_products", "days_expected", "days_present",
    "months_expected", "months_present",
)  # fmt: skip
"""The columns of the table `figures` that a month is shown by; numbers are people, but for the periods."""


@dataclass(frozen=True)
class ShownMonth:
    """A month's publication in force, with its figures."""

    publication: Publication
    figures: Sequence[dict[str, Any]]
    """`FIGURE_COLUMNS` of the group's, each affiliate's and each product's figure, in the order of the publication."""

    def to_dict(self) -> dict[str, Any]:
        """The month as `history --json` writes it."""
        about = self.publication
        return {
            "month": f"{about.month:%Y-%m}",
            "reading": about.reading,
            "state": about.state,
            "published": about.known_at.isoformat(),
            "signed_by": about.signed_by,
            "restated_because": about.reason,
            "figures": list(self.figures),
        }


def read(
    store: ContributionStore, group: Group, reading: Reading | None, first: date | None, last: date | None
) -> tuple[list[ShownMonth], list[date]]:
    """The published months from `first` to `last` (first days, both included), and those published under other readings alone.

    `reading`: one for all months; without it, each month has the reading of record on its last day.
    """
    shown: list[ShownMonth] = []
    elsewhere: list[date] = []
    in_force = publications.in_force(store)
    for month in sorted({month for month, _ in in_force}):
        if (first and month < first) or (last and month > last):
            continue
        name = (reading or group.readings.reading_on(month_end(month))).name
        publication = in_force.get((month, name))
        if publication is None:
            elsewhere.append(month)
            continue
        rows = publications.figures_of(store, publication.id)
        shown.append(ShownMonth(publication, [{column: row[column] for column in FIGURE_COLUMNS} for row in rows]))
    return shown, elsewhere
