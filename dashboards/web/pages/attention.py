"""What needs attention: open alerts, and a run that hasn't looked. Five at most, each with an owner and a next step."""

import re
from typing import Any

from dash import html

from affiliates.manifests.alert_settings import KINDS, Alerting
from affiliates.manifests.product import ProductRef
from dashboards import formats
from dashboards.web.queries import PageRows, names
from pipelines.store.alert_log import Transition

_MOST = 5
_LEVELS = ("over", "act", "prepare", "watch", "open")
"""From the worst on."""
_OWNERS = {"legal": "counsel", "finance": "finance", "ops": "the operator"}
KIND_WORDS = {
    "threshold": "A threshold comes near",
    "missing_data": "Data are missing",
    "unusual_data": "Data are unusual",
    "failed_run": "A run has failed",
    "definition_change": "A definition has changed",
    "jump": "The figure has jumped",
}
NEXT_STEPS = {
    "threshold": "read what would change it, and acknowledge or close the alert",
    "missing_data": "have the files brought or handed in",
    "unusual_data": "compare the days with the product's own numbers",
    "failed_run": "read why, and run again",
    "definition_change": "say whether the change is real",
    "jump": "say whether the change is real",
}
_QUIET_DAYS = 2
"""Days without a look after which somebody has to ask why."""


def owner(alerting: Alerting, alert: Transition) -> str:
    """Who has to look: whoever acknowledged the alert, else the products' owners, else whom the alert's kind is for."""
    if alert.acknowledged_by:
        return alert.acknowledged_by
    named = (word for subject in alert.subjects.splitlines() for word in re.split(r"[\s,:]+", subject) if word.count("/") == 1)
    owners = dict.fromkeys(filter(None, (alerting.owner(ProductRef.parse(word)) for word in named if alert.kind != "threshold")))
    if owners:
        return ", ".join(owners)
    return " or ".join(dict.fromkeys(_OWNERS[to] for to, kinds in KINDS.items() if alert.kind in kinds))


def next_step(alerting: Alerting, alert: Transition) -> str:
    """What is to be done: by alerts.yaml for a threshold, else by the alert's kind."""
    own = getattr(alerting.next_steps, alert.level, "") if alert.kind == "threshold" else ""
    return str(own or NEXT_STEPS.get(alert.kind, "look at the alert")).rstrip(".")


def title(alert: Transition) -> str:
    """An alert in a few words."""
    if alert.kind == "threshold":
        family, _, line = alert.rule.partition("/")
        level = f": {alert.level}" if alert.is_open else ""
        return f"Threshold {formats.exact(alert.threshold or 0)} of {family or line}{level}"
    subjects = alert.subjects.splitlines()
    return f"{KIND_WORDS.get(alert.kind, alert.kind)}{': ' + names(subjects, 2) if subjects else ''}"


def items(rows: PageRows) -> list[Any]:
    """The list, or that nothing is open."""
    open_alerts = [alert for alert in rows.alerts if alert.is_open]
    # Whoever has acknowledged an alert knows: what nobody has seen comes first.
    open_alerts.sort(key=lambda alert: (alert.acknowledged_by is not None, _LEVELS.index(alert.level), -alert.opened))
    lines: list[Any] = []
    runs = rows.last_runs()
    # Before all alerts: without a look none of them is up to date.
    if runs and (rows.now - runs[0].at).days >= _QUIET_DAYS:
        words = f"No run has looked for {(rows.now - runs[0].at).days} days: what has changed since isn't here."
        lines.append(html.Li([words, " Owner: the operator. Next: run it (mauwatch run, or see that mauwatch serve runs)."]))
    lines += [
        html.Li(
            [
                html.A(title(alert), href=f"/alerts/{alert.opened}"),
                f". Owner: {owner(rows.group.alerting, alert)}. Next: {next_step(rows.group.alerting, alert)}.",
            ]
        )
        for alert in open_alerts
    ]
    if not lines:
        return [html.P("Nothing is open.")]
    rest = len(lines) - _MOST
    more = [html.P(html.A(f"{rest} more", href="/forecast"))] if rest > 0 else []
    return [html.Ul(lines[:_MOST], className="attention"), *more]
