"""What pages read of a month as it is published: figures, sums, causes, widths, and when a run last looked. No SQL, no measuring.

All functions take a store in a snapshot (`Store.snapshot()`, one for a page), so that all of a page is of one moment. Where
something isn't published yet (an older version has run last), the value is null or empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import local_day, month_before, month_end
from pipelines.counting.figure import Figure
from pipelines.counting.measure import Measured, SummedPeople
from pipelines.figures import rows
from pipelines.figures.comparability import StepCause
from pipelines.figures.months import ClauseCount, clause_count
from pipelines.figures.range_parts import RangePart
from pipelines.records import summed_bounds
from pipelines.store import month_notes, publications, run_log
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication
from pipelines.store.run_log import LoggedRun

NOT_YET = "not published yet: the next run does"
"""What is shown in the place of causes that an older version hasn't published."""


@dataclass(frozen=True)
class PageMonth:
    """A month under a reading as it is published: the line under each page's title."""

    group: str
    month: date
    """The month's first day."""
    months: tuple[date, ...]
    """First days of all months that are published under the reading, in order."""
    reading: Reading
    readings: tuple[str, ...]
    """Names of all readings."""
    of_record: bool
    """Whether the reading was the reading of record on the month's last day."""
    publication: Publication
    """`state`, `known_at` (as of), `inputs` (the figures' digest), `signed_by`, `despite`, `reason`."""
    before: Publication | None
    """The publication in force of the month before."""
    last_run: LoggedRun | None
    """The last run that looked at everything; null where none is noted yet."""

    @property
    def as_of(self) -> datetime:
        """When the figures were published."""
        return self.publication.known_at


@dataclass(frozen=True)
class ShownFigure:
    """One published figure, with what makes its range wide."""

    scope: str
    """`group`, `affiliate` or `product`."""
    subject: str
    """The group, the affiliate, or affiliate/product."""
    figure: Figure
    """Different people, each once, with coverage, state and reasons."""
    summed: SummedPeople
    """The sum over its products with bounds that hold whatever these share; of a product its own people."""
    parts: tuple[RangePart, ...]
    """How wide the range is by each cause; empty where that isn't published yet, or the range has no width."""


@dataclass(frozen=True)
class MonthStep:
    """The step to a month's figure from the month's before."""

    difference: int | None
    """Of the estimates, in people; null where the two months can't be compared, or one has no estimate."""
    comparable: bool | None
    """Whether the step is growth alone; null where that isn't published yet."""
    changes: tuple[StepCause, ...]
    """The causes that concern the subject; of a step that is growth the cause `growth`."""


@dataclass(frozen=True)
class Month:
    """All published figures of a month under a reading."""

    page: PageMonth
    measured: Measured
    group: ShownFigure
    affiliates: Mapping[str, ShownFigure]
    """By affiliate."""
    products: Mapping[str, ShownFigure]
    """By affiliate/product."""
    counted: ClauseCount
    """What the reading counts of the group: each person once, or the sum; licence tests take this."""


def page_month(
    store: ContributionStore,
    group: Group,
    now: datetime,
    directory: Path | None,
    month: date | None = None,
    reading: str | None = None,
) -> PageMonth:
    """The month that a page shows: by default the newest that is over, by the reading of record then.

    `directory`: the group's, whose file notes runs that found nothing new. Raises `RefusedError`: FIGURE_MISSING where nothing
    is published of the month, USAGE_INVALID for a reading that isn't there.
    """
    names = {known.name: known for known in group.readings.readings}
    if reading is not None and reading not in names:
        raise refused(Code.USAGE_INVALID, reading, "no such reading", ", ".join(names), "choose one of these")
    in_force = publications.in_force(store)
    today = local_day(now, group.settings.time_zone)
    # Without a month, the newest that is published: a month that isn't over is published, too, and has no upper bound.
    of_any = sorted({of_month for of_month, name in in_force if reading in (None, name) and name in names})
    if month is None and not of_any:
        raise refused(Code.FIGURE_MISSING, "the group", "no month is published", "", "run it: mauwatch run")
    shown = month or next((m for m in reversed(of_any) if month_end(m) < today), of_any[-1])
    # The reading of record may have changed since: each month is shown by its own.
    record = group.readings.reading_on(month_end(shown))
    chosen = names[reading] if reading is not None else record
    publication = in_force.get((shown, chosen.name))
    if publication is None:
        there = f"there are {of_any[0]:%Y-%m} to {of_any[-1]:%Y-%m}" if of_any else "no month is published"
        subject = f"{shown:%Y-%m} by {chosen.name}"
        raise refused(Code.FIGURE_MISSING, subject, "nothing is published", there, "choose another month, or run: mauwatch run")
    return PageMonth(
        group=group.settings.group,
        month=shown,
        months=tuple(sorted(of_month for of_month, name in in_force if name == chosen.name)),
        reading=chosen,
        readings=tuple(names),
        of_record=any(r.reading == chosen.name and r.holds_on(month_end(shown)) for r in group.readings.of_record),
        publication=publication,
        before=in_force.get((month_before(shown), chosen.name)),
        last_run=next(iter(run_log.latest(store, directory, 1)), None),
    )


def month(store: ContributionStore, page: PageMonth) -> Month:
    """The month's published figures, each with the parts of its range."""
    measured = rows.read_figures(store, page.publication, page.reading)
    parts: dict[tuple[str, str], list[RangePart]] = {}
    for row in month_notes.parts_of(store, page.publication.id):
        parts.setdefault((row["scope"], row["subject"]), []).append(RangePart(row["kind"], row["people"], row["what"]))

    def shown(scope: str, subject: str, figure: Figure, products: Sequence[Figure]) -> ShownFigure:
        summed = SummedPeople(figure.summed_products, *summed_bounds((f.lower, f.upper) for f in products))
        # The group may have had another name when the month was published.
        own = [
            part
            for key, of_key in parts.items()
            if key[0] == scope and (scope == "group" or key[1] == subject)
            for part in of_key
        ]
        return ShownFigure(scope, subject, figure, summed, tuple(own))

    products = measured.products
    counted = clause_count(measured, page.reading)
    assert counted is not None  # Of the whole group there is always a figure.
    return Month(
        page,
        measured,
        shown("group", page.group, measured.group, list(products.values())),
        {
            name: shown("affiliate", name, figure, [f for product, f in products.items() if product.startswith(f"{name}/")])
            for name, figure in measured.affiliates.items()
        },
        {name: shown("product", name, figure, [figure]) for name, figure in products.items()},
        counted,
    )


def changes(store: ContributionStore, publication: Publication, before: Publication | None) -> tuple[StepCause, ...]:
    """The causes of the step between two publications; empty where that isn't published yet."""
    noted = month_notes.changes_of(store, publication.id, before.id if before else None)
    return tuple(StepCause(row["kind"], row["subject"], row["what"], row["people"]) for row in noted)


def step(after: int | None, before: int | None, noted: Sequence[StepCause], subject: str = "") -> MonthStep:
    """The step between two estimates of a subject, by the causes that are noted between two months.

    `subject`: an affiliate, or affiliate/product; empty for the whole group, whom every cause concerns.
    """
    if not noted:
        return MonthStep(None, None, ())
    concerning = [change for change in noted if not subject or _concerns(change, subject)]
    # What wasn't there the month before has no step, whatever the causes of others.
    is_growth = all(change.kind == "growth" for change in concerning) and before is not None and after is not None
    own = tuple(concerning) or (StepCause("growth", "", "members, definitions and stand-ins are those of the month before"),)
    return MonthStep(after - before if is_growth and after is not None and before is not None else None, is_growth, own)


def _concerns(change: StepCause, subject: str) -> bool:
    """Whether a cause is about a subject: about everybody, about itself, about its affiliate, or about a product of it.

    A gap of the whole group is a gap of some product, and of no other.
    """
    if not change.subject:
        return change.kind != "gap"
    return subject == change.subject or subject.startswith(f"{change.subject}/") or change.subject.startswith(f"{subject}/")
