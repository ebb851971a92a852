"""The commands about a group's manifests: `init`, `packet`, `validate`, `doctor`."""

import shlex
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from affiliates.errors import Code, RefusedError, refused
from affiliates.periods import local_day
from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, one_line, read_group, read_group_or_part

if TYPE_CHECKING:
    from affiliates.errors import Refusal
    from affiliates.manifests.group import Group


def init(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    name: Annotated[str, typer.Option(help="The group's short name: a-z, 0-9, dot, dash.")] = "my-group",
    time_zone: Annotated[str, typer.Option(help="Whose calendar months are measured.")] = "UTC",
    affiliate: Annotated[str | None, typer.Option(help="Make this affiliate's part of a group alone.", metavar="NAME")] = None,
    packet: Annotated[
        Path | None, typer.Option(help="The same, by what headquarters says: `mauwatch packet`.", metavar="FILE", exists=True)
    ] = None,
) -> None:
    """Make a group directory that runs as it is, to be replaced by one's own files; or an affiliate's, to be filled in."""
    from dashboards.cli import scaffold

    if affiliate or packet:
        _init_affiliate(directory, affiliate, packet, name, time_zone)
        return
    for path in scaffold.write(directory, name, time_zone):
        console.say(path)
    typed = shlex.quote(str(directory))
    console.say(f"\nNext: mauwatch run --group {typed} --from 2025-01-01 --to 2025-01-31")
    console.say(f"then: mauwatch measure --group {typed} --month 2025-01")


def _init_affiliate(directory: Path, affiliate: str | None, file: Path | None, name: str, time_zone: str) -> None:
    from pydantic import ValidationError

    from affiliates.crosswalks.snapshot import table_bytes
    from dashboards.cli import affiliate_scaffold, packet_file

    if file is None:
        try:
            packet = affiliate_scaffold.without_packet(affiliate or "", name, time_zone)
        except ValidationError:
            raise typer.BadParameter("write names of a-z, 0-9, dot, dash and underscore, and a time zone such as UTC") from None
        tables = {}
        origin = ", to be corrected by what it says (or by --packet FILE)"
    else:
        if (name, time_zone) != ("my-group", "UTC"):
            raise typer.BadParameter("the packet says the group's name and time zone: leave out --name and --time-zone")
        packet, snapshots = packet_file.read(file)
        if affiliate not in (None, packet.affiliate):
            raise refused(
                Code.PACKET_UNUSABLE, file.name, "is another affiliate's", packet.affiliate, "ask headquarters for your own"
            )
        tables = {snapshot_name: table_bytes(snapshot) for snapshot_name, snapshot in snapshots.items()}
        origin = f", by its packet of {packet.made_on}"
    for path in affiliate_scaffold.write(directory, packet, tables, origin):
        console.say(path)
    places = ", ".join(affiliate_scaffold.key_file(packet.keys, key) for key in packet.keys if not key.destroyed)
    hand_in = "; with --sign KEYFILE" if packet.signed else ""
    typed = shlex.quote(str(directory))
    console.say(f"""
Next:
1. Put the group key from the secret store into {directory}: {places} (chmod 600).
2. mauwatch key check --group {typed}, and compare the fingerprint by telephone.
3. Say in {directory}/affiliates/{packet.affiliate}.yaml where the events lie; then mauwatch validate and mauwatch doctor.
4. mauwatch contribute --group {typed} --month YYYY-MM{hand_in}""")
    if packet.send_to:
        console.say(f"5. Hand in the file: {packet.send_to}")


def packet(
    affiliate: Annotated[str, typer.Argument(metavar="AFFILIATE", help="The entity that counts on its own machine.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The packet's file.", metavar="FILE")],
    group: GroupDir = HERE,
    month: Annotated[
        list[str] | None,
        typer.Option(help="Whose crosswalk goes with it, once or more; else the newest there is.", metavar="YYYY-MM"),
    ] = None,
    send_to: Annotated[
        str, typer.Option("--send-to", help="Where the affiliate hands its files in, in words.", callback=one_line)
    ] = "",
    as_json: Json = False,
) -> None:
    """At headquarters: write what an affiliate needs for `mauwatch init --packet`, but for the key: settings, products,
    fingerprint, crosswalk."""
    from dashboards.cli import packet_file

    of_group = read_group(group)
    today = local_day(datetime.now(UTC), of_group.settings.time_zone)
    made, snapshots = packet_file.make(
        group, of_group, affiliate, [console.month_of(text) for text in month or ()], send_to, today
    )
    packet_file.write(out, made, snapshots)
    if as_json:
        console.print_json({"file": str(out), **made.model_dump(mode="json", by_alias=True)})
        return
    console.say(f"{out}: what {affiliate} needs of {made.group}, but for the group key.")
    console.say(f"Products: {', '.join(product.product for product in made.products)}. Namespaces: {', '.join(made.namespaces)}.")
    for key in made.keys:
        console.say(
            f"Epoch {key.epoch}, " + (f"fingerprint {key.fingerprint}" if key.fingerprint else f"destroyed {key.destroyed}")
        )
    for one in made.snapshots:
        console.say(
            f"Crosswalk of {f'{one.month:%Y-%m}' if one.month else 'all months'}: {one.keys:,} keys, which stand for people."
        )
    if made.crosswalk != "none" and not made.snapshots:
        console.say("No crosswalk is in it: there is none yet. Hand it over when it is there.")
    if made.snapshots:
        console.say("Its crosswalk is personal data: send the packet encrypted, to who counts there and to nobody else.")
    console.say("It holds no identifier and no group key. Hand the key over apart, through a secret store.")


def validate(group: GroupDir = HERE, as_json: Json = False) -> None:
    """Check the manifests, and show who is in the group and by which path."""
    from affiliates.manifests import loader
    from dashboards.cli import tables
    from pipelines.licences import registry

    try:
        settings = read_group_or_part(group)
        # What needs the registry or the attestations can be told only once the manifests themselves can be read.
        mistakes = [*registry.unknown(settings, registry.from_directory(group)), *loader.mistakes_in_attested(group, settings)]
        mistakes += _against_store(group, settings)
        if mistakes:
            raise RefusedError(*mistakes)
    except RefusedError as error:
        if as_json:
            console.print_json({"valid": False, "mistakes": [{"code": r.code} | r.to_dict() for r in error.refusals]})
        else:
            console.output().print(tables.refusals(error.refusals), f"\n{len(error.refusals)} mistakes", sep="")
        # 1: a mistake in the manifests is what the command was asked to find.
        raise typer.Exit(1) from None
    today = local_day(datetime.now(UTC), settings.settings.time_zone)
    if settings.is_an_affiliates:
        _show_part(settings, today, as_json)
        return
    paths = settings.affiliates(today)
    members = {name: [str(step) for step in steps] for name, steps in paths.items()}
    # An entity that counts by mistake, or is left out by mistake, moves the number more than any sketch.
    outside = {name: settings.why_outside(name, members, today) for name in settings.entities if name not in members}
    if as_json:
        console.print_json(
            {
                "valid": True,
                "group": settings.settings.group,
                "on": today.isoformat(),
                "affiliates": members,
                "outside": outside,
                "ownership_checked": True,
            }
        )
        return
    rows: list[tuple[str, str, str | Text]] = [
        (name, str(len(settings.entities[name].products)), "; ".join(steps) or "the ultimate parent")
        for name, steps in members.items()
    ]
    rows += [(name, str(len(settings.entities[name].products)), Text(why, "yellow")) for name, why in outside.items()]
    console.output().print(tables.table(f"{settings.settings.group} on {today}", ("entity", "products", "path"), rows, (1,)))


def _against_store(directory: Path, settings: "Group") -> "list[Refusal]":
    """Mistakes that show beside the store alone: there is none where there was one, or months are signed by readings that are
    gone. Of a store that can't be read the manifests say nothing."""
    # An affiliate has no store, and its install needs no database's library.
    if settings.is_an_affiliates or find_spec("sqlalchemy") is None:
        return []
    from pipelines.figures import signed_readings
    from pipelines.store import contributions, engine

    try:
        if not engine.exists(settings.settings.store, directory):
            return []
        with contributions.open_store(settings.settings.store, directory) as store:
            return signed_readings.mistakes(store, settings)
    except RefusedError as error:
        return [refusal for refusal in error.refusals if refusal.code == Code.STORE_GONE]


def _show_part(part: "Group", today: date, as_json: bool) -> None:
    """What can be said of an affiliate's directory: its products, and not who belongs to the group."""
    from dashboards.cli import tables

    products = {str(ref): [source.files or source.table or "" for source in p.sources] for ref, p in part.products.items()}
    if as_json:
        answer = {"valid": True, "group": part.settings.group, "on": today.isoformat(), "affiliates": {}, "outside": {}}
        console.print_json({**answer, "ownership_checked": False, "products": products})
        return
    rows = [(name, ", ".join(sources) or "none yet") for name, sources in products.items()]
    title = f"{', '.join(part.entities)} in {part.settings.group}"
    console.output().print(tables.table(title, ("product", "sources"), rows))
    console.say(f"An affiliate's directory: {part.settings.ultimate_parent}, the ultimate parent, has no file here.")
    console.say("Who belongs to the group isn't checked; headquarters does that.")


def doctor(group: GroupDir = HERE, as_json: Json = False) -> None:
    """Look at this machine, the settings and the first events of each source; changes nothing."""
    from dashboards.cli import tables
    from dashboards.cli.doctor import examine

    examined = list(examine(group, read_group_or_part(group), datetime.now(UTC)))
    if as_json:
        console.print_json([{"what": what, "fine": fine, "found": text} for what, fine, text in examined])
    else:
        console.output().print(tables.checks(examined))
    if not all(fine for _, fine, _ in examined):
        raise typer.Exit(1)
