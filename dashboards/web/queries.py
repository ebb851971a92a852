"""What a page reads: published figures of one moment of the store, for one viewer. No SQL, no sketch, and nothing is computed.

A viewer of affiliates gets their rows alone: rows are chosen here and not on a page, where one forgotten line would show them.

Over 300 lines: one class is the only way from a page to the store.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from affiliates.manifests.group import Group, affiliate_of
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import add_months, local_day, month_before, month_end
from dashboards.web.group_directory import GroupManifests
from dashboards.web.router import Parameters
from dashboards.web.viewer import Role, Viewer
from pipelines.counting.figure import Figure
from pipelines.figures import page_month, published_data, published_group
from pipelines.figures.months import ClauseCount, clause_count
from pipelines.figures.published_data import DataPage
from pipelines.figures.published_group import DayCell, Overlap, ProductRow
from pipelines.figures.rows import read_figures
from pipelines.licences import release_tests
from pipelines.licences.release_tests import Licence
from pipelines.records import PublishedMonth
from pipelines.store import (
    alert_log,
    clause_results,
    month_notes,
    outbox,
    outlooks,
    publications,
    published_figures,
    run_log,
)
from pipelines.store.alert_log import Transition
from pipelines.store.contributions import ContributionStore
from pipelines.store.outbox import Message
from pipelines.store.outlooks import PublishedOutlook
from pipelines.store.publications import Publication
from pipelines.store.run_log import LoggedRun

TREND_MONTHS = 24
Read = TypeVar("Read")


@dataclass(frozen=True)
class MonthFigures:
    """A month's published figures under a reading, as far as the viewer may see them."""

    publication: Publication
    reading: Reading
    whole: ClauseCount | None
    """The group's, by what the reading counts; null for a viewer of affiliates."""
    affiliates: Mapping[str, Figure]
    products: Mapping[str, Figure]
    """By affiliate/product."""

    @property
    def month(self) -> date:
        """The month's first day."""
        return self.publication.month


@dataclass(frozen=True)
class VisibleGroup:
    """What the page of the group shows, as far as the viewer may see it."""

    products: Sequence[ProductRow]
    """The largest first."""
    calendar: Mapping[str, Sequence[DayCell]]
    """By affiliate/product, each day of the month."""
    overlaps: Mapping[tuple[str, str], Overlap]
    """By two products in the order of their names; empty where none is published."""


class PageRows:
    """The published rows of one snapshot of the store, chosen for one viewer."""

    def __init__(
        self, store: ContributionStore | None, manifests: GroupManifests, directory: Path, viewer: Viewer, now: datetime
    ) -> None:
        self._store = store
        self._directory = directory
        self.group = manifests.group
        self.registry = manifests.registry
        self.files = manifests.files
        self.viewer = viewer
        self.now = now

    @property
    def has_store(self) -> bool:
        """Whether there is a store: the first run makes one."""
        return self._store is not None

    def read_group(self, reader: Callable[[ContributionStore], Read]) -> Read | None:
        """What a reader of published rows gives; null without a store, and for a viewer who doesn't see the whole group."""
        return reader(self._store) if self._store is not None and self.sees_group else None

    def data(self) -> DataPage | None:
        """What was handed in and what happened to it, as far as the viewer may see that; null without a store."""
        if self._store is None:
            return None
        page = published_data.read(self._store, self.group, self.now, self._directory)
        if self.sees_group:
            return page
        mine = self.viewer.affiliates
        return DataPage(
            tuple(row for row in page.products if self.sees(row.product)),
            tuple(receipt for receipt in page.receipts if receipt.sender in mine),
            tuple(receipt for receipt in page.refused if receipt.sender in mine),
            tuple(row for row in page.late if self.sees(row.product)),
            tuple(row for row in page.replaced if self.sees(row.product)),
            # Signatures and runs are of the whole group.
            (),
            (),
        )

    @property
    def directory(self) -> Path:
        """The group directory."""
        return self._directory

    @property
    def snapshot(self) -> ContributionStore | None:
        """The store at one moment, for readers that choose rows by the viewer's name themselves; null where there is none."""
        return self._store

    @property
    def sees_group(self) -> bool:
        """Whether the viewer may see figures of the whole group."""
        return bool(self.viewer.roles - {Role.affiliate})

    def sees(self, subject: str) -> bool:
        """Whether the viewer may see the figures of an affiliate or of a product (affiliate/product)."""
        return self.sees_group or affiliate_of(subject) in self.viewer.affiliates

    @property
    def today(self) -> date:
        """The day in the group's zone."""
        return local_day(self.now, self.group.settings.time_zone)

    @property
    def group_name(self) -> str:
        """The group's full name, else its short one."""
        return self.group.settings.name or self.group.settings.group

    @property
    def readings(self) -> list[str]:
        """Names of the readings, in the order of readings.yaml."""
        return [reading.name for reading in self.group.readings.readings]

    def reading(self, name: str | None, month: date) -> Reading:
        """The reading of a name, or the reading of record of a month's last day. Raises `KeyError` for an unknown name."""
        if name is None:
            return self.group.readings.reading_on(month_end(month))
        return {reading.name: reading for reading in self.group.readings.readings}[name]

    @cached_property
    def in_force(self) -> Mapping[tuple[date, str], Publication]:
        """By month and reading, the publication in force."""
        return {} if self._store is None else publications.in_force(self._store)

    @cached_property
    def months(self) -> list[date]:
        """The published months, in order."""
        return sorted({month for month, _ in self.in_force})

    def month_of(self, parameters: Parameters) -> date:
        """The month that a page is about: the address's, else the newest that is over, else the newest that is published."""
        if parameters.month is not None:
            return parameters.month
        # A month that isn't over is published, too, and has no upper bound for as long.
        return next((month for month in reversed(self.months) if month_end(month) < self.today), self.months[-1])

    @property
    def newest_publication(self) -> int:
        """The number of the newest publication; 0 where there is none."""
        return 0 if self._store is None else publications.newest(self._store)

    @cached_property
    def state(self) -> str:
        """What the answers rest on besides the manifests: equal states give equal pages on one day."""
        # Two numbers, and not all rows: each request asks for them.
        newest_alert = alert_log.newest(self._store) if self._store is not None and self.sees_group else 0
        return f"{self.newest_publication}.{newest_alert}.{self.today}"

    @property
    def kept_until_changed(self) -> tuple[object, ...]:
        """All that a kept answer rests on beside its address and viewer.

        An answer is kept for a minute at most: ages grow, and runs and deliveries come without a publication.
        """
        return self.state, self.files, f"{self.now:%Y-%m-%d %H:%M}"

    def figures(self, month: date, reading: Reading) -> MonthFigures | None:
        """A month's figures under a reading; null where nothing is published under the reading."""
        publication = self.in_force.get((month, reading.name))
        if publication is None or self._store is None:
            return None
        # All rows of the publication are read, and only those of the viewer leave this method.
        measured = read_figures(self._store, publication, reading)
        return MonthFigures(
            publication,
            reading,
            clause_count(measured, reading) if self.sees_group else None,
            {name: figure for name, figure in measured.affiliates.items() if self.sees(name)},
            {name: figure for name, figure in measured.products.items() if self.sees(name)},
        )

    def trend(self, month: date, reading: Reading, months: int = TREND_MONTHS) -> list[PublishedMonth]:
        """The group's published months up to a month, the oldest first; none for a viewer of affiliates."""
        if self._store is None or not self.sees_group:
            return []
        since = add_months(month, 1 - months)
        return [past for past in published_figures.read(self._store, reading, since) if past.month <= month]

    def publications_of(self, month: date, reading: Reading) -> list[Publication]:
        """All publications of a month, the oldest first."""
        return [] if self._store is None else publications.history(self._store, month, reading.name)

    @property
    def threshold(self) -> int | None:
        """The threshold that the group's figure is compared with."""
        return self.licence.clause.threshold if self.licence else None

    @property
    def licence(self) -> Licence | None:
        """The clause that the group's figure is compared with: the newest of the Llama family (decision 22)."""
        known = release_tests.llama_releases(self.registry)
        return known[-1] if known else None

    @cached_property
    def clause_results(self) -> list[dict[str, Any]]:
        """The published results of all clauses under all readings; none for a viewer of affiliates."""
        return clause_results.current(self._store) if self._store is not None and self.sees_group else []

    def licence_name(self, licence: str) -> str:
        """A licence's name in the registry, else its id."""
        entry = self.registry.get(licence)
        return entry.name if entry else licence

    def outlook(self, month: date, reading: Reading) -> PublishedOutlook | None:
        """What is expected of the group's threshold after the newest month; null for others, and where none is published."""
        if self._store is None or not self.sees_group or self.threshold is None:
            return None
        newest = outlooks.newest(self._store, reading.name, "", self.threshold)
        # What was expected after a past month would be read as what is expected now.
        return newest if newest is not None and newest.month == month else None

    def why_no_outlook(self, month: date, reading: Reading) -> str:
        """Why a month has no outlook, in words."""
        if self.months and month < self.months[-1]:
            return "a past month: what is expected stands with the newest one"
        bounded = [past for past in self.trend(month, reading) if past.upper is not None]
        if len(bounded) < 2:
            return f"a forecast needs two months with an upper bound: there {'is' if len(bounded) == 1 else 'are'} {len(bounded)}"
        return "none is published under this reading yet: the next run does it"

    def changes(self, publication: Publication) -> list[dict[str, Any]]:
        """The causes of the step from the month before, as the run noted them: rows of `month_changes` that the viewer may see.

        Empty where no run has noted any yet.
        """
        if self._store is None:
            return []
        before = self.in_force.get((month_before(publication.month), publication.reading))
        causes = month_notes.changes_of(self._store, publication.id, before.id if before else None)
        return [cause for cause in causes if self.sees_group or (cause["subject"] and self.sees(cause["subject"]))]

    def range_parts(self, publication: Publication) -> list[dict[str, Any]]:
        """How wide each range of a publication is by what: rows of `range_parts` that the viewer may see."""
        if self._store is None:
            return []
        parts = month_notes.parts_of(self._store, publication.id)
        return [part for part in parts if self.sees_group or (part["scope"] != "group" and self.sees(part["subject"]))]

    def products_page(self, month: date, reading: Reading) -> VisibleGroup | None:
        """Products, coverage and overlaps of a month, as far as the viewer may see them; null where nothing is published."""
        if self._store is None or (month, reading.name) not in self.in_force:
            return None
        # All of it from the one snapshot that the page has.
        page = page_month.page_month(self._store, self.group, self.now, self._directory, month, reading.name)
        shown = published_group.read(self._store, self.group, page, self.now)
        return VisibleGroup(
            tuple(row for row in shown.products if self.sees(row.product)),
            {name: cells for name, cells in shown.calendar.items() if self.sees(name)},
            # Of a pair both must be the viewer's: the other one's name is a figure of somebody else, too.
            {pair: overlap for pair, overlap in shown.overlaps.items() if all(map(self.sees, pair))},
        )

    def last_runs(self, number: int = 1) -> list[LoggedRun]:
        """The last runs, the newest first, also those that found nothing new."""
        return [] if self._store is None else run_log.latest(self._store, self._directory, number)

    @cached_property
    def alerts(self) -> list[Transition]:
        """Each alert's last transition, the newest first; none for a viewer of affiliates, whom no alert is about."""
        if self._store is None or not self.sees_group:
            return []
        # By number: an alert that is raised again has a new one.
        return sorted(alert_log.current(self._store).values(), key=lambda alert: -alert.opened)

    def alert_history(self, number: int) -> list[Transition]:
        """All transitions of an alert, the oldest first; none for an unknown number."""
        return alert_log.history(self._store, number) if self._store is not None and self.sees_group else []

    def messages(self, number: int) -> list[Message]:
        """The messages about an alert, in the order in which they were stored."""
        if self._store is None or not self.sees_group:
            return []
        return [message for message in outbox.read(self._store) if message.opened == number]


def product_name(group: Group, subject: str) -> str:
    """A product's full name; affiliate/product where it has none, or another product has the same."""
    product = group.product(ProductRef.parse(subject))
    name = product.name if product else ""
    is_the_only_one = sum(other.name == name for other in group.products.values()) == 1
    return name if name and is_the_only_one else subject


def names(subjects: Sequence[str], most: int = 3) -> str:
    """Subjects in a sentence: the first ones, and how many more."""
    rest = len(subjects) - most
    return ", ".join(subjects[:most]) + (f" and {rest} more" if rest > 0 else "")
