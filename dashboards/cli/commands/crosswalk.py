"""`mauwatch crosswalk`: from tables of linked identifiers to a month's snapshot, or to a file of keyed links."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affiliates.errors import Code, refused
from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, read_group_or_part

if TYPE_CHECKING:
    from affiliates.crosswalks.link_tables import Columns
    from affiliates.manifests.group import Group


def crosswalk(
    links: Annotated[list[Path], typer.Argument(help="Parquet, CSV or JSON lines, or folders: a row is one person.")],
    month: Annotated[str | None, typer.Option(help="The calendar month.", metavar="YYYY-MM")] = None,
    group: GroupDir = HERE,
    previous: Annotated[
        Path | None, typer.Option(help="The snapshot whose names are kept; else the newest earlier one.", metavar="FILE")
    ] = None,
    no_previous: Annotated[bool, typer.Option("--no-previous", help="Keep no names: the group key has changed.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Else the month's file by group.yaml's `crosswalk`.", metavar="FILE")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In the place of another snapshot of the month.")] = False,
    keyed: Annotated[bool, typer.Option("--keyed", help="The tables hold keys (16 hex characters), not identifiers.")] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column's namespace is; NAME= leaves it out. May be repeated.", metavar="NAME=NAMESPACE"),
    ] = None,
    region: Annotated[str | None, typer.Option(help="Of phone numbers without a country code, such as DE.")] = None,
    largest: Annotated[
        int | None, typer.Option(help="Identifiers that a person has at most; else by group.yaml.", min=2, metavar="N")
    ] = None,
    links_to: Annotated[
        Path | None, typer.Option(help="Make no snapshot, but a file of keyed links for whoever makes it.", metavar="FILE")
    ] = None,
    as_json: Json = False,
) -> None:
    """Join the identifiers of one person: a month's snapshot for group.yaml's `crosswalk`, from tables of links."""
    from affiliates.crosswalks import link_tables, snapshot_files
    from affiliates.crosswalks.clusters import NO_NAMES
    from affiliates.identity.keyring import Keyring

    # An option that has no effect is refused: whoever wrote it expects something else than would happen.
    if links_to and (output or previous or no_previous):
        raise typer.BadParameter("--links-to makes no snapshot: leave out -o, --previous and --no-previous")
    if previous and no_previous:
        raise typer.BadParameter("--previous and --no-previous ask for two things")
    if not links_to and month is None:
        raise typer.BadParameter("name the month: --month YYYY-MM")
    settings = read_group_or_part(group)
    first = console.month_of(month) if month else date.min
    pattern = settings.settings.crosswalk
    path = links_to or output or _file(pattern, group, first)
    there = snapshot_files.by_month(pattern, group) if pattern and "{month}" in pattern else {}
    if not (previous or no_previous or links_to):
        # Names are kept from the newest earlier snapshot, so that a person has one key from month to month.
        previous = max(((m, file) for m, file in there.items() if m < first), default=(first, None))[1]
    before = snapshot_files.names_of(previous, first) if previous else NO_NAMES
    tables = link_tables.find(links, _columns(settings, column or [], keyed, region))
    # Without a month the links go to whoever makes the snapshot, under the newest key.
    key = None if keyed else Keyring(settings.settings, group).key(first if month else date.max)
    fingerprint = key.fingerprint if key else link_tables.stated_fingerprint(tables)
    with console.progress_bar() as tell:
        gathered, read = link_tables.links_of(tables, key, tell)
        tell("joining the links", 0, 1)
        clusters = gathered.clusters()
        answer: dict[str, Any] = {"file": str(path), "tables": len(tables), **vars(read), "keys": len(clusters.keys)}
        if links_to:
            answer["state"] = snapshot_files.write_links(path, clusters.links(), fingerprint, replace)
        else:
            # More identifiers of one "person" are a shared account or a test number: joined, they would make many
            # people one.
            most = largest or settings.settings.largest_person
            snapshot = snapshot_files.make(path, first, clusters, before, most, fingerprint, replace)
            answer |= {
                "state": snapshot.state,
                "month": month,
                "keys": snapshot.crosswalk.table.height,
                "digest": snapshot.crosswalk.digest,
                "previous": previous and str(previous),
                "people": vars(snapshot.changes),
                "cut_out": {"limit": most, **vars(snapshot.cut_out)},
                "later": [f"{m:%Y-%m}" for m in there if m > first],
            }
    if as_json:
        console.print_json(answer)
    else:
        _show(answer)


def _file(pattern: str | None, group: Path, month: date) -> Path:
    from affiliates.crosswalks.snapshot import file_of

    if pattern is None or "{month}" not in pattern:
        raise refused(
            Code.USAGE_INVALID,
            "the snapshot",
            "has no file of its month",
            f"`crosswalk` in group.yaml: {pattern or 'not there'}",
            "write `crosswalk: crosswalk-{month}.parquet` into group.yaml, or name the file by -o",
        )
    return group / file_of(pattern, month)


def _columns(group: "Group", options: list[str], keyed: bool, region: str | None) -> "Columns":
    """The namespaces of the manifests and what the options say of columns."""
    from pydantic import ValidationError

    from affiliates.crosswalks.link_tables import Columns
    from affiliates.identity.normalisation import rules_of
    from affiliates.manifests.source import Identifier

    called: dict[str, str | None] = {}
    for one in options:
        name, is_said, namespace = one.partition("=")
        if not (name and is_said) or (keyed and namespace):
            raise typer.BadParameter(f"--column {one}: write {'NAME= (to leave it out)' if keyed else 'NAME=NAMESPACE'}")
        called[name] = namespace or None
    try:
        for named in {"phone", *called.values()} - {None}:
            Identifier(column="-", namespace=str(named), region=region)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise typer.BadParameter(f"{wrong['input'] if wrong['loc'] else 'person'}: {wrong['msg']}") from None
    sources = (s for p in group.products.values() for s in p.sources)
    known = {"email", "phone", *(i.namespace for s in sources for i in s.identifiers)}
    return Columns(known, called, region, keyed, partial(rules_of, group.settings))


def _show(answer: dict[str, Any]) -> None:
    from dashboards.cli import tables as cli_tables

    out = console.output()
    if "people" in answer:
        out.print(cli_tables.crosswalk(answer))
    rows, linking, keys = (f"{answer[name]:,}" for name in ("rows", "linking", "keys"))
    out.print(f"{rows} rows, of which {linking} link identifiers; {keys} keys, {answer['state']}: {answer['file']}")
    # A placeholder such as 'unknown' would else link everybody who has it.
    if nobody := answer["naming_nobody"]:
        values = ", ".join(f"{number:,} of {namespace}" for namespace, number in nobody.items())
        out.print(f"Values that name nobody, and link nobody: {values}.", style="yellow")
