"""What the overview reads: the figure against a threshold, headroom, outlook, trend, what needs attention, licences, products."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from affiliates.manifests.alert_settings import Alerting
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.periods import add_months, months_apart
from pipelines.figures import page_month, published_alerts, published_group, published_licences, rows
from pipelines.figures.months import ClauseCount, clause_count
from pipelines.figures.page_month import MonthStep, PageMonth
from pipelines.figures.published_alerts import Alert
from pipelines.figures.published_group import GroupPage
from pipelines.figures.published_licences import ClauseRow
from pipelines.store import outlooks, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.outlooks import PublishedOutlook
from pipelines.store.publications import Publication

TREND = 24
"""Months of the trend."""
MOST_ATTENTION = 5
_NEXT = {
    "missing_data": "have the days contributed, or give a count; then run again",
    "unusual_data": "ask the product's owner; correct the data, or close the alert with a reason",
    "failed_run": "see why it was refused on the page of data, correct the source, and run again",
    "definition_change": "confirm that the definition has changed, or correct it",
    "jump": "confirm that the month is right, or correct it",
}
"""By kind of alert about data, what is to be done."""


@dataclass(frozen=True)
class TrendMonth:
    """A month of the trend, by what the reading counts, in people."""

    month: date
    state: str
    """preliminary, closed or restated."""
    estimate: int | None
    lower: int
    upper: int | None
    complete: bool
    step: MonthStep
    """The step from the month before: what isn't growth is marked."""


@dataclass(frozen=True)
class Attention:
    """Something that somebody has to see to."""

    alert: Alert
    owner: str
    """Who answers for it, by alerts.yaml; empty where nobody is named."""
    next_step: str


@dataclass(frozen=True)
class Overview:
    """The overview of a month."""

    group_page: GroupPage
    """Figures, products, steps and coverage of the month; `group_page.month.counted` is what the reading counts."""
    threshold: int
    result: Literal["under", "over", "undetermined"]
    """Whether the month is over the threshold, by the bounds of what the reading counts. No release need test the month."""
    headroom_lower: int | None
    """Threshold less upper bound, the least that is left; null without an upper bound."""
    headroom_upper: int
    """Threshold less lower bound, the most that is left; below zero where the threshold is exceeded for certain."""
    outlook: PublishedOutlook | None
    """What is expected of the threshold, under this reading; null where none is published (too few months, or an older version
    has run last)."""
    trend: tuple[TrendMonth, ...]
    """The months up to this one, in order."""
    attention: tuple[Attention, ...]
    """At most five, the worst first."""
    attention_left: int
    """How many more there are."""
    licences: tuple[ClauseRow, ...]


def read(store: ContributionStore, group: Group, page: PageMonth, threshold: int, now: datetime) -> Overview:
    """The overview of a month (`page_month.page_month`) against a threshold: over is more than the threshold."""
    of_group = published_group.read(store, group, page, now)
    counted = of_group.month.counted
    upper = counted.upper
    alerts = [alert for alert in published_alerts.history(store) if alert.is_open]
    attention = sorted((_attention(group.alerting, alert) for alert in alerts), key=lambda item: _severity(item.alert))
    return Overview(
        of_group,
        threshold,
        "over" if counted.lower > threshold else "under" if upper is not None and upper <= threshold else "undetermined",
        None if upper is None else threshold - upper,
        threshold - counted.lower,
        outlooks.newest(store, page.reading.name, "", threshold),
        trend(store, page),
        tuple(attention[:MOST_ATTENTION]),
        max(len(attention) - MOST_ATTENTION, 0),
        published_licences.matrix(store),
    )


def trend(store: ContributionStore, page: PageMonth, months: int = TREND) -> tuple[TrendMonth, ...]:
    """The published months up to the page's, so many at most, by what the reading counts."""
    in_force = publications.in_force(store)
    first = add_months(page.month, 1 - months)
    shown: list[TrendMonth] = []
    earlier: tuple[Publication, ClauseCount] | None = None
    for month in page.months:
        # One month before the first is read, too: the first month's step is from there.
        if not add_months(first, -1) <= month <= page.month:
            continue
        publication = in_force[month, page.reading.name]
        measured = rows.read_figures(store, publication, page.reading)
        counted = clause_count(measured, page.reading)
        assert counted is not None  # Of the whole group there is always a figure.
        before = earlier if earlier is not None and months_apart(earlier[0].month, month) == 1 else None
        noted = page_month.changes(store, publication, before[0] if before else None)
        step = page_month.step(counted.estimate, before[1].estimate if before else None, noted)
        earlier = publication, counted
        if month >= first:
            bounds = counted.estimate, counted.lower, counted.upper
            shown.append(TrendMonth(month, publication.state, *bounds, counted.complete, step))
    return tuple(shown)


def _attention(alerting: Alerting, alert: Alert) -> Attention:
    if alert.kind == "threshold":
        step = str(getattr(alerting.next_steps, alert.level, ""))
        subject = alert.rule.partition(" ")[2]
        return Attention(alert, _owner(alerting, [subject]), step)
    return Attention(alert, _owner(alerting, alert.subjects), _NEXT.get(alert.kind, ""))


def _owner(alerting: Alerting, subjects: Sequence[str]) -> str:
    """The owners of the products that the subjects name, each once."""
    # Subjects of alerts about data name products among other words, such as days and jobs.
    named = []
    for subject in subjects:
        words = subject.replace(",", " ").replace(":", " ").split()
        named += [alerting.owner(ProductRef.parse(word)) for word in words if word.count("/") == 1]
    return ", ".join(dict.fromkeys(name for name in named if name))


def _severity(alert: Alert) -> tuple[int, float]:
    """Worst first: thresholds by level, then what is wrong with the data, each by its last change."""
    levels = ("over", "act", "prepare", "open", "watch")
    return levels.index(alert.level) if alert.level in levels else len(levels), -alert.changed_at.timestamp()
