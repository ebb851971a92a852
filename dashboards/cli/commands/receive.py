"""`mauwatch receive`: files of contributions from affiliates, by hand or from the inbox."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from affiliates.errors import Refusal
    from pipelines.ingestion.receipts import ReceivedFile
    from pipelines.records import Restatement
    from pipelines.workflows.receive import Session


MOST_SHOWN = 3
"""Reasons of a file in the table; the receipt has all."""


def receive(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, or folders of part-files; else the inbox.", metavar="FILE", exists=True),
    ] = None,
    group: GroupDir = HERE,
    sender: Annotated[
        str | None, typer.Option(help="Who hands the files in; else the one that they name.", metavar="AFFILIATE")
    ] = None,
    restates: Annotated[
        str | None, typer.Option(help="Why contributions of a closed month are taken.", metavar="REASON", callback=one_line)
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who approves that.", metavar="NAME", callback=one_line)] = None,
    as_json: Json = False,
) -> None:
    """Take contributions that affiliates hand in: FILEs, or what waits in .mauwatch/inbox/AFFILIATE; publish their months."""
    from affiliates.manifests.loader import read_group
    from pipelines.ingestion import inbox
    from pipelines.ingestion.receive import accepted_files, must_sign
    from pipelines.workflows.receive import publish_received, receive_files
    from pipelines.workspace import Workspace

    restated = _restated(restates, by)
    settings = read_group(group)
    if sender is not None and not files:
        raise typer.BadParameter("--sender is for FILEs; in the inbox the folder's name says who it is")
    # The reason is kept with each contribution that changes a signed month: it must be about files that somebody looked
    # at.
    if restated is not None and not files:
        raise typer.BadParameter("--restates is for FILEs: nobody approves what they haven't named")
    if sender is not None and sender not in settings.entities:
        raise typer.BadParameter(f"no entity {sender}; there are {', '.join(settings.entities)}")
    offers = [inbox.offer_of(path, group) for path in dict.fromkeys(files or ())]
    waiting = inbox.Waiting(offers, [], [])
    # A folder of the inbox already says whose file it is; two answers would let one affiliate replace another's users.
    if sender is not None and any(offer.folder not in (None, sender) for offer in offers):
        raise typer.BadParameter(f"--sender {sender}: a FILE lies in another affiliate's folder of the inbox")
    with Workspace(group, settings, datetime.now(UTC)) as workspace, console.progress_bar() as progress:
        if not files:
            waiting = inbox.waiting(group, time.time(), accepted_files(workspace), must_sign(workspace.group))
        session = receive_files(workspace, waiting.offers, sender, restated, progress)
        session.left = [*waiting.left, *session.left]
        session.skipped = [*waiting.skipped, *session.skipped]
        publish_received(workspace, session)
        answer = to_dict(session, workspace.now)
    if as_json:
        console.print_json(answer)
    else:
        console.output().print(shown(session))
    # 1, and not 2: the command did its work, and what it found is the sender's to mend.
    if session.refused or session.undecided:
        raise typer.Exit(1)


def _restated(reason: str | None, by: str | None) -> "Restatement | None":
    from pipelines.records import Restatement

    if (reason is None) != (by is None):
        raise typer.BadParameter("--restates REASON and --by NAME go together")
    if reason is None or by is None:
        return None
    for what, text, most in (("--restates", reason, 500), ("--by", by, 200)):
        if not text.strip() or len(text) > most:
            raise typer.BadParameter(f"{what} is empty, or longer than {most} characters")
    return Restatement(reason.strip(), by.strip())


def to_dict(session: "Session", received_at: datetime) -> dict[str, Any]:
    """What `receive --json` answers: the receipts, what was left, and the months that were published."""
    from pipelines import runbook

    return {
        "files": [taken.receipt(received_at) for taken in session.files],
        "left": [left._asdict() for left in session.left],
        "skipped": session.skipped,
        "published_months": [f"{month:%Y-%m}" for month in session.report.published],
        "findings": [str(finding) for finding in (*session.undecided, *session.report.findings)],
        "runbook": runbook.lines(session.pages),
    }


def _by_itself(taken: "ReceivedFile") -> bool:
    """Whether nobody but the file says who hands it in."""
    from pipelines.ingestion.receive import BY_FILE

    return taken.sender is not None and taken.bound_by.startswith(BY_FILE)


def shown(session: "Session") -> "RenderableType":
    """A row a file, with the reasons of those that were refused; then warnings, what was left, and the months."""
    from rich.console import Group

    from dashboards.cli import tables
    from pipelines import runbook

    rows: list[Sequence[str | Text]] = []
    for file in session.files:
        why = _reasons(file.refusals)
        outcome = Text(file.outcome, "bold red" if file.refusals else "green")
        sender = f"{file.sender or '–'}{' *' if _by_itself(file) else ''}"
        numbers = [f"{file.number(word):,}" for word in ("new", "replaced", "the same", "older")]
        rows.append((file.offer.name, sender, outcome, *numbers, "\n".join(why)))
    columns = ("file", "sender", "outcome", "new", "replaced", "the same", "older", "reasons")
    parts: list[RenderableType] = [tables.table("", columns, rows, (3, 4, 5, 6), (2,))] if rows else []
    if any(map(_by_itself, session.files)):
        parts.append(Text("* named by the file itself, and by nobody else"))
    parts += [Text(f"! {warning}", "yellow") for file in session.files for warning in file.warnings]
    parts.append(tables.reasons("Left", [f"{left.name}: {left.why}" for left in session.left]))
    if number := len(session.skipped):
        parts.append(Text(f"Skipped: {number} file{'s' * (number > 1)}, accepted before and the same still."))
    parts += [Text(f"! {finding}", "bold red") for finding in [*session.undecided, *session.report.findings]]
    if session.refused:
        number = len(session.refused)
        parts.append(Text(f"{number} {'file is' if number == 1 else 'files are'} in quarantine: .mauwatch/quarantine"))
    parts += [Text(line, "dim") for line in runbook.lines(session.pages)]
    months = session.report.published
    nothing = "Nothing new." if not session.files else "No month has changed."
    parts.append(Text(f"Months published: {', '.join(f'{m:%Y-%m}' for m in months)}." if months else nothing))
    return Group(*(part for part in parts if not isinstance(part, Text) or part.plain))


def _reasons(refusals: "Sequence[Refusal]") -> list[str]:
    """Each reason once, with the first that it is about: a wrong query is wrong on each day."""
    # A wrong query is wrong on each day: by its reason once, the list stays readable.
    alike: dict[tuple[str, str, str], list[str]] = {}
    for r in refusals:
        alike.setdefault((r.rule, r.values, r.next_step), []).append(r.subject)
    lines = []
    for (rule, values, next_step), (first, *others) in alike.items():
        more = f" and {len(others)} more" if others else ""
        lines.append(f"{first}{more}: {rule}{f' ({values})' if values else ''}\n→ {next_step}")
    return lines[:MOST_SHOWN] + ([f"… and {len(lines) - MOST_SHOWN} more, in its receipt"] if len(lines) > MOST_SHOWN else [])
