"""Closing a month: its figures signed by a named person, and restated when they must be; never altered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from affiliates import signing
from affiliates.errors import Code, refused
from affiliates.manifests.attestations import Attested
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_attested
from affiliates.periods import end_of
from pipelines.alerts import delivery, evaluate
from pipelines.counting import measure
from pipelines.counting.figure import Figure
from pipelines.counting.inputs import METHOD, gather
from pipelines.counting.measure import Measured
from pipelines.figures import quality_checks
from pipelines.figures.rows import new_publication, with_state
from pipelines.hash_chain import LedgerEntry, canonical, head_of
from pipelines.licences import release_tests
from pipelines.store import ledger, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import CLOSED, RESTATED, NewPublication, Publication
from pipelines.workspace import Workspace

MOST_SAID = 5


@dataclass(frozen=True)
class Signature:
    """Who signs, and why although something is open, or why anew."""

    by: str
    despite: str | None = None
    restates: str | None = None


def close_month(workspace: Workspace, month: date, signature: Signature) -> dict[str, Measured]:
    """Sign a month's figures under each reading; says which they are.

    Raises `RefusedError` while the month isn't over, something due is missing or unsettled, or a check is
    red (unless `despite` says why), and for a month that is signed already, unless it `restates` and
    something has changed.
    """
    group = workspace.group
    store = workspace.store_if_any()
    name = f"{month:%Y-%m}"
    if end_of("month", month, group.settings.time_zone) > workspace.now:
        raise refused(Code.MONTH_NOT_CLOSABLE, name, "isn't over", f"in {group.settings.time_zone}", "close it later")
    for what, said in (("--by", signature.by), ("--despite", signature.despite), ("--restates", signature.restates)):
        if said is not None and not said.strip():
            raise refused(Code.USAGE_INVALID, f"closing {name}", f"{what} is empty", "", "write who signs, and why")
    attested = read_attested(workspace.directory, group, month)
    key = group.settings.evidence_key
    public_key = signing.public_of(workspace.directory / key) if key else None
    if store is None:
        raise refused(
            Code.FIGURE_MISSING,
            f"the group in {name}",
            "no data: nothing was contributed for this month",
            "",
            "run it: mauwatch run",
        )
    with store.snapshot() as fixed:
        before = {p.reading: p for p in publications.in_force(fixed, month).values() if p.signed}
        _check_signed(name, before, signature)
        found = dict(_measured(fixed, group, month))
        told = {name: canonical(sign_off_record(attested, m, public_key)) for name, m in found.items()}
        if before and all(_same(before.get(r), m, told[r]) for r, m in found.items()):
            raise refused(
                Code.MONTH_NOT_CLOSABLE, name, "nothing has changed since it was signed", "", "there is nothing to restate"
            )
        if signature.despite is None:
            _check_open(name, list(_open(fixed, group, found)))
        position = fixed.position(workspace.now)
        state = RESTATED if before else CLOSED
        new: list[NewPublication] = []
        for reading in group.readings.readings:
            last = before.get(reading.name)
            signed = {
                "signed_by": signature.by.strip(),
                "despite": signature.despite,
                "reason": signature.restates,
                "supersedes": last.id if last else None,
                "collected": told[reading.name],
            }
            new.append(
                new_publication(found[reading.name], reading, group.settings.group, position, workspace.now, state, **signed)
            )
        every = release_tests.releases(workspace.registry)
        about = [licence for licence in every if licence.measured_month == month]
        known = {m.inputs.digest: m for m in found.values()}
        tests = list(release_tests.run_tests(fixed, group, about, known, anew=True, today=workspace.today))
    rows = release_tests.rows(tests, workspace.now)
    if not publications.append(
        store, month, new, rows, lambda within: evaluate.evaluate(within, group, workspace.registry, workspace.now)
    ):
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            name,
            "was signed by somebody else at the same moment",
            "",
            f"look at it: mauwatch measure --month {name}",
        )
    delivery.deliver(store, workspace.directory, group, workspace.clock)  # What isn't delivered, the next run says.
    return {reading: with_state(measured, state) for reading, measured in found.items()}


def ledger_entry(store: ContributionStore, month: date) -> LedgerEntry:
    """The ledger's entry that signs a month: what is printed, and mailed to somebody else."""
    found = head_of(ledger.read(store), month)
    assert found is not None
    return found


def _check_signed(name: str, before: dict[str, Publication], signature: Signature) -> None:
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
    known: dict[str, Measured] = {}
    for reading in group.readings.readings:
        inputs = gather(store, group, month, reading)
        if inputs.is_empty:
            raise refused(
                Code.FIGURE_MISSING,
                f"the group in {month:%Y-%m}",
                "no data: nothing was contributed for this month",
                "",
                "run it: mauwatch run",
            )
        yield reading.name, known.get(inputs.digest) or known.setdefault(inputs.digest, measure.measure(store, group, inputs))


def _same(before: Publication | None, measured: Measured, told: str) -> bool:
    if before is None or (before.inputs, before.method) != (measured.inputs.digest, METHOD):
        return False
    return before.collected in (None, told)


def _open(store: ContributionStore, group: Group, found: dict[str, Measured]) -> Iterator[str]:
    """What keeps a month from being closed."""
    for check in dict.fromkeys(c for measured in found.values() for c in quality_checks.check_month(store, group, measured)):
        if not check.passed:
            yield f"{check.name}, {check.subject}: {check.explanation}"


def _check_open(name: str, open_: Sequence[str]) -> None:
    if open_:
        more = f"; and {len(open_) - MOST_SAID} more" if len(open_) > MOST_SAID else ""
        raise refused(
            Code.MONTH_CHECKS_RED,
            name,
            f"{len(open_)} check{'s are' if len(open_) > 1 else ' is'} red",
            "; ".join(open_[:MOST_SAID]) + more,
            f"see to them and run again, or say why not: mauwatch close {name} --by NAME --despite REASON",
        )


def sign_off_record(attested: Attested, found: Measured, public_key: str | None = None) -> dict[str, Any]:
    """As it is kept with the signed figures: attestations, affiliates that lack one, and each reconciliation with our figure.

    `public_key`: of the key that signs the month's evidence, so that a later key can't stand in for it.
    """
    due = dict.fromkeys(ref.affiliate for ref, _ in found.inputs.due)
    there = {a.affiliate for a in attested.attestations}
    return {
        "attestations": [a.model_dump(mode="json") for a in attested.attestations],
        "not_attested": [affiliate for affiliate in due if affiliate not in there],
        "reconciliation": [
            r.model_dump(mode="json")
            | _beside(found.products.get(r.product, found.group if "/" not in r.product else None), r.published)
            for r in attested.reconciliation
        ],
        "public_key": public_key,
    }


def sign_off_lines(told: dict[str, Any]) -> list[str]:
    """In words, for whoever signs."""
    lines = []
    for a in told["attestations"]:
        whole = "all products are listed" if a["products_complete"] else "products are missing from the list"
        lines.append(f"{a['affiliate']}: {whole}; active: {a['active']}; left out: {a['exclusions']} ({a['by']}, {a['on']})")
    if told["not_attested"]:
        lines.append(f"nobody has attested for {', '.join(told['not_attested'])}")
    for r in told["reconciliation"]:
        ours = "no figure of ours" if r["ours"] is None else f"ours {r['ours']['estimate']:,}, {r['difference']:+,}"
        lines.append(
            f"{r['product']}: published {r['published']:,} {r['unit']} ({r['source']}, {r['on']}); {ours}: {r['reason']}"
        )
    return lines


def _beside(ours: Figure | None, published: int) -> dict[str, Any]:
    if ours is None or ours.estimate is None:
        return {"ours": None, "difference": None}
    figure = {"estimate": ours.estimate, "lower": ours.lower, "upper": ours.upper}
    return {"ours": figure, "difference": published - ours.estimate}
