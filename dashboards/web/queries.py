"""What a page reads: published figures of one moment of the store, for one viewer. No SQL, no sketch, and nothing is computed.

A viewer of affiliates gets their rows alone: rows are chosen here and not on a page, where one forgotten line would show them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group, affiliate_of
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import add_months, local_day, month_days, month_end
from dashboards.web.viewer import Role, Viewer
from pipelines.counting.figure import Figure
from pipelines.figures.months import ClauseCount, clause_count
from pipelines.figures.rows import read_figures
from pipelines.licences import registry, release_tests
from pipelines.licences.registry import Registry
from pipelines.licences.release_tests import Licence
from pipelines.records import PublishedMonth
from pipelines.store import alert_log, contributions, engine, outbox, product_days, publications, published_figures
from pipelines.store.alert_log import Transition
from pipelines.store.contributions import ContributionStore
from pipelines.store.outbox import Message
from pipelines.store.product_days import ProductDay
from pipelines.store.publications import Publication

TREND_MONTHS = 24


@dataclass(frozen=True)
class GroupManifests:
    """A group directory as its files say now."""

    group: Group
    registry: Registry


class GroupDirectory:
    """A group directory whose manifests are read again only where a file has changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._known: tuple[object, GroupManifests] | None = None

    def read(self) -> GroupManifests:
        """The manifests and the licence registry. Raises `RefusedError` where a manifest can't be read."""
        state = self._state()
        if self._known is None or self._known[0] != state:
            self._known = state, GroupManifests(read_group(self.directory), registry.from_directory(self.directory))
        return self._known[1]

    def _state(self) -> object:
        """Names, sizes and times of change of all manifests: another state is read anew."""
        # A glob follows no order of its own, and a list that differs would read everything anew.
        paths = [*self.directory.glob("*.yaml"), *self.directory.glob("affiliates/*"), *self.directory.glob("licences/*")]
        stated = ((path, path.stat()) for path in sorted(paths))
        return [(path, status.st_mtime_ns, status.st_size) for path, status in stated]


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


class PageRows:
    """The published rows of one snapshot of the store, chosen for one viewer."""

    def __init__(self, store: ContributionStore | None, manifests: GroupManifests, viewer: Viewer, now: datetime) -> None:
        self._store = store
        self.group = manifests.group
        self.registry = manifests.registry
        self.viewer = viewer
        self.now = now

    @property
    def has_store(self) -> bool:
        """Whether there is a store: the first run makes one."""
        return self._store is not None

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

    @property
    def newest_publication(self) -> int:
        """The number of the newest publication; 0 where there is none."""
        return max((publication.id for publication in self.in_force.values()), default=0)

    @cached_property
    def state(self) -> str:
        """What the answers rest on besides the manifests: equal states give equal pages on one day."""
        newest_alert = max((alert.id for alert in self.alerts), default=0)
        return f"{self.newest_publication}.{newest_alert}.{self.today}"

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
    def licence(self) -> Licence | None:
        """The clause that the group's figure is compared with: the newest of the Llama family (decision 22)."""
        known = release_tests.llama_releases(self.registry)
        return known[-1] if known else None

    def licence_results(self, reading: Reading) -> list[tuple[Licence, dict[str, object]]]:
        """The published result of each version's test for the ultimate parent under a reading, by release."""
        if self._store is None or not self.sees_group:
            return []
        results = []
        for licence in release_tests.releases(self.registry):
            rows = publications.tests_of(self._store, licence.id, self.group.settings.ultimate_parent)
            results += [(licence, row) for row in rows if row["reading"] == reading.name]
        return results

    @cached_property
    def alerts(self) -> list[Transition]:
        """Each alert's last transition, the newest first; none for a viewer of affiliates, whom no alert is about."""
        if self._store is None or not self.sees_group:
            return []
        return sorted(alert_log.current(self._store).values(), key=lambda alert: -alert.opened)

    def alert_history(self, number: int) -> list[Transition]:
        """All transitions of an alert, the oldest first; none for an unknown number."""
        return alert_log.history(self._store, number) if self._store is not None and self.sees_group else []

    def messages(self, number: int) -> list[Message]:
        """The messages about an alert, in the order in which they were stored."""
        if self._store is None or not self.sees_group:
            return []
        return [message for message in outbox.read(self._store) if message.opened == number]

    def coverage(self, month: date) -> dict[ProductRef, dict[date, ProductDay]]:
        """By product and day of a month, what is contributed; a contribution of a whole month stands on each of its days."""
        days: dict[ProductRef, dict[date, ProductDay]] = {ref: {} for ref in self.group.products if self.sees(str(ref))}
        if self._store is None:
            return days
        for (ref, grain), periods in product_days.read_all(self._store, month, month_end(month)).items():
            if ref in days:
                for period in periods:
                    covered = month_days(month) if grain == "month" else [period.day]
                    days[ref].update(dict.fromkeys(covered, period))
        return days


@dataclass(frozen=True)
class Trouble:
    """Why a page has no rows."""

    headline: str
    detail: str
    next_step: str


class RowSource:
    """Opens the rows for a request; each request has its own snapshot."""

    def __init__(self, directory: Path) -> None:
        self.manifests = GroupDirectory(directory)

    @contextmanager
    def rows(self, viewer: Viewer, now: datetime) -> Iterator[PageRows]:
        """The rows of this moment. Raises `RefusedError` where manifests or store can't be read."""
        manifests = self.manifests.read()
        url = manifests.group.settings.store
        directory = self.manifests.directory
        if not engine.exists(url, directory):
            yield PageRows(None, manifests, viewer, now)
            return
        with contributions.open_store(url, directory) as store, store.snapshot() as fixed:
            yield PageRows(fixed, manifests, viewer, now)


def trouble_of(error: RefusedError) -> Trouble:
    """A refusal as a page shows it: whose rule, which values, and what to do next."""
    refusal = error.refusals[0]
    more = "" if len(error.refusals) == 1 else f" (and {len(error.refusals) - 1} more)"
    return Trouble(f"{refusal.subject} {refusal.rule}", f"{refusal.values}{more}", refusal.next_step)


def product_name(group: Group, subject: str) -> str:
    """A product's full name, else affiliate/product as it is."""
    product = group.product(ProductRef.parse(subject))
    return (product.name if product else "") or subject


def names(subjects: Sequence[str], most: int = 3) -> str:
    """Subjects in a sentence: the first ones, and how many more."""
    rest = len(subjects) - most
    return ", ".join(subjects[:most]) + (f" and {rest} more" if rest > 0 else "")
