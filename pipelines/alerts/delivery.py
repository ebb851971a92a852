"""Sending what waits in the outbox.

A message is sent at least once: whether a server that was cut off has taken a message, nobody can know. A repeat has the key of
the first. Each message, each call and each sending as a whole has a deadline (`sending`); what isn't sent by then waits.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from affiliates.errors import RefusedError
from affiliates.manifests.alert_settings import Alerting, Channel
from affiliates.manifests.group import Group
from pipelines.alerts import heartbeat
from pipelines.alerts.recorder import AlertRecorder
from pipelines.alerts.sending import Request, Senders
from pipelines.runbook import Finding, Page
from pipelines.store import alert_log, outbox
from pipelines.store.engine import Store
from pipelines.store.outbox import Message
from pipelines.store.process_identity import process_identity, process_is_gone
from pipelines.store.recipient import Recipient

Clock = Callable[[], datetime]
"""The time, asked anew for each message: sending takes long."""


def deliver(store: Store, directory: Path, group: Group, clock: Clock) -> list[Finding]:
    """Send what is due; a finding for each channel with undelivered messages, and for open alerts that no channel gets.

    To one address, one message after the other, each by one sender at a time. An address that fails, or is silent, holds up no
    other; one that is silent isn't asked again in the same sending.
    """
    alerting = group.alerting
    sender = process_identity()
    if not alerting.channels:
        return []
    by_name = {channel.name: channel for channel in alerting.channels}
    under_way = dict[Recipient, Message]()
    silent = set[Recipient]()
    with Senders() as senders:
        while True:
            # Taken for some time under this process's identity: two senders never have one message, and a dead sender's is free.
            while senders.may_begin:
                message = outbox.take(store, clock(), sender, process_is_gone, silent | under_way.keys())
                if message is None:
                    break
                request = _request(message, by_name.get(message.channel), alerting, directory)
                if isinstance(request, str):
                    outbox.note(store, message, sender, clock(), request)
                    continue
                under_way[message.recipient] = message
                senders.begin(message.recipient, request)
            if not under_way:
                break
            for answer in senders.wait():
                message = under_way.pop(answer.recipient)
                outbox.note(store, message, sender, clock(), answer.failure)
                if answer.late:
                    silent.add(message.recipient)
    return _undelivered(store, alerting)


def _request(message: Message, channel: Channel | None, alerting: Alerting, directory: Path) -> Request | str:
    """What the sending process is asked for; a text says why a message can't be sent."""
    if channel is None:
        return "alerts.yaml has no such channel any more"
    try:
        url = channel.url(message.address, directory)
    except RefusedError as error:
        return heartbeat.without_subject(error)
    payload = message.payload
    return {
        "what": "message",
        "url": url,
        "allowed": alerting.allowed_domains,
        "full": (payload["title"], payload["text"]),
        "bare": (payload["bare_title"], payload["bare_text"]),
        "key": message.key,
        "fields": {name: payload[name] for name in ("alert", "kind", "action", "level", "link")} | {"key": message.key},
    }


def _undelivered(store: Store, alerting: Alerting) -> list[Finding]:
    """Findings about messages that wait, but for those that somebody is sending now, and about alerts without a channel."""
    waiting: dict[str, list[Message]] = {}
    for message in outbox.read(store):
        # What another process is sending now is no finding: that process reports it.
        if not message.done and message.outcome != outbox.SENDING:
            waiting.setdefault(message.channel, []).append(message)
    findings = []
    for name, unsent in waiting.items():
        count = f"{len(unsent)} messages of channel {name} are" if len(unsent) > 1 else f"1 message of channel {name} is"
        since = f"{unsent[0].created_at:%Y-%m-%d %H:%M} UTC"
        findings.append(Finding(f"{count}n't delivered, the first since {since}", Page.UNDELIVERED))
    heard = {kind for channel in alerting.channels if not channel.escalation for kind in channel.gets}
    unheard = sorted({alert.kind for alert in alert_log.current(store).values() if alert.is_open} - heard)
    findings += [Finding(f"no channel gets alerts of the kind {kind}, and one is open", Page.UNDELIVERED) for kind in unheard]
    return findings


def silent_until(store: Store, group: Group, now: datetime) -> datetime | None:
    """The moment from which on there may be something to send, or to say of it, though nothing is published; null for none.

    `now` where a message waits, is on its way, or can't reach anybody.
    """
    if not group.alerting.channels:
        return None
    if _undelivered(store, group.alerting) or any(not message.done for message in outbox.read(store)):
        return now
    return AlertRecorder(store, group, now).next_escalation()


def open_alerts(store: Store) -> list[str]:
    """A line for each open alert: its number, its level, what the alert is about, and who has acknowledged it."""
    return [
        f"{alert.opened}, {alert.level}: {alert.rule or alert.kind.replace('_', ' ')}"
        + (f", seen by {alert.acknowledged_by}" if alert.acknowledged_by else ", acknowledged by nobody")
        for alert in alert_log.current(store).values()
        if alert.is_open
    ]


def try_channel(channel: Channel, alerting: Alerting, directory: Path, group: str) -> list[str | None]:
    """Send a test message to each address of a channel; for each the kind of failure, or null.

    Raises `RefusedError` where the channel has no address.
    """
    purpose = "This is a test of mauwatch: no alert, and nothing has to be done."
    text = "\n".join([purpose, "", alerting.legend] if alerting.legend else [purpose])
    form = (f"[test] {group}: a test message", text)
    request = {
        "what": "message",
        "allowed": (),
        "full": form,
        "bare": form,
        "key": "test",
        "fields": {"kind": "test", "key": "test"},
    }
    urls = [channel.url(number, directory) for number in range(channel.addresses)]
    with Senders() as senders:
        return [senders.ask({**request, "url": url}) for url in urls]
