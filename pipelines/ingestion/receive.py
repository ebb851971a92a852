"""One received file's way into the store: copied, bound to its sender, examined, and stored whole or not at all.

`pipelines.workflows.receive` goes this way with each file, in the order of the functions here.

Over 300 lines: the steps of one way, each with its refusals.
"""

import errno
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from affiliates.contributions import contract, untrusted_files
from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal, RefusedError, refused_if_unforeseen
from affiliates.identity.keys import PERSON
from affiliates.manifests.group import Entity, Group
from affiliates.periods import month_of
from affiliates.signing import ENDING, verify_digest
from pipelines import records
from pipelines.ingestion import acceptance, inbox, quarantine, replacement, staging
from pipelines.ingestion.inbox import AcceptedFiles
from pipelines.ingestion.receipts import NO_ENTITY, NOT_SIGNED, OTHERS, WRONG_SIGNATURE, ReceivedFile
from pipelines.ingestion.replacement import ContributionId, Outline
from pipelines.records import AcceptedContribution, Period, Restatement, StoredContribution
from pipelines.runbook import Finding, Page
from pipelines.store import erasure_guard, handed_in, publications
from pipelines.store.contributions import ContributionStore
from pipelines.workspace import Workspace

# What binds a sender to a file, as receipts say it.
BY_FOLDER = "inbox folder"
BY_OPTION = "--sender"
BY_FILE = "named by the file"


class _OutlineRow(NamedTuple):
    """What a file's row says of its contribution, without users."""

    computed_at: datetime
    audience: str
    namespace: str


_ID_COLUMNS = ContributionId._fields
_OUTLINE_COLUMNS = (*_ID_COLUMNS, *_OutlineRow._fields)


def must_sign(group: Group) -> frozenset[str]:
    """The affiliates whose files need a signature: those whose manifests name a public key."""
    return frozenset(name for name, entity in group.entities.items() if entity.public_keys)


def copy(workspace: Workspace, file: ReceivedFile, to: Path) -> None:
    """Copy the file into a new folder `to`, and refuse a file that isn't its sender's, where the sender is known.

    The sender comes before everything else: a file of somebody else has no effect, on no other file's judgement either.
    Raises `OSError`.
    """
    try:
        file.copy = staging.stage_copy(file.offer, to)
    except RefusedError as error:
        file.refuse(error.refusals)
        return
    file.sha256 = file.copy.sha256
    if file.sender is not None:
        file.refuse(_wrong_sender(workspace.group.entities.get(file.sender), file))


def accepted_files(workspace: Workspace) -> AcceptedFiles:
    """What `inbox.waiting` asks the store: by the store's own receipts, which of these files it has accepted."""

    def accepted(digests: Collection[str]) -> Collection[tuple[str, str | None]]:
        store = workspace.store_if_any()
        return store.read_accepted(digests) if store else ()

    return accepted


def was_accepted(workspace: Workspace, file: ReceivedFile) -> bool:
    """Whether a file of the inbox was accepted before as it is: by the receipt beside the file, and by the store's own.

    A store that was restored from a backup lacks what was accepted since, and takes the file again. A refused file never was
    accepted: it went into quarantine, so somebody has put it there again to have it judged.
    """
    receipt = inbox.receipt_of(file.offer) if file.offer.folder else {}
    is_same = bool(file.sha256) and (receipt.get("outcome"), receipt.get("sha256")) == ("accepted", file.sha256)
    if not is_same or (file.sha256, file.sender) not in accepted_files(workspace)([file.sha256]):
        return False
    # Somebody wrote the same bytes again. With the new state in its receipt, the next look needn't copy the file.
    with suppress(OSError):
        inbox.put_receipt(file.offer.receipt, receipt | file.written)
    return True


def note_ambiguous(workspace: Workspace, files: Sequence[ReceivedFile]) -> None:
    """Note in each file the periods that another one holds with other users, and that aren't plainly versions."""
    if len(files) < 2:
        return
    _read_small(file for file in files if not file.refusals)
    shared = replacement.shared_periods([{} if file.refusals else _outlines(file) for file in files])
    # Registers are read only of files that share a period: an outline is read without any sketch.
    digests: dict[int, Mapping[ContributionId, str]] = {}
    for number in sorted({number for numbers in shared.values() for number in numbers}):
        with suppress(RefusedError):  # `take` refuses the file for it.
            contributions = _contributions(workspace, files[number])
            digests[number] = {_id_of(contribution): contribution.digest for contribution in contributions}
    for period, numbers in shared.items():
        if len({digests[number].get(period) for number in numbers if number in digests}) > 1:
            for number in numbers:
                files[number].ambiguous.append(period)


def judged(workspace: Workspace, file: ReceivedFile) -> list[AcceptedContribution]:
    """A file's contributions, where nothing speaks against them but what is stored; else none, and the file is refused.

    Raises `RefusedError` where this machine's key or crosswalk is at fault: then the file isn't judged.
    """
    accepted, refusals = examine(workspace, file)
    file.rows = None  # Many files wait in one call.
    if file.ambiguous and not refusals:
        refusals = [replacement.ambiguity(file.offer.name, file.ambiguous)]
    if refusals:
        file.refuse(refusals)
        return []
    file.warnings += [text for new in accepted for text in replacement.many_events(new.contribution)]
    return accepted


def store_files(
    workspace: Workspace,
    files: Sequence[tuple[ReceivedFile, Sequence[AcceptedContribution]]],
    restatement: Restatement | None,
) -> None:
    """Store the contributions of files, no two of which have a period in common, or note why a file is refused.

    All are one transaction, after which each file knows what became of it. Raises `RefusedError` where the store is at fault:
    then nothing is stored, and no file is judged.
    """
    lost = list(_lost_users(workspace.store_if_any(), [accepted for _, accepted in files]))
    closed = dict[date, bool]()
    judges = [_Judge(accepted, restatement, file, closed) for file, accepted in files]
    to_store = [
        handed_in.FileToStore(accepted, file.handed, judge) for (file, accepted), judge in zip(files, judges, strict=True)
    ]
    results = handed_in.append_files(workspace.store(), to_store, workspace.now)
    for error, judge in zip(results, judges, strict=True):
        if isinstance(error, RefusedError) and not judge.refusals:
            raise error
    for (file, accepted), judge, outcomes, warnings in zip(files, judges, results, lost, strict=True):
        file.warnings += [*warnings, *judge.warnings]
        if isinstance(outcomes, RefusedError):
            file.refuse(judge.refusals)
            continue
        if older := sum(outcome.kind == "older" for outcome in outcomes):
            file.warnings.append(
                f"{older:,} of {len(outcomes):,} contributions aren't stored: the store has what was computed at a later moment. "
                "Is the file an older version, or was a clock wrong?"
            )
        file.accept([(new.contribution, outcome) for new, outcome in zip(accepted, outcomes, strict=True)])


def examine(workspace: Workspace, file: ReceivedFile) -> tuple[list[AcceptedContribution], Sequence[Refusal]]:
    """The file's contributions, where all are its sender's and may be stored, and the reasons against the file.

    A file without a known sender gets the one affiliate that its rows name. Raises `RefusedError` where this machine's key or
    crosswalk is at fault.
    """
    name = file.offer.name
    try:
        contributions = _contributions(workspace, file)
    except RefusedError as error:
        return [], error.refusals
    if not contributions:
        next_step = "write a row for each period, of nobody an empty sketch"
        return [], [Refusal(Code.CONTRIBUTION_INCOMPLETE, name, "holds no contribution", "0 rows", next_step)]
    if file.sender is None:
        refusals = _name_sender(workspace, file, {contribution.affiliate for contribution in contributions})
        if refusals:
            return [], refusals
    others = sum(contribution.affiliate != file.sender for contribution in contributions)
    if others:
        values = f"{others:,} of {len(contributions):,} contributions aren't {file.sender}'s"
        return [], [Refusal(Code.SENDER_OTHER, name, OTHERS, values, "each affiliate hands in its own")]
    keys = workspace.edge.keys
    accepted, refusals = acceptance.check(
        contributions, workspace.group, keys.canaries, workspace.crosswalk_digest, workspace.now
    )
    return accepted, [*refusals, *_unknown_people(workspace, accepted)]


def _unknown_people(workspace: Workspace, accepted: Sequence[AcceptedContribution]) -> Iterator[Refusal]:
    """Refusals of people whom the month's snapshot doesn't have: an engine's own join may have made one key of everybody."""
    for new in accepted:
        contribution = new.contribution
        crosswalk = workspace.edge.crosswalk(month_of(contribution.activity_date))
        # A second contribution is joined by the snapshot of another month.
        if crosswalk is None or crosswalk.digest != contribution.crosswalk_digest:
            continue
        for part in contribution.parts:
            if part.namespace == PERSON and not crosswalk.may_hold(part.registers):
                rule = "holds people whom the month's crosswalk doesn't have"
                values = f"{part.audience} users of {PERSON}"
                yield Refusal(
                    Code.CONTRIBUTION_CROSSWALK_WRONG, contribution.subject, rule, values, "join the keys by the month's snapshot"
                )


def record_outcome(workspace: Workspace, file: ReceivedFile) -> None:
    """Write the receipt beside the file; put a refused file's into the store as well, and the file into quarantine.

    An accepted file's receipt is in the store already, written with its contributions. Raises `OSError`.
    """
    if file.refusals:
        reasons = [f"{refusal.rule} ({refusal.values})" if refusal.values else refusal.rule for refusal in file.refusals]
        workspace.store().append_refused(file.handed, workspace.now, reasons)
    try:
        inbox.put_receipt(file.offer.receipt, file.receipt(workspace.now))
    finally:
        # Where the receipt can't be written, the refused file still has to leave the inbox.
        if file.refusals:
            quarantine.put_away(file, workspace.directory, workspace.now)


def disk_finding(file: ReceivedFile, error: OSError) -> Finding:
    """The finding that a file can't be read, or its receipt or its copy in quarantine not be written.

    Raises the error itself where the disk is full: then no other file has a chance either.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise error
    what = "its receipt, or what was refused, can't be put down" if file.sha256 else "can't be read"
    return Finding(f"{file.offer.name}: {what}: {error.strerror}", Page.QUARANTINE)


def _contributions(workspace: Workspace, file: ReceivedFile) -> list[Contribution]:
    """What the file's copy holds. Raises `RefusedError` where the copy can't be read, without companies that no manifest has."""
    assert file.copy is not None
    with refused_if_unforeseen(file.offer.name):
        return contract.read(file.copy.path, file.rows, workspace.group.entities.keys())


def _id_of(contribution: Contribution) -> ContributionId:
    return ContributionId(*(getattr(contribution, name) for name in _ID_COLUMNS))


def _outlines(file: ReceivedFile) -> dict[ContributionId, Outline]:
    """What a file holds of its sender's, without users. Empty where the file can't be read: `take` refuses it for that."""
    if file.copy is None:
        return {}
    try:
        schema = pl.Schema({name: contract.SCHEMA[name] for name in _OUTLINE_COLUMNS})
        with refused_if_unforeseen(file.offer.name):
            frame = file.rows
            if frame is None:
                frame = untrusted_files.read(file.copy.path, schema, (), known=contract.SCHEMA.names())
            rows = frame[list(_OUTLINE_COLUMNS)].rows()
    except RefusedError:
        return {}
    by_period = defaultdict[ContributionId, list[_OutlineRow]](list)
    for row in rows:
        by_period[ContributionId(*row[: len(_ID_COLUMNS)])].append(_OutlineRow(*row[len(_ID_COLUMNS) :]))
    outlines = {}
    for period, cells in by_period.items():
        # Another affiliate's rows will be refused; they mustn't make a good file of that affiliate ambiguous.
        if file.sender in (None, period.affiliate):
            computed_at = max(cell.computed_at for cell in cells)
            outlines[period] = Outline(computed_at, frozenset((cell.audience, cell.namespace) for cell in cells))
    return outlines


def _read_small(files: Iterable[ReceivedFile]) -> None:
    """Keep the rows of small files until they are taken: so each is opened once, and many are read together."""
    by_path = {file.copy.path: file for file in files if file.copy is not None}
    with suppress(RefusedError), refused_if_unforeseen("small files"):  # Then each is read by itself.
        for path, rows in contract.read_small_files(list(by_path)).items():
            by_path[path].rows = rows


def _name_sender(workspace: Workspace, file: ReceivedFile, affiliates: set[str]) -> list[Refusal]:
    """Take the one affiliate that a file's rows name for its sender; the reasons where that can't be."""
    name = file.offer.name
    if len(affiliates) > 1:
        values = f"it names {len(affiliates)}"
        return [Refusal(Code.SENDER_OTHER, name, OTHERS, values, "write a file for each affiliate")]
    file.sender = next(iter(affiliates & set(workspace.group.entities)), None)
    if file.sender is None:
        next_step = "correct the name, or add its manifest"
        return [Refusal(Code.SENDER_UNKNOWN, name, NO_ENTITY, "by the name in its rows", next_step)]
    return _wrong_sender(workspace.group.entities[file.sender], file)


def _wrong_sender(entity: Entity | None, file: ReceivedFile) -> list[Refusal]:
    """Why a file isn't its sender's; empty where it is. Notes in the file whether a signature binds the sender to it."""
    name = file.offer.name
    if entity is None:
        file.sender = None
        next_step = "correct the folder's name, or add its manifest"
        return [Refusal(Code.SENDER_UNKNOWN, name, NO_ENTITY, "of the group", next_step)]
    if not entity.public_keys:
        return []
    assert file.copy is not None
    number = len(entity.public_keys)
    if file.copy.signature is None:
        next_step = f"put its signature beside it, as {name}{ENDING}"
        return [Refusal(Code.SENDER_UNSIGNED, name, NOT_SIGNED, f"{entity.entity} has {number} public keys", next_step)]
    if not verify_digest(file.copy.sha256, file.copy.signature, entity.public_keys):
        next_step = "sign the file again as it is now, or add the new key to `public_keys`"
        return [Refusal(Code.SENDER_SIGNATURE_WRONG, name, WRONG_SIGNATURE, f"{entity.entity} has {number}", next_step)]
    file.bound_by += ", signature"
    return []


@dataclass
class _Judge:
    """Whether a file's contributions may replace what the store has, asked within the transaction that stores them.

    Before the transaction a second receiver, or somebody who signs the month, could still slip between (decision 42).
    """

    accepted: Sequence[AcceptedContribution]
    restatement: Restatement | None
    file: ReceivedFile
    closed: dict[date, bool]
    """By a month's first day, whether somebody has signed the month: asked once for all files of one transaction."""
    warnings: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    """The reasons that were raised. Empty after a refusal by the store itself, which isn't the file's fault."""

    def __call__(self, store: ContributionStore, current: Mapping[Period, StoredContribution]) -> Restatement | None:
        """What is restated, if anything is. Raises `RefusedError` for contributions that may not become current."""
        days = sorted({accepted.contribution.activity_date for accepted in self.accepted})
        months = {month_of(day) for day in days}
        self.closed |= {month: _is_signed(store, month) for month in months - self.closed.keys()}
        signed = {month for month in months if self.closed[month]}
        cells = store.read_cells(days)
        by_period = replacement.by_period(cells)
        refusals = list(erasure_guard.refusals(store.read_blocked(self.accepted, current)))
        for new in self.accepted:
            before = current.get(new.period)
            refusals += replacement.refusals(new, before, by_period.get(new.period, []), signed, self.restatement)
        self.refusals = refusals
        if refusals:
            raise RefusedError(*refusals)
        self.warnings += dict.fromkeys(replacement.same_users(self.accepted, cells))
        if self.restatement is None:
            return None
        return replace(self.restatement, months=replacement.restated_months(self.accepted, current, signed))


def _is_signed(store: ContributionStore, month: date) -> bool:
    return any(publication.signed for publication in publications.in_force(store, month).values())


def _lost_users(store: ContributionStore | None, files: Sequence[Sequence[AcceptedContribution]]) -> Iterator[list[str]]:
    """For each file, warnings of users whom versions had that are about to be replaced."""
    current = store.read_current([new for accepted in files for new in accepted]) if store else {}
    for accepted in files:
        warnings = list[str]()
        for new in accepted:
            before = current.get(new.period)
            if store and before is not None and records.outcome(new, before).kind == "replaced":
                parts = [part for _, part in store.read_parts([before.id])]
                warnings += replacement.lost_users(new.contribution, parts)
        yield warnings
