"""`mauwatch serve`: the number comes by itself."""

import sys
from typing import Annotated

import typer

from dashboards.cli.options import HERE, GroupDir, read_group


def serve(
    group: GroupDir = HERE,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 is everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Of Dagster's pages.", min=1, max=65535)] = 3000,
    health_port: Annotated[int, typer.Option(help="Of /health.", min=1, max=65535)] = 3001,
    dashboard_port: Annotated[int, typer.Option(help="Of the dashboard; 0 is none.", min=0, max=65535)] = 0,
) -> None:
    """Let the number come by itself: schedules, runs and Dagster's pages, until it is told to stop. Logs in JSON."""
    from affiliates.concurrency import owner_alone
    from pipelines.json_log import Log
    from pipelines.serving import supervisor

    with owner_alone():
        address = supervisor.Address(host, port, health_port, dashboard_port)
        supervisor.serve(group, read_group(group), address, Log(sys.stdout, "serve"))
