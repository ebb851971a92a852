"""A month's figures as they are in force, and how many people a clause's products have of them.

A month that is published is read as it is published, whatever has changed since: `changed_since_published` says what has. A
month that isn't is measured by what the store has now.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from pipelines.counting import measure
from pipelines.counting.convention import METHOD
from pipelines.counting.figure import Coverage, Figure
from pipelines.counting.inputs import Inputs, gather, limited_to
from pipelines.counting.measure import Measured
from pipelines.figures import changes, rows, signed_readings
from pipelines.figures.figure_cache import FigureCache
from pipelines.records import summed_bounds
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication


@dataclass(frozen=True)
class ClauseCount:
    """How many there are of what a clause counts, by a reading: different people, or the sum over products."""

    estimate: int | None
    lower: int
    upper: int | None
    coverage: Coverage
    figure: Figure
    """The figure of the same people, which says what is missing of them."""
    measured: Measured
    """All figures of the month."""
    added: Mapping[str, Figure] = field(default_factory=dict)
    """By product, the figures that a reading adds up; empty where each person counts once."""

    @property
    def complete(self) -> bool:
        """Whether the figure is complete."""
        return self.figure.complete


class Months:
    """The figures of a group's months, each looked up or measured once.

    `measured`: figures that are known already, by the digest of their inputs; `anew`: as if nothing were published; `as_run`: a
    month that isn't signed has the figures that a run would publish now; `kept`: where measured figures are looked up and kept;
    `measures`: whether a month that is neither published nor kept is measured; else it is refused: a page has no time for that.
    """

    def __init__(
        self,
        store: ContributionStore,
        group: Group,
        measured: Mapping[str, Measured] | None = None,
        anew: bool = False,
        as_run: bool = False,
        kept: FigureCache | None = None,
        measures: bool = True,
    ) -> None:
        self.store = store
        self._measures = measures
        self.group = group
        self._kept = kept
        self._as_run = as_run
        self._by_digest = {(figures.inputs.digest, figures.inputs.method): figures for figures in (measured or {}).values()}
        # One query for all months: a licence's test may look at each month since the first.
        self._in_force = {} if anew else publications.in_force(store)
        self._published: dict[str, dict[date, Measured]] = {}
        self._looked_up: dict[tuple[date, str, date | None], Measured | RefusedError | None] = {}
        self._gathered: dict[tuple[object, ...], Inputs] = {}

    def figures_of(self, month: date, reading: Reading, on: date | None = None) -> Measured | None:
        """A month's figures for the group as it is on a day (default: the month's last); null where nothing was contributed.

        A published month has the figures that are published. For the group of another day, where that is another group, the
        month is measured by what those figures could rest on alone (decision 25). Raises `RefusedError` where contributions
        can't be united.
        """
        key = month, reading.name, on
        if key not in self._looked_up:
            try:
                self._looked_up[key] = self._look_up(month, reading, on)
            except RefusedError as error:  # Kept as well: each licence and reading asks for the same month again.
                self._looked_up[key] = error
        figures = self._looked_up[key]
        if isinstance(figures, RefusedError):
            raise figures
        return figures

    def _look_up(self, month: date, reading: Reading, on: date | None) -> Measured | None:
        """The month's figures: read where they are published, else measured. Raises `RefusedError` as `figures_of`."""
        published = self._in_force.get((month, reading.name))
        if published is not None and (published.signed or not self._as_run):
            return self._published_figures(published, reading, on)
        # The month is signed by a reading that has another name now, or none: whose figures these would be nobody can tell.
        if published is None and (signed := signed_readings.gone(self._in_force, self.group).get(month)):
            raise signed_readings.refuse(signed)
        # Licences were released in many months that no product has lived in.
        if published is None and month not in self._months:
            return None
        inputs = self._gather(month, reading, on)
        if inputs.is_empty:
            return None
        # What is published of the same inputs is what would be measured.
        if published is not None and published.inputs == inputs.digest and published.method == METHOD:
            return replace(rows.read_figures(self.store, published, reading), inputs=inputs)
        return self._measured(inputs)

    @cached_property
    def _months(self) -> frozenset[date]:
        """First days of the months that anything is contributed or stated for."""
        return frozenset(self.store.read_months())

    def _gather(self, month: date, reading: Reading, on: date | None) -> Inputs:
        """What a month's figures rest on now: read once for readings that differ in nothing but what they count."""
        key = month, on, reading.audiences, reading.control_share
        if key not in self._gathered:
            self._gathered[key] = gather(self.store, self.group, month, reading, on)
        return replace(self._gathered[key], reading=reading)

    def _published_figures(self, published: Publication, reading: Reading, on: date | None) -> Measured | None:
        """The published figures, or for another day's group the figures by what the published ones could rest on."""
        month = published.month
        inputs = gather(self.store, self.group, month, reading, on, published.position, published.method)
        if not changes.is_same(published, inputs):
            at_end = inputs if on is None else self._at_end(published, reading)
            if inputs.digest != at_end.digest:
                return None if inputs.is_empty else self._measured(inputs)
        figures = rows.read_figures(self.store, published, reading)
        # The manifests may name products by now that weren't counted: their parts have no figures here.
        return replace(figures, inputs=limited_to(inputs, self.group, figures.products))

    def _at_end(self, published: Publication, reading: Reading) -> Inputs:
        """What the published figures could rest on, for the group of the month's end."""
        return gather(self.store, self.group, published.month, reading, None, published.position, published.method)

    def _measured(self, inputs: Inputs) -> Measured:
        """The figures of these inputs: readings that differ in what they count, and not in whom, rest on the same."""
        key = inputs.digest, inputs.method
        if key not in self._by_digest:
            measured = self._kept.read(inputs) if self._kept else None
            if measured is None:
                self._require_measuring(inputs.month)
                measured = measure.measure(self.store, self.group, inputs)
                if self._kept:
                    self._kept.keep(measured)
            self._by_digest[key] = measured
        return replace(self._by_digest[key], inputs=inputs)

    def _require_measuring(self, month: date) -> None:
        if not self._measures:
            raise refused(
                Code.FIGURE_MISSING, f"{month:%Y-%m}", "isn't published with what it rests on now", "", "run it: mauwatch run"
            )

    def lacks_sketches(self, month: date, reading: Reading, on: date) -> bool:
        """Whether a signed month's figures for the group of a day aren't published, and sketches of them were erased since."""
        published = self._in_force.get((month, reading.name))
        figures = self.figures_of(month, reading, on)
        if published is None or not published.signed or figures is None or figures.inputs.digest == figures.inputs.unerased:
            return False
        return figures.inputs.unerased != self._at_end(published, reading).unerased

    def changed_since_published(self) -> dict[date, list[str]]:
        """By month that was looked up, a text each: what has changed since the figures were published, or that they aren't."""
        by_month: dict[date, list[str]] = {}
        readings = {reading.name: reading for reading in self.group.readings.readings}
        for month, name in sorted({(month, name) for (month, name, _), known in self._looked_up.items() if known is not None}):
            texts = by_month.setdefault(month, [])
            published = self._in_force.get((month, name))
            if published is None:
                new = [f"{month:%Y-%m} isn't published: measured by what the store has now; `mauwatch run` publishes the month"]
            else:
                since = changes.since_published(self.store, self.group, readings[name], published)
                new = [changes.describe(published, since)] if since else []
            texts += [text for text in new if text not in texts]
        return {month: texts for month, texts in by_month.items() if texts}

    def published(self, reading: Reading) -> dict[date, Measured]:
        """By month, the figures in force under a reading, for the group of each month's end."""
        if reading.name not in self._published:
            self._published[reading.name] = {
                month: rows.read_figures(self.store, publication, reading)
                for (month, name), publication in sorted(self._in_force.items(), key=lambda item: item[0])
                if name == reading.name
            }
        return self._published[reading.name]

    def count_people(self, measured: Measured, reading: Reading, names: Collection[str] | None = None) -> ClauseCount | None:
        """The people of the group, or of the products of `names` (affiliate/product) together; null if none of them lives then.

        Several products that are neither the group nor an affiliate have no figure of their own: their sketches are united here.
        """
        if names is None:
            return clause_count(measured, reading)
        living = [name for name in measured.products if name in names]
        if not living:
            return None
        # One product, or all of them: those figures are there already, and nothing has to be united.
        if len(living) < 2 or set(living) == set(measured.products):
            return clause_count(measured, reading, living)
        due = tuple((ref, product) for ref, product in measured.inputs.due if str(ref) in names)
        refs = {ref for ref, _ in due}
        versions = tuple(v for v in measured.inputs.versions if v.ref in refs)
        stated_counts = {ref: count for ref, count in measured.inputs.stated_counts.items() if ref in refs}
        part = replace(measured.inputs, due=due, versions=versions, stated_counts=stated_counts)
        return clause_count(measure.measure(self.store, self.group, part), reading)

    def namespaces_of(self, people: ClauseCount, names: Collection[str] | None = None) -> list[str]:
        """The namespaces of the identifiers that a number of people rests on; `names`: only of these products."""
        inputs = people.measured.inputs
        ids = [version.id for version in inputs.versions if names is None or str(version.ref) in names]
        return self.store.read_namespaces(ids, inputs.reading.audiences)


def clause_count(measured: Measured, reading: Reading, names: Collection[str] | None = None) -> ClauseCount | None:
    """The people of the group, of one product, or of all products of one affiliate; null for what has no figure of its own."""
    if names is None or set(names) == set(measured.products):
        return _by_reading(measured, measured.group, measured.products, reading)
    products = {name: figure for name, figure in measured.products.items() if name in names}
    if len(products) == 1 and len(names) == 1:
        return _of_figure(next(iter(products.values())), measured)
    affiliates = [name for name in measured.affiliates if set(names) == _products(measured, name)]
    if not products or not affiliates:
        return None
    return _by_reading(measured, measured.affiliates[affiliates[0]], products, reading)


def _products(measured: Measured, affiliate: str) -> set[str]:
    """The products of an affiliate that have figures, as affiliate/product."""
    return {name for name in measured.products if ProductRef.parse(name).affiliate == affiliate}


def _by_reading(measured: Measured, whole: Figure, products: Mapping[str, Figure], reading: Reading) -> ClauseCount:
    """The people of several products by what the reading counts: each person once, or the sum over products."""
    if reading.counts == "unique_people":
        return _of_figure(whole, measured)
    lower, upper = summed_bounds((figure.lower, figure.upper) for figure in products.values())
    return ClauseCount(whole.summed_products, lower, upper, whole.coverage, whole, measured, products)


def _of_figure(figure: Figure, measured: Measured) -> ClauseCount:
    """The people of a figure, each once."""
    return ClauseCount(figure.estimate, figure.lower, figure.upper, figure.coverage, figure, measured)
