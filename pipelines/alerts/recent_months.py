"""The published months that alerts are about, under one reading, read from the store once for each subject."""

from datetime import date, timedelta

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, add_months, month_end, month_of
from pipelines.records import PublishedMonth
from pipelines.store import published_figures
from pipelines.store.contributions import ContributionStore

PRESENT = timedelta(days=100)
"""How long after its end a settled month still raises and lowers alerts: older ones are a matter of licence tests."""
_MONTHS_BACK = 40
"""Months of the past that are read, for usual steps and forecasts with their seasons."""


class RecentMonths:
    """The months up to today of the group and of its parts. A subject is an affiliate or affiliate/product; null is the group."""

    def __init__(self, store: ContributionStore, group: Group, reading: Reading, today: date) -> None:
        self.today = today
        self.first = add_months(month_of(today), -_MONTHS_BACK)
        """First day of the earliest month that is read."""
        # The month of a product that settles late is published late, and is as much of the present then.
        slowest = max((product.settles_after for product in group.products.values()), default=0)
        self.since = today - PRESENT - DAY * slowest
        """A month that ended before this day is of the past."""
        self._store = store
        self._reading = reading
        self._by_subject: dict[str | None, list[PublishedMonth]] = {}

    def past(self, subject: str | None = None) -> list[PublishedMonth]:
        """All published months of a subject from `first` on, in order; recent ones included."""
        if subject not in self._by_subject:
            self._by_subject[subject] = published_figures.read(self._store, self._reading, self.first, subject)
        return self._by_subject[subject]

    def recent(self, subject: str | None = None) -> list[PublishedMonth]:
        """The months that raise and lower alerts today."""
        return [past for past in self.past(subject) if month_end(past.month) >= self.since and past.month <= self.today]
