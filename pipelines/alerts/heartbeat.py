"""The heartbeat, which shows an outside service that a run has succeeded. It needs no store."""

from pathlib import Path

from affiliates.errors import RefusedError
from affiliates.manifests.alert_settings import Alerting
from pipelines.alerts.sending import Senders
from pipelines.runbook import Finding, Page


def ping(alerting: Alerting, directory: Path) -> list[Finding]:
    """Call the heartbeat's address, where there is one; a finding where the address can't be reached."""
    if alerting.heartbeat is None:
        return []
    try:
        request = {"what": "ping", "url": alerting.heartbeat.url(directory), "kind": alerting.heartbeat.kind}
        with Senders() as senders:
            failure = senders.ask(request)
    except RefusedError as error:
        failure = without_subject(error)
    return [Finding(f"the heartbeat's address can't be reached: {failure}", Page.PING)] if failure else []


def without_subject(error: RefusedError) -> str:
    """Why there is no address, without naming whose: the outbox keeps this text beside the channel's name."""
    refusal = error.refusals[0]
    return f"{refusal.rule}: {refusal.values}"
