"""Computing what is due of one product: from its sources, by the edge's way, into the store."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from affiliates.aggregation import key_overlap
from affiliates.concurrency import temporary_folder
from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal, RefusedError, unforeseen_into
from affiliates.manifests.product import Product, ProductRef
from affiliates.sketches.registers import Registers
from pipelines.figures import exchanged
from pipelines.ingestion import acceptance, seen
from pipelines.ingestion.due import ProductDue, due, sources_changed
from pipelines.ingestion.product_run import ProductRun
from pipelines.records import AcceptedContribution
from pipelines.runbook import DataFinding
from pipelines.store import erasure_guard, product_days
from pipelines.store.contributions import ContributionStore
from pipelines.workspace import Workspace

_ATTEMPTS = 3
"""How often a product is computed in one run while somebody writes its files again: half a file looks like a broken one."""


def collect(
    workspace: Workspace, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None
) -> ProductRun:
    """Compute what is due of a product (`due`) and store it, all together or not at all.

    What the sources, or the contributions, are refused for is in the answer and isn't raised: other products go on. So is an
    error that nobody foresaw, by its kind and place alone. Raises `RefusedError` where the store can't be used.
    """
    computed: list[AcceptedContribution] = []
    for _ in range(_ATTEMPTS):
        outcome, to_compute = plan(workspace, ref, product, first, last)
        if to_compute is not None:
            with refusals_into(outcome):
                computed = _computed(workspace, ref, product, to_compute)
        if to_compute is None or not outcome.refusals or not sources_changed(workspace, ref, product, to_compute):
            break
    if to_compute is not None and computed:
        with unforeseen_into(outcome.name, outcome.refuse):
            _store(workspace, outcome, computed, to_compute)
    return outcome


def plan(
    workspace: Workspace, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None
) -> tuple[ProductRun, ProductDue | None]:
    """What `collect` would do: what is missing or refused before anything is computed, and what is due.

    Nothing is due (None) where a source is refused. Files of the same events that have another inode are noted, so that nobody
    looks at them again.
    """
    outcome = ProductRun(ref)
    to_compute = None
    with refusals_into(outcome):
        to_compute = due(workspace, ref, product, first, last)
        if to_compute.to_note:
            workspace.store().note_seen(ref, product.grain, to_compute.to_note, workspace.now)
        outcome.missing = to_compute.missing
        outcome.left_out = tuple(text for source in to_compute.sources for text in source.left_out)
    return outcome, None if outcome.refusals else to_compute


def _store(workspace: Workspace, outcome: ProductRun, computed: list[AcceptedContribution], to_compute: ProductDue) -> None:
    """Store the contributions, and note in the product's outcome what became of them."""
    store = workspace.store()
    own = [accepted for accepted in computed if not accepted.next_epoch]
    notes = {period: seen.note_of(fingerprint) for period, fingerprint in to_compute.fingerprints.items()}
    outcome.received = store.append_contributions(computed, workspace.now, notes)
    outcome.periods = len(computed)
    if outcome.received.replaced:
        outcome.findings += tuple(_exchanged(store, own))
    if outcome.received.erased:
        versions = {version.period: version for version in store.read_versions(outcome.ref)}
        # An erased second contribution is left alone without a word, as a run leaves erased days that nobody named.
        outcome.refusals += tuple(erasure_guard.refusals(store.read_blocked(own, versions)))
    # A second contribution has the events of its day's own: counted with it, they would be told twice.
    outcome.unidentified = sum(accepted.contribution.unidentified_events or 0 for accepted in own)
    outcome.undecided = sum(accepted.contribution.undecided_events or 0 for accepted in own)
    outcome.excluded = sum(accepted.contribution.excluded_events or 0 for accepted in own)
    outcome.automated_users = _automated_users(accepted.contribution for accepted in own)


def _exchanged(store: ContributionStore, computed: Sequence[AcceptedContribution]) -> Iterator[DataFinding]:
    """The computed periods that have other users than an earlier version, though as many."""
    first, *_ = computed
    days = {accepted.contribution.activity_date for accepted in computed}
    about = first.contribution
    periods = product_days.read(store, about.ref, about.grain, min(days), max(days))
    return exchanged.find(store, [period for period in periods if period.day in days])


def _automated_users(contributions: Iterable[Contribution]) -> int:
    """How many different automated users contributions have: over namespaces added, as the estimate of a figure is."""
    by_namespace = defaultdict[str, list[Registers]](list)
    for contribution in contributions:
        for part in contribution.parts:
            # Of another key the same users would be others.
            if part.audience == "automated" and part.registers.at_least:
                by_namespace[f"{part.namespace} {contribution.key_epoch}"].append(part.registers)
    return round(sum(Registers.union(registers).bounds().estimate for registers in by_namespace.values()))


@contextmanager
def refusals_into(outcome: ProductRun) -> Iterator[None]:
    """What is refused inside becomes the product's refusals; so does a file that can't be read, and what nobody foresaw."""
    with unforeseen_into(outcome.name, outcome.refuse):
        try:
            yield
        except RefusedError as error:
            outcome.refusals = error.refusals
        except OSError as error:
            outcome.refusals = (
                Refusal(
                    Code.SOURCE_UNREADABLE,
                    outcome.name,
                    "a file can't be read",
                    error.strerror or type(error).__name__,
                    "see to its permissions and its disk",
                ),
            )


def _computed(workspace: Workspace, ref: ProductRef, product: Product, to_compute: ProductDue) -> list[AcceptedContribution]:
    """The product's contributions, accepted from files that the edge's code has written.

    By way of files, since there is one way in: what the centre computes itself is checked as an affiliate's file is.
    """
    with temporary_folder() as folder:
        paths = []
        passes = key_overlap.contribute_under_both_keys(
            ref, product, to_compute.sources, to_compute.periods, to_compute.next_epoch, workspace.edge
        )
        for number, contributions in enumerate(passes):
            paths.append(folder / f"{ref.affiliate}-{ref.product}-{number}.parquet")
            contract.write(paths[-1], contributions)
        return acceptance.accept(paths, workspace.group, workspace.edge.keys.canaries, workspace.crosswalk_digest, workspace.now)
