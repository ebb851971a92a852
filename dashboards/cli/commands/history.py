"""The command `history`: the published months side by side, on the terminal, as CSV and as an Excel workbook."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from affiliates.errors import Code, did_you_mean, in_plain_sight, refused
from dashboards.cli import console, tables
from dashboards.cli.options import HERE, GroupDir, Json, read_group

if TYPE_CHECKING:
    import polars as pl

    from pipelines.figures.published_months import ShownMonth


_NUMBERS = {"estimate": "estimate", "lower": "lower bound", "upper": "upper bound"}


def history(
    subject: Annotated[
        str | None, typer.Argument(metavar="[AFFILIATE[/PRODUCT]]", help="Of this one; else of the group.")
    ] = None,
    first: Annotated[str | None, typer.Option("--from", help="First month.", metavar="YYYY-MM")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last month.", metavar="YYYY-MM")] = None,
    reading: Annotated[str | None, typer.Option(help="A reading of readings.yaml; else each month's reading of record.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write all figures of these months into it, too.", metavar="FILE.csv|FILE.xlsx"),
    ] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """The published months side by side: estimate, bounds, coverage, and who signed. Nothing is measured anew."""
    from dashboards.cli.commands.measure import reading_of
    from pipelines.figures import published_months
    from pipelines.store import contributions

    begin = console.month_of(first) if first else None
    end = console.month_of(last) if last else None
    if begin and end and begin > end:
        raise typer.BadParameter(f"--from {first} lies after --to {last}")
    if out is not None and out.suffix not in (".csv", ".xlsx"):
        raise typer.BadParameter("--out takes a file that ends in .csv or .xlsx")
    settings = read_group(group)
    chosen = reading_of(settings, reading, date.max) if reading else None
    with contributions.open_store(settings.settings.store, group) as store, store.snapshot() as fixed:
        months, elsewhere = published_months.read(fixed, settings, chosen, begin, end)
    if not months:
        other = f"published under other readings: {_named(elsewhere)}" if elsewhere else ""
        raise refused(Code.FIGURE_MISSING, "the history", "no month was published", other, "run it: mauwatch run")
    names = {row["subject"] for month in months for row in month.figures if row["scope"] != "group"}
    if subject is not None and subject not in names:
        raise refused(
            Code.PRODUCT_UNKNOWN,
            subject,
            "has no published figure",
            did_you_mean(subject, names),
            "name an affiliate or a product",
        )
    if out is not None:
        _write(out, months)
    if as_json:
        console.print_json(
            {"months": [month.to_dict() for month in months], "published_otherwise": [f"{m:%Y-%m}" for m in elsewhere]}
        )
        return
    title = subject or settings.settings.name or settings.settings.group
    parts: list[RenderableType] = [_table(title, months, subject)]
    if elsewhere:
        parts.append(Text(f"Published under other readings alone, so not shown: {_named(elsewhere)}.", "yellow"))
    if out is not None:
        parts.append(Text(f"{out}: all figures of these months"))
    console.output().print(Stack(*parts))


def _named(months: Sequence[date]) -> str:
    return ", ".join(f"{month:%Y-%m}" for month in months)


def _table(title: str, months: "Sequence[ShownMonth]", subject: str | None) -> RenderableType:
    rows: list[Sequence[str | Text]] = []
    for month in months:
        figure = next(
            (row for row in month.figures if (row["scope"] == "group" if subject is None else row["subject"] == subject)), None
        )
        about = month.publication
        head = [f"{about.month:%Y-%m}", about.state, about.reading]
        published = f"{about.known_at:%Y-%m-%d}" + (f", {about.signed_by}" if about.signed_by else "")
        if figure is None:  # It wasn't in the group then, or had no such product.
            rows.append([*head, "–", "–", "–", published])
            continue
        upper = "no upper bound" if figure["upper"] is None else tables.people(figure["upper"])
        bounds = f"{tables.people(figure['lower'])} to {upper}"
        covered = Text(tables.periods_covered(figure), "" if figure["complete"] else "yellow")
        rows.append([*head, tables.people(figure["estimate"]), bounds, covered, published])
    columns = ("month", "state", "reading", "estimate", "95 % interval", "covered", "published")
    return tables.table(f"{title}: people in the months that were published", columns, rows, (3, 4, 5), (0, 1))


def _write(path: Path, months: "Sequence[ShownMonth]") -> None:
    """Write all figures of the months: a row for each month and subject; a workbook has the months side by side, too."""
    import polars as pl

    from affiliates.concurrency import atomic_write

    frame = pl.DataFrame(list(_rows(months)), infer_schema_length=None)
    if path.suffix == ".csv":
        with atomic_write(path) as unfinished:
            frame.write_csv(unfinished)
        return
    import xlsxwriter

    # Texts that begin with `=` stay texts, and an upper bound that there isn't stays an empty cell.
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with atomic_write(path) as unfinished, xlsxwriter.Workbook(unfinished, options) as workbook:
        _side_by_side(frame).write_excel(workbook, "side by side", dtype_formats={pl.Int64: "#,##0"}, autofit=True)
        frame.write_excel(workbook, "figures", autofit=True)


def _rows(months: "Sequence[ShownMonth]") -> Iterator[dict[str, Any]]:
    for month in months:
        about = {name: value for name, value in month.to_dict().items() if name != "figures"}
        for figure in month.figures:
            # Whoever opens the file sees each text where it stands: none of them has lines or signs that a program obeys.
            yield {name: in_plain_sight(value) if isinstance(value, str) else value for name, value in (about | figure).items()}


def _side_by_side(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Three rows for each subject, of its estimate and bounds, and a column for each month."""
    import polars as pl

    long = frame.unpivot(list(_NUMBERS), index=["month", "scope", "subject"], variable_name="number", value_name="people")
    wide = long.pivot("month", index=["scope", "subject", "number"], values="people", maintain_order=True)
    order = pl.col("number").replace_strict({name: i for i, name in enumerate(_NUMBERS)}, return_dtype=pl.Int8)
    scope = pl.col("scope").replace_strict({"group": 0, "affiliate": 1, "product": 2}, return_dtype=pl.Int8)
    return wide.sort(scope, "subject", order).with_columns(pl.col("number").replace(_NUMBERS))
