"""The group's own months as a series: published figures under a reading, and what is no growth between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group, affiliate_of
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, add_months, month_number, month_of
from pipelines.counting import measure
from pipelines.counting.inputs import Inputs, gather, gather_window
from pipelines.counting.measure import Measured
from pipelines.counting.window import Days
from pipelines.figures import months, rows
from pipelines.forecasting.forecast import MonthToDate
from pipelines.forecasting.series import Point, Series, even, spelled
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import RESTATED, Publication

Definitions = frozenset[tuple[str, str | None]]
"""Of a product's contributions: label, and digest of the settings that decide who counts."""


@dataclass(frozen=True)
class Basis:
    """What a month's figure rests on that growth has nothing to do with."""

    affiliates: frozenset[str]
    definitions: Mapping[str, Definitions]
    """By product."""
    counted: frozenset[str]
    """Products for whose missing sketches a count or a ceiling stands in."""
    joined: bool
    """Whether a crosswalk joined identifiers to people."""
    restated: bool
    method: int

    def of(self, subject: str) -> Self:
        """What the figure of an affiliate, or a product, rests on."""

        def mine(product: str) -> bool:
            return ProductRef.parse(product).belongs_to(subject)

        return replace(
            self,
            affiliates=self.affiliates & {affiliate_of(subject)},
            definitions={product: found for product, found in self.definitions.items() if mine(product)},
            counted=frozenset(filter(mine, self.counted)),
        )


@dataclass(frozen=True)
class KnownMonths:
    """The published months that a forecast may take for evidence."""

    points: list[Point]
    notes: list[str]
    left_out: list[str]
    """Months without an upper bound, and why they have none."""
    seen: frozenset[int]
    """All published months, as `month_number` counts them."""


def read(store: ContributionStore, group: Group, reading: Reading) -> Series:
    """The published months under a reading. One without an upper bound is no evidence: it is left out, and said.

    Raises `RefusedError` where fewer than two are left.
    """
    known = points(store, group, reading)
    name = f"{group.settings.group} by {reading.name}"
    found = known.points
    left_out = known.left_out
    if len(found) < 2:
        held = f"{len(found)} with an upper bound" + (f"; left out: {'; '.join(left_out[:3])}" if left_out else "")
        raise refused(
            Code.FIGURE_MISSING,
            name,
            "a forecast needs at least two published months",
            held,
            "complete more months, and run: mauwatch run",
        )
    gaps = range(found[0].number, found[-1].number)
    left_out = [*left_out, *(f"{spelled(n, 'month')}: nothing is published" for n in gaps if n not in known.seen)]
    return even(name, found, 1, "month", notes=tuple(known.notes), left_out=tuple(left_out))


def points(
    store: ContributionStore, group: Group, reading: Reading, subject: str | None = None, since: date = date.min
) -> KnownMonths:
    """The published months from `since` on, of the whole group or of an affiliate, or a product (affiliate/product)."""
    found = list[Point]()
    left_out = list[str]()
    notes = list[str]()
    before = None
    in_force = {
        month: publication
        for (month, name), publication in publications.in_force(store).items()
        if name == reading.name and month >= since
    }
    for month, publication in sorted(in_force.items()):
        measured = rows.read(store, publication, reading)
        people = months.clause_count(measured, reading, None if subject is None else _products(measured, subject))
        if people is None or not people.estimate or people.upper is None:
            left_out.append(f"{month:%Y-%m}: {'nobody was counted' if people and people.upper is not None else _why(measured)}")
            continue
        basis = _basis(store, group, month, reading, publication, measured)
        basis = basis if subject is None else basis.of(subject)
        if basis.counted and not (before and before.counted == basis.counted):
            notes.append(f"from {month:%Y-%m}: counts or ceilings stand in for {', '.join(sorted(basis.counted))}")
        why = "; ".join(breaks(before, basis)) if before else ""
        found.append(
            Point(month_number(month), people.estimate, people.lower, people.upper, f"{month:%Y-%m}: {why}" if why else "")
        )
        before = basis
    return KnownMonths(found, notes, left_out, frozenset(month_number(month) for month in in_force))


def _products(measured: Measured, subject: str) -> set[str]:
    return {name for name in measured.products if ProductRef.parse(name).belongs_to(subject)}


def to_date(store: ContributionStore, group: Group, reading: Reading, today: date) -> MonthToDate | None:
    """The month that isn't over, up to its last day that has settled, and which share of a month that was in the last three.

    Null where that can't be told: nothing has settled yet, something is missing or comes by whole months, or fewer than two
    months are there to compare with.
    """
    month = month_of(today)
    members = group.affiliates(today, reading.control_share)
    products = [p for name in members for p in group.entities[name].products if p.due_between(month, today)]
    last = today - DAY * (max((p.settles_after for p in products), default=0) + 1)
    if last < month or any(p.grain == "month" for p in products):
        return None
    inputs = gather_window(store, group, Days.to_date(last), reading)
    if inputs.is_empty:
        return None
    people = months.clause_count(measure.measure(store, group, inputs), reading)
    shares = []
    for number in (1, 2, 3):
        before = add_months(last, -number)
        by_day = measure.share_seen_by_day(store, group, month_of(before), reading)
        shares += [by_day[day] for day in by_day if day.day == before.day]
    if people is None or not people.estimate or not people.lower or people.upper is None or len(shares) < 2:
        return None
    return MonthToDate(month, people.estimate, people.lower, people.upper, min(shares), max(shares))


def _why(measured: Measured) -> str:
    reasons = measured.group.reasons
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return (f"{reasons[0]}{more}" if reasons else "nothing was contributed") + "; so it has no upper bound"


def _basis(
    store: ContributionStore, group: Group, month: date, reading: Reading, publication: Publication, measured: Measured
) -> Basis:
    inputs: Inputs = gather(store, group, month, reading, up_to=publication.position)
    definitions: dict[str, set[tuple[str, str | None]]] = {}
    for version in inputs.versions:
        if month_of(version.activity_date) == month:
            said = version.definition, version.definition_digest
            definitions.setdefault(str(version.ref), set()).add(said)
    return Basis(
        frozenset(member for member in inputs.members if group.entities[member].products),
        {product: frozenset(found) for product, found in definitions.items()},
        frozenset(product for product, figure in measured.products.items() if not figure.complete),
        any(version.crosswalk_digest for version in inputs.versions),
        publication.state == RESTATED,
        publication.method,
    )


def breaks(before: Basis, after: Basis) -> Iterator[str]:
    """Why a month's figure isn't the one before it grown."""
    changed = sorted(
        product
        for product in before.definitions.keys() & after.definitions.keys()
        if _differ(before.definitions[product], after.definitions[product])
    )
    if changed:
        yield f"another definition of {', '.join(changed)}"
    if joined := sorted(after.affiliates - before.affiliates):
        yield f"{', '.join(joined)} joined the group"
    if gone := sorted(before.affiliates - after.affiliates):
        yield f"{', '.join(gone)} left the group"
    if before.counted != after.counted:
        yield f"counts stand in for others than before ({', '.join(sorted(before.counted ^ after.counted))})"
    if before.joined != after.joined:
        yield "from here on a crosswalk joins people" if after.joined else "without the crosswalk of the month before"
    if before.method != after.method:
        yield f"counted by method {after.method}"
    if before.restated != after.restated:
        yield "restated" if after.restated else "the month before is restated"


def new_definitions(before: Definitions, after: Definitions) -> list[str]:
    """Labels of what counts others than before: by what decides who counts, where that is known of both; else by the label."""
    known = all(digest for _, digest in before | after)
    there = {digest if known else label for label, digest in before}
    return sorted({label for label, digest in after if (digest if known else label) not in there})


def _differ(before: Definitions, after: Definitions) -> bool:
    return bool(new_definitions(before, after) or new_definitions(after, before))
