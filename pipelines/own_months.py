"""The group's own months as a series: published figures under a reading, and what is no growth between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from affiliates.group import Group, Reading
from affiliates.refusal import Refusal
from pipelines import counting, publications, published
from pipelines.counting import Inputs, Measured
from pipelines.forecast import ToDate
from pipelines.publications import RESTATED, Publication
from pipelines.series import Point, Series, even, month_number, spelled
from pipelines.warehouse import Warehouse
from pipelines.window import Days


@dataclass(frozen=True)
class Basis:
    """What a month's figure rests on that growth has nothing to do with."""

    affiliates: frozenset[str]
    definitions: Mapping[str, frozenset[tuple[str, str | None]]]
    """By product, of its contributions: label, and digest of the settings that decide who counts."""
    counted: frozenset[str]
    """Products for whose missing sketches a count or a ceiling stands in."""
    joined: bool
    """Whether a crosswalk joined identifiers to people."""
    restated: bool


def read(store: Warehouse, group: Group, reading: Reading) -> Series:
    """The published months under a reading. One without an upper bound is no evidence: it is left out, and said.

    Raises `Refusal` where fewer than two are left.
    """
    points, left_out, notes, before = list[Point](), list[str](), list[str](), None
    in_force = {month: found for (month, name), found in publications.in_force(store).items() if name == reading.name}
    for month, publication in sorted(in_force.items()):
        measured = published.read(store, publication, reading)
        estimate, lower, upper = _figure(measured, reading)
        if not estimate or upper is None:
            left_out.append(f"{month:%Y-%m}: {_why(measured) if upper is None else 'nobody was counted'}")
            continue
        basis = _basis(store, group, month, reading, publication, measured)
        if basis.counted and not (before and before.counted == basis.counted):
            notes.append(f"from {month:%Y-%m}: counts or ceilings stand in for {', '.join(sorted(basis.counted))}")
        why = "; ".join(breaks(before, basis)) if before else ""
        points.append(Point(month_number(month), estimate, lower, upper, f"{month:%Y-%m}: {why}" if why else ""))
        before = basis
    name = f"{group.settings.group} by {reading.name}"
    if len(points) < 2:
        held = f"{len(points)} with an upper bound" + (f"; left out: {'; '.join(left_out[:3])}" if left_out else "")
        raise Refusal(name, "a forecast needs at least two published months", held, "complete more months, and run: mauwatch run")
    seen = {month_number(month) for month in in_force}
    left_out += [
        f"{spelled(n, 'month')}: nothing is published" for n in range(points[0].number, points[-1].number) if n not in seen
    ]
    return even(name, points, 1, "month", notes=tuple(notes), left_out=tuple(left_out))


def to_date(store: Warehouse, group: Group, reading: Reading, today: date) -> ToDate | None:
    """The month that isn't over, up to its last day that has settled, and which share of a month that was in the last three.

    Null where that can't be told: nothing has settled yet, something is missing or comes by whole months, or fewer than two
    months are there to compare with.
    """
    month = today.replace(day=1)
    members = group.affiliates(today, reading.control_share)
    products = [p for name in members for p in group.entities[name].products if p.due_between(month, today)]
    last = today - timedelta(max((p.settles_after for p in products), default=0) + 1)
    if last < month or any(p.grain == "month" for p in products):
        return None
    inputs = counting.gather_window(store, group, Days.to_date(last), reading)
    if inputs.is_empty:
        return None
    estimate, lower, upper = _figure(counting.measure(store, group, inputs), reading)
    shares = []
    for before in (_before(month, n) for n in (1, 2, 3)):
        by_day = counting.share_by(store, group, before, reading)
        day = min(last.day, counting.month_end(before).day)
        shares += [by_day[d] for d in by_day if d.day == day]
    if not estimate or not lower or upper is None or len(shares) < 2:
        return None
    return ToDate(month, estimate, lower, upper, min(shares), max(shares))


def _before(month: date, number: int) -> date:
    """The first day of so many months before."""
    for _ in range(number):
        month = (month - timedelta(1)).replace(day=1)
    return month


def _figure(measured: Measured, reading: Reading) -> tuple[int | None, int, int | None]:
    if reading.counts == "summed_products":
        return measured.summed
    return measured.group.estimate, measured.group.lower, measured.group.upper


def _why(measured: Measured) -> str:
    reasons = measured.group.reasons
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return (f"{reasons[0]}{more}" if reasons else "nothing was contributed") + "; so it has no upper bound"


def _basis(store: Warehouse, group: Group, month: date, reading: Reading, publication: Publication, measured: Measured) -> Basis:
    inputs: Inputs = counting.gather(store, group, month, reading, up_to=publication.position)
    definitions: dict[str, set[tuple[str, str | None]]] = {}
    for version in inputs.versions:
        if version.activity_date.replace(day=1) == month:
            said = version.definition, version.definition_digest
            definitions.setdefault(f"{version.affiliate}/{version.product}", set()).add(said)
    return Basis(
        frozenset(member for member in inputs.members if group.entities[member].products),
        {product: frozenset(found) for product, found in definitions.items()},
        frozenset(product for product, figure in measured.products.items() if not figure.complete),
        any(version.crosswalk_digest for version in inputs.versions),
        publication.state == RESTATED,
    )


def breaks(before: Basis, after: Basis) -> Iterator[str]:
    """Why a month's figure isn't the one before it grown."""
    changed = sorted(
        product for product in before.definitions.keys() & after.definitions.keys()
        if not _same(before.definitions[product], after.definitions[product])
    )  # fmt: skip
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
    if before.restated != after.restated:
        yield "restated" if after.restated else "the month before is restated"


def _same(before: frozenset[tuple[str, str | None]], after: frozenset[tuple[str, str | None]]) -> bool:
    """By what decides who counts, where that is known of both; else by its label."""
    if all(digest for _, digest in before | after):
        return {digest for _, digest in before} == {digest for _, digest in after}
    return {label for label, _ in before} == {label for label, _ in after}
