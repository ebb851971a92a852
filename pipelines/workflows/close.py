"""Closing a month: its figures signed by a named person, and restated when they must be; never altered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from affiliates import signing
from affiliates.errors import Code, RefusedError, refused, unseen_sign
from affiliates.manifests.attestations import Attested
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_attested
from affiliates.periods import LONGEST_RUN, end_of, month_days
from pipelines.alerts import delivery, evaluate, unusual_data
from pipelines.counting import measure
from pipelines.counting.convention import METHOD
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.evidence import binding
from pipelines.figures import causes, data_findings, quality_checks
from pipelines.figures.rows import new_publication, with_state
from pipelines.hash_chain import LedgerEntry, canonical, head_of
from pipelines.ingestion import clock_check
from pipelines.licences import clause_rows, release_tests
from pipelines.licences.release_tests import LicenceTest
from pipelines.store import clause_results, ledger, mark, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.engine import Store
from pipelines.store.publications import CLOSED, RESTATED, Publication
from pipelines.workflows.sign_off import sign_off_record
from pipelines.workspace import Workspace

MOST_SHOWN = 5
"""Red checks that a refusal names."""


@dataclass(frozen=True)
class Signature:
    """Who signs, and why although a check is red, or why anew."""

    by: str
    despite: str | None = None
    """Why the month is signed although a check is red."""
    restates: str | None = None
    """Why other figures than the signed ones are signed."""


def close_month(workspace: Workspace, month: date, signature: Signature) -> dict[str, Measured]:
    """Sign a month's figures under each reading; gives the signed figures by reading.

    Raises `RefusedError` for a clock that is wrong, while the month isn't over, or a check is red (unless `despite` says why), as
    one is while anything due is missing or unsettled; and for a month that is signed already, unless the signature `restates` it
    and something has changed.
    """
    group = workspace.group
    store = workspace.store_if_any()
    name = f"{month:%Y-%m}"
    clock = clock_check.require_usable(workspace)
    _check_request(workspace, month, signature)
    attested = read_attested(workspace.directory, group, month)
    _check_days(name, attested, workspace.today)
    key = group.settings.evidence_key
    public_key = signing.public_of(workspace.directory / key) if key else None
    if store is None:
        raise _nothing_contributed(month)
    # All that is signed is of one snapshot: figures, checks and tests agree about what was there.
    with store.snapshot() as fixed:
        before = {
            publication.reading: publication for publication in publications.in_force(fixed, month).values() if publication.signed
        }
        _check_not_signed(name, before, signature)
        measured = dict(_measured(fixed, group, month))
        tests = _licence_tests(workspace, fixed, month, measured)
        bases = dict(_bases(workspace, fixed, month, tests))
        records = {
            reading: canonical(sign_off_record(attested, figures, public_key, bases[reading]))
            for reading, figures in measured.items()
        }
        is_coming = any(publication.known_at > workspace.now + LONGEST_RUN for publication in before.values())
        if (
            before
            and not is_coming
            and all(_is_same(before.get(reading), figures, records[reading]) for reading, figures in measured.items())
        ):
            raise refused(
                Code.MONTH_NOT_CLOSABLE, name, "nothing has changed since it was signed", "", "there is nothing to restate"
            )
        if signature.despite is None:
            # By the store as it is now: who signs at the same moment moves the mark past the snapshot.
            doubts = [finding for finding in clock.findings if clock.is_behind] + mark.findings(store, workspace.directory)
            _check_not_red(name, [*map(str, doubts), *_red_checks(fixed, group, measured)])
        position = fixed.position(workspace.now)
    state = RESTATED if before else CLOSED
    new = []
    for reading in group.readings.readings:
        last = before.get(reading.name)
        signed = {
            "signed_by": signature.by.strip(),
            "despite": signature.despite,
            "reason": signature.restates,
            "supersedes": last.id if last else None,
            "collected": records[reading.name],
        }
        figures = measured[reading.name]
        new.append(new_publication(figures, reading, group.settings.group, position, workspace.now, state, **signed))

    def evaluate_within(within: Store) -> None:
        # A signature stands without them: the next run notes what is missing, or says why it can't.
        causes.note(within, group, workspace.now, lambda refusal: None)
        clause_results.append(within, list(clause_rows.of_releases(tests, workspace.now)))
        evaluate.evaluate(within, group, workspace.registry, workspace.now)

    if not publications.append(store, month, new, release_tests.rows(tests, workspace.now), evaluate_within):
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            name,
            "was signed by somebody else at the same moment",
            "",
            f"look at it: mauwatch measure --month {name}",
        )
    # The signature stands whatever becomes of a message: the next run reports one that wasn't delivered.
    delivery.deliver(store, workspace.directory, group, workspace.clock)
    return {reading: with_state(figures, state) for reading, figures in measured.items()}


def ledger_entry(store: ContributionStore, month: date) -> LedgerEntry:
    """The ledger's entry that signs a month: what is printed, and mailed to somebody else. The month has to be signed."""
    entry = head_of(ledger.read(store), month)
    assert entry is not None
    return entry


def _check_request(workspace: Workspace, month: date, signature: Signature) -> None:
    """Refuse a month that isn't over, and a name or a reason that is empty."""
    name = f"{month:%Y-%m}"
    zone = workspace.group.settings.time_zone
    if end_of("month", month, zone) > workspace.now:
        raise refused(Code.MONTH_NOT_CLOSABLE, name, "isn't over", f"in {zone}", "close it later")
    options = (("--by", signature.by), ("--despite", signature.despite), ("--restates", signature.restates))
    for option, text in options:
        if text is not None and not text.strip():
            raise refused(Code.USAGE_INVALID, f"closing {name}", f"{option} is empty", "", "write who signs, and why")
        # The text is kept for good, in the ledger and on the page of evidence.
        if sign := unseen_sign(text or ""):
            rule = f"{option} holds a character that nobody sees"
            raise refused(Code.USAGE_INVALID, f"closing {name}", rule, sign, "write one line of plain text")


def _check_days(name: str, attested: Attested, today: date) -> None:
    """Refuse what is attested or was published elsewhere on a day that is still to come."""
    days = {entry.on for entry in attested.attestations} | {entry.on for entry in attested.reconciliation}
    if coming := sorted(day for day in days if day > today):
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            f"attested/{name}.yaml",
            "says `on` of a day that is still to come",
            ", ".join(map(str, coming[:3])),
            "correct the day, or see to this machine's clock",
        )


def _check_not_signed(name: str, before: Mapping[str, Publication], signature: Signature) -> None:
    """Refuse to sign a month twice without a reason, or to restate a month that isn't signed."""
    if before and signature.restates is None:
        last = next(iter(before.values()))
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            name,
            f"is {last.state} already",
            f"by {last.signed_by} on {last.known_at:%Y-%m-%d}",
            f"to sign other figures: mauwatch close {name} --by NAME --restates REASON",
        )
    if not before and signature.restates is not None:
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            name,
            "isn't closed, so there is nothing to restate",
            "",
            f"close it: mauwatch close {name} --by NAME",
        )


def _measured(store: ContributionStore, group: Group, month: date) -> Iterator[tuple[str, Measured]]:
    """Each reading with the month's figures, measured once for all readings that rest on the same inputs."""
    by_digest: dict[str, Measured] = {}
    for reading in group.readings.readings:
        inputs = gather(store, group, month, reading)
        if inputs.is_empty:
            raise _nothing_contributed(month)
        if inputs.digest not in by_digest:
            by_digest[inputs.digest] = measure.measure(store, group, inputs)
        yield reading.name, by_digest[inputs.digest]


def _nothing_contributed(month: date) -> RefusedError:
    return refused(
        Code.FIGURE_MISSING,
        f"the group in {month:%Y-%m}",
        "no data: nothing was contributed for this month",
        "",
        "run it: mauwatch run",
    )


def _is_same(before: Publication | None, measured: Measured, record: str) -> bool:
    """Whether a reading was signed with the very same inputs, method and sign-off record."""
    if before is None or (before.inputs, before.method) != (measured.inputs.digest, METHOD):
        return False
    # Publications that were signed before records were kept have none: that alone is nothing to restate.
    return before.collected in (None, record)


def _red_checks(store: ContributionStore, group: Group, measured: Mapping[str, Measured]) -> Iterator[str]:
    """What keeps a month from being closed, in words: each red check once, whichever readings it is red under."""
    checks = (check for figures in measured.values() for check in quality_checks.check_month(store, group, figures))
    for check in dict.fromkeys(checks):
        if not check.passed:
            yield f"{check.name}, {check.subject}: {check.explanation}"
    month = next(iter(measured.values())).inputs.month
    # That no reading counts an audience is a decision: whoever has accepted it once isn't asked in every month.
    accepted = unusual_data.accepted(store)
    for finding in data_findings.read_month(store, group, month):
        is_decided = finding.what.startswith(data_findings.DECIDED_ONCE) and finding.subject in accepted
        if finding.what.startswith(data_findings.KEEPS_OPEN) and not is_decided:
            yield str(finding)
    yield from map(str, data_findings.read_exchanged(store, group, month))
    # A version that is gone leaves the one before in force: nothing but the ledger knows that there was another.
    # A store that is older than ledgers begins one with its next publication.
    yield from (f"ledger: {fault}" for fault in ledger.faults(store) if ledger.read(store))


def _check_not_red(name: str, red: Sequence[str]) -> None:
    if red:
        more = f"; and {len(red) - MOST_SHOWN} more" if len(red) > MOST_SHOWN else ""
        raise refused(
            Code.MONTH_CHECKS_RED,
            name,
            f"{len(red)} check{'s are' if len(red) > 1 else ' is'} red",
            "; ".join(red[:MOST_SHOWN]) + more,
            f"see to them and run again, or say why not: mauwatch close {name} --by NAME --despite REASON",
        )


def _licence_tests(
    workspace: Workspace, fixed: ContributionStore, month: date, measured: Mapping[str, Measured]
) -> list[LicenceTest]:
    """The licence tests that rest on the month, of the figures that are about to be signed and not of those in force."""
    releases = [licence for licence in release_tests.releases(workspace.registry) if licence.measured_month == month]
    known = {figures.inputs.digest: figures for figures in measured.values()}
    return list(release_tests.run_tests(fixed, workspace.group, releases, known, anew=True, today=workspace.today))


def _bases(
    workspace: Workspace, fixed: ContributionStore, month: date, tests: Sequence[LicenceTest]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each reading with what the month is signed on under it: evidence is written from that, whatever is changed later."""
    namespaces = sorted({cell.namespace for cell in fixed.read_cells(month_days(month))})
    for reading in workspace.group.readings.readings:
        yield reading.name, binding.record_of(fixed, workspace.group, month, reading, tests, namespaces, workspace.today)
