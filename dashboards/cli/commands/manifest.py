"""The commands about a group's manifests: `init`, `validate`, `doctor`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from affiliates.errors import RefusedError
from affiliates.periods import local_day
from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, read_group


def init(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    name: Annotated[str, typer.Option(help="The group's short name: a-z, 0-9, dot, dash.")] = "my-group",
    time_zone: Annotated[str, typer.Option(help="Whose calendar months are measured.")] = "UTC",
) -> None:
    """Make a group directory that runs as it is, to be replaced by one's own files."""
    from dashboards.cli import scaffold

    for path in scaffold.write(directory, name, time_zone):
        typer.echo(path)
    typer.echo(f"\nNext: mauwatch run --group {directory} --from 2025-01-01 --to 2025-01-31")
    typer.echo(f"then: mauwatch measure --group {directory} --month 2025-01")


def validate(group: GroupDir = HERE, as_json: Json = False) -> None:
    """Check the manifests, and show who is in the group and by which path."""
    from affiliates.manifests import loader
    from dashboards.cli import tables
    from pipelines.licences import registry

    try:
        settings = read_group(group)
        # What needs the registry or the attestations can be told only once the manifests themselves can be read.
        mistakes = [*registry.unknown(settings, registry.from_directory(group)), *loader.mistakes_in_attested(group, settings)]
        if mistakes:
            raise RefusedError(*mistakes)
    except RefusedError as error:
        if as_json:
            console.print_json({"valid": False, "mistakes": [refusal.to_dict() for refusal in error.refusals]})
        else:
            console.output().print(tables.refusals(error.refusals), f"\n{len(error.refusals)} mistakes", sep="")
        # 1: a mistake in the manifests is what the command was asked to find.
        raise typer.Exit(1) from None
    today = local_day(datetime.now(UTC), settings.settings.time_zone)
    paths = settings.affiliates(today)
    members = {name: [str(step) for step in steps] for name, steps in paths.items()}
    # An entity that counts by mistake, or is left out by mistake, moves the number more than any sketch.
    outside = {name: settings.why_outside(name, members, today) for name in settings.entities if name not in members}
    if as_json:
        console.print_json(
            {"valid": True, "group": settings.settings.group, "on": today.isoformat(), "affiliates": members, "outside": outside}
        )
        return
    rows: list[tuple[str, str, str | Text]] = [
        (name, str(len(settings.entities[name].products)), "; ".join(steps) or "the ultimate parent")
        for name, steps in members.items()
    ]
    rows += [(name, str(len(settings.entities[name].products)), Text(why, "yellow")) for name, why in outside.items()]
    console.output().print(tables.table(f"{settings.settings.group} on {today}", ("entity", "products", "path"), rows, (1,)))


def doctor(group: GroupDir = HERE, as_json: Json = False) -> None:
    """Look at this machine, the settings and the first events of each source; changes nothing."""
    from dashboards.cli import tables
    from dashboards.cli.doctor import examine

    examined = list(examine(group, read_group(group), datetime.now(UTC)))
    if as_json:
        console.print_json([{"what": what, "fine": fine, "found": text} for what, fine, text in examined])
    else:
        console.output().print(tables.checks(examined))
    if not all(fine for _, fine, _ in examined):
        raise typer.Exit(1)
