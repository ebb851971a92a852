"""What a run did and found, as values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from affiliates.errors import Refusal, unforeseen_into
from pipelines import runbook
from pipelines.ingestion.product_run import ProductRun
from pipelines.runbook import DataFinding, Finding, Page
from pipelines.store.run_log import LoggedRun

if TYPE_CHECKING:
    from pipelines.counting.measure import Measured
    from pipelines.licences.release_tests import LicenceTest

Progress = Callable[[str, int, int], None]
"""Called with the name of what is being done, how many are done, and of how many."""


@dataclass
class MonthRun:
    """What publishing a month did."""

    month: date
    """The month's first day."""
    measured: "dict[str, Measured]" = field(default_factory=dict)
    """By reading, what was published."""
    in_common: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = field(default_factory=dict)
    """By digest of inputs, whom each product alone brings, and whom each two have in common: rows of the store."""
    findings: list[Finding] = field(default_factory=list)

    def note(self, *findings: Finding) -> None:
        """Add findings, each once: readings that rest on the same inputs have the same findings."""
        self.findings += [finding for finding in dict.fromkeys(findings) if finding not in self.findings]

    @contextmanager
    def contained(self) -> Iterator[None]:
        """Makes an error inside that nobody foresaw the month's finding: nothing of the month is published, other months are."""
        with unforeseen_into(f"{self.month:%Y-%m}", self._fail):
            yield

    def fail_aside(self, refusal: Refusal) -> None:
        """Take in that something beside the figures has failed unforeseen: the month is published all the same."""
        self.note(Finding(str(refusal), Page.UNFORESEEN))

    def _fail(self, refusal: Refusal) -> None:
        self.measured = {}
        self.note(Finding(str(refusal), Page.UNFORESEEN))


@dataclass
class Report:
    """What a run did and found."""

    products: list[ProductRun] = field(default_factory=list)
    published: list[date] = field(default_factory=list)
    """First days of the months that were published."""
    measured: "dict[tuple[date, str], Measured]" = field(default_factory=dict)
    """By month and reading, what was published."""
    tests: "list[LicenceTest]" = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What couldn't be compared, a sentence each: no fault, and no proof either."""
    alerts: list[str] = field(default_factory=list)
    """What is open, by level: the centre's business, and no fault of this run."""

    @property
    def clean(self) -> bool:
        """Whether nobody has to see to anything; else the command ends with exit code 1."""
        return not self.findings and not any(product.refusals or product.missing for product in self.products)

    @property
    def failed(self) -> bool:
        """Whether a step of the run has failed in a way that nobody foresaw."""
        return any(finding.page == Page.UNFORESEEN for finding in self.findings)

    def logged(self, at: datetime, kind: str, program: str) -> LoggedRun:
        """The run as the log of runs has it; `program`: the version of mauwatch."""
        refused = sum(len(product.refusals) for product in self.products)
        missing = sum(bool(product.missing) for product in self.products)
        result = "failed" if self.failed else "clean" if self.clean else "findings"
        return LoggedRun(at, kind, result, len(self.findings) + refused + missing, len(self.published), program)

    @contextmanager
    def step(self, subject: str) -> Iterator[None]:
        """Makes an error inside that nobody foresaw a finding about the subject: the run's other steps go on."""
        with unforeseen_into(subject, self.fail):
            yield

    def fail(self, refusal: Refusal) -> None:
        """Take in that a step has failed in a way that nobody foresaw."""
        self.findings.append(Finding(str(refusal), Page.UNFORESEEN))

    @property
    def pages(self) -> list[Page]:
        """The runbook's sections about what the run found, each once."""
        pages = [runbook.of_product(refusal) for product in self.products for refusal in product.refusals]
        pages += [Page.DAYS_MISSING] if any(product.missing for product in self.products) else []
        return list(dict.fromkeys(pages + [finding.page for finding in self.findings]))

    def to_dict(self) -> dict[str, Any]:
        """What `run --json` answers, ready for JSON."""
        products = {
            product.name: asdict(product.received)
            | {"unidentified_events": product.unidentified, "undecided_events": product.undecided}
            | {"excluded_events": product.excluded, "automated_users": product.automated_users}
            | {"missing_days": [day.isoformat() for day in product.missing]}
            | {"left_out": list(product.left_out)}
            | {"refused": [str(refusal) for refusal in product.refusals]}
            for product in self.products
        }
        months = [f"{month:%Y-%m}" for month in self.published]
        return {
            "products": products,
            "published_months": months,
            "findings": [str(finding) for finding in self.findings],
            "data_findings": [finding.to_dict() for finding in self.findings if isinstance(finding, DataFinding)],
            "notes": self.notes,
            "open_alerts": self.alerts,
            "runbook": runbook.lines(self.pages),
        }

    def add(self, month: MonthRun) -> None:
        """Take in what publishing a month did."""
        self.findings += [finding for finding in month.findings if finding not in self.findings]
        self.measured |= {(month.month, reading): measured for reading, measured in month.measured.items()}
        if month.measured:
            self.published.append(month.month)
