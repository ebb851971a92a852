"""What `run --log-json` says, for whoever collects logs: one JSON object a line on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from pipelines import runbook
from pipelines.json_log import Level, Log
from pipelines.runbook import Page
from pipelines.workflows.report import Progress, Report


@contextmanager
def log_lines() -> Iterator[Progress]:
    """A line for each thing that is begun."""
    log = _log()
    yield lambda what, done, of: log.say("info", "begun", what=what, done=done, of=of)


def tell(report: Report) -> None:
    """A line for each product, for each of its refusals, for each month that was published, and for each finding."""
    log = _log()
    for product in report.products:
        missing: dict[str, object] = {"missing_days": len(product.missing)}
        if product.missing:
            missing |= {"first_missing_day": product.missing[0], "runbook": Page.DAYS_MISSING.line}
        # An incomplete product is a warning and no error: its sources are late, and nothing of ours failed.
        level: Level = "error" if product.refusals else "warning" if product.missing else "info"
        outcome = "refused" if product.refusals else "incomplete" if product.missing else "done"
        about = {"product": product.name, "outcome": outcome, "periods": product.periods, **asdict(product.received)}
        if product.left_out:
            about["left_out"] = list(product.left_out)
        log.say(level, "product", **about, **missing)
        for refusal in product.refusals:
            log.say("error", str(refusal), product=product.name, runbook=runbook.of_product(refusal).line)
    for month in report.published:
        log.say("info", "published", month=f"{month:%Y-%m}")
    for finding in report.findings:
        log.say("warning", str(finding), runbook=finding.page.line)


def _log() -> Log:
    return Log(sys.stderr, "run")
