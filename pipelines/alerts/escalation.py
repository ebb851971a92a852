"""When an alert that nobody has acknowledged is told to the channels for escalation. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from affiliates.manifests.alert_settings import Alerting
from affiliates.periods import LONGEST_RUN
from pipelines.alerts.state import Event, State, StepResult


def escalates_at(state: State, alerting: Alerting, first_sent: datetime | None = None) -> datetime | None:
    """When the channels for escalation are to be told of an open alert that nobody acknowledges; null where nobody is to be told.

    The days count from the last change, or from `first_sent`, when the first channel got a message, if that is later.
    """
    if not state.is_open or state.acknowledged_by or state.escalated or state.since is None:
        return None
    # A channel that was named late gets all its days: nobody could have acknowledged before.
    since = state.since if first_sent is None else max(state.since, first_sent)
    return since + timedelta(days=alerting.escalate_after)


def escalate(state: State, now: datetime, alerting: Alerting, first_sent: datetime | None = None) -> StepResult:
    """Tell the channels for escalation, once, when nobody has acknowledged an open alert for `escalate_after` days."""
    at = escalates_at(state, alerting, first_sent)
    # A moment that is still to come was noted by a clock that was ahead: better to tell too early than never.
    if at is None or at - timedelta(days=alerting.escalate_after) - LONGEST_RUN <= now < at:
        return state, []
    return replace(state, escalated=True), [Event("escalated", state.level, state.level, state.subjects)]
