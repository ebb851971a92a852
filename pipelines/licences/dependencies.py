"""Dependencies: which products, users and revenue stand on a result other than under, granted or exempt."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from affiliates.errors import RefusedError, did_you_mean
from affiliates.manifests.model_use import ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.periods import month_before
from pipelines.figures.months import ClauseCount, Months
from pipelines.licences import adoption, grants
from pipelines.licences.adoption import ClauseFinding
from pipelines.licences.outcome import STANDS
from pipelines.licences.registry import Registry


@dataclass(frozen=True)
class Dependency:
    """A product's use of a model, and what its clauses find."""

    ref: ProductRef
    use: ModelUse
    findings: tuple[ClauseFinding, ...]
    stands: tuple[str, ...]
    """What its clauses find by the readings that decide; nothing where its text has none."""
    open: tuple[str, ...]
    """The results that it stands on and that aren't under, granted or exempt: clause, reading and result."""
    users: ClauseCount | None
    of_record: bool
    """Whether the reading of record decided; else all of them did."""

    def to_dict(self) -> dict[str, Any]:
        users = self.users and {"estimate": self.users.estimate, "lower": self.users.lower, "upper": self.users.upper}
        said = self.use.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {
            "product": str(self.ref),
            **said,
            "stands_on": list(self.stands),
            "open": list(self.open),
            "users": users,
            "decided_by": "reading of record" if self.of_record else "all readings",
            "findings": [finding.to_dict() for finding in self.findings],
        }


@dataclass(frozen=True)
class Dependencies:
    """All uses on a day, and what stands on open results together."""

    on: date
    month: date
    uses: tuple[Dependency, ...]
    users: ClauseCount | None
    """Of the products on open results together, by the reading shown."""
    revenue: Mapping[tuple[str, int], Decimal] = field(default_factory=dict)
    """By currency and year, what rests on a model with an open result."""
    not_said: tuple[str, ...] = ()
    """Products on open results whose revenue isn't known."""

    @property
    def open(self) -> list[Dependency]:
        return [use for use in self.uses if use.open]

    def to_dict(self) -> dict[str, Any]:
        users = self.users and {"estimate": self.users.estimate, "lower": self.users.lower, "upper": self.users.upper}
        return {
            "on": self.on.isoformat(),
            "month": f"{self.month:%Y-%m}",
            "open": {
                "products": sorted({str(d.ref) for d in self.open}),
                "users": users,
                "revenue": [{"currency": c, "year": y, "amount": str(a)} for (c, y), a in sorted(self.revenue.items())],
                "revenue_not_said": list(self.not_said),
            },
            "uses": [use.to_dict() for use in self.uses],
        }


def dependencies(months: Months, registry: Registry, today: date) -> Dependencies:
    """Which products, users and revenue stand on a result other than under, granted or exempt."""
    shown = months.group.readings.reading_on(today)
    month = month_before(today)
    try:
        measured = months.of(month, shown)
    except RefusedError:
        measured = None
    found = []
    for ref, use in grants.uses(months.group, today):
        entry = registry.get(use.model)
        findings = tuple(adoption.findings(months, entry, ref, [use], today)) if entry else ()
        record = any(r.holds_on(today) for r in months.group.readings.of_record)
        deciding = {shown.name} if record else {reading.name for reading in months.group.readings.readings}
        every = [(f, name, o) for f in findings for name, o in f.readings.items() if name in deciding]
        stands = tuple(dict.fromkeys(outcome.result for _, _, outcome in every))
        open_ = tuple(f"{f.clause}, {name}: {o.result}" for f, name, o in every if o.result not in STANDS)
        if entry is None:
            name = did_you_mean(use.model, [entry.id for entry in registry.entries], several=True)
            open_ = (f"no such licence in the registry: {name}",)
        users = months.people(measured, shown, [str(ref)]) if measured else None
        found.append(Dependency(ref, use, findings, stands, open_, users, record))
    names = {str(d.ref) for d in found if d.open}
    together = months.people(measured, shown, names) if measured and names else None
    return _with_revenue(Dependencies(today, month, tuple(found), together))


def _with_revenue(found: Dependencies) -> Dependencies:
    """Of a product that uses several models on open results, the largest share counts, once."""
    largest: dict[tuple[ProductRef, str, int], Decimal] = defaultdict(Decimal)
    for d in found.open:
        if d.use.revenue is not None:
            key = d.ref, d.use.revenue.currency, d.use.revenue.year
            largest[key] = max(largest[key], d.use.revenue.amount * (d.use.revenue_share or Decimal(1)))
    total: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for (_, currency, year), amount in largest.items():
        total[currency, year] += amount
    said = {ref for ref, _, _ in largest}
    unknown = sorted(str(ref) for ref in {d.ref for d in found.open} - said)
    return replace(found, revenue=dict(total), not_said=tuple(unknown))
