"""`mauwatch dashboard`: the pages, in a browser."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboards.cli import console
from dashboards.cli.commands.whatif import asker
from dashboards.cli.options import HERE, GroupDir, read_group

if TYPE_CHECKING:
    from affiliates.manifests.group import Group

NoLink = Annotated[bool, typer.Option("--no-link", hidden=True, help="Print no link, as under `mauwatch serve`.")]


def dashboard(
    group: GroupDir = HERE,
    host: Annotated[
        str, typer.Option(help="Where to listen; another address than this machine's own takes a login.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port of the pages.", min=1, max=65535)] = 8050,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the link, and open no browser.")] = False,
    no_link: NoLink = False,
) -> None:
    """Show the published figures in a browser, until Ctrl-C.

    Opens by a link that works once, within five minutes. Called while the dashboard runs, also under `mauwatch serve`, it gives
    another link. With `proxy` or `oidc` in dashboard.yaml people log in instead.
    """
    from affiliates.concurrency import owner_alone
    from dashboards.web import server
    from dashboards.web.settings import DashboardSettings

    manifests = read_group(group)
    settings = DashboardSettings(group.absolute(), manifests.dashboard, asker(), _known_names(group, manifests), host, port)

    def announce() -> None:
        console.say(f"The dashboard of {manifests.settings.group} is at {settings.origin} until Ctrl-C.")
        if not no_link:
            _show_way_in(settings.folder, settings.origin, by_link=not manifests.dashboard.is_of_a_team, opens=not no_open)

    with owner_alone(), server.only_server(settings) as is_ours:
        if is_ours:
            server.serve(settings, announce)
            return
        origin, by_link = server.running_address(settings.folder)
        console.say(f"The dashboard of {manifests.settings.group} runs already, at {origin}.")
        _show_way_in(settings.folder, origin, by_link=by_link, opens=not no_open)


def _show_way_in(folder: Path, origin: str, *, by_link: bool, opens: bool) -> None:
    """Print how the dashboard is opened, and open it where there is a browser to be seen."""
    import webbrowser

    from affiliates.concurrency import atomic_write
    from dashboards.web import one_time_link

    address = origin
    if by_link:
        address = f"{origin}/login?token={one_time_link.make(folder)}"
        console.say("Open it by this link, once, within five minutes:")
    console.say(address)
    has_screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not (opens and has_screen and sys.stdout.isatty()):
        return
    page = folder / "open.html"
    # By a file: other users of the machine see the address with which a browser is started, and would be faster.
    with atomic_write(page, 0o600, durable=False) as unfinished:
        unfinished.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={address}"><a href="{address}">Open</a>')
    webbrowser.open(page.as_uri())


def _known_names(directory: Path, group: "Group") -> frozenset[str]:
    """What the manifests and the registry name."""
    from pipelines.licences import registry

    names = {*group.entities, *(reading.name for reading in group.readings.readings)}
    names |= {str(ref) for ref in group.products} | {ref.product for ref in group.products}
    return frozenset(names | {entry.id for entry in registry.from_directory(directory).entries})
