"""The command `inspect`: what a contribution holds. It runs on the core alone."""

from pathlib import Path
from typing import Annotated

import typer

from dashboards.cli import console
from dashboards.cli.options import Json


def inspect(
    file: Annotated[Path, typer.Argument(help="A contribution's file, or a folder of its parts.", metavar="FILE")],
    as_json: Json = False,
) -> None:
    """Show what a contribution holds, and what it reveals to whom. Needs neither a group nor a key."""
    from affiliates.contributions import contract, stated_texts
    from affiliates.errors import RefusedError
    from dashboards.cli.contribution_summary import ContributionSummary

    summary = ContributionSummary(path=file)
    contributions = contract.read(file)
    if refusals := [refusal for contribution in contributions if (refusal := stated_texts.refusal(contribution))]:
        raise RefusedError(*refusals)
    for contribution in contributions:
        summary.leaves(contribution)
    if as_json:
        console.print_json(summary.to_dict())
    else:
        console.output().print(summary.shown(inspected=True))
