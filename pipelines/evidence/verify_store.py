"""Whether a group's store is as its ledger noted it, agrees with itself, and still gives what its figures rest on.

What isn't compared is listed by name: nobody is to take silence for proof.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from pipelines.counting.inputs import gather
from pipelines.store import integrity, ledger, publications
from pipelines.store.contributions import ContributionStore

NEVER = "sources_seen: which files of a source a run has read; no figure rests on it"
"""What is in no comparison, in whatever store."""
SHOWN = f"{', '.join(integrity.SHOWN)}: what pages show beside the figures; no figure and no signed test rests on it"
"""The same of what no entry of the ledger notes, since it is no evidence."""


@dataclass
class StoreVerification:
    """What came out of verifying a store."""

    entries: int = 0
    """Entries of its ledger."""
    head: str | None = None
    """Digest of the last entry; null for an empty ledger."""
    wrong: list[str] = field(default_factory=list)
    """What isn't as it was noted, or contradicts itself, a sentence each."""
    unknown: list[str] = field(default_factory=list)
    """What wasn't compared, a sentence each."""


def check(store: ContributionStore, group: Group, head: str | None = None) -> StoreVerification:
    """Compare all that a store holds with its ledger and with itself.

    `head`: a digest of the ledger that was printed; it has to be in the ledger still. Raises `RefusedError` for a store that
    can't be read.
    """
    with store.snapshot() as fixed:
        entries = ledger.read(fixed)
        verification = StoreVerification(len(entries), entries[-1].digest if entries else None)
        verification.wrong += [*ledger.faults(fixed), *integrity.faults(fixed)]
        if head is not None and head not in {entry.digest for entry in entries}:
            verification.wrong.append("the head that was printed is in no entry of the ledger: entries are gone, or written anew")
        verification.unknown += [*ledger.not_noted(fixed), *_rest_on_others(fixed, group), NEVER, SHOWN]
        if head is None and entries:
            verification.unknown.append("whether the ledger is the one of that time: compare a printed head with it, by --head")
    return verification


def _rest_on_others(store: ContributionStore, group: Group) -> Iterator[str]:
    """The figures in force whose inputs can't be gathered again: by today's manifests they would rest on something else."""
    readings = {reading.name: reading for reading in group.readings.readings}
    for (month, name), publication in publications.in_force(store).items():
        subject = f"what the figures of {month:%Y-%m} by {name} rest on"
        if name not in readings or publication.position is None:
            yield f"{subject}: {'the reading is gone' if name not in readings else 'it was not noted then'}"
            continue
        try:
            inputs = gather(store, group, month, readings[name], up_to=publication.position, method=publication.method)
        except RefusedError as error:
            yield f"{subject}: {error.refusals[0].rule}"
            continue
        if publication.inputs not in (inputs.digest, inputs.unerased):
            yield f"{subject}: the manifests, or the confirmations of its contributions, are others than then"
