"""What a run did and found, as values."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from pipelines import runbook
from pipelines.counting.measure import Measured
from pipelines.ingestion.collect import ProductRun
from pipelines.licences.release_tests import LicenceTest
from pipelines.runbook import Finding, Page

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many."""


@dataclass
class MonthRun:
    """What publishing a month did."""

    month: date
    measured: dict[str, Measured] = field(default_factory=dict)
    """By reading, what was published."""
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    """What a run did and found."""

    products: list[ProductRun] = field(default_factory=list)
    published: list[date] = field(default_factory=list)
    measured: dict[tuple[date, str], Measured] = field(default_factory=dict)
    """By month and reading, what was published."""
    tests: list[LicenceTest] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    """What is open, by level; they are the centre's business, and no fault of this run."""

    @property
    def clean(self) -> bool:
        return not self.findings and not any(p.refusals or p.missing for p in self.products)

    @property
    def pages(self) -> list[Page]:
        """What the runbook has about what was found."""
        pages = [runbook.of_product(refusal) for p in self.products for refusal in p.refusals]
        pages += [Page.DAYS_MISSING] if any(p.missing for p in self.products) else []
        return list(dict.fromkeys(pages + [finding.page for finding in self.findings]))

    def to_dict(self) -> dict[str, Any]:
        products = {
            p.name: asdict(p.received)
            | {"unidentified_events": p.unidentified, "undecided_events": p.undecided}
            | {"missing_days": [d.isoformat() for d in p.missing], "refused": [str(r) for r in p.refusals]}
            for p in self.products
        }
        months = [f"{m:%Y-%m}" for m in self.published]
        return {
            "products": products,
            "published_months": months,
            "findings": [str(finding) for finding in self.findings],
            "open_alerts": self.alerts,
            "runbook": runbook.lines(self.pages),
        }

    def add(self, month: MonthRun) -> None:
        """Take in what publishing a month did."""
        self.findings += [f for f in month.findings if f not in self.findings]
        self.measured |= {(month.month, reading): found for reading, found in month.measured.items()}
        if month.measured:
            self.published.append(month.month)
