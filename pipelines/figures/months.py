"""A month's figures as they stand: read where they are published, measured where they aren't; and of some products alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from pipelines.counting import measure
from pipelines.counting.figure import Coverage, Figure
from pipelines.counting.inputs import METHOD, gather
from pipelines.counting.measure import Measured
from pipelines.figures import rows
from pipelines.records import summed_bounds
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore


@dataclass(frozen=True)
class ClauseCount:
    """How many there are of what a clause counts, by a reading."""

    estimate: int | None
    lower: int
    upper: int | None
    coverage: Coverage
    figure: Figure
    """Of them, for what it says of what is missing."""
    measured: Measured

    @property
    def complete(self) -> bool:
        return self.figure.complete


class Months:
    """The figures of a group's months, each looked up or measured once.

    `measured`: what is known already, by the digest of its inputs; `anew`: as if nothing were published.
    """

    def __init__(
        self, warehouse: ContributionStore, group: Group, measured: Mapping[str, Measured] | None = None, anew: bool = False
    ) -> None:
        self.warehouse = warehouse
        self.group = group
        self._known = dict(measured or {})
        self._stands = {} if anew else publications.in_force(warehouse)
        self._published: dict[str, dict[date, Measured]] = {}
        self._found: dict[tuple[date, str, date | None], Measured | RefusedError | None] = {}

    def of(self, month: date, reading: Reading, on: date | None = None) -> Measured | None:
        """A month's figures for the group as it is on a day (default: the month's last); nothing where nothing was contributed.

        A month that was signed is what was signed, or what its figures could rest on alone. Raises `RefusedError` where
        contributions can't be united.
        """
        key = month, reading.name, on
        if key not in self._found:
            try:
                self._found[key] = self._of(month, reading, on)
            except RefusedError as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, RefusedError):
            raise found
        return found

    def _of(self, month: date, reading: Reading, on: date | None) -> Measured | None:
        stands = self._stands.get((month, reading.name))
        signed = stands is not None and stands.signed
        inputs = gather(self.warehouse, self.group, month, reading, on, stands.position if stands and signed else None)
        if inputs.is_empty:
            return None
        # What is published of the same inputs is what would be measured; readings may rest on the same, too.
        if stands is not None and stands.inputs == inputs.digest and (signed or stands.method == METHOD):
            return replace(rows.read(self.warehouse, stands, reading), inputs=inputs)
        if inputs.digest not in self._known:
            self._known[inputs.digest] = measure.measure(self.warehouse, self.group, inputs)
        return replace(self._known[inputs.digest], inputs=inputs)

    def published(self, reading: Reading) -> dict[date, Measured]:
        """By month, the figures in force under a reading, for the group of each month's end."""
        if reading.name not in self._published:
            self._published[reading.name] = {
                month: rows.read(self.warehouse, stands, reading)
                for (month, name), stands in sorted(self._stands.items(), key=lambda item: item[0])
                if name == reading.name
            }
        return self._published[reading.name]

    def people(self, measured: Measured, reading: Reading, names: Collection[str] | None = None) -> ClauseCount | None:
        """The people of the group, or of these products (affiliate/product) together; nothing if none of them lives then."""
        if names is None:
            return clause_count(measured, reading)
        there = [name for name in measured.products if name in names]
        if not there:
            return None
        if len(there) < 2 or set(there) == set(measured.products):
            return clause_count(measured, reading, there)
        due = tuple((ref, product) for ref, product in measured.inputs.due if str(ref) in names)
        refs = {ref for ref, _ in due}
        versions = tuple(v for v in measured.inputs.versions if v.ref in refs)
        given = {ref: count for ref, count in measured.inputs.stated_counts.items() if ref in refs}
        some = replace(measured.inputs, due=due, versions=versions, stated_counts=given)
        return clause_count(measure.measure(self.warehouse, self.group, some), reading)


def clause_count(measured: Measured, reading: Reading, names: Collection[str] | None = None) -> ClauseCount | None:
    """The people of the group, of one product, or of all of one affiliate's; nothing for what isn't in the figures so."""
    if names is not None and set(names) != set(measured.products):
        found = [figure for name, figure in measured.products.items() if name in names]
        if len(found) == 1 and len(names) == 1:
            return _of_figure(found[0], measured)
        measured_of = [name for name in measured.affiliates if set(names) == _products(measured, name)]
        if not found or not measured_of:
            return None
        return _of(measured, measured.affiliates[measured_of[0]], found, reading)
    return _of(measured, measured.group, list(measured.products.values()), reading)


def _products(measured: Measured, affiliate: str) -> set[str]:
    return {name for name in measured.products if ProductRef.parse(name).affiliate == affiliate}


def _of(measured: Measured, whole: Figure, products: list[Figure], reading: Reading) -> ClauseCount:
    if reading.counts == "unique_people":
        return _of_figure(whole, measured)
    lower, upper = summed_bounds((figure.lower, figure.upper) for figure in products)
    return ClauseCount(whole.summed_products, lower, upper, whole.coverage, whole, measured)


def _of_figure(figure: Figure, measured: Measured) -> ClauseCount:
    return ClauseCount(figure.estimate, figure.lower, figure.upper, figure.coverage, figure, measured)
