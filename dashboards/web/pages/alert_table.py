"""All alerts as a table: what each is about, its state, who has seen it, and whether those who were told got the message."""

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from dashboards.web.pages import attention
from dashboards.web.queries import PageRows
from pipelines.store.alert_log import Transition
from pipelines.store.outbox import Message


def table(rows: PageRows) -> Component:
    """The open alerts first, then those that were."""
    alerts = [alert for alert in rows.alerts if alert.is_open or alert.level != "none" or alert.closed_by]
    # Within the open ones the newest first.
    alerts.sort(key=lambda alert: (not alert.is_open, -alert.opened))
    if not alerts:
        return html.P("No alert is open, and none was closed.")
    lines = [
        (
            html.A(f"{alert.opened}", href=f"/alerts/{alert.opened}", **components.aria(label=f"Alert {alert.opened}")),
            attention.title(alert),
            state(alert),
            seen(alert),
            delivery(rows.messages(alert.opened)),
            formats.age(alert.known_at, rows.now),
        )
        for alert in alerts
    ]
    head = ("Alert", "About", "State", "Seen by", "Told", "Changed")
    return components.table("Open alerts first", head, lines, narrow=(4, 5))


def state(alert: Transition) -> str:
    """An alert's state in words, with a glyph."""
    if alert.closed_by:
        return f"■ closed: {alert.reason_code or ''}".strip()
    if not alert.is_open:
        return "□ over"
    if alert.acknowledged_by:
        return f"◆ {alert.level}, acknowledged"
    return f"▲ {alert.level}"


def seen(alert: Transition) -> str:
    """Who has seen an alert."""
    return alert.acknowledged_by or alert.closed_by or ("nobody yet" if alert.is_open else "–")


def delivery(messages: list[Message]) -> str:
    """How many messages there were, and whether they arrived."""
    if not messages:
        return "nobody: no channel is for it"
    # Superseded by a worse level is done, too: nobody waits for it.
    waiting = [message for message in messages if not message.done]
    channels = ", ".join(dict.fromkeys(message.channel for message in messages))
    arrived = "all sent" if not waiting else f"{len(waiting)} of {len(messages)} not sent yet"
    return f"{channels}: {arrived}"
