"""Where RUNBOOK.md speaks of what an operator sees: a section's name for each situation, and the line that points there."""

import re
from collections.abc import Iterable
from enum import StrEnum

from affiliates.errors import Refusal


class Page(StrEnum):
    """A section of RUNBOOK.md, by its anchor."""

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
    def line(self) -> str:
        return f"Runbook: RUNBOOK.md#{self}"


class Finding(str):
    """What was found, in words, and where the runbook speaks of it."""

    page: Page

    def __new__(cls, said: str, page: Page) -> "Finding":
        made = super().__new__(cls, said)
        made.page = page
        return made


_BY_RULE = {
    "was made by a newer mauwatch": Page.SCHEMA,
    "has an older schema": Page.SCHEMA,
    "is served already": Page.SECOND,
    "is taken": Page.PORT,
}
_BY_SUBJECT = {"the store": Page.STORE, "Dagster's store": Page.STORE}
_CONTRIBUTION = re.compile(r"^[^,/]+\.parquet\b|^\S+/\S+, \d{4}-\d\d(-\d\d)?$")
"""Subjects of `affiliates.contribution`; a source's is its product, the source's number and a file's name."""


def of_refusal(refusal: Refusal) -> Page | None:
    """The section about a refusal that isn't a product's; None for bad usage, which says what to do by itself."""
    if "can't be united" in refusal.rule:
        return Page.NOT_UNITED
    return _BY_RULE.get(refusal.rule) or _BY_SUBJECT.get(refusal.subject)


def of_product(refusal: Refusal) -> Page:
    """The section about what a product was refused for: its sources, or what was made of them."""
    if refusal.rule == "was erased, so it isn't stored again":
        return Page.ERASED
    if refusal.rule == "was computed before the period was over, or in the future":
        return Page.CLOCK
    of_source = refusal.rule.startswith("too many events ") or not _CONTRIBUTION.search(refusal.subject)
    return Page.SOURCE_REFUSED if of_source else Page.CONTRIBUTION_REFUSED


def of_check(name: str) -> Page:
    """The section about a red check of `pipelines.checks`."""
    return Page(f"check-{name.replace('_', '-')}")


def lines(pages: Iterable[Page | None]) -> list[str]:
    """A line for each section, in the order in which they come up."""
    return [page.line for page in dict.fromkeys(pages) if page is not None]
