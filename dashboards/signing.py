"""What an affiliate signs its files with: a pair of keys, and a signature beside each file."""

from pathlib import Path
from typing import Annotated

import typer

KeyFile = Annotated[Path, typer.Argument(help="Where the private key is put.", metavar="FILE")]
Signed = Annotated[Path, typer.Argument(help="A file of contributions, or a folder of part-files.", metavar="FILE", exists=True)]
Private = Annotated[Path, typer.Option("--with", help="The private key, as `key pair` made it.", metavar="KEYFILE", exists=True)]


def pair(file: KeyFile) -> None:
    """Make a pair of keys: the private one signs what is handed in, the public one goes into the manifest."""
    from affiliates import signature

    public = signature.new_pair(file)
    typer.echo(f"The private key is in {file}, for its owner's eyes alone. Into the manifest of its entity goes:")
    typer.echo(f"public_keys:\n  - {public}")


def sign(file: Signed, private: Private) -> None:
    """Put the signature of a file beside it, as FILE.sig."""
    from affiliates import signature

    typer.echo(signature.sign_beside(file, private))
