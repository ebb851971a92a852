"""`mauwatch alerts`: what is open, who has seen it, who closes it and why; and whether anybody would be told.

As in `cli.py`, what a command needs is imported inside it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from dashboards.cli import console, tables
from dashboards.cli.options import HERE, GroupDir, Json, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from affiliates.manifests.group import Group
    from pipelines.store.alert_log import Transition
    from pipelines.store.contributions import ContributionStore


app = typer.Typer(help="Alerts: list them, say that one was seen, close one, test a channel.", rich_markup_mode=None)

Number = Annotated[int, typer.Argument(metavar="ID", help="The alert's number.")]
By = Annotated[str, typer.Option(help="Who.", metavar="NAME", callback=one_line)]

_STYLE = {"over": "bold red", "act": "red", "prepare": "yellow", "watch": "yellow", "open": "yellow", "none": "green"}


class Reason(StrEnum):
    """Why an alert is closed."""

    granted = "granted"
    migrated = "migrated"
    not_applicable = "not_applicable"
    measured_wrongly = "measured_wrongly"
    confirmed = "confirmed"
    not_comparable = "not_comparable"
    accepted = "accepted"


@contextmanager
def _opened(directory: Path, create: bool = False) -> "Iterator[tuple[Group, ContributionStore]]":
    from affiliates.manifests.loader import read_group
    from pipelines.store import contributions

    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory, create) as store:
        yield group, store


@app.callback(invoke_without_command=True)
def alerts(context: typer.Context, group: GroupDir = HERE, as_json: Json = False) -> None:
    """What is open, and what is undelivered; ends with 1 while something open is unacknowledged, or undelivered."""
    if context.invoked_subcommand is None:
        _list(group, as_json)
    elif group != HERE or as_json:  # Else they would be silently left out, and another group's alert be closed.
        raise typer.BadParameter(f"write --group and --json after `{context.invoked_subcommand}`")


@app.command("list")
def list_(
    group: GroupDir = HERE,
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False,
    as_json: Json = False,
) -> None:
    """What is open, and what is undelivered; ends with 1 while something open is unacknowledged, or undelivered."""
    _list(group, as_json, everything)


def _list(directory: Path, as_json: bool, everything: bool = False) -> None:
    from pipelines.store import alert_log, outbox

    with _opened(directory) as (_, store), store.snapshot() as fixed:
        shown_alerts = [alert for alert in alert_log.current(fixed).values() if alert.is_open or everything]
        waiting: dict[int, int] = {}
        for message in outbox.read(fixed):
            waiting[message.opened] = waiting.get(message.opened, 0) + (not message.done)
    if as_json:
        console.print_json([to_dict(alert, waiting.get(alert.opened, 0)) for alert in shown_alerts])
    else:
        console.output().print(_shown(shown_alerts, waiting))
    # A monitor that runs the command hears by the exit code that somebody still has to look.
    if any(alert.is_open and alert.acknowledged_by is None for alert in shown_alerts) or any(waiting.values()):
        raise typer.Exit(1)


def to_dict(alert: "Transition", undelivered: int = 0) -> dict[str, Any]:
    """An alert as `alerts --json` answers it."""
    numbers = ("estimate", "lower", "upper", "threshold", "within_year", "within_quarter")
    return {
        "id": alert.opened,
        "kind": alert.kind,
        "rule": alert.rule or None,
        "reading": alert.reading or None,
        "level": alert.level,
        "open": alert.is_open,
        "subjects": alert.subjects.splitlines(),
        "as_of": alert.as_of.isoformat() if alert.as_of else None,
        **{name: getattr(alert, name) for name in numbers},
        **{name: getattr(alert, name) for name in ("acknowledged_by", "closed_by", "reason_code", "matter")},
        "changed_at": alert.known_at.isoformat(timespec="seconds"),
        "undelivered": undelivered,
    }


def _shown(alerts_shown: "Sequence[Transition]", waiting: dict[int, int]) -> RenderableType:
    rows = []
    for alert in alerts_shown:
        about = alert.rule or alert.kind.replace("_", " ")
        if alert.estimate is not None and alert.threshold:
            share = f"{alert.estimate / alert.threshold:.1%} of {alert.threshold:,}"
            figure = f"{alert.as_of:%Y-%m}: {alert.estimate:,} ({tables.bounds(alert.lower, alert.upper)}), {share}"
        else:
            subjects = alert.subjects.splitlines()
            figure = ", ".join(subjects[:3]) + (f" and {len(subjects) - 3} more" if len(subjects) > 3 else "")
        seen = (
            alert.acknowledged_by
            or (alert.closed_by and f"closed by {alert.closed_by}")
            or ("–" if not alert.is_open else "nobody")
        )
        level = Text(alert.level, _STYLE.get(alert.level, ""))
        undelivered = waiting.get(alert.opened, 0)
        rows.append(
            (f"{alert.opened}", level, about, figure, seen, f"{alert.known_at:%Y-%m-%d}", f"{undelivered}" if undelivered else "")
        )
    columns = ("id", "level", "about", "figure, or what it is about", "seen by", "since", "undelivered")
    if not rows:
        return Text("No alert is open.")
    return Stack(tables.table("Alerts", columns, rows, (0, 6)), Text("See docs/runbook.md#alert-threshold and below.", "dim"))


@app.command()
def ack(number: Number, by: By, group: GroupDir = HERE, as_json: Json = False) -> None:
    """Say that somebody has seen an alert; a worse level asks again."""
    from pipelines.alerts import responses

    with _opened(group) as (settings, store):
        alert = responses.acknowledge(store, settings, number, by, datetime.now(UTC))
    _answer(alert, as_json, f"Alert {number} is acknowledged by {alert.acknowledged_by}.")


@app.command()
def close(
    number: Number,
    by: By,
    reason: Annotated[Reason, typer.Option(help="Why.")],
    matter: Annotated[str, typer.Option(help="Number of the matter.", metavar="NUMBER", callback=one_line)],
    note: Annotated[str | None, typer.Option(help="What else there is to say.", metavar="TEXT", callback=one_line)] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Close an alert, with a name, a reason and the number of the matter; `over` ends no other way."""
    from pipelines.alerts import responses
    from pipelines.alerts.responses import Closing
    from pipelines.licences import registry

    known = registry.from_directory(group)
    with _opened(group) as (settings, store):
        alert = responses.close(store, settings, known, number, Closing(by, reason.value, matter, note), datetime.now(UTC))
        # At once: whoever was told of the alert has to hear of its end, too.
        findings = _deliver(store, group, settings)
    _answer(alert, as_json, f"Alert {number} is closed by {alert.closed_by}: {alert.reason_code}, matter {alert.matter}.")
    _tell(findings)


@app.command()
def send(group: GroupDir = HERE, as_json: Json = False) -> None:
    """Send what waits in the outbox; `run` does so at its end. Ends with 1 while something is undelivered."""
    with _opened(group) as (settings, store):
        findings = _deliver(store, group, settings)
    if as_json:
        console.print_json({"findings": [str(finding) for finding in findings]})
    else:
        _tell(findings)
        if not findings:
            console.say("Nothing waits.")
    if findings:
        raise typer.Exit(1)


@app.command("test")
def try_(
    channel: Annotated[str, typer.Argument(help="Its name in alerts.yaml.")], group: GroupDir = HERE, as_json: Json = False
) -> None:
    """Send a marked test message to each address of a channel. Ends with 1 if one can't be reached."""
    from affiliates.manifests.loader import read_group
    from pipelines.alerts import delivery

    settings = read_group(group)
    channels = {c.name: c for c in settings.alerting.channels}
    if channel not in channels:
        raise typer.BadParameter(f"no channel {channel}; there are {', '.join(channels) or 'none: see alerts.yaml'}")
    failures = delivery.try_channel(channels[channel], settings.alerting, group, settings.settings.group)
    if as_json:
        console.print_json({"channel": channel, "addresses": [{"sent": f is None, "failure": f} for f in failures]})
    else:
        for position, failure in enumerate(failures, 1):
            console.say(f"{channel}, address {position}: {'sent' if failure is None else failure}")
    if any(failures):
        raise typer.Exit(1)


def _deliver(store: "ContributionStore", directory: Path, group: "Group") -> list[Any]:
    from pipelines.alerts import delivery

    return list(delivery.deliver(store, directory, group, lambda: datetime.now(UTC)))


def _answer(alert: "Transition", as_json: bool, sentence: str) -> None:
    if as_json:
        console.print_json(to_dict(alert))
    else:
        console.say(sentence)


def _tell(findings: list[Any]) -> None:
    from pipelines import runbook

    for finding in findings:
        console.errors().print(Text(f"! {finding}", "bold red"))
    for line in runbook.lines(finding.page for finding in findings):
        console.errors().print(line)
