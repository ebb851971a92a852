"""Receiving files of contributions: whose each is, whether it is taken, and what its receipt says. Whole, or not at all."""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl

from affiliates.contributions import contract, untrusted_files
from affiliates.errors import Code, Refusal, RefusedError
from affiliates.manifests.group import Entity
from affiliates.periods import month_of
from affiliates.signing import ENDING, verify_digest
from pipelines import records
from pipelines.ingestion import acceptance, inbox, replacement
from pipelines.ingestion.inbox import StagedCopy
from pipelines.ingestion.receipts import NO_ENTITY, NOT_SIGNED, OTHERS, WRONG_SIGNATURE, ReceivedFile
from pipelines.ingestion.replacement import ContributionId, Outline
from pipelines.records import AcceptedContribution, Period, Restatement, StoredContribution
from pipelines.runbook import Finding, Page
from pipelines.store import erasure_guard, publications
from pipelines.store.contributions import ContributionStore
from pipelines.workspace import Workspace

FOLDER = "inbox folder"
OPTION = "--sender"
NAMED = "named by the file"
_KEYS = ("affiliate", "product", "grain", "activity_date", "key_epoch", "computed_at", "audience", "namespace")


def must_sign(workspace: Workspace) -> frozenset[str]:
    """The affiliates whose files need a signature."""
    return frozenset(name for name, entity in workspace.group.entities.items() if entity.public_keys)


def _unwritten(taken: ReceivedFile, error: OSError) -> Finding:
    """That a file can't be read, or its receipt not be put beside it; a full disk ends everything."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise error
    what = "its receipt, or what was refused, can't be put down" if taken.sha256 else "can't be read"
    return Finding(f"{taken.offer.name}: {what}: {error.strerror}", Page.QUARANTINE)


def _copied(workspace: Workspace, taken: ReceivedFile, to: Path) -> StagedCopy | None:
    """A copy of the file, and whether it comes from its sender, where that is known: nobody else's file has any effect."""
    try:
        copy = inbox.stage_copy(taken.offer, to)
    except RefusedError as error:
        taken.refuse(error.refusals)
        return None
    taken.sha256 = copy.sha256
    if taken.sender is not None:
        taken.refuse(_wrong_sender(workspace.group.entities.get(taken.sender), taken, copy))
    return copy


def _known(taken: ReceivedFile) -> bool:
    """Whether a file of the inbox was accepted as it is. One that was refused went away, so it has been put there again."""
    said = inbox.receipt_of(taken.offer) if taken.offer.folder else {}
    known = bool(taken.sha256) and (said.get("outcome"), said.get("sha256")) == ("accepted", taken.sha256)
    if known:  # Written again, and the same: so that the next look needn't read it.
        with suppress(OSError):
            inbox.put_receipt(taken.offer.receipt, said | {"changed_at": taken.changed_at})
    return known


def _split(copies: Sequence[tuple[ReceivedFile, StagedCopy | None]]) -> dict[int, list[ContributionId]]:
    """By file, the periods that another one holds too, and that aren't the same or plainly versions of each other."""
    if len(copies) < 2:
        return {}
    doubtful = replacement.doubtful([_outlines(copy, t.sender) if copy and not t.refusals else {} for t, copy in copies])
    digests: dict[int, Mapping[ContributionId, str]] = {}
    for number in sorted({n for numbers in doubtful.values() for n in numbers}):
        copy = copies[number][1]
        assert copy is not None
        with suppress(RefusedError):  # Said when it is taken.
            digests[number] = {
                ContributionId(c.affiliate, c.product, c.grain, c.activity_date, c.key_epoch): c.digest
                for c in contract.read(copy.path)
            }
    found: dict[int, list[ContributionId]] = {}
    for about, numbers in doubtful.items():
        if len({digests[n].get(about) for n in numbers if n in digests}) > 1:
            for number in numbers:
                found.setdefault(number, []).append(about)
    return found


def _outlines(copy: StagedCopy, sender: str | None) -> dict[ContributionId, Outline]:
    """What a file holds of its sender's, without users; nothing where it can't be read, which is said later."""
    try:
        schema = pl.Schema({name: contract.SCHEMA[name] for name in _KEYS})
        rows = untrusted_files.read(copy.path, schema, ()).rows_by_key(_KEYS[:5], named=True)
    except RefusedError:
        return {}
    return {
        ContributionId(*about): Outline(
            max(r["computed_at"] for r in some), frozenset((r["audience"], r["namespace"]) for r in some)
        )
        for about, some in rows.items()
        if sender in (None, about[0])
    }


def _take(
    workspace: Workspace, taken: ReceivedFile, copy: StagedCopy, split: Sequence[ContributionId], restated: Restatement | None
) -> None:
    """Store a file's contributions, or refuse the file. Raises `RefusedError` where our key, our crosswalk or our store is at
    fault."""
    accepted, refusals = _examined(workspace, taken, copy)
    if split and not refusals:
        refusals = [replacement.split(taken.offer.name, split)]
    if refusals:
        taken.refuse(refusals)
        return
    taken.warnings += _lost(workspace.store_if_any(), accepted)
    judge, wrong = _judge(accepted, restated, taken)
    try:
        outcomes = workspace.store().append_handed_in(accepted, workspace.now, taken.handed, judge)
    except RefusedError:
        if not wrong:
            raise
        taken.refuse(wrong)
        return
    taken.accept([(a.contribution, outcome) for a, outcome in zip(accepted, outcomes, strict=True)])


def _examined(
    workspace: Workspace, taken: ReceivedFile, copy: StagedCopy
) -> tuple[list[AcceptedContribution], Sequence[Refusal]]:
    """The file's contributions, if it is its sender's and each of them may be stored, and the reasons against it."""
    name = taken.offer.name
    group = workspace.group
    try:
        found = contract.read(copy.path)
    except RefusedError as error:
        return [], error.refusals
    if not found:
        next_step = "write a row for each period, of nobody an empty sketch"
        return [], [Refusal(Code.CONTRIBUTION_INCOMPLETE, name, "holds no contribution", "0 rows", next_step)]
    if taken.sender is None:
        named = {c.affiliate for c in found}
        if len(named) > 1:
            said = f"it names {len(named)}"
            return [], [Refusal(Code.SENDER_OTHER, name, OTHERS, said, "write a file for each affiliate")]
        taken.sender = next(iter(named & set(group.entities)), None)
        if taken.sender is None:
            next_step = "correct the name, or add its manifest"
            return [], [Refusal(Code.SENDER_UNKNOWN, name, NO_ENTITY, "by the name in its rows", next_step)]
        if wrong := _wrong_sender(group.entities[taken.sender], taken, copy):
            return [], wrong
    others = sum(c.affiliate != taken.sender for c in found)
    if others:
        said = f"{others:,} of {len(found):,} contributions aren't {taken.sender}'s"
        return [], [Refusal(Code.SENDER_OTHER, name, OTHERS, said, "each affiliate hands in its own")]
    return acceptance.checked(found, group, workspace.edge.keys.canaries, workspace.crosswalk_digest, workspace.now)


def _wrong_sender(entity: Entity | None, taken: ReceivedFile, copy: StagedCopy) -> list[Refusal]:
    """Why a file isn't its sender's, if it isn't; `taken` then knows what binds the sender to it."""
    name = taken.offer.name
    if entity is None:
        taken.sender = None
        next_step = "correct the folder's name, or add its manifest"
        return [Refusal(Code.SENDER_UNKNOWN, name, NO_ENTITY, "of the group", next_step)]
    if not entity.public_keys:
        return []
    if copy.signature is None:
        said = f"{entity.entity} has {len(entity.public_keys)} public keys"
        next_step = f"put its signature beside it, as {name}{ENDING}"
        return [Refusal(Code.SENDER_UNSIGNED, name, NOT_SIGNED, said, next_step)]
    if not verify_digest(copy.sha256, copy.signature, entity.public_keys):
        said = f"{entity.entity} has {len(entity.public_keys)}"
        next_step = "sign the file again as it is now, or add the new key to `public_keys`"
        return [Refusal(Code.SENDER_SIGNATURE_WRONG, name, WRONG_SIGNATURE, said, next_step)]
    taken.bound_by += ", signature"
    return []


def _judge(
    accepted: Sequence[AcceptedContribution], restated: Restatement | None, taken: ReceivedFile
) -> tuple[Callable[[ContributionStore, Mapping[Period, StoredContribution]], Restatement | None], list[Refusal]]:
    """Asked within the transaction, raises `RefusedError` for what may not replace what is there; and the list in which its
    reasons then are, which tells them from an error of the store's own."""
    wrong: list[Refusal] = []
    days = sorted({a.contribution.activity_date for a in accepted})

    def judge(fixed: ContributionStore, current: Mapping[Period, StoredContribution]) -> Restatement | None:
        months = sorted({month_of(day) for day in days})
        signed = {m for m in months if any(p.signed for p in publications.in_force(fixed, m).values())}
        cells = fixed.read_cells(days)
        by_period = replacement.by_period(cells)
        refusals: list[Refusal] = list(erasure_guard.refusals(fixed.read_blocked(accepted, current)))
        for a in accepted:
            about = a.period
            refusals += replacement.refusals(a, current.get(about), by_period.get(about, []), signed, restated)
        wrong[:] = refusals
        if refusals:
            raise RefusedError(*refusals)
        taken.warnings += dict.fromkeys(replacement.twins(accepted, cells))
        return restated and replace(restated, months=replacement.restated_months(accepted, current, signed))

    return judge, wrong


def _lost(store: ContributionStore | None, accepted: Sequence[AcceptedContribution]) -> Iterator[str]:
    """Warnings of users that versions had which are about to be replaced."""
    if store is None:
        return
    refs = sorted({a.contribution.ref for a in accepted})
    current = {v.period: v for ref in refs for v in store.read_versions(ref, next_epoch=None)}
    for a in accepted:
        before = current.get(a.period)
        if before is not None and records.outcome(a, before).kind == "replaced":
            yield from replacement.lost(a.contribution, [part for _, part in store.read_parts([before.id])])


def _settle(workspace: Workspace, taken: ReceivedFile, copy: StagedCopy | None) -> None:
    """The receipt beside the file; what was refused into the store's receipts and the quarantine."""
    said = taken.receipt(workspace.now)
    if taken.refusals:
        reasons = [f"{r.rule} ({r.values})" if r.values else r.rule for r in taken.refusals]
        workspace.store().append_refused(taken.handed, workspace.now, reasons)
    try:
        inbox.put_receipt(taken.offer.receipt, said)
    finally:
        if taken.refusals:
            sender = taken.sender or taken.offer.folder
            inbox.quarantine(taken.offer, copy, taken.seen, sender, workspace.directory, workspace.now, said)
