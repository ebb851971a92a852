"""Where docs/runbook.md speaks of what an operator sees: a section's name for each situation, and the line that points there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from affiliates.errors import Code, Refusal


class Page(StrEnum):
    """A section of docs/runbook.md, by its anchor."""

    SOURCE_REFUSED = "source-refused"
    DAYS_MISSING = "days-missing"
    CONTRIBUTION_REFUSED = "contribution-refused"
    SENDER = "sender-refused"
    QUARANTINE = "quarantine"
    ERASED = "erased-contributed-again"
    NOT_UNITED = "contributions-not-united"
    MONTH_CHANGED = "closed-month-changed"
    RANGE_EMPTY = "empty-range"
    CHECK_COVERAGE = "check-coverage"
    CHECK_LARGEST = "check-largest-product-to-sum"
    CHECK_EVENTS = "check-events-at-least-users"
    CHECK_CHANGE = "check-usual-change"
    STORE = "store-unusable"
    SCHEMA = "store-schema"
    MANIFESTS = "manifests-refused"
    STEP = "step-failed"
    KILLED = "run-killed"
    CHILD = "child-ends"
    WEBSERVER = "webserver-silent"
    HEARTBEAT = "daemon-heartbeat"
    PORT = "port-taken"
    SECOND = "second-serve"
    DISK = "disk-full"
    CLOCK = "clock-wrong"
    ALERT_THRESHOLD = "alert-threshold"
    ALERT_COMPARED = "alert-not-comparable"
    ALERT_MISSING = "alert-missing-data"
    ALERT_FAILED = "alert-failed-run"
    UNDELIVERED = "alert-undelivered"
    PING = "heartbeat-unanswered"

    @property
    def heading(self) -> str:
        """The section's heading."""
        return self.replace("-", " ").capitalize()

    @property
    def line(self) -> str:
        return f"Runbook: docs/runbook.md#{self}"


@dataclass(frozen=True)
class Finding:
    """Something that a person has to see to: what it is, in words, and the section of the runbook about it."""

    text: str
    page: Page

    def __str__(self) -> str:
        return self.text


SECTIONS: Mapping[Code, Page] = {
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
    Code.SOURCE_MISSING: Page.SOURCE_REFUSED,
    Code.SOURCE_UNREACHABLE: Page.SOURCE_REFUSED,
    Code.SOURCE_SETTING_WRONG: Page.SOURCE_REFUSED,
    Code.SOURCE_UNREADABLE: Page.SOURCE_REFUSED,
    Code.SOURCE_CHANGED: Page.SOURCE_REFUSED,
    Code.SOURCE_FORMAT_UNCLEAR: Page.SOURCE_REFUSED,
    Code.SOURCE_COLUMNS_MISSING: Page.SOURCE_REFUSED,
    Code.SOURCE_LINES_INVALID: Page.SOURCE_REFUSED,
    Code.SOURCE_TYPES_WRONG: Page.SOURCE_REFUSED,
    Code.SOURCE_TIMES_UNCLEAR: Page.SOURCE_REFUSED,
    Code.SOURCE_TIMES_IMPOSSIBLE: Page.SOURCE_REFUSED,
    Code.SOURCE_DAYS_ELSEWHERE: Page.SOURCE_REFUSED,
    Code.SOURCE_IDENTIFIERS_UNUSABLE: Page.SOURCE_REFUSED,
    Code.SOURCE_KEYS_INVALID: Page.SOURCE_REFUSED,
    Code.EVENTS_UNIDENTIFIED: Page.SOURCE_REFUSED,
    Code.EVENTS_UNDECIDED: Page.SOURCE_REFUSED,
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
    Code.STORE_DAMAGED: Page.STORE,
    Code.CONTRIBUTIONS_NOT_UNITED: Page.NOT_UNITED,
    Code.SERVE_RUNNING: Page.SECOND,
    Code.PORT_TAKEN: Page.PORT,
}
"""The section about each kind of refusal; the other kinds are bad usage, whose message says by itself what to do."""

_OF_THE_CENTRE = frozenset({Page.NOT_UNITED, Page.STORE, Page.SCHEMA, Page.SECOND, Page.PORT})
_OF_A_PRODUCT = frozenset({Page.SOURCE_REFUSED, Page.CONTRIBUTION_REFUSED, Page.ERASED, Page.CLOCK})
_OF_A_FILE = frozenset({Page.CONTRIBUTION_REFUSED, Page.SENDER, Page.ERASED})


def of_refusal(refusal: Refusal) -> Page | None:
    """The section about a refusal that isn't a product's or a file's: of the centre itself. None for any other: whoever asked
    for it reads what to do in its text."""
    page = SECTIONS.get(refusal.code)
    return page if page in _OF_THE_CENTRE else None


def of_product(refusal: Refusal) -> Page:
    """The section about what a product was refused for: its sources, or what was made of them."""
    page = SECTIONS.get(refusal.code)
    return page if page in _OF_A_PRODUCT else Page.SOURCE_REFUSED


def of_file(refusal: Refusal) -> Page:
    """The section about what a file of contributions was refused for: its sender, or what it holds."""
    page = SECTIONS.get(refusal.code)
    return page if page in _OF_A_FILE else Page.CONTRIBUTION_REFUSED


def of_check(name: str) -> Page:
    """The section about a red check of `pipelines.figures.quality_checks`."""
    return Page(f"check-{name.replace('_', '-')}")


def lines(pages: Iterable[Page | None]) -> list[str]:
    """A line for each section, in the order in which they come up."""
    return [page.line for page in dict.fromkeys(pages) if page is not None]


def code_table() -> str:
    """docs/runbook.md's table of all kinds of refusals, in Markdown: each code, its meaning, and the section that helps."""
    rows = ["| Code | Meaning | Section |", "|---|---|---|"]
    for code in Code:
        page = SECTIONS.get(code)
        section = f"[{page.heading}](#{page})" if page else "–"
        rows.append(f"| `{code}` | {code.meaning} | {section} |")
    return "\n".join(rows) + "\n"
