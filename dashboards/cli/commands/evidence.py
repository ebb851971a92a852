"""Evidence: the folder that a lawyer reads and sends, and the check of a bundle by whoever gets it."""

import shlex
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from affiliates.errors import Code, RefusedError, did_you_mean, refused
from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, Yes, one_line

if TYPE_CHECKING:
    from pipelines.evidence.documents import Page
    from pipelines.evidence.verify import Verification
    from pipelines.evidence.write import Written


def evidence(
    licence: Annotated[str, typer.Argument(help="The licence that is tested, such as llama-4.", metavar="LICENCE")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder that is written.", metavar="DIR")],
    expert: Annotated[
        bool, typer.Option("--expert", help="The sketches too, for who must compute all anew: personal data.")
    ] = False,
    privileged: Annotated[
        bool, typer.Option("--privileged", help="Also the version for counsel alone: under all readings of the clause.")
    ] = False,
    reading: Annotated[
        list[str] | None,
        typer.Option(
            help="A reading that the version for the outside shows; may be repeated. Else that of record.", metavar="NAME"
        ),
    ] = None,
    addressee: Annotated[
        str, typer.Option(help="Whom it is addressed to; else the licensor.", metavar="TEXT", callback=one_line)
    ] = "",
    purpose: Annotated[str, typer.Option(help="What it is for, in a sentence.", metavar="TEXT", callback=one_line)] = "",
    group: GroupDir = HERE,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Write what shows a licence test's figure: a PDF to read, and the bundle that anyone can check with `mauwatch verify`."""
    from affiliates.manifests.loader import read_group
    from dashboards.report import pdf
    from pipelines.evidence import documents, leftovers, write
    from pipelines.evidence.verify import check
    from pipelines.licences import registry, release_tests
    from pipelines.workspace import Workspace

    settings = read_group(group)
    known = {entry.id: entry for entry in release_tests.releases(registry.from_directory(group))}
    if licence not in known:
        raise refused(
            Code.LICENCE_UNTESTABLE,
            f"the licence {licence}",
            "has no test at its release",
            did_you_mean(licence, known, several=True),
            "name one of `mauwatch licences`",
        )
    options: tuple[tuple[write.Kind, bool], ...] = (("outside", True), ("expert", expert), ("privileged", privileged))
    font = group / settings.settings.evidence_font if settings.settings.evidence_font else None
    made_with = pdf.made_with(font)
    filing = write.Filing([kind for kind, wanted in options if wanted], reading or (), addressee, purpose, made_with)
    pages = [out / documents.PAGE, *([out / write.PRIVILEGED_PAGE] if privileged else [])]
    bundles = [out / f"{kind}.zip" for kind, wanted in options if wanted]
    if there := [path.name for path in (*pages, *bundles) if path.exists()]:
        console.confirm(str(out), f"{out} has {', '.join(there)} already. Overwrite?", yes)
    # Nothing comes to its place before all is written and checked as its reader would: nobody may send what doesn't hold.
    with leftovers.room_in(group, out) as room:
        with Workspace(group, settings, datetime.now(UTC)) as workspace:
            # The PDF is made by a face, and `pipelines.evidence` knows no face: it gets the function.
            page = partial(pdf.pdf, font=font)
            written = write.write(workspace, known[licence], room, filing, page)
            signed = settings.settings.evidence_key is not None
        for bundle in bundles:
            if wrong := check(room / bundle.name, page=page, page_made_with=made_with).wrong:
                next_step = "run again, or restate the month: mauwatch close MONTH --by NAME --restates REASON"
                raise refused(
                    Code.EVIDENCE_UNWRITABLE,
                    str(bundle),
                    "its evidence doesn't hold, and wasn't kept",
                    "; ".join(wrong[:3]),
                    next_step,
                )
        for path in (*bundles, *pages):
            (room / path.name).replace(path)
    if as_json:
        console.print_json(
            {
                "folder": str(out),
                "page": str(out / documents.PAGE),
                "bundles": dict(written.digests),
                "signed": signed,
                "pages": [str(path) for path in pages],
                "readings": list(written.readings),
                "left_out": list(written.left_out),
                "preliminary": written.preliminary,
            }
        )
        return
    console.output().print(_written(out, pages, written, signed, f"{known[licence].measured_month:%Y-%m}"))


_FOR_WHOM = {
    "outside": "may go to the licensor or a court",
    "expert": "personal data: for who must compute all anew",
    "privileged": "all readings: for counsel alone",
}


def _written(out: Path, pages: "list[Path]", written: "Written", signed: bool, month: str) -> RenderableType:
    """What was written and for whom, and what to know before any of it is sent."""
    lines = [Text(f"{path}: to read{', for counsel alone' if path is not pages[0] else ''}") for path in pages]
    for kind, digest in written.digests.items():
        lines.append(Text(f"{out / f'{kind}.zip'}: {_FOR_WHOM[kind]}\n    SHA-256 {digest}"))
    shown = f"Readings shown to the outside: {', '.join(written.readings)}"
    lines.append(Text(f"{shown}; not shown: {', '.join(written.left_out)} (--reading)." if written.left_out else f"{shown}."))
    if written.preliminary:
        next_step = f"sign them first: mauwatch close {month} --by NAME"
        lines.append(
            Text(f"Preliminary: nobody has signed the figures of {month}, and they can change; {next_step}", "bold yellow")
        )
    if not signed:
        lines.append(
            Text("Not signed: make a key with `mauwatch key pair FILE` and name it as `evidence_key` in group.yaml.", "yellow")
        )
    lines.append(Text(f"Next: mauwatch verify {shlex.quote(str(out / 'outside.zip'))}"))
    return Stack(*lines)


def verify(
    file: Annotated[
        Path | None, typer.Argument(help="A bundle; without one, the ledger of the group's store.", metavar="FILE")
    ] = None,
    public_key: Annotated[str | None, typer.Option(help="By which the bundle has to be signed.", metavar="KEY")] = None,
    head: Annotated[str | None, typer.Option(help="The month's ledger head, as `close` printed it.", metavar="DIGEST")] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Check a bundle of evidence: each byte, its ledger, each value; the expert one's figures are made again from the sketches.

    Needs the bundle alone, and no more than the core install; only the PDF takes the extra `group`. What it has compared with
    nothing it names. Exits with 1 when anything is wrong.
    """
    if file is None:
        if public_key is not None:
            raise typer.BadParameter("--public-key is for a bundle: name its FILE")
        _verify_store(group, head, as_json)
        return
    from pipelines.evidence import verify as evidence_verify

    if not file.is_file():
        raise refused(Code.FILE_UNUSABLE, str(file), "is no file", "", "name a bundle, such as evidence/outside.zip")
    try:
        verification = evidence_verify.check(file, public_key, head, *_page_if_any())
    # A bundle that can't be opened is a finding about the bundle, and no misuse of the command: exit code 1.
    except RefusedError as error:
        verification = evidence_verify.Verification(wrong=[str(error)])
    if as_json:
        console.print_json(
            {
                "file": str(file),
                "sha256": verification.sha256 or None,
                "public_key": verification.public_key,
                "about": dict(verification.about),
                "right": verification.right,
                "wrong": verification.wrong,
                "unknown": verification.unknown,
                "not_compared": verification.not_compared,
                "not_shown": verification.not_shown,
            }
        )
    else:
        console.output().print(_shown(file, verification))
    if verification.wrong:
        raise typer.Exit(1)


def _shown(file: Path, verification: "Verification") -> RenderableType:
    lines = [Text(f"{file}: SHA-256 {verification.sha256}")] if verification.sha256 else []
    if verification.about:
        kind, of, licence, month, at, by = (
            verification.about.get(name, "?") for name in ("kind", "group", "licence", "month", "made_at", "made_by")
        )
        lines.append(Text(f"{kind} bundle of {of}, {licence}, {month}; {at}, {by}"))
    lines += [Text(f"  right    {line}", "green") for line in verification.right]
    lines += [Text(f"  unknown  {line}", "yellow") for line in verification.unknown]
    lines += [Text(f"  not compared  {line}", "yellow") for line in verification.not_compared]
    if verification.not_shown:
        lines.append(Text(f"  not shown  the figures by {', '.join(verification.not_shown)}, which the ledger has"))
    lines += [Text(f"  WRONG    {line}", "bold red") for line in verification.wrong]
    return Stack(*lines, Text(_conclusion(verification)))


def _conclusion(verification: "Verification") -> str:
    """The check's outcome in a sentence."""
    if verification.wrong:
        return "Something is wrong: don't rely on it."
    if verification.is_whole:
        return "Nothing is wrong."
    return "What was compared is right. What is unknown or not compared may be wrong: it is named above."


def _page_if_any() -> "tuple[Page | None, str]":
    """What makes the PDF again, and by which libraries; nothing where they aren't installed."""
    try:
        from dashboards.report import pdf

        return pdf.pdf, pdf.made_with()
    except ImportError:
        return None, ""


def _verify_store(directory: Path, head: str | None, as_json: bool) -> None:
    from affiliates.manifests.loader import read_group
    from pipelines.evidence import verify_store
    from pipelines.store import contributions

    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        # Without a bundle the store is checked against its own ledger, and against itself.
        verification = verify_store.check(store, group, head)
    if as_json:
        console.print_json(vars(verification))
    else:
        last = f", the last {verification.head}" if verification.head else ""
        lines = [Text(f"The store's ledger: {verification.entries} entries{last}")]
        lines += [Text(f"  unknown  {line}", "yellow") for line in verification.unknown]
        lines += [Text(f"  WRONG    {line}", "bold red") for line in verification.wrong]
        console.output().print(Stack(*lines, Text("" if verification.wrong else "The store is as it was noted.")))
    if verification.wrong:
        raise typer.Exit(1)
