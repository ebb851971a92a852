"""`mauwatch erase`: sketches go, by name and with a reason; signed figures stay.

As in `cli.py`, what a command needs is imported inside it.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from affiliates.errors import Code, RefusedError, refused
from affiliates.periods import clock_fault, local_day, months_beside
from dashboards.cli import console, tables
from dashboards.cli.options import HERE, GroupDir, Json, Yes, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from affiliates.manifests.group import Group
    from pipelines.counting.measure import Measured
    from pipelines.store.contributions import ContributionStore
    from pipelines.store.erasure import ErasurePlan, Order, Scope


_SCOPE = "What goes: one of these"


def erase(
    subject: Annotated[
        str | None, typer.Argument(metavar="[AFFILIATE/PRODUCT]", help="Days of this product; with --from and --to.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="Its first day.", metavar="YYYY-MM-DD", rich_help_panel=_SCOPE)
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Its last day.", metavar="YYYY-MM-DD", rich_help_panel=_SCOPE)] = None,
    epoch: Annotated[str | None, typer.Option(help="All of a key epoch.", metavar="E", rich_help_panel=_SCOPE)] = None,
    before: Annotated[str | None, typer.Option(help="All before a month.", metavar="YYYY-MM", rich_help_panel=_SCOPE)] = None,
    retention: Annotated[
        bool, typer.Option("--retention", help="All that is older than keep_sketches in group.yaml.", rich_help_panel=_SCOPE)
    ] = False,
    superseded: Annotated[
        bool, typer.Option("--superseded", help="Of these only versions that others have replaced; no figure loses anything.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who orders it.", metavar="NAME", callback=one_line)] = None,
    reason: Annotated[str | None, typer.Option(help="Why.", metavar="TEXT", callback=one_line)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    allow_again: Annotated[
        bool, typer.Option("--allow-again", help="Instead: let days of a product be contributed again after it.")
    ] = False,
    group: GroupDir = HERE,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Erase sketches: the images go, digests and signed figures stay. Who ordered it, when and why is kept.

    Asks first, unless --yes is said.
    """
    from affiliates.manifests.loader import read_group
    from pipelines.ingestion.inbox import files_holding
    from pipelines.store import contributions, erasure, vacuum

    settings = read_group(group)
    now = datetime.now(UTC)
    # What is older than a number of months goes by this machine's clock, and can't be taken back.
    if fault := clock_fault(now):
        raise refused(Code.CLOCK_WRONG, "erasing", "this machine's clock is wrong", fault, "set the clock")
    scope = replace(_scope(subject, first, last, epoch, before, retention, settings, now), superseded=superseded)
    # What is allowed is days of a product by name; an order over many products would undo erasures that nobody
    # remembers.
    if allow_again and (dry_run or superseded or not scope.affiliate):
        raise typer.BadParameter("--allow-again is for days of a product, and has neither --dry-run nor --superseded")
    order = None if dry_run else _order(by, reason)
    with contributions.open_store(settings.settings.store, group) as store:
        if order is None:
            with store.snapshot() as fixed:
                # One snapshot: what is shown belongs together although others write meanwhile.
                planned = erasure.plan(fixed, scope)
            answer: dict[str, Any] = to_dict(scope, planned, dry_run=True)
            shown = _shown(scope, planned, dry_run=True)
        elif allow_again:
            number = erasure.allow_again(store, scope, order, now)
            answer = {"scope": str(scope), "allowed": number}
            shown = Text(
                f"May be contributed again, by mauwatch run --from D --to D or receive: {scope}, {number:,} erased sketches."
            )
        else:
            _confirm(store, scope, yes)
            planned = erasure.erase(store, scope, order, now)
            # Figures lose their bound in the same command: a figure that rests on erased sketches can't be checked any
            # more.
            unpublished = publish_after_erasure(store, group, settings, sorted(planned.months), now)
            # Deleted rows leave their bytes in the file until the file is written anew.
            unswept = vacuum.sweep(store)
            # A file in the inbox holds the same sketches, and the next run would take them in again.
            inbox = files_holding(group, planned.contributions)
            answer = to_dict(scope, planned, inbox=inbox, unswept=unswept, unpublished=unpublished)
            lines = _afterwards(store, planned, inbox, unswept, unpublished)
            shown = Stack(_shown(scope, planned), *lines)
    if as_json:
        console.print_json(answer)
    else:
        console.output().print(shown)


def _confirm(store: "ContributionStore", scope: "Scope", yes: bool) -> None:
    """Show what would go, and ask. Raises `RefusedError` for the answer no, and where nobody can be asked."""
    from pipelines.store import erasure

    if not yes:
        with store.snapshot() as fixed:
            planned = erasure.plan(fixed, scope)
        if not planned.digests:
            return
        console.errors().print(_shown(scope, planned, dry_run=True))
    console.confirm(str(scope), "Erase this? It can't be taken back.", yes)


def _scope(
    subject: str | None,
    first: str | None,
    last: str | None,
    epoch: str | None,
    before: str | None,
    retention: bool,
    group: "Group",
    now: datetime,
) -> "Scope":
    from pipelines.store import erasure

    # Two scopes at once could be read as either of them or both; nothing can be taken back here.
    if sum((subject is not None, epoch is not None, before is not None, retention)) != 1:
        raise typer.BadParameter("name one: AFFILIATE/PRODUCT, --epoch, --before or --retention")
    if subject is None and (first or last):
        raise typer.BadParameter("--from and --to are days of AFFILIATE/PRODUCT")
    if retention:
        return erasure.retention(group, local_day(now, group.settings.time_zone))
    if before is not None:
        return erasure.Scope(before=console.month_of(before))
    if epoch is not None:
        return erasure.Scope(key_epoch=epoch)
    from affiliates.manifests.product import ProductRef

    begin = console.day_of(first)
    end = console.day_of(last)
    if begin is None or end is None or begin > end:
        raise typer.BadParameter("with AFFILIATE/PRODUCT, --from and --to go together, in order")
    try:
        ref = ProductRef.parse(subject or "")
    except ValueError as error:
        raise typer.BadParameter(f"{error}") from None
    return erasure.Scope(*ref, begin, end)


def _order(by: str | None, reason: str | None) -> "Order":
    from pipelines.store.erasure import Order

    # Name and reason are kept for good and shown to auditors, so they are required and bounded.
    for what, text, most in (("--by", by, 200), ("--reason", reason, 500)):
        if text is None or not text.strip() or len(text) > most:
            raise typer.BadParameter(f"{what} is missing, empty or longer than {most} characters; or look first: --dry-run")
    return Order((by or "").strip(), (reason or "").strip())


def publish_after_erasure(
    store: "ContributionStore", directory: Path, group: "Group", months: "Sequence[date]", now: datetime
) -> str | None:
    """Preliminary months without an upper bound from now on; says why they couldn't be published, or nothing."""
    from pipelines.workflows import publish
    from pipelines.workspace import Workspace

    # A day of another time zone reaches into the month beside its own.
    near = months_beside(months)
    try:  # Erasing needs no key; publishing is the centre's work, which does.
        with Workspace(directory, group, now) as workspace:
            measured: dict[str, Measured] = {}
            for month in store.read_months():
                if month in near:
                    done = publish.publish_month(workspace, store, month)
                    measured |= {m.inputs.digest: m for m in done.measured.values()}
            if near:
                publish.note_tests(workspace, store, measured)
    except RefusedError as error:
        return str(error)
    return None


def to_dict(
    scope: "Scope",
    plan: "ErasurePlan",
    inbox: "Sequence[str]" = (),
    unswept: str | None = None,
    unpublished: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """What `erase --json` answers."""
    return {
        "scope": str(scope),
        "dry_run": dry_run,
        "periods": plan.periods,
        "sketches": len(plan.digests),
        "bytes": plan.bytes,
        "shared": len(plan.shared),
        "erased_before": plan.erased_before,
        "products": [going.to_dict() for going in plan.products],
        "months": {f"{month:%Y-%m}": state for month, state in plan.months.items()},
        "in_the_inbox": list(inbox),
        "not_swept": unswept,
        "not_published": unpublished,
    }


def _shown(scope: "Scope", plan: "ErasurePlan", dry_run: bool = False) -> RenderableType:
    rows = [
        (
            g["product"],
            f"{g['periods']:,} {g['grain']}{'s' * (g['periods'] != 1)}",
            f"{g['first']} to {g['last']}",
            f"{g['sketches']:,}",
            f"{g['bytes']:,}",
        )
        for g in (going.to_dict() for going in plan.products)
    ]
    title = f"{'Would be erased' if dry_run else 'Erased'}: {scope}"
    columns = ("product", "periods", "first days", "sketches", "bytes")
    parts: list[RenderableType] = [tables.table(title, columns, rows, (3, 4))] if rows else [Text(f"{title}: nothing")]
    if plan.shared:
        parts.append(Text(f"{len(plan.shared):,} sketches stay: contributions beyond have just the same registers.", "yellow"))
    if plan.erased_before:
        parts.append(Text(f"{plan.erased_before:,} sketches were erased before."))
    signed = [f"{month:%Y-%m}" for month, state in plan.months.items() if state != "preliminary"]
    others = [f"{month:%Y-%m}" for month, state in plan.months.items() if state == "preliminary"]
    if signed:
        parts.append(Text(f"Signed figures stay, and can't be computed again: {', '.join(signed)}."))
    if others:
        parts.append(Text(f"Not signed, so without an upper bound from then on: {', '.join(others)}.", "bold red"))
    return Stack(*parts)


def _afterwards(
    store: "ContributionStore", plan: "ErasurePlan", inbox: "Sequence[str]", unswept: str | None, unpublished: str | None
) -> list[RenderableType]:
    lines = list[Text]()
    if store.engine.dialect.name == "sqlite":
        swept = "The store's file was written anew: the bytes are gone from it."
    else:
        swept = "The table was written anew (VACUUM FULL): the bytes are gone from it, and leave the server's journal in time."
    again = f"The bytes aren't gone from the store's files yet: {unswept}. Give the same command again."
    lines.append(Text(again, "bold red") if unswept else Text(swept))
    lines.append(Text("Backups, replicas and what the affiliates have keep theirs: see docs/privacy.md."))
    if inbox:
        lines.append(Text(f"The inbox still has files with them; delete: {', '.join(inbox)}", "bold red"))
    if unpublished:
        lines.append(Text(f"Not published yet, the next run does: {unpublished}", "yellow"))
    return [*lines]
