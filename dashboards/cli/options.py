"""Options that many commands share, and the group directory that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affiliates.errors import unseen_sign

if TYPE_CHECKING:
    from affiliates.manifests.group import Group


GroupDir = Annotated[Path, typer.Option("--group", help="The group directory.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
HERE = Path()


def one_line(value: str | None) -> str | None:
    """The callback of an option whose text is kept and shown: no sign that nobody sees, and no line of its own.

    Raises `typer.BadParameter`.
    """
    if value is not None and (sign := unseen_sign(value)):
        raise typer.BadParameter(f"holds {sign}, which nobody sees: write one line of plain text")
    return value


def read_group(directory: Path) -> "Group":
    """The group of a directory. Raises `RefusedError` with every mistake in its manifests.

    The import lies inside the function: `--help` needs no manifest, and shall not wait for pydantic and the models.
    """
    from affiliates.manifests.loader import read_group

    return read_group(directory)


def read_group_or_part(directory: Path) -> "Group":
    """The group of a directory, or an affiliate's part of it (`Group.is_an_affiliates`); as `read_group` else."""
    from affiliates.manifests.loader import read_group

    return read_group(directory, edge=None)
