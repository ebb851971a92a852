"""Tables and messages for a terminal. Pure: values in, renderables out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from affiliates.errors import Refusal
from dashboards.cli.answers import UNTESTED
from pipelines import runbook
from pipelines.runbook import Page

if TYPE_CHECKING:
    from affiliates.manifests.group import Group
    from dashboards.demo.truth import FigureBesideTruth
    from pipelines.counting.figure import Coverage, Figure
    from pipelines.counting.measure import Measured
    from pipelines.store.publications import Publication
    from pipelines.workflows.report import Report


MOST_REASONS = 8


def people(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def interval(figure: "Figure") -> str:
    """The 95 % interval; without an upper bound, that."""
    return f"{people(figure.lower)} to {'no upper bound' if figure.upper is None else people(figure.upper)}"


def coverage(found: "Coverage") -> str:
    said = []
    if found.days_expected or not found.months_expected:
        said.append(f"{found.days_present:,}/{found.days_expected:,} days")
    if found.months_expected:
        said.append(f"{found.months_present:,}/{found.months_expected:,} months")
    return ", ".join(said)


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    numbers: Sequence[int] = (),
    fixed: Sequence[int] = (),
) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        made.add_column(column, justify="right" if i in numbers else "left", overflow="fold", no_wrap=i in fixed)
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))  # Never read as markup.
    return made


def refusals(found: Sequence[Refusal]) -> RenderableType:
    """Each with subject and rule on the first line, values and next step below."""
    lines = []
    for refusal in found:
        lines.append(Text.assemble((refusal.subject, "bold"), ": ", (refusal.rule, "red")))
        lines.append(Text(f"    {refusal.values}" if refusal.values else "", style="dim"))
        lines.append(Text(f"    → {refusal.next_step}"))
    return Stack(*(line for line in lines if line.plain))


def measured(found: "Measured", group: "Group", publication: "Publication | None" = None) -> RenderableType:
    """A month's figures, or another window's: the group, its affiliates, their products; and who signed them."""
    from affiliates.manifests.product import ProductRef

    window = found.inputs.window
    reading = f"by the reading {found.inputs.reading.name}"
    zone = group.settings.time_zone
    title = f"People in {window} ({zone}), {found.group.state}, {reading}"
    if not window.is_month:  # Preliminary is what can be signed.
        title = f"People in the {window} ({zone})"
    rows: list[Sequence[str | Text]] = [_figure_row(Text(group.settings.name or group.settings.group, "bold"), found.group)]
    for affiliate, figure in found.affiliates.items():
        rows.append(_figure_row(Text(f"  {affiliate}"), figure))
        products = ((ProductRef.parse(name), of_product) for name, of_product in found.products.items())
        rows += [_figure_row(Text(f"    {ref.product}", "dim"), of_it) for ref, of_it in products if ref.affiliate == affiliate]
    said: list[RenderableType] = [
        table(
            title,
            ("", "estimate", "same or different people", "95 % interval", "covered"),
            rows,
            (1, 2, 3, 4),
        )
    ]
    if publication is not None:
        said.append(_published(publication))
    if not window.is_month:
        said.append(Text(f"{reading.capitalize()}, of what the store has now. Nothing of it is published: {UNTESTED}.", "yellow"))
    total, lower, upper = found.summed
    high = "no upper bound" if upper is None else people(upper)
    said.append(Text(f"Sum of products, each person once in each: {people(total)} ({people(lower)} to {high})."))
    audiences = ", ".join(found.inputs.reading.audiences)
    error = found.group.standard_error
    said.append(Text(f"Audiences: {audiences}. Standard error of the sketches: {error:,.1f} people."))
    if left_out := _left_out(found.group.unidentified_events, found.group.undecided_events):
        said.append(left_out)
    said += [Text(f"! {wrong}", "bold red") for wrong in found.contradictions]
    said.append(reasons("Not complete", found.group.reasons))
    said.append(reasons("Not counted, or not anew", found.inputs.not_counted))
    return Stack(*(part for part in said if not isinstance(part, Text) or part.plain))


def _published(publication: "Publication") -> Text:
    when = f"{publication.known_at:%Y-%m-%d %H:%M} UTC"
    if not publication.signed:
        return Text(f"Published on {when}.")
    parts = [f"{publication.state.capitalize()} by {publication.signed_by} on {when}"]
    parts += [f"although something was open: {publication.despite}"] if publication.despite else []
    parts += [f"restated because: {publication.reason}"] if publication.reason else []
    return Text("; ".join(parts) + ".", style="green")


def _left_out(unidentified: int, undecided: int) -> Text | None:
    """Events that nobody can be counted for, and those that a condition couldn't tell."""
    said = []
    if unidentified:
        said.append(f"{unidentified:,} events named no user and aren't counted.")
    if undecided:
        said.append(f"{undecided:,} events were left undecided by a condition and taken for false.")
    return Text(" ".join(said), style="yellow") if said else None


def _figure_row(name: Text, figure: "Figure") -> Sequence[str | Text]:
    identity = f"{people(figure.identity_low)} to {people(figure.identity_high)}"
    covered = Text(coverage(figure.coverage), "" if figure.complete else "yellow")
    return name, people(figure.estimate), identity, interval(figure), covered


def reasons(title: str, found: Sequence[str]) -> Text:
    """The first few reasons, and how many more there are."""
    if not found:
        return Text("")
    more = [f"… and {len(found) - MOST_REASONS} more (--json has all)"] if len(found) > MOST_REASONS else []
    return Text("\n".join([f"{title}:", *(f"  {r}" for r in (*found[:MOST_REASONS], *more))]), style="yellow")


def report(found: "Report") -> RenderableType:
    """What a run took, by affiliate, and what it found."""
    totals: dict[str, list[int]] = {}
    for product in found.products:
        r = product.received
        counts = (r.new, r.replaced, r.confirmed + r.unchanged, len(product.missing), len(product.refusals))
        affiliate = product.ref.affiliate
        totals[affiliate] = [a + b for a, b in zip(totals.get(affiliate, [0] * 5), counts, strict=True)]
    rows = [(name, *(f"{n:,}" for n in counts)) for name, counts in totals.items()]
    columns = ("contributions", "new", "replaced", "the same", "days missing", "refused")
    said: list[RenderableType] = [table("", columns, rows, range(1, 6))]
    refused = [refusal for p in found.products for refusal in p.refusals]
    said += [refusals(refused), *_runbook(runbook.of_product(r) for r in refused)] if refused else []
    if left_out := _left_out(sum(p.unidentified for p in found.products), sum(p.undecided for p in found.products)):
        said.append(left_out)
    missing = [f"{p.name}: {len(p.missing)} days, from {p.missing[0]}" for p in found.products if p.missing]
    said += [reasons("Missing in the sources", missing), *_runbook([Page.DAYS_MISSING] if missing else [])]
    said += [Text(f"! {finding}", "bold red") for finding in found.findings]
    said += _runbook(finding.page for finding in found.findings)
    if found.alerts:
        said.append(reasons("Open alerts (mauwatch alerts)", found.alerts))
    if found.published:
        said.append(Text(f"Months published: {len(found.published)}, {found.published[0]:%Y-%m} to {found.published[-1]:%Y-%m}."))
    return Stack(*said)


def _runbook(pages: Iterable[Page]) -> list[Text]:
    return [Text(line, "dim") for line in runbook.lines(pages)]


def against_truth(found: "Sequence[FigureBesideTruth]") -> RenderableType:
    """Figures of the last month beside the truth, and how many of all months' hold it."""
    last = found[-1].month
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
        for c in found
        if c.month == last
    ]
    columns = ("", "truth", "95 % interval", "", "by the definition", "estimate", "error")
    errors = [abs(c.error) for c in found if c.error is not None]
    held = sum(c.holds for c in found)
    months = len({c.month for c in found})
    return Stack(
        table(f"{last:%Y-%m} beside the truth", columns, rows, (1, 2, 4, 5, 6)),
        Text(
            f"In {months} months {held:,} of {len(found):,} intervals hold the truth; the estimates lie within "
            f"{max(errors):.2%} of what their definition gives on the truth (namespaces that nobody has joined "
            "taken as different people)."
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
    said = [f"Names kept from {answer['previous']}." if answer["previous"] else "All names are new: no snapshot before was used."]
    if cut["clusters"]:
        said.append(
            f"Clusters of more than {cut['limit']:,} identifiers: {cut['clusters']:,}, the largest of {cut['largest']:,}. "
            f"They are cut out: their {cut['keys']:,} keys join nobody, and each counts in its own namespace."
        )
    if answer["state"] == "replaced":
        said.append("Contributions made with the other snapshot are refused until they are made again; `mauwatch run` does so.")
    if answer["later"]:
        said.append(f"Later snapshots kept other names than these: make {', '.join(answer['later'])} again.")
    return Stack(
        table(f"People whom the crosswalk of {answer['month']} joins", ("", "before", "now"), rows, (1, 2)), *map(Text, said)
    )


def checks(found: Sequence[tuple[str, bool, str]]) -> Table:
    rows: list[Sequence[Any]] = [
        (Text("ok", "green") if fine else Text("look", "bold yellow"), what, said) for what, fine, said in found
    ]
    return table("", ("", "what", "found"), rows)
