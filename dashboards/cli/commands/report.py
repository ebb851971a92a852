"""The command `report`: a month on paper, as one HTML file and one PDF."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affiliates.errors import Code, refused
from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, read_group

if TYPE_CHECKING:
    from affiliates.manifests.settings import Settings


def report(
    month: Annotated[str | None, typer.Argument(help="The month; else the newest that is over.", metavar="YYYY-MM")] = None,
    reading: Annotated[str | None, typer.Option(help="A reading of readings.yaml; else the one of record.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Where the HTML file goes.", metavar="FILE")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Where the PDF goes.", metavar="FILE")] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Write the monthly report, to be read and printed; without --html and --pdf both go into the folder of group.yaml.

    By what is published alone: nothing is measured, and no scenario is in it. The same figures make the same files.
    """
    from dashboards.web import monthly_report

    first = console.month_of(month) if month else None
    settings = read_group(group).settings
    made = monthly_report.make(group, datetime.now(UTC), first, reading)
    paths = _paths(made.month, settings, group, html, pdf)
    # Both are made before either is written: a refusal leaves no half.
    written = {path: made.html if kind == "html" else made.pdf for kind, path in paths.items() if path is not None}
    for path, content in written.items():
        write(path, content)
    if as_json:
        console.print_json(
            {
                "month": f"{made.month:%Y-%m}",
                "reading": made.reading,
                "has_upper_bound": made.has_upper_bound,
                **{kind: str(path) if path else None for kind, path in paths.items()},
            }
        )
        return
    for path in written:
        console.output().print(f"{path}: the report of {made.month:%Y-%m} by {made.reading}", soft_wrap=True)
    if not made.has_upper_bound:
        console.output().print(f"{made.month:%Y-%m} has no upper bound: something that is due is missing. The report says what.")


def _paths(month: date, settings: "Settings", group: Path, html: Path | None, pdf: Path | None) -> dict[str, Path | None]:
    """Where the two files go."""
    from affiliates.manifests.report_settings import FOLDER, file_name

    if html is None and pdf is None:
        folder = group / (settings.report.folder if settings.report else FOLDER)
        return {kind: folder / file_name(month, kind) for kind in ("html", "pdf")}
    return {"html": html, "pdf": pdf}


def write(path: Path, content: bytes) -> None:
    """Put a file in its place in one step, unless the same is there. Raises `RefusedError` (REPORT_UNWRITABLE)."""
    from affiliates.concurrency import atomic_write

    try:
        # Whoever watches the folder sees a new file where something has changed, and only there.
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as unfinished:
            unfinished.write_bytes(content)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise refused(
            Code.REPORT_UNWRITABLE, str(path), "can't be written", cause, "name another file, or see to the folder"
        ) from None
