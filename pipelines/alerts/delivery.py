"""Sending what waits in the outbox, and the heartbeat that says to an outside service that a run has succeeded."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from affiliates.errors import RefusedError
from affiliates.manifests.alert_settings import Alerting, Channel
from affiliates.manifests.group import Group
from pipelines.alerts import channels
from pipelines.runbook import Finding, Page
from pipelines.store import alert_log, outbox
from pipelines.store.engine import Store
from pipelines.store.outbox import Message
from pipelines.store.process_identity import process_identity, process_is_gone

Clock = Callable[[], datetime]


def deliver(store: Store, directory: Path, group: Group, clock: Clock) -> list[Finding]:
    """Send what is due; says what is still undelivered after it, and which open alerts no channel gets.

    One message after the other, each by one sender at a time. A channel that fails holds up no other.
    """
    rules = group.alerting
    me = process_identity()
    if not rules.channels:
        return []
    by_name = {channel.name: channel for channel in rules.channels}
    while (message := outbox.take(store, clock(), me, process_is_gone)) is not None:
        outbox.note(store, message, me, clock(), _sent(message, by_name.get(message.channel), rules, directory))
    return _left(store, rules)


def _sent(message: Message, channel: Channel | None, rules: Alerting, directory: Path) -> str | None:
    """Says what kind of failure there was, or nothing."""
    if channel is None:
        return "alerts.yaml has no such channel any more"
    try:
        url = channel.url(message.address, directory)
    except RefusedError as error:
        return _kind(error)
    said = message.payload
    figures = channels.may_have_figures(url, rules.allowed_domains)
    title, text = (said["title"], said["text"]) if figures else (said["bare_title"], said["bare_text"])
    fields = {name: said[name] for name in ("alert", "kind", "action", "level", "link")} | {"key": message.key}
    return channels.send(url, title, text, message.key, fields)


def _kind(error: RefusedError) -> str:
    """Why an address can't be had, without whose it is."""
    refusal = error.refusals[0]
    return f"{refusal.rule}: {refusal.values}"


def _left(store: Store, rules: Alerting) -> list[Finding]:
    """Without what others are sending just now."""
    waiting: dict[str, list[Message]] = {}
    for message in outbox.read(store):
        if not message.done and message.outcome != outbox.SENDING:
            waiting.setdefault(message.channel, []).append(message)
    found = [
        Finding(
            f"{len(some)} message{'s' * (len(some) > 1)} of channel {name} {'are' if len(some) > 1 else 'is'}n't delivered, "
            f"the first since {some[0].created_at:%Y-%m-%d %H:%M} UTC",
            Page.UNDELIVERED,
        )
        for name, some in waiting.items()
    ]
    heard = {kind for channel in rules.channels if not channel.escalation for kind in channel.gets}
    deaf = sorted({of.kind for of in alert_log.current(store).values() if of.is_open} - heard)
    return [*found, *(Finding(f"no channel gets alerts of the kind {kind}, and one is open", Page.UNDELIVERED) for kind in deaf)]


def open_alerts(store: Store) -> list[str]:
    """Each alert that is open: its number, its level, what it is about, and whether anybody has seen it."""
    return [
        f"{of.opened}, {of.level}: {of.rule or of.kind.replace('_', ' ')}"
        + (f", seen by {of.acknowledged_by}" if of.acknowledged_by else ", acknowledged by nobody")
        for of in alert_log.current(store).values()
        if of.is_open
    ]


def try_channel(channel: Channel, rules: Alerting, directory: Path, group: str) -> list[str | None]:
    """Send each address of a channel a message that says that it is a test; says of each what failure there was, or nothing.

    Raises `RefusedError` where it has no address.
    """
    text = "This is a test of mauwatch: no alert, and nothing has to be done."
    said = "\n".join([text, "", rules.legend] if rules.legend else [text])
    fields = {"kind": "test", "key": "test"}
    urls = [channel.url(number, directory) for number in range(channel.addresses)]
    return [channels.send(url, f"[test] {group}: a test message", said, "test", fields) for url in urls]


def ping(rules: Alerting, directory: Path) -> list[Finding]:
    """Call the heartbeat's address, where there is one; says that it couldn't be."""
    if rules.heartbeat is None:
        return []
    try:
        failure = channels.ping(rules.heartbeat.url(directory), rules.heartbeat.kind)
    except RefusedError as error:
        failure = _kind(error)
    return [Finding(f"the heartbeat's address can't be reached: {failure}", Page.PING)] if failure else []
