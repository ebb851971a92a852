"""The sections of docs/runbook.md: one for each situation that an operator meets, and the line that points to it.

A refusal leads to its section by its code, never by its text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from affiliates.errors import Code, Refusal, lines_in_plain_sight


class Page(StrEnum):
    """A section of docs/runbook.md. The value is the section's anchor, and its heading in lower case."""

    SOURCE_REFUSED = "source-refused"
    NAMESPACE = "namespace-contradicted"
    DAYS_MISSING = "days-missing"
    IDENTIFIERS = "identifiers-look-wrong"
    CONTRIBUTION_REFUSED = "contribution-refused"
    SENDER = "sender-refused"
    QUARANTINE = "quarantine"
    ERASED = "erased-contributed-again"
    NOT_UNITED = "contributions-not-united"
    UNASKED = "stored-and-in-no-figure"
    TWO_COMPUTATIONS = "two-computations-of-one-product"
    MONTH_CHANGED = "closed-month-changed"
    RANGE_EMPTY = "empty-range"
    CHECK_COVERAGE = "check-coverage"
    CHECK_LARGEST = "check-largest-product-to-sum"
    CHECK_NUMBERS = "check-numbers-agree"
    CHECK_EVENTS = "check-events-at-least-users"
    CHECK_LOSS = "check-no-loss"
    CHECK_CHANGE = "check-usual-change"
    CHECK_FALL = "check-no-fall"
    STORE = "store-unusable"
    GONE = "store-gone"
    READING = "reading-gone"
    SCHEMA = "store-schema"
    MANIFESTS = "manifests-refused"
    UNFORESEEN = "error-unforeseen"
    KILLED = "run-killed"
    CHILD = "child-ends"
    WEBSERVER = "webserver-silent"
    HEARTBEAT = "daemon-heartbeat"
    MORNING = "morning-without-success"
    PORT = "port-taken"
    SECOND = "second-serve"
    DISK = "disk-full"
    CLOCK = "clock-wrong"
    ALERT_THRESHOLD = "alert-threshold"
    ALERT_COMPARED = "alert-not-comparable"
    ALERT_MISSING = "alert-missing-data"
    ALERT_UNUSUAL = "alert-unusual-data"
    ALERT_FAILED = "alert-failed-run"
    UNDELIVERED = "alert-undelivered"
    PING = "heartbeat-unanswered"
    REPORT = "report-not-made"

    @property
    def heading(self) -> str:
        """The section's heading, as the page writes it."""
        return self.replace("-", " ").capitalize()

    @property
    def line(self) -> str:
        """The line that stands below a message and points to the section."""
        return f"Runbook: docs/runbook.md#{self}"


@dataclass(frozen=True)
class Finding:
    """Something that a person has to see to."""

    text: str
    """What it is, in a sentence."""
    page: Page
    """The section that says what to do."""

    def __str__(self) -> str:
        return lines_in_plain_sight(self.text)


@dataclass(frozen=True)
class DataFinding(Finding):
    """Something in a product's data for which a figure may be wrong although nothing is missing and nothing was refused.

    One list of these is what a run prints and ends with 1 for, what its alert is about, and what /health, doctor, measure and
    the report show (`pipelines.figures.data_findings`).
    """

    product: str
    """As affiliate/product."""
    what: str
    """What is wrong, without a figure and without an identifier, such as `no users from 2025-03-01`. With the product it names
    the finding: the same finding has the same words in every run."""
    first: date | None = None
    last: date | None = None
    """The first and the last day that the finding is about, both included; null where it is about no days."""
    size: int | None = None
    """How many users it is about, where more of them are news to whoever has accepted it; null for all other findings."""

    @property
    def subject(self) -> str:
        """The line by which alerts know the finding."""
        return f"{self.product}: {self.what}"

    def to_dict(self) -> dict[str, str | None]:
        """The finding as JSON answers have it; the days as ISO 8601."""
        first, last = (day.isoformat() if day else None for day in (self.first, self.last))
        return {"product": self.product, "what": self.what, "text": self.text, "first": first, "last": last}


SECTIONS: Mapping[Code, Page] = {
    Code.ERROR_UNFORESEEN: Page.UNFORESEEN,
    Code.MANIFEST_UNREADABLE: Page.MANIFESTS,
    Code.MANIFEST_KEY_INVALID: Page.MANIFESTS,
    Code.MANIFEST_VALUE_INVALID: Page.MANIFESTS,
    Code.MANIFEST_NAME_UNKNOWN: Page.MANIFESTS,
    Code.MANIFEST_NAME_TWICE: Page.MANIFESTS,
    Code.MANIFEST_INCONSISTENT: Page.MANIFESTS,
    Code.CONDITION_INVALID: Page.MANIFESTS,
    Code.CONDITION_COLUMNS_WRONG: Page.SOURCE_REFUSED,
    Code.LICENCE_UNTESTABLE: Page.UNDELIVERED,
    Code.CHANNEL_UNUSABLE: Page.UNDELIVERED,
    Code.REPORT_UNWRITABLE: Page.REPORT,
    Code.SOURCE_MISSING: Page.SOURCE_REFUSED,
    Code.SOURCE_UNREACHABLE: Page.SOURCE_REFUSED,
    Code.SOURCE_SETTING_WRONG: Page.SOURCE_REFUSED,
    Code.SOURCE_UNREADABLE: Page.SOURCE_REFUSED,
    Code.SOURCE_CHANGED: Page.SOURCE_REFUSED,
    Code.SOURCE_FORMAT_UNCLEAR: Page.SOURCE_REFUSED,
    Code.SOURCE_FORMAT_OTHER: Page.SOURCE_REFUSED,
    Code.SOURCE_ENCODING_WRONG: Page.SOURCE_REFUSED,
    Code.SOURCE_TABLE_FORMAT: Page.SOURCE_REFUSED,
    Code.SOURCE_DAYS_UNCLEAR: Page.SOURCE_REFUSED,
    Code.SOURCE_COLUMNS_MISSING: Page.SOURCE_REFUSED,
    Code.SOURCE_LINES_INVALID: Page.SOURCE_REFUSED,
    Code.SOURCE_TYPES_WRONG: Page.SOURCE_REFUSED,
    Code.SOURCE_TIMES_UNCLEAR: Page.SOURCE_REFUSED,
    Code.SOURCE_TIMES_IMPOSSIBLE: Page.SOURCE_REFUSED,
    Code.SOURCE_DAYS_ELSEWHERE: Page.SOURCE_REFUSED,
    Code.SOURCE_IDENTIFIERS_UNUSABLE: Page.SOURCE_REFUSED,
    Code.NAMESPACE_CONTRADICTED: Page.NAMESPACE,
    Code.SOURCE_KEYS_INVALID: Page.SOURCE_REFUSED,
    Code.EVENTS_UNIDENTIFIED: Page.SOURCE_REFUSED,
    Code.EVENTS_OF_ONE_VALUE: Page.SOURCE_REFUSED,
    Code.EVENTS_UNDECIDED: Page.SOURCE_REFUSED,
    Code.EVENTS_ALL_EXCLUDED: Page.SOURCE_REFUSED,
    Code.CONTRIBUTION_UNREADABLE: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_TOO_LARGE: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_COLUMNS_WRONG: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_VALUES_INVALID: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_VERSION_UNKNOWN: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_INCOMPLETE: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_ROWS_DIFFER: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_SKETCH_INVALID: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_PRODUCT_UNKNOWN: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_PERIOD_INVALID: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_COMPUTED_EARLY: Page.CLOCK,
    Code.CONTRIBUTION_EPOCH_WRONG: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_CANARY_WRONG: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_CROSSWALK_WRONG: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_AUDIENCES_WRONG: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_IMPLAUSIBLE: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_AMBIGUOUS: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_MONTH_CLOSED: Page.CONTRIBUTION_REFUSED,
    Code.CONTRIBUTION_ERASED: Page.ERASED,
    Code.CONTRIBUTION_MORE_WRONG: Page.CONTRIBUTION_REFUSED,
    Code.SENDER_OTHER: Page.SENDER,
    Code.SENDER_UNKNOWN: Page.SENDER,
    Code.SENDER_UNSIGNED: Page.SENDER,
    Code.SENDER_SIGNATURE_WRONG: Page.SENDER,
    Code.STORE_MISSING: Page.STORE,
    Code.STORE_UNUSABLE: Page.STORE,
    Code.STORE_SCHEMA: Page.SCHEMA,
    Code.STORE_GONE: Page.GONE,
    Code.CLOCK_WRONG: Page.CLOCK,
    Code.READING_GONE: Page.READING,
    Code.STORE_DAMAGED: Page.STORE,
    Code.CONTRIBUTIONS_NOT_UNITED: Page.NOT_UNITED,
    Code.SERVE_RUNNING: Page.SECOND,
    Code.PORT_TAKEN: Page.PORT,
}
"""The section for each code. A code without one is bad usage: its message alone says what to do."""

# Whoever reports a refusal knows what was refused: the centre, a product or a file. A code that fits none of that situation's
# sections gets the situation's usual one, so that a new code never points an operator to a page about something else.
_OF_THE_CENTRE = frozenset(
    {
        Page.UNFORESEEN, Page.NOT_UNITED, Page.STORE, Page.SCHEMA, Page.GONE, Page.READING, Page.CLOCK, Page.SECOND, Page.PORT,
    }
)  # fmt: skip
_OF_A_PRODUCT = frozenset(
    {Page.UNFORESEEN, Page.SOURCE_REFUSED, Page.NAMESPACE, Page.CONTRIBUTION_REFUSED, Page.ERASED, Page.CLOCK}
)
_OF_A_FILE = frozenset({Page.UNFORESEEN, Page.CONTRIBUTION_REFUSED, Page.SENDER, Page.ERASED})


def of_refusal(refusal: Refusal) -> Page | None:
    """The section for a refusal that the centre itself met, such as its store or its port; None for any other code.

    A command's user reads in the message what to do about the others.
    """
    page = SECTIONS.get(refusal.code)
    return page if page in _OF_THE_CENTRE else None


def of_product(refusal: Refusal) -> Page:
    """The section for a product's refusal: about its sources, or about the contribution that was computed from them."""
    page = SECTIONS.get(refusal.code)
    return page if page in _OF_A_PRODUCT else Page.SOURCE_REFUSED


def of_file(refusal: Refusal) -> Page:
    """The section for a refused file of contributions: about its sender, or about its contributions."""
    page = SECTIONS.get(refusal.code)
    return page if page in _OF_A_FILE else Page.CONTRIBUTION_REFUSED


def of_check(name: str) -> Page:
    """The section for a red check, by the check's name in `pipelines.figures.quality_checks`.

    Raises `ValueError` for a name without a section.
    """
    return Page(f"check-{name.replace('_', '-')}")


def lines(pages: Iterable[Page | None]) -> list[str]:
    """The line of each section once, in the order of first appearance; None is left out."""
    return [page.line for page in dict.fromkeys(pages) if page is not None]


def code_table() -> str:
    """docs/runbook.md's table of all kinds of refusals, in Markdown: each code, its meaning, and the section that helps."""
    rows = ["| Code | Meaning | Section |", "|---|---|---|"]
    for code in Code:
        page = SECTIONS.get(code)
        section = f"[{page.heading}](#{page})" if page else "–"
        rows.append(f"| `{code}` | {code.meaning} | {section} |")
    return "\n".join(rows) + "\n"
