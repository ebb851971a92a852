"""Dependencies: which products, users and revenue stand on an open result, which is any but under, granted or exempt."""

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
from pipelines.licences import adoption, clearance, grants
from pipelines.licences.outcome import STANDS, ClauseFinding
from pipelines.licences.registry import Registry


@dataclass(frozen=True)
class Dependency:
    """A product's use of a model, and the results of the model's clauses for the product."""

    ref: ProductRef
    use: ModelUse
    findings: tuple[ClauseFinding, ...]
    results: tuple[str, ...]
    """The different results of the clauses by the readings that decide; empty for a text without clauses."""
    open: tuple[str, ...]
    """The open results that the use stands on: clause, reading and result."""
    users: ClauseCount | None
    """The product's users in the month; null where they aren't measured."""
    of_record: bool
    """Whether the reading of record decided; without one all readings do (decision 54)."""
    without_grant: tuple[str, ...] = ()
    """The days of use that no grant covers, where the clauses don't allow the use by themselves."""

    def to_dict(self) -> dict[str, Any]:
        """The use as `licences --dependencies --json` writes it, with the keys of the manifest's `models`."""
        return {
            "product": str(self.ref),
            **self.use.model_dump(mode="json", by_alias=True, exclude_none=True),
            "stands_on": list(self.results),
            "open": list(self.open),
            "users": _users(self.users),
            "decided_by": "reading of record" if self.of_record else "all readings",
            "findings": [finding.to_dict() for finding in self.findings],
            "without_grant": list(self.without_grant),
        }


@dataclass(frozen=True)
class Dependencies:
    """All uses of models on a day, and what stands on open results together."""

    on: date
    month: date
    """First day of the month that `users` are of: the month before the day."""
    uses: tuple[Dependency, ...]
    users: ClauseCount | None
    """The users of the products on open results together, by the reading shown."""
    revenue: Mapping[tuple[str, int], Decimal] = field(default_factory=dict)
    """By currency and year, the revenue that rests on a model with an open result."""
    without_revenue: tuple[str, ...] = ()
    """Products on open results whose manifests name no revenue."""

    @property
    def open(self) -> list[Dependency]:
        """The uses that stand on an open result."""
        return [use for use in self.uses if use.open]

    def to_dict(self) -> dict[str, Any]:
        """The dependencies as `licences --dependencies --json` writes them."""
        return {
            "on": self.on.isoformat(),
            "month": f"{self.month:%Y-%m}",
            "open": {
                "products": sorted({str(d.ref) for d in self.open}),
                "users": _users(self.users),
                "revenue": [{"currency": c, "year": y, "amount": str(a)} for (c, y), a in sorted(self.revenue.items())],
                "revenue_not_said": list(self.without_revenue),
            },
            "uses": [use.to_dict() for use in self.uses],
        }


def _users(count: ClauseCount | None) -> dict[str, int | None] | None:
    """A number of users with its bounds, as JSON."""
    return None if count is None else {"estimate": count.estimate, "lower": count.lower, "upper": count.upper}


def find_dependencies(months: Months, registry: Registry, today: date) -> Dependencies:
    """The uses of models on a day, and which products, users and revenue stand on open results."""
    shown_reading = months.group.readings.reading_on(today)
    month = month_before(today)
    try:
        measured = months.figures_of(month, shown_reading)
    except RefusedError:
        measured = None  # Users that can't be united aren't shown; the findings below say why.
    record = any(r.holds_on(today) for r in months.group.readings.of_record)
    deciding = clearance.deciding_readings(months.group, today)
    uses = []
    for ref, use in grants.uses(months.group, today):
        entry = registry.get(use.model)
        findings = tuple(adoption.findings(months, entry, ref, [use], today)) if entry else ()
        outcomes = [(f.clause, name, o.result) for f in findings for name, o in f.readings.items() if name in deciding]
        results = tuple(dict.fromkeys(result for _, _, result in outcomes))
        open_ = tuple(f"{clause}, {name}: {result}" for clause, name, result in outcomes if result not in STANDS)
        # Of a text that nobody knows no result is known, either: the use stays open.
        if entry is None:
            hint = did_you_mean(use.model, [entry.id for entry in registry.entries], several=True)
            open_ = (f"no such licence in the registry: {hint}",)
        users = months.count_people(measured, shown_reading, [str(ref)]) if measured else None
        ungranted = tuple(clearance.use_without_grant(months.group, ref, use.model, findings, today))
        uses.append(Dependency(ref, use, findings, results, open_, users, record, ungranted))
    names = {str(use.ref) for use in uses if use.open}
    together = months.count_people(measured, shown_reading, names) if measured and names else None
    return _with_revenue(Dependencies(today, month, tuple(uses), together))


def _with_revenue(dependencies: Dependencies) -> Dependencies:
    """The dependencies with the revenue that stands on open results.

    Where a product uses several models on open results, the largest share of its revenue counts, once.
    """
    largest: dict[tuple[ProductRef, str, int], Decimal] = defaultdict(Decimal)
    for dependency in dependencies.open:
        revenue = dependency.use.revenue
        if revenue is not None:
            # Without a share all of the product's revenue rests on the model.
            key = dependency.ref, revenue.currency, revenue.year
            largest[key] = max(largest[key], revenue.amount * (dependency.use.revenue_share or Decimal(1)))
    total: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for (_, currency, year), amount in largest.items():
        total[currency, year] += amount
    with_revenue = {ref for ref, _, _ in largest}
    without = sorted(str(ref) for ref in {d.ref for d in dependencies.open} - with_revenue)
    return replace(dependencies, revenue=dict(total), without_revenue=tuple(without))
