"""`mauwatch close`: sign a month."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Group as Stack
from rich.text import Text

from affiliates.periods import month_end
from dashboards.cli import console
from dashboards.cli.commands import measure
from dashboards.cli.options import HERE, GroupDir, Json, one_line, read_group


def close(
    month: Annotated[str, typer.Argument(help="The calendar month.", metavar="YYYY-MM")],
    by: Annotated[str, typer.Option(help="Who signs.", metavar="NAME", callback=one_line)],
    despite: Annotated[
        str | None, typer.Option(help="Why, although something is open.", metavar="REASON", callback=one_line)
    ] = None,
    restates: Annotated[
        str | None, typer.Option(help="Why, although it is closed already.", metavar="REASON", callback=one_line)
    ] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Sign a month: from then on its figures stand, whatever comes later; to change them is to restate them."""
    from dashboards.cli import answers, tables
    from pipelines.evidence.documents import BASIS
    from pipelines.figures import query
    from pipelines.workflows.close import Signature, close_month, ledger_entry
    from pipelines.workflows.sign_off import sign_off_lines
    from pipelines.workspace import Workspace

    first = console.month_of(month)
    settings = read_group(group)
    with Workspace(group, settings, datetime.now(UTC)) as workspace:
        close_month(workspace, first, Signature(by, despite, restates))
        chosen = measure.reading_of(settings, None, month_end(first))
        measured, publication = query.figures_of_month(workspace.store(), settings, first, chosen)
        head = ledger_entry(workspace.store(), first)
    sign_off = json.loads(publication.collected) if publication and publication.collected else {}
    # What the figures rest on is for evidence, and as long as all manifests together.
    sign_off.pop(BASIS, None)
    if as_json:
        more = {"collected": sign_off, "ledger_head": {"number": head.number, "digest": head.digest}}
        console.print_json(answers.to_dict(measured, settings, publication) | more)
        return
    lines = [Text(line) for line in sign_off_lines(sign_off)] if sign_off else []
    lines.append(Text(f"Ledger, entry {head.number}: {head.digest}"))
    lines.append(Text("Print that line and mail it to outside counsel: no other ledger of this month has it."))
    console.output().print(Stack(tables.measured(measured, settings, publication), *lines))
