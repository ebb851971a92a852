"""The group's own months as a series: published figures under a reading, and the changes between months that are no growth.

Which months a forecast rests on, and what is no growth: decision 55.
"""

from dataclasses import dataclass
from datetime import date

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, add_months, month_number, month_of
from pipelines.counting import measure
from pipelines.counting.convention import METHOD, comparable
from pipelines.counting.inputs import gather_window
from pipelines.counting.measure import Measured
from pipelines.counting.window import Days
from pipelines.figures import changes, comparability, months, rows
from pipelines.figures.published_inputs import PublishedInputs
from pipelines.forecasting.forecast import MonthToDate
from pipelines.forecasting.series import Point, Series, even_series, period_name
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore


@dataclass(frozen=True)
class KnownMonths:
    """The published months that a forecast may take for evidence."""

    points: list[Point]
    """The months with an upper bound, in order."""
    notes: list[str]
    """From which months on counts or ceilings stand in for which products."""
    left_out: list[str]
    """Months without an upper bound, and why they have none."""
    seen: frozenset[int]
    """All published months, as `month_number` counts them."""


def read_series(store: ContributionStore, group: Group, reading: Reading) -> Series:
    """The published months under a reading. A month without an upper bound is no evidence: the series names it as left out.

    Raises `RefusedError` where fewer than two are left.
    """
    known = known_months(store, group, reading)
    name = f"{group.settings.group} by {reading.name}"
    points, left_out = known.points, known.left_out
    if len(points) < 2:
        held = f"{len(points)} with an upper bound" + (f"; left out: {'; '.join(left_out[:3])}" if left_out else "")
        raise refused(
            Code.FIGURE_MISSING,
            name,
            "a forecast needs at least two published months",
            held,
            "complete more months, and run: mauwatch run",
        )
    return series_of(name, known)


def series_of(name: str, known: KnownMonths) -> Series:
    """The known months as a series, with the months that nothing is published of among those left out."""
    gaps = range(known.points[0].number, known.points[-1].number)
    left_out = [*known.left_out, *(f"{period_name(n, 'month')}: nothing is published" for n in gaps if n not in known.seen)]
    return even_series(name, known.points, 1, "month", notes=tuple(known.notes), left_out=tuple(left_out))


def known_months(
    store: ContributionStore,
    group: Group,
    reading: Reading,
    subject: str | None = None,
    since: date = date.min,
    known: PublishedInputs | None = None,
) -> KnownMonths:
    """The published months from `since` on, of the whole group, or of the affiliate or product (affiliate/product) `subject`.

    `known`: what this run has seen of publications' inputs.
    """
    known = known or PublishedInputs()
    points = list[Point]()
    left_out = list[str]()
    notes = list[str]()
    changed = list[date]()
    before = None
    in_force = {
        month: publication
        for (month, name), publication in publications.in_force(store).items()
        if name == reading.name and month >= since
    }
    figures = {month: rows.read_figures(store, publication, reading) for month, publication in in_force.items()}
    counted_affiliates = {name for measured in figures.values() for name in measured.affiliates}
    for month, publication in sorted(in_force.items()):
        measured = figures[month]
        people = months.clause_count(measured, reading, None if subject is None else _products(measured, subject))
        # Growth is told in ratios, and nobody at all has none.
        if people is None or not people.estimate or people.upper is None:
            left_out.append(f"{month:%Y-%m}: {'nobody was counted' if people and people.upper is not None else _why(measured)}")
            continue
        rests_on = known.read(store, group, reading, publication)
        changed += [] if changes.is_same(publication, rests_on) else [month]
        basis = comparability.basis_of(rests_on, publication, measured, counted_affiliates)
        basis = basis if subject is None else basis.part_for(subject)
        if basis.counted and not (before and before.counted == basis.counted):
            notes.append(f"from {month:%Y-%m}: counts or ceilings stand in for {', '.join(sorted(basis.counted))}")
        why = "; ".join(comparability.breaks(before, basis)) if before else ""
        points.append(
            Point(month_number(month), people.estimate, people.lower, people.upper, f"{month:%Y-%m}: {why}" if why else "")
        )
        before = basis
    if changed:
        notes.append(
            f"settings have changed since {len(changed)} of the months were published, the last of them {changed[-1]:%Y-%m}: the "
            f"forecast rests on what is published; `mauwatch measure --month {changed[-1]:%Y-%m}` says what has changed"
        )
    return KnownMonths(points, notes, left_out, frozenset(month_number(month) for month in in_force))


def _products(measured: Measured, subject: str) -> set[str]:
    """The products with figures that are the subject, or the subject's."""
    return {name for name in measured.products if ProductRef.parse(name).belongs_to(subject)}


def month_to_date(store: ContributionStore, group: Group, reading: Reading, today: date) -> MonthToDate | None:
    """The month that isn't over, up to its last day that has settled, with the share of a month's people of such days.

    The share is from the lowest to the highest of the last three months. Null where that can't be told: nothing has settled
    yet, something is missing or comes by whole months, or fewer than two months are there to compare with. Null, too, where the
    newest published month was counted by another method: the step to this month would look like growth.
    """
    month = month_of(today)
    members = group.affiliates(today, reading.control_share)
    products = [p for name in members for p in group.entities[name].products if p.due_between(month, today)]
    # The last day on which every product's events have come: the slowest product decides.
    last = today - DAY * (max((p.settles_after for p in products), default=0) + 1)
    if last < month or any(p.grain == "month" for p in products):
        return None
    published = {of_month: p for (of_month, name), p in publications.in_force(store).items() if name == reading.name}
    if published and comparable(published[max(published)].method) != comparable(METHOD):
        return None
    inputs = gather_window(store, group, Days.to_date(last), reading)
    if inputs.is_empty:
        return None
    people = months.clause_count(measure.measure(store, group, inputs), reading)
    shares = []
    for back in (1, 2, 3):
        before = add_months(last, -back)  # The same day of the month, or the last one of a shorter month.
        by_day = measure.share_seen_by_day(store, group, month_of(before), reading)
        shares += [by_day[day] for day in by_day if day.day == before.day]
    if people is None or not people.estimate or not people.lower or people.upper is None or len(shares) < 2:
        return None
    return MonthToDate(month, people.estimate, people.lower, people.upper, min(shares), max(shares))


def _why(measured: Measured) -> str:
    """Why a month has no upper bound."""
    reasons = measured.group.reasons
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return (f"{reasons[0]}{more}" if reasons else "nothing was contributed") + "; so it has no upper bound"
