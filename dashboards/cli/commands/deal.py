"""The clean room of a deal: make its key, say its terms, compare both sides' sketches, destroy it. It runs on the core alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affiliates.errors import Code, refused
from dashboards.cli import console
from dashboards.cli.options import Json, Yes

if TYPE_CHECKING:
    from affiliates.aggregation.clean_room.deal import Deal
    from affiliates.contributions.contract import Contribution
    from affiliates.manifests.namespaces import Form


app = typer.Typer(
    help="The clean room: how many people two groups share, from sketches under a key made for the deal alone.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Folder = Annotated[Path, typer.Argument(help="The deal's folder. Its name is the deal's, and stands in no file.", metavar="DEAL")]
USUAL = ("email", "phone")
HAND_OVER = """\
Hand deal.json and canaries.json to the other side, and deal.key through a secret store or encrypted for its keeper alone; never
by mail or chat. They put the three files into a folder of their own. Compare the fingerprint by telephone: mauwatch deal show.
Then each side runs mauwatch contribute --key-for DEAL, and hands over the file in ours/; what comes goes into theirs/."""


@app.command()
def new(
    folder: Folder,
    month: Annotated[str, typer.Option(help="The calendar month whose users are compared.", metavar="YYYY-MM")],
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            help="A kind of identifiers that means the same on both sides, with its form, if any; else email and phone.",
            metavar="NAME[=FORM]",
        ),
    ] = None,
    lg_k: Annotated[int, typer.Option(help="log2 of the sketches' registers.", min=12, max=21)] = 21,
    as_json: Json = False,
) -> None:
    """Make a folder with a new key for a deal, and the terms that both sides keep to."""
    from affiliates.aggregation.clean_room import deal

    made = deal.new(folder, console.month_of(month), _namespaces(namespace), lg_k)
    _show(made, as_json, f"\n{HAND_OVER}")


def _namespaces(options: list[str] | None) -> "dict[str, Form | None]":
    from affiliates.identity import forms

    namespaces: dict[str, Form | None] = {}
    for option in options or USUAL:
        name, equals, form = option.partition("=")
        known = next((strict for strict in forms.STRICT if strict == form), None)
        if equals and known is None:
            raise typer.BadParameter(f"a form is one of {', '.join(forms.STRICT)}")
        namespaces[name] = known
    return namespaces


@app.command()
def show(folder: Folder, as_json: Json = False) -> None:
    """Show the terms of a deal, the fingerprint to compare by telephone, and what lies in its folder."""
    from affiliates.aggregation.clean_room import deal

    read = deal.read(folder)
    read.check_usable()
    if read.holds_key:
        read.key()
    read.canaries()
    _show(read, as_json, "")


def _show(deal: "Deal", as_json: bool, next_step: str) -> None:
    terms = deal.terms
    files = {side: [path.name for path in deal.files(side)] for side in ("ours", "theirs")}
    if as_json:
        answer = {
            "folder": str(deal.folder),
            "fingerprint": terms.fingerprint,
            "month": f"{terms.month:%Y-%m}",
            "lg_k": terms.lg_k,
            "normalisation": terms.normalisation,
            "namespaces": terms.namespaces,
            "holds_key": deal.holds_key,
        }
        console.print_json(answer | files)
        return
    namespaces = ", ".join(f"{name} ({form})" if form else name for name, form in terms.namespaces.items())
    console.say(f"Key fingerprint {terms.fingerprint}, month {terms.month:%Y-%m}, lgK {terms.lg_k}, {terms.normalisation}")
    console.say(f"Compared: {namespaces}")
    for side, names in files.items():
        console.say(f"{side}: {', '.join(names) or 'nothing yet'}")
    console.say(
        f"The key is {'here' if deal.holds_key else 'not here: nothing can be hashed, and no member be guessed'}.{next_step}"
    )


@app.command()
def report(
    folder: Folder,
    ours: Annotated[
        list[Path] | None, typer.Option(help="A file of ours; else all in ours/.", metavar="FILE", exists=True)
    ] = None,
    theirs: Annotated[
        list[Path] | None, typer.Option(help="A file of theirs; else all in theirs/.", metavar="FILE", exists=True)
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare both sides' sketches: people, overlap, shares, union, who only one side has; and what a sketch still reveals."""
    from affiliates.aggregation.clean_room import checks, comparison, deal
    from dashboards.cli import deal_tables

    read = deal.read(folder)
    canaries = read.canaries()
    now = datetime.now(UTC)
    of_ours = _contributions(deal.OURS, ours or read.files(deal.OURS))
    of_theirs = _contributions(deal.THEIRS, theirs or read.files(deal.THEIRS))
    compared = comparison.compare(
        checks.checked(of_ours, read.terms, canaries, now), checks.checked(of_theirs, read.terms, canaries, now), read.terms
    )
    if as_json:
        console.print_json(compared.to_dict() | {"holds_key": read.holds_key})
    else:
        console.output().print(deal_tables.shown(compared, read.holds_key))


def _contributions(side: str, files: list[Path]) -> "dict[str, list[Contribution]]":
    from affiliates.contributions import contract

    if not files:
        raise refused(
            Code.DEAL_UNUSABLE,
            f"{side}/",
            "holds no contribution of the deal",
            "no file that ends in .parquet",
            "make ours with mauwatch contribute --key-for, and put the other side's file into theirs/",
        )
    return {path.name: contract.read(path) for path in files}


@app.command()
def destroy(folder: Folder, yes: Yes = False, as_json: Json = False) -> None:
    """Delete the deal's key and the sketches of both sides, and refuse the deal from now on."""
    from affiliates.aggregation.clean_room import deal, deletion

    read = deal.read(folder)
    files = deletion.held(read)
    console.confirm("the deal", f"Delete the deal's key and sketches, {len(files)} files, for good?", yes)
    gone = deletion.destroy(read, datetime.now(UTC).date())
    if as_json:
        answer = {"files": list(gone.files), "bytes": gone.size, "left": list(gone.left)}
        console.print_json(answer | {"file_system": gone.file_system, "meaning": gone.meaning})
        return
    if not gone.files:
        console.say("Nothing of the deal was left.")
        return
    console.say(f"Deleted: {', '.join(gone.files)} ({gone.size:,} bytes). The deal is refused from now on.")
    for text in gone.left:
        console.say(f"Not gone: {text}.")
    console.say(f"Deleted isn't overwritten: {gone.meaning}.")
    console.say(
        "Out of reach: files that were handed over, the other side's copies of the key, backups. Have the other side destroy the "
        "deal, too, and say so in writing: one key and one sketch that are left undo it."
    )
