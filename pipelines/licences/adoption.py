"""The adoption check: what a version's clauses find for a product and its licensee, and why.

Facts and results under the stated readings; no legal advice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from affiliates.errors import Code, did_you_mean, refused
from affiliates.manifests.group import Group
from affiliates.manifests.model_use import FlowDown, ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.periods import month_before
from pipelines.figures.months import Months
from pipelines.licences import clause_tests, grants, release_tests
from pipelines.licences.clause_tests import Subject
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.grants import Use
from pipelines.licences.outcome import ReadingResult, covered, not_measured
from pipelines.licences.registry import Registry
from pipelines.licences.release_tests import Licence


@dataclass(frozen=True)
class ClauseFinding:
    """What one clause finds for a product."""

    clause: str
    licensee: str
    month: date | None
    threshold: int | None
    effect_over: str | None
    readings: Mapping[str, ReadingResult]

    def to_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "month": f"{self.month:%Y-%m}" if self.month else None,
            "readings": {name: outcome.to_dict() for name, outcome in self.readings.items()},
        }


@dataclass(frozen=True)
class AdoptionCheck:
    """What a version's clauses find for a product, and what stands beside them."""

    version: str
    product: str
    on: date
    findings: tuple[ClauseFinding, ...]
    released: date
    if_released: ClauseFinding | None
    """What a version released on a day would find, by the clause of the newest of its family."""
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "product": self.product,
            "on": self.on.isoformat(),
            "findings": [finding.to_dict() for finding in self.findings],
            "if_released": {"released": self.released.isoformat(), **self.if_released.to_dict()} if self.if_released else None,
            "reasons": list(self.reasons),
        }


def check(
    months: Months, registry: Registry, version: str, product: str, today: date, released: date | None = None
) -> AdoptionCheck:
    """What a version's clauses find for a product of the group, and what one released on a day (default: today) would.

    Raises `RefusedError` for a version or product that nobody knows.
    """
    entry = _entry(registry, version)
    ref = find_product(months.group, product)
    used = [use for use in grants.uses(months.group, today, version) if use.ref == ref]
    newest = registry.family(entry.family)[-1] if entry.family and registry.family(entry.family) else entry
    supposed = None
    day = released or today
    if any(clause.group_snapshot for clause in newest.clauses):
        licence = next(x for x in release_tests.releases(registry) if x.id == newest.id)
        supposed = _finding(months, licence.entry, licence.clause, ref, [], today, day)
    found = findings(months, entry, ref, [use.model for use in used], today)
    reasons = _reasons(months.group, entry, ref, used, today)
    return AdoptionCheck(version, product, today, tuple(found), day, supposed, tuple(reasons))


def findings(
    months: Months, entry: LicenceEntry, ref: ProductRef, uses: Sequence[ModelUse], today: date
) -> Iterator[ClauseFinding]:
    """What each clause finds for a product, and the clauses of those who host its uses; what isn't tested is not measured."""
    for clause in entry.clauses:
        yield _finding(months, entry, clause, ref, uses, today)
    for use in uses:
        if use.flow_down is not None:
            yield _flow_down(months, use.flow_down, use, ref, today)


def _licensee(group: Group, licence: str, affiliate: str, today: date) -> str:
    """Who accepted it for the affiliate; else the ultimate parent, as long as the affiliate is in its group."""
    taken = [accepted.entity for accepted in grants.accepted_versions(group, licence)]
    return affiliate if affiliate in taken or affiliate not in group.affiliates(today) else group.settings.ultimate_parent


def _finding(
    months: Months,
    entry: LicenceEntry,
    clause: Clause,
    ref: ProductRef,
    uses: Sequence[ModelUse],
    today: date,
    supposed: date | None = None,
) -> ClauseFinding:
    """What a clause finds; `supposed`: as if it were of a version released on that day, which no grant covers yet."""
    readings = months.group.readings.readings
    month = clause.tested_month
    licensee = _licensee(months.group, entry.id, ref.affiliate, today) if clause.with_affiliates else ref.affiliate
    if not clause.tested:
        found = {r.name: not_measured(False, clause.needs or "") for r in readings}
    elif clause.group_snapshot and clause.test_date:
        released = supposed or clause.test_date
        version = Licence(entry=entry, clause=clause, id=entry.id, name=entry.name, released=released)
        (test,) = release_tests.run_tests_in(months, version, [licensee])
        found = test.readings
        month = version.measured_month
    else:
        month = month or month_before(today)
        subject = _subject(months.group, clause, licensee, ref)
        found = {r.name: clause_tests.outcome(months, clause, subject, r, month) for r in readings}
    if supposed is None:
        covers = list(grants.covers(months, entry.id, licensee, None, today))
        covers += [c for c in grants.covers(months, entry.id, *ref, today) if c not in covers]
        taken = [a for a in grants.accepted_versions(months.group, entry.id) if a.entity == ref.affiliate]
        exempt = grants.exempt(entry, clause, [Use(ref, use) for use in uses], taken)
        found = {name: covered(outcome, covers, exempt) for name, outcome in found.items()}
    return ClauseFinding(clause.id, licensee, month, clause.threshold, clause.effect_over, found)


def _subject(group: Group, clause: Clause, licensee: str, ref: ProductRef) -> Subject:
    """Of a clause that doesn't test a whole group at a release: whose people it asks about."""
    if clause.scope != "all":
        return Subject.from_product(ref)
    if clause.with_affiliates:
        return Subject(licensee)
    return Subject(ref.affiliate, None, tuple(str(other) for other in group.products if other.affiliate == ref.affiliate))


def _flow_down(months: Months, flow: FlowDown, use: ModelUse, ref: ProductRef, today: date) -> ClauseFinding:
    """The host's own clause, tested for the month before a day."""
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
    readings = {r.name: clause_tests.outcome(months, clause, subject, r, month) for r in months.group.readings.readings}
    return ClauseFinding(f"flow_down of {use.host} ({flow.document})", ref.affiliate, month, flow.threshold, None, readings)


def _entry(registry: Registry, version: str) -> LicenceEntry:
    if (entry := registry.get(version)) is None:
        said = did_you_mean(version, [entry.id for entry in registry.entries], several=True)
        raise refused(
            Code.LICENCE_UNKNOWN,
            version,
            "no such version in the registry",
            said,
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
    """What else is known of the version and the product."""
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
    for what, said in (("purpose", entry.purpose_limit), ("territory", entry.geographic_limits)):
        if said:
            yield f"limits of {what}: {said if isinstance(said, str) else said.get('rule', '')}"
    yield from _accepted(group, entry, affiliate)
    for grant in grants.grants(group, entry.id, *ref, today):
        for duty, due in grants.due_reports(grant, today):
            yield f"grant {grant.id}: {duty}, {'was due' if due < today else 'due'} {due}"
    for use in used:
        yield from _use(use.model, entry)
    if not used:
        yield f"{ref} isn't said to use it: `models` in its manifest"


def _accepted(group: Group, entry: LicenceEntry, affiliate: str) -> Iterator[str]:
    taken = grants.accepted_versions(group, entry.id)
    for said in taken:
        yield f"accepted for {said.entity} by {said.by} on {said.on}" + (f", text {said.text}" if said.text else "")
        same_kind = said.text and entry.text and said.text.partition(":")[0] == entry.text.partition(":")[0]
        if same_kind and said.text != entry.text:
            yield f"accepted for {said.entity} under another text than the registry's ({entry.text})"
    if affiliate not in [said.entity for said in taken]:
        yield f"nobody is said to have accepted it for {affiliate}: `accepted` in grants.yaml"


def _use(use: ModelUse, entry: LicenceEntry) -> Iterator[str]:
    where = f" ({use.host})" if use.host else ""
    yield f"used since {use.from_}, hosted by {use.hosted_by.replace('_', ' ')}{where}"
    if use.revision and any(use.revision[:7] in line for line in entry.history[:-1]):
        line = next(line for line in entry.history if use.revision[:7] in line)
        yield f"revision {use.revision} is older than the clause: {line}"
    if use.alternative:
        yield f"alternative: {use.alternative}"
    if use.integrated_end_user_product and not any(
        exemption.integrated_end_user_product for clause in entry.clauses for exemption in clause.exemptions
    ):
        yield "its text exempts nobody for having it inside an integrated end-user product"
