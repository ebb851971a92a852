"""Publishing what stands beside a month's figures: why they differ from the month's before, and how wide each range is by what.

A run notes both in the transaction of the figures. Publications of older versions have neither until the next run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from affiliates.errors import Refusal, unforeseen_into
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_before
from pipelines.counting.measure import Measured
from pipelines.figures import comparability, rows
from pipelines.figures.comparability import InputsOutline, StepCause
from pipelines.figures.published_inputs import PublishedInputs
from pipelines.figures.range_parts import range_parts
from pipelines.store import month_notes, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.engine import Store
from pipelines.store.publications import Publication

Row = Mapping[str, Any]
"""Values by column name."""


def note(
    store: Store, group: Group, now: datetime, errors: Callable[[Refusal], None], known: PublishedInputs | None = None
) -> None:
    """Note what isn't noted yet of the publications in force; all in one transaction, the store's own if it has begun one.

    `errors`: given each error that nobody foresaw. The publication that it is about has no notes then, and all others have.
    `known`: what this run has seen of publications' inputs.
    """
    in_force = publications.in_force(store)
    # Two queries where nothing is missing, which is each run's usual case.
    noted = month_notes.noted(store)
    if not any(_pair(in_force, key) not in noted for key in in_force):
        return
    with store.writing() as connection:
        within = ContributionStore(store.engine, connection, writes=True)
        notes = _Notes(within, group, now, known or PublishedInputs())
        month_notes.append(within, *notes.missing(errors))


def _pair(in_force: Mapping[tuple[date, str], Publication], key: tuple[date, str]) -> tuple[int, int | None]:
    """The numbers of a month's publication, and of that of the month before under the same reading."""
    before = in_force.get((month_before(key[0]), key[1]))
    return in_force[key].id, before.id if before else None


class _Notes:
    """The notes of a store's publications, each publication read once."""

    def __init__(self, store: ContributionStore, group: Group, now: datetime, known: PublishedInputs) -> None:
        self._store = store
        self._group = group
        self._now = now
        self._in_force = publications.in_force(store)
        self._readings = {reading.name: reading for reading in group.readings.readings}
        self._known = known
        self._read: dict[int, Measured] = {}

    def missing(self, errors: Callable[[Refusal], None]) -> tuple[list[Row], list[Row]]:
        """The rows of `month_changes` and of `range_parts` that aren't there yet. A reading that is gone gets none."""
        noted = month_notes.noted(self._store)
        known = {publication for publication, _ in noted}
        changes: list[Row] = []
        parts: list[Row] = []
        for key, publication in self._in_force.items():
            reading = self._readings.get(key[1])
            pair = _pair(self._in_force, key)
            if reading is None or pair in noted:
                continue
            before = self._in_force.get((month_before(key[0]), key[1]))
            # One month's rows that nobody can read keep neither the figures nor other months' causes from anybody.
            with unforeseen_into(f"the causes of changes in {key[0]:%Y-%m}", errors):
                own = list(self._changes(publication, before, reading))
                # Widths are the publication's own, whatever is published of the month before.
                parts += [] if publication.id in known else list(self._parts(publication, reading))
                changes += own
        return changes, parts

    def _changes(self, publication: Publication, before: Publication | None, reading: Reading) -> Iterator[Row]:
        measured = self._figures(publication, reading)
        if before is None:
            changes = [StepCause("first", "", f"nothing is published of {month_before(publication.month):%Y-%m}")]
            figures: Sequence[Measured] = (measured,)
        else:
            earlier = self._figures(before, reading)
            # Manifests may name affiliates by now that neither figure has.
            affiliates = {*measured.affiliates, *earlier.affiliates}
            then = comparability.basis_of(self._inputs(before, reading), before, earlier, affiliates)
            now = comparability.basis_of(self._inputs(publication, reading), publication, measured, affiliates)
            changes = _causes(earlier, measured, comparability.step_changes(then, now))
            figures = measured, earlier
        for change in changes:
            yield {
                "publication": publication.id,
                "before": before.id if before else None,
                "kind": change.kind,
                "subject": change.subject,
                "people": _people(figures, change.subject),
                "what": change.what,
                "known_at": self._now,
            }

    def _parts(self, publication: Publication, reading: Reading) -> Iterator[Row]:
        measured = self._figures(publication, reading)
        month = publication.month
        stated = self._store.read_counts(month, month, publication.position)
        scopes = [("group", self._group.settings.group, measured.group)]
        scopes += [("affiliate", name, figure) for name, figure in measured.affiliates.items()]
        scopes += [("product", name, figure) for name, figure in measured.products.items()]
        for scope, subject, figure in scopes:
            for part in range_parts(figure, [count for count in stated if scope == "group" or count.ref.belongs_to(subject)]):
                yield {"publication": publication.id, "scope": scope, "subject": subject, **part._asdict()}

    def _figures(self, publication: Publication, reading: Reading) -> Measured:
        if publication.id not in self._read:
            self._read[publication.id] = rows.read_figures(self._store, publication, reading)
        return self._read[publication.id]

    def _inputs(self, publication: Publication, reading: Reading) -> InputsOutline:
        """What a publication's figures rested on by what the store held then."""
        return self._known.read(self._store, self._group, reading, publication)


def _causes(before: Measured, after: Measured, changes: Iterator[StepCause]) -> list[StepCause]:
    """The causes with the gaps of the two months; growth where there is none."""
    gaps = dict[str, str]()
    for measured in (before, after):
        open_products = [name for name, figure in measured.products.items() if figure.upper is None]
        month = f"{measured.inputs.month:%Y-%m}"
        if measured.group.upper is None:
            why = f": {', '.join(open_products[:3])}{' …' if len(open_products) > 3 else ''}" if open_products else ""
            gaps[""] = f"{month} has no upper bound{why}"
        gaps |= {name: f"{name} has no upper bound in {month}" for name in open_products}
    # Of a product with a gap nobody knows what stands in for what.
    others = [change for change in changes if change.kind != "stand_in" or change.subject not in gaps]
    all_causes = [*(StepCause("gap", subject, what) for subject, what in gaps.items()), *others]
    return all_causes or [StepCause("growth", "", "members, definitions and stand-ins are those of the month before")]


def _people(figures: Sequence[Measured], subject: str) -> int | None:
    """The people of an affiliate or a product by itself: in the month, or else in the one before; null for the whole group."""
    for measured in figures:
        figure = measured.affiliates.get(subject) or measured.products.get(subject)
        if figure is not None:
            return figure.estimate
    return None
