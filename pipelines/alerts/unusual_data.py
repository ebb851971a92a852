"""The alert about what the products' data show (`pipelines.figures.data_findings`), and which of it somebody has accepted."""

from collections.abc import Collection, Sequence
from datetime import datetime

from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from pipelines.alerts import state
from pipelines.alerts.messages import About
from pipelines.alerts.recorder import AlertRecorder
from pipelines.figures.data_findings import is_in_store
from pipelines.runbook import DataFinding, Page
from pipelines.store import alert_log
from pipelines.store.alert_log import AlertKey
from pipelines.store.engine import Store

UNUSUAL = AlertKey("unusual_data")
"""The alert about findings in the products' data."""


def record(
    store: Store, group: Group, now: datetime, findings: Sequence[DataFinding], computed: Collection[str]
) -> list[DataFinding]:
    """Record what the products' data show; gives what nobody has accepted, or has accepted while it was smaller.

    `findings`: what the store shows of all products, and what this run has found in the sources of the products that it has
    computed (`computed`, as affiliate/product). What an earlier run has found in other products' sources stays, and is given too.
    """
    # Beside each who answers for the product: an alert about data is for whoever can mend them.
    owners = {finding.subject: group.alerting.owner(ProductRef.parse(finding.product)) for finding in findings}
    lines = {f.subject: f"{f} ({owners[f.subject]})" if owners[f.subject] else str(f) for f in findings}
    with store.writing() as connection:
        recorder = AlertRecorder(Store(store.engine, connection, writes=True), group, now)
        sizes = {finding.subject: finding.size for finding in findings if finding.size is not None}
        after, events = state.data_incident(
            recorder.state_of(UNUSUAL), lines, lambda subject: _was_judged(from_subject(subject), group, computed), now, sizes
        )
        about = About(group.settings.group, of_record=False, lines=lines)
        recorder.record(UNUSUAL, after, events, about=lambda: about)
    by_subject = {finding.subject: finding for finding in findings}
    return [by_subject.get(subject) or from_subject(subject) for subject in after.subjects]


def open_findings(store: Store) -> list[DataFinding]:
    """What the last run has found in the products' data and nobody has accepted, without figures."""
    alert = alert_log.current(store).get(UNUSUAL)
    return [from_subject(subject) for subject in alert.subjects.splitlines()] if alert is not None else []


def accepted(store: Store) -> frozenset[str]:
    """The subjects of the findings that a named person has accepted, for as long as these last."""
    alert = alert_log.current(store).get(UNUSUAL)
    return frozenset(state.from_text(alert.memory).settled) if alert is not None else frozenset()


def from_subject(subject: str) -> DataFinding:
    """A finding as the alert remembers it: by its product and its words alone."""
    product, _, what = subject.partition(": ")
    return DataFinding(subject, Page.ALERT_UNUSUAL, product, what)


def _was_judged(finding: DataFinding, group: Group, computed: Collection[str]) -> bool:
    """Whether a run that doesn't find it any more shows that it is gone."""
    is_gone = ProductRef.parse(finding.product) not in group.products
    return is_gone or is_in_store(finding) or finding.product in computed
