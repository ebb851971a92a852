"""The adoption check: the results of a version's clauses for a product and its licensee, and why.

Facts and results under the stated readings; no legal advice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from affiliates.errors import Code, did_you_mean, refused
from affiliates.manifests.group import Group
from affiliates.manifests.model_use import FlowDown, ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.periods import month_before
from pipelines.figures.months import Months
from pipelines.licences import clause_tests, clearance, grants, release_tests
from pipelines.licences.clause_tests import Subject
from pipelines.licences.clearance import Clearance
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.grants import Use
from pipelines.licences.outcome import ClauseFinding, covered, not_measured
from pipelines.licences.registry import Registry
from pipelines.licences.release_tests import Licence


@dataclass(frozen=True)
class AdoptionCheck:
    """The results of a version's clauses for a product, and what else a reader has to know."""

    version: str
    product: str
    """As affiliate/product."""
    on: date
    """The day of the check."""
    findings: tuple[ClauseFinding, ...]
    released: date
    """The day on which the supposed version is released."""
    if_released: ClauseFinding | None
    """The results of a supposed version, released on a day, by the clause of the newest version of the family."""
    reasons: tuple[str, ...]
    """What else is known of the version and the product, one text each."""
    clearance: Clearance
    """The answer in a sentence, and what there is to do."""

    def to_dict(self) -> dict[str, Any]:
        """The check as `licences --adopt --json` writes it."""
        return {
            "version": self.version,
            "product": self.product,
            "on": self.on.isoformat(),
            "findings": [finding.to_dict() for finding in self.findings],
            "if_released": {"released": self.released.isoformat(), **self.if_released.to_dict()} if self.if_released else None,
            "reasons": list(self.reasons),
            **self.clearance.to_dict(),
        }


def check(
    months: Months, registry: Registry, version: str, product: str, today: date, released: date | None = None
) -> AdoptionCheck:
    """The results of a version's clauses for a product of the group, and those of a version released on a day (default: today).

    Raises `RefusedError` for a version or product that nobody knows.
    """
    entry = _entry(registry, version)
    ref = find_product(months.group, product)
    used = [use for use in grants.uses(months.group, today, version) if use.ref == ref]
    family = registry.family(entry.family) if entry.family else []
    newest = family[-1] if family else entry
    supposed = None
    day = released or today
    if any(clause.group_snapshot for clause in newest.clauses):
        licence = next(licence for licence in release_tests.releases(registry) if licence.id == newest.id)
        # Nobody uses a version that isn't out, so no exemption can rest on a use.
        supposed = _finding(months, licence.entry, licence.clause, ref, [], today, day)
    results = tuple(findings(months, entry, ref, [use.model for use in used], today))
    reasons = _reasons(months.group, entry, ref, used, today)
    cleared = clearance.clear(months.group, entry, ref, results, today)
    return AdoptionCheck(version, product, today, results, day, supposed, tuple(reasons), cleared)


def findings(
    months: Months, entry: LicenceEntry, ref: ProductRef, uses: Sequence[ModelUse], today: date
) -> Iterator[ClauseFinding]:
    """The results of each clause for a product, and of the clauses of those who host the product's uses of the model.

    A clause that isn't tested is `not_measured`.
    """
    for clause in entry.clauses:
        yield _finding(months, entry, clause, ref, uses, today)
    for use in uses:
        if use.flow_down is not None:
            yield _flow_down(months, use.flow_down, use, ref, today)


def _licensee(group: Group, licence: str, affiliate: str, today: date) -> str:
    """The affiliate if somebody accepted the licence for it, or if it isn't in the group; else the ultimate parent."""
    accepting = [accepted.entity for accepted in grants.accepted_versions(group, licence)]
    return affiliate if affiliate in accepting or affiliate not in group.affiliates(today) else group.settings.ultimate_parent


def _finding(
    months: Months,
    entry: LicenceEntry,
    clause: Clause,
    ref: ProductRef,
    uses: Sequence[ModelUse],
    today: date,
    supposed: date | None = None,
) -> ClauseFinding:
    """The results of a clause; `supposed`: as if of a version released on that day, which no grant covers yet."""
    readings = months.group.readings.readings
    month = clause.tested_month
    licensee = _licensee(months.group, entry.id, ref.affiliate, today) if clause.with_affiliates else ref.affiliate
    if not clause.tested:
        results = {r.name: not_measured(False, clause.needs or "") for r in readings}
    elif clause.group_snapshot and clause.test_date:
        released = supposed or clause.test_date
        version = Licence(entry=entry, clause=clause, id=entry.id, name=entry.name, released=released)
        (test,) = release_tests.run_tests_in(months, version, [licensee])
        results = test.readings
        month = version.measured_month
    else:
        month = month or month_before(today)
        subject = _subject(months.group, clause, licensee, ref)
        results = {r.name: clause_tests.reading_result(months, clause, subject, r, month) for r in readings}
    if supposed is None:
        covers = list(grants.covers(months, entry.id, licensee, None, today))
        # A grant may cover the licensee and the product alike; it is named once.
        covers += [c for c in grants.covers(months, entry.id, *ref, today) if c not in covers]
        # Only an acceptance for this affiliate takes the exemption away: the check is about one product.
        accepted = [a for a in grants.accepted_versions(months.group, entry.id) if a.entity == ref.affiliate]
        exempt = grants.exemption(entry, clause, [Use(ref, use) for use in uses], accepted)
        results = {name: covered(outcome, covers, exempt) for name, outcome in results.items()}
    return ClauseFinding(
        clause.id,
        licensee,
        month,
        clause.threshold,
        clause.effect_over,
        results,
        entry.licensor,
        clause.comparator or "gt",
        clause.needs,
    )


def _subject(group: Group, clause: Clause, licensee: str, ref: ProductRef) -> Subject:
    """Whose people a clause asks about, for a product, where the clause doesn't test a whole group at a release."""
    if clause.scope != "all":
        return Subject.from_product(ref)
    if clause.with_affiliates:
        return Subject(licensee)
    return Subject(ref.affiliate, None, tuple(str(other) for other in group.products if other.affiliate == ref.affiliate))


def _flow_down(months: Months, flow: FlowDown, use: ModelUse, ref: ProductRef, today: date) -> ClauseFinding:
    """The results of the clause that the host of a use passes on, tested for the month before a day."""
    # A host's terms hold at any time and for its customer alone, whatever the model's own licence tests.
    clause = Clause(
        id="flow_down",
        metric="monthly_active_users",
        threshold=flow.threshold,
        comparator=flow.comparator,
        unit="users",
        measured="any_month",
        scope="each",
    )
    subject = Subject.from_product(ref) if flow.counts == "product" else Subject(ref.affiliate)
    month = month_before(today)
    readings = {r.name: clause_tests.reading_result(months, clause, subject, r, month) for r in months.group.readings.readings}
    name = f"flow_down of {use.host} ({flow.document})"
    return ClauseFinding(
        name, ref.affiliate, month, flow.threshold, None, readings, use.host or "", flow.comparator, is_of_host=True
    )


def _entry(registry: Registry, version: str) -> LicenceEntry:
    """The entry of a version. Raises `RefusedError` for a version that the registry doesn't have."""
    if (entry := registry.get(version)) is None:
        raise refused(
            Code.LICENCE_UNKNOWN,
            version,
            "no such version in the registry",
            did_you_mean(version, [entry.id for entry in registry.entries], several=True),
            "see mauwatch licences --all, or add it: licences/*.yaml",
        )
    return entry


def find_product(group: Group, product: str) -> ProductRef:
    """The product that AFFILIATE/PRODUCT names. Raises `RefusedError` for one that no manifest has."""
    known = {str(ref): ref for ref in group.products}
    if product not in known:
        hint = did_you_mean(product, known, several=True)
        raise refused(Code.PRODUCT_UNKNOWN, product, "no such product in the manifests", hint, "name it as AFFILIATE/PRODUCT")
    return known[product]


def _reasons(group: Group, entry: LicenceEntry, ref: ProductRef, used: Sequence[Use], today: date) -> Iterator[str]:
    """What else is known of the version and the product, one text each."""
    affiliate = ref.affiliate
    yield f"{entry.name}, read as {entry.evidence.replace('_', ' ')}: {entry.sources[0]}"
    for clause in entry.clauses:
        if clause.effect_over:
            yield f"over {clause.id}: {clause.effect_over}"
    released = entry.released
    if released and affiliate not in group.affiliates(released) and any(clause.group_snapshot for clause in entry.clauses):
        yield f"{affiliate} was outside this group on {released}: what the test found for it as a licensee then isn't known here"
    if affiliate not in group.affiliates(today):
        yield f"{affiliate} isn't in the group on {today}: {group.why_outside(affiliate, group.affiliates(today), today)}"
    if not any(clause.counts_users for clause in entry.clauses):
        yield "none of its clauses counts users"
    if entry.purpose_limit:
        yield f"limits of purpose: {entry.purpose_limit}"
    if entry.geographic_limits:
        territory = entry.geographic_limits
        yield f"limits of territory: {territory if isinstance(territory, str) else territory.get('rule', '')}"
    yield from _accepted(group, entry, affiliate)
    for grant in grants.grants_in_force(group, entry.id, *ref, today):
        for duty, due in grants.due_reports(grant, today):
            yield f"grant {grant.id}: {duty}, {'was due' if due < today else 'due'} {due}"
    for use in used:
        yield from _use(use.model, entry)
    if not used:
        yield f"{ref} isn't said to use it: `models` in its manifest"


def _accepted(group: Group, entry: LicenceEntry, affiliate: str) -> Iterator[str]:
    """Who has accepted the version for whom, and under which text."""
    acceptances = grants.accepted_versions(group, entry.id)
    for accepted in acceptances:
        text = f", text {accepted.text}" if accepted.text else ""
        yield f"accepted for {accepted.entity} by {accepted.by} on {accepted.on}{text}"
        # `git-blob:` and `sha256:` digests of one text differ, so only digests of one kind are compared.
        same_kind = accepted.text and entry.text and accepted.text.partition(":")[0] == entry.text.partition(":")[0]
        if same_kind and accepted.text != entry.text:
            yield f"accepted for {accepted.entity} under another text than the registry's ({entry.text})"
    if affiliate not in [accepted.entity for accepted in acceptances]:
        yield f"nobody is said to have accepted it for {affiliate}: `accepted` in grants.yaml"


def _use(use: ModelUse, entry: LicenceEntry) -> Iterator[str]:
    """How a product uses the model, and what of it the text doesn't cover."""
    where = f" ({use.host})" if use.host else ""
    yield f"used since {use.from_}, hosted by {use.hosted_by.replace('_', ' ')}{where}"
    # A product that stays on an earlier revision may stand under an earlier text.
    # Each line of `history` begins with a revision, in git's short form of seven characters; the last line is the text in force.
    if use.revision and any(use.revision[:7] in line for line in entry.history[:-1]):
        line = next(line for line in entry.history if use.revision[:7] in line)
        yield f"revision {use.revision} is older than the clause: {line}"
    if use.alternative:
        yield f"alternative: {use.alternative}"
    if use.integrated_end_user_product and not any(
        exemption.integrated_end_user_product for clause in entry.clauses for exemption in clause.exemptions
    ):
        yield "its text exempts nobody for having it inside an integrated end-user product"
