"""Tables and messages for a terminal. Pure: values in, renderables out.

Over 300 lines: figures, runs and findings are shown by the same columns and words.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from affiliates.errors import Refusal
from dashboards.cli.answers import UNTESTED
from dashboards.cli.console import WIDTH
from pipelines import runbook
from pipelines.runbook import Page

if TYPE_CHECKING:
    from affiliates.manifests.group import Group
    from dashboards.demo.truth import FigureBesideTruth
    from pipelines.counting.figure import Coverage, Figure
    from pipelines.counting.measure import Measured
    from pipelines.figures.months import ClauseCount
    from pipelines.runbook import DataFinding
    from pipelines.store.publications import Publication
    from pipelines.workflows.report import Report


MOST_REASONS = 8


def people(number: int | None) -> str:
    """A number of people; a dash where there is none."""
    return "–" if number is None else f"{number:,}"


def interval(figure: "Figure | ClauseCount") -> str:
    """The 95 % interval, in people; `no upper bound` where there is none."""
    return bounds(figure.lower, figure.upper)


def bounds(lower: int | None, upper: int | None) -> str:
    """From the lower to the upper bound, in people."""
    return f"{people(lower)} to {'no upper bound' if upper is None else people(upper)}"


def headroom(least: int | None, most: int | None) -> str:
    """From the least to the most that is left to a threshold; below zero it is passed. Without an upper bound only the most."""
    if most is None:
        return "–"
    return f"at most {most:,}" if least is None else f"{least:,} to {most:,}"


def coverage(covered: "Coverage") -> str:
    """How many of the product-days and product-months that were due were contributed."""
    return periods_covered(vars(covered))


def periods_covered(covered: Mapping[str, Any]) -> str:
    """As `coverage`, of the columns of that name in the table `figures`."""
    counts = []
    if covered["days_expected"] or not covered["months_expected"]:
        counts.append(f"{covered['days_present']:,}/{covered['days_expected']:,} days")
    if covered["months_expected"]:
        counts.append(f"{covered['months_present']:,}/{covered['months_expected']:,} months")
    return ", ".join(counts)


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    numbers: Sequence[int] = (),
    fixed: Sequence[int] = (),
) -> Table:
    """A table of texts. `numbers`: positions of the columns that align to the right; `fixed`: of those that are never broken.

    Lines break at blanks. rich breaks words, and so numbers, only where the columns don't fit beside each other: a table as wide
    as that has less space between its columns.
    """
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]  # Never read as markup.
    by_column = zip(columns, *([cell.plain for cell in row] for row in cells), strict=True)
    widths = [_least_width(texts, broken=i not in fixed) for i, texts in enumerate(by_column)]
    is_tight = sum(widths) + 3 * len(widths) > WIDTH
    padding = (0, 0) if is_tight else (0, 1)
    grid = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=padding)
    for i, column in enumerate(columns):
        grid.add_column(column, justify="right" if i in numbers else "left", overflow="fold", no_wrap=i in fixed)
    for row in cells:
        grid.add_row(*row)
    return grid


def _least_width(texts: Iterable[str], broken: bool) -> int:
    """Columns of the terminal that the texts need at least, broken at blanks or only at their own ends of lines."""
    return max((cell_len(part) for text in texts for part in (text.split() if broken else text.splitlines())), default=0)


def refusals(shown: Sequence[Refusal]) -> RenderableType:
    """Each with subject and rule on the first line, values and next step below."""
    lines = []
    for refusal in shown:
        lines.append(Text.assemble((refusal.subject, "bold"), ": ", (refusal.rule, "red")))
        lines.append(Text(f"    {refusal.values}" if refusal.values else "", style="dim"))
        lines.append(Text(f"    → {refusal.next_step}"))
    return Stack(*(line for line in lines if line.plain))


def measured(
    figures: "Measured",
    group: "Group",
    publication: "Publication | None" = None,
    findings: "Sequence[DataFinding]" = (),
    notes: Sequence[str] = (),
    doubted: bool = False,
) -> RenderableType:
    """A month's figures, or another window's: the group, its affiliates, their products; and who signed them.

    `findings`: what the products' data show of the month; `notes`: what has changed since the publication, or that there is
    none, a sentence each; `doubted`: the settings of the figures may be other ones than the group's now.
    """
    from affiliates.manifests import namespaces
    from affiliates.manifests.product import ProductRef
    from pipelines.counting import convention

    window = figures.inputs.window
    reading = f"by the reading {figures.inputs.reading.name}"
    zone = group.settings.time_zone
    title = f"People in {window} ({zone}), {figures.group.state}, {reading}"
    # Only a month can be signed, so a state would promise what no other window has.
    if not window.is_month:  # Preliminary is what can be signed.
        title = f"People in the {window} ({zone})"
    rows: list[Sequence[str | Text]] = [_figure_row(Text(group.settings.name or group.settings.group, "bold"), figures.group)]
    for affiliate, figure in figures.affiliates.items():
        rows.append(_figure_row(Text(f"  {affiliate}"), figure))
        products = ((ProductRef.parse(name), of_product) for name, of_product in figures.products.items())
        rows += [_figure_row(Text(f"    {ref.product}", "dim"), of_it) for ref, of_it in products if ref.affiliate == affiliate]
    parts: list[RenderableType] = [
        table(
            title,
            ("", "estimate", "same or different people", "95 % interval", "covered"),
            rows,
            (1, 2, 3, 4),
        )
    ]
    if publication is not None:
        parts.append(_published(publication))
    parts += [Text(note, "yellow") for note in notes]
    if not window.is_month:
        parts.append(
            Text(f"{reading.capitalize()}, of what the store has now. Nothing of it is published: {UNTESTED}.", "yellow")
        )
    total, lower, upper = figures.summed
    high = "no upper bound" if upper is None else people(upper)
    parts.append(Text(f"Sum of products, each person once in each: {people(total)} ({people(lower)} to {high})."))
    said = namespaces.ranges_of(group.settings.namespaces)
    parts += [Text(line) for line in convention.lines(figures.namespaces or (), said, figures.inputs.method, doubted=doubted)]
    audiences = ", ".join(figures.inputs.reading.audiences)
    error = figures.group.standard_error
    parts.append(Text(f"Audiences: {audiences}. Standard error of the sketches: {error:,.1f} people."))
    whole = figures.group
    counts_automated = "automated" in figures.inputs.reading.audiences
    automated = 0 if counts_automated else whole.automated_users or 0
    if left_out := not_counted(whole.unidentified_events, whole.undecided_events, whole.excluded_events or 0, automated):
        parts.append(left_out)
    # A contradiction is never explained away: both numbers are shown, and a check is red.
    parts += [Text(f"! {wrong}", "bold red") for wrong in figures.contradictions]
    parts.append(reasons("Unlike before", [str(finding) for finding in findings]))
    parts.append(reasons("Not complete", figures.group.reasons))
    parts.append(reasons("Not counted, or not anew", figures.inputs.not_counted))
    return Stack(*(part for part in parts if not isinstance(part, Text) or part.plain))


def _published(publication: "Publication") -> Text:
    when = f"{publication.known_at:%Y-%m-%d %H:%M} UTC"
    if not publication.signed:
        return Text(f"Published on {when}.")
    parts = [f"{publication.state.capitalize()} by {publication.signed_by} on {when}"]
    parts += [f"although something was open: {publication.despite}"] if publication.despite else []
    parts += [f"restated because: {publication.reason}"] if publication.reason else []
    return Text("; ".join(parts) + ".", style="green")


def not_counted(unidentified: int, undecided: int, excluded: int, automated: int) -> Text | None:
    """Events that nobody can be counted for, that a condition couldn't tell or left out; and automated users."""
    parts = []
    if unidentified:
        parts.append(f"{unidentified:,} events named no user and aren't counted.")
    if undecided:
        parts.append(f"{undecided:,} events were left undecided by a condition and taken for false.")
    if excluded:
        parts.append(f"{excluded:,} event{'s are' if excluded > 1 else ' is'} left out by `counts_when` or `audiences`.")
    if automated:
        parts.append(f"{automated:,} automated user{'s are' if automated > 1 else ' is'}n't counted.")
    return Text(" ".join(parts), style="yellow") if parts else None


def _figure_row(name: Text, figure: "Figure") -> Sequence[str | Text]:
    identity = f"{people(figure.identity_low)} to {people(figure.identity_high)}"
    covered = Text(coverage(figure.coverage), "" if figure.complete else "yellow")
    return name, people(figure.estimate), identity, interval(figure), covered


def reasons(title: str, lines: Sequence[str]) -> Text:
    """The first few reasons, and how many more there are."""
    if not lines:
        return Text("")
    more = [f"… and {len(lines) - MOST_REASONS} more (--json has all)"] if len(lines) > MOST_REASONS else []
    return Text("\n".join([f"{title}:", *(f"  {r}" for r in (*lines[:MOST_REASONS], *more))]), style="yellow")


def report(run_report: "Report") -> RenderableType:
    """What a run took, by affiliate, and what it found."""
    from pipelines.counting.missing import day_ranges

    totals: dict[str, list[int]] = {}
    for product in run_report.products:
        r = product.received
        counts = (r.new, r.replaced, r.confirmed + r.unchanged, len(product.missing), len(product.refusals))
        affiliate = product.ref.affiliate
        totals[affiliate] = [a + b for a, b in zip(totals.get(affiliate, [0] * 5), counts, strict=True)]
    rows = [(name, *(f"{n:,}" for n in counts)) for name, counts in totals.items()]
    columns = ("contributions", "new", "replaced", "the same", "days missing", "refused")
    parts: list[RenderableType] = [table("", columns, rows, range(1, 6))]
    refused = [refusal for p in run_report.products for refusal in p.refusals]
    parts += [refusals(refused), *_runbook(runbook.of_product(r) for r in refused)] if refused else []
    products = run_report.products
    unidentified, undecided = sum(p.unidentified for p in products), sum(p.undecided for p in products)
    left_out = not_counted(unidentified, undecided, sum(p.excluded for p in products), sum(p.automated_users for p in products))
    parts += [left_out] if left_out else []
    if unread := [f"{p.name}: {text}" for p in run_report.products for text in p.left_out]:
        parts.append(reasons("Left out of the sources", unread))
    missing = [f"{p.name}: {len(p.missing)} days ({day_ranges(p.missing)})" for p in run_report.products if p.missing]
    parts += [reasons("Days missing", missing), *_runbook([Page.DAYS_MISSING] if missing else [])]
    parts += [Text(f"! {finding}", "bold red") for finding in run_report.findings]
    parts += _runbook(finding.page for finding in run_report.findings)
    if run_report.notes:
        parts.append(reasons("Not compared", run_report.notes))
    if run_report.alerts:
        parts.append(reasons("Open alerts (mauwatch alerts)", run_report.alerts))
    if run_report.published:
        first = run_report.published[0]
        last = run_report.published[-1]
        parts.append(Text(f"Months published: {len(run_report.published)}, {first:%Y-%m} to {last:%Y-%m}."))
    return Stack(*parts)


def _runbook(pages: Iterable[Page]) -> list[Text]:
    return [Text(line, "dim") for line in runbook.lines(pages)]


def against_truth(compared: "Sequence[FigureBesideTruth]") -> RenderableType:
    """Figures of the last month beside the truth, and how many of all months' hold it."""
    last = compared[-1].month
    rows: list[Sequence[str | Text]] = [
        (
            c.subject,
            people(c.truth.people),
            interval(c.figure),
            Text("holds", "green") if c.holds else Text("misses", "bold red"),
            people(c.truth.apart) if c.error is not None else "–",
            people(c.figure.estimate),
            "–" if c.error is None else f"{c.error:+.3%}",
        )
        for c in compared
        if c.month == last
    ]
    columns = ("", "truth", "95 % interval", "", "by the definition", "estimate", "error")
    errors = [abs(c.error) for c in compared if c.error is not None]
    held = sum(c.holds for c in compared)
    months = len({c.month for c in compared})
    return Stack(
        table(f"{last:%Y-%m} beside the truth", columns, rows, (1, 2, 4, 5, 6)),
        Text(
            f"In {months} months {held:,} of {len(compared):,} intervals hold the truth; the estimates lie within "
            f"{max(errors):.2%} of what their definition gives on the truth (identifiers that nobody has joined, and people in "
            "counts, taken as different people)."
        ),
    )


def effect(months: "Mapping[str, tuple[Figure, Figure]]") -> RenderableType:
    """What joining identifiers of one person does: by month, the figures without and with the crosswalk."""
    rows = [
        (month, people(apart.estimate), people(joined.estimate), _percent(apart.estimate, joined.estimate))
        for month, (apart, joined) in months.items()
    ]
    return table("The identity merge's effect", ("month", "identifiers", "people", "difference"), rows, (1, 2, 3))


def _percent(before: int | None, after: int | None) -> str:
    return f"{(after - before) / before:+.1%}" if before and after is not None else "–"


def crosswalk(answer: Mapping[str, Any]) -> RenderableType:
    """What a new snapshot did to the people of the one before, and what it left out."""
    people = answer["people"]
    cut = answer["cut_out"]
    kept, new, split, merged, gone = (people[name] for name in ("kept", "new", "split", "merged", "gone"))
    rows = [
        ("with the name they had", f"{kept:,}", f"{kept:,}"),
        ("new", "", f"{new:,}"),
        ("split off somebody", "", f"{split:,}"),
        ("merged into somebody older", f"{merged:,}", ""),
        ("gone", f"{gone:,}", ""),
        ("all", f"{kept + merged + gone:,}", f"{kept + new + split:,}"),
    ]
    lines = [
        f"Names kept from {answer['previous']}." if answer["previous"] else "All names are new: no snapshot before was used."
    ]
    if cut["clusters"]:
        lines.append(
            f"Clusters of more than {cut['limit']:,} identifiers: {cut['clusters']:,}, the largest of {cut['largest']:,}. "
            f"They are cut out: their {cut['keys']:,} keys join nobody, and each counts in its own namespace."
        )
    if answer["state"] == "replaced":
        lines.append("Contributions made with the other snapshot are refused until they are made again; `mauwatch run` does so.")
    if answer["later"]:
        lines.append(f"Later snapshots kept other names than these: make {', '.join(answer['later'])} again.")
    return Stack(
        table(f"People whom the crosswalk of {answer['month']} joins", ("", "before", "now"), rows, (1, 2)), *map(Text, lines)
    )


def checks(examined: Sequence[tuple[str, bool, str]]) -> Table:
    """What `doctor` examined: subject, whether it is fine, and what was found."""
    rows: list[Sequence[Any]] = [
        (Text("ok", "green") if fine else Text("look", "bold yellow"), what, text) for what, fine, text in examined
    ]
    return table("", ("", "what", "found"), rows)
