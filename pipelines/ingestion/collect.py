"""Contributions of one product, from its sources by the edge and the one way in to the store.

A few lines over 300: what is due and how it is computed have to agree.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from affiliates.aggregation import key_overlap
from affiliates.contributions import contract
from affiliates.errors import Code, Refusal, RefusedError
from affiliates.manifests.product import Product, ProductRef
from pipelines.ingestion import acceptance
from pipelines.ingestion.due import ProductDue, _rewritten, due
from pipelines.records import AcceptedContribution, OutcomeCounts
from pipelines.store import erasure_guard
from pipelines.workspace import Workspace

_ATTEMPTS = 3
"""Times that a product is computed while its files are written again under its hands."""


@dataclass
class ProductRun:
    """What a run did for one product."""

    ref: ProductRef
    received: OutcomeCounts = field(default_factory=OutcomeCounts)
    periods: int = 0
    """Computed anew."""
    missing: tuple[date, ...] = ()
    """Days that are over and settled, and are neither in the sources nor in the store."""
    refusals: tuple[Refusal, ...] = ()
    unidentified: int = 0
    """Events of the computed periods without a usable identifier."""
    undecided: int = 0
    """Events of the computed periods that a condition left undecided."""

    @property
    def name(self) -> str:
        """The product, as affiliate/product."""
        return str(self.ref)

    def add(self, more: Self) -> None:
        """Take in what was done for other periods of the same product; what is missing stays as it is."""
        r = vars(self.received)
        m = vars(more.received)
        self.received = OutcomeCounts(**{outcome: number + m[outcome] for outcome, number in r.items()})
        self.periods += more.periods
        self.refusals += tuple(new for new in more.refusals if str(new) not in map(str, self.refusals))
        self.unidentified += more.unidentified
        self.undecided += more.undecided


def collect(
    workspace: Workspace, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None
) -> ProductRun:
    """Compute what is due of a product and store it; what its sources are refused for is in the answer."""
    computed: list[AcceptedContribution] = []
    for _ in range(_ATTEMPTS):
        done, wanted = plan(workspace, ref, product, first, last)
        if wanted is not None:
            with _refusals_in(done):
                computed = _computed(workspace, ref, product, wanted)
        if wanted is None or not done.refusals or not _rewritten(workspace, ref, product, wanted):
            break
    if wanted is not None and computed:
        done.periods, store = len(computed), workspace.store()
        done.received = store.append_contributions(computed, workspace.now, wanted.seen)
        if done.received.erased:
            versions = {v.period: v for v in store.read_versions(ref)}
            own = [a for a in computed if not a.next_epoch]  # An erased second one is left alone, as a run leaves erased days.
            done.refusals += tuple(erasure_guard.refusals(store.read_blocked(own, versions)))
        done.unidentified = sum(a.contribution.unidentified_events or 0 for a in computed if not a.next_epoch)
        done.undecided = sum(a.contribution.undecided_events or 0 for a in computed if not a.next_epoch)
    return done


def plan(
    workspace: Workspace, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None
) -> tuple[ProductRun, ProductDue | None]:
    """What `collect` would do, before it does it: what is missing or refused already, and else what is due."""
    done = ProductRun(ref)
    wanted = None
    with _refusals_in(done):
        wanted = due(workspace, ref, product, first, last)
        done.missing = wanted.missing
    return done, wanted


@contextmanager
def _refusals_in(done: ProductRun) -> Iterator[None]:
    """What is refused inside becomes the product's refusals."""
    try:
        yield
    except RefusedError as error:
        done.refusals = error.refusals
    except OSError as error:
        done.refusals = (
            Refusal(
                Code.SOURCE_UNREADABLE,
                done.name,
                "a file can't be read",
                str(error.strerror),
                "see to its permissions and its disk",
            ),
        )


def _computed(workspace: Workspace, ref: ProductRef, product: Product, wanted: ProductDue) -> list[AcceptedContribution]:
    """The product's contributions, written at the edge and read at the centre: there is one way in."""
    with TemporaryDirectory(prefix="mauwatch-") as folder:
        paths = []
        made = key_overlap.contribute_under_both_keys(
            ref, product, wanted.found, wanted.periods, wanted.next_epoch, workspace.edge
        )
        for number, contributions in enumerate(made):
            paths.append(Path(folder) / f"{ref.affiliate}-{ref.product}-{number}.parquet")
            contract.write(paths[-1], contributions)
        return acceptance.accept(paths, workspace.group, workspace.edge.keys.canaries, workspace.crosswalk_digest, workspace.now)
