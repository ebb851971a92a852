"""The report's licences: results by clause and reading, what would settle what is open, and what there is to do to adopt."""

from collections.abc import Iterator, Sequence

from dashboards import formats
from dashboards.report.document import Bullets, Grid, Heading, Paragraph, Part
from dashboards.web import components
from dashboards.web.pages.clause_matrix import asks, by_licensee, clause_of
from dashboards.web.queries import MonthFigures, PageRows, names, product_name
from pipelines.figures import published_licences
from pipelines.figures.months import Months
from pipelines.figures.published_licences import ClauseResult, ClauseRow
from pipelines.licences import adoption, release_tests
from pipelines.licences.adoption import AdoptionCheck
from pipelines.licences.dependencies import find_dependencies
from pipelines.store.contributions import ContributionStore


def results(rows: PageRows) -> Iterator[Part]:
    """The results of all clauses that are tested, under each reading, and what would settle the open ones."""
    yield Heading("Licences: results by clause and reading")
    tests = rows.read_group(published_licences.matrix) or ()
    if not tests:
        yield Paragraph("No result of a clause is published yet.")
        return
    yield Paragraph(
        "A result holds under the reading that it stands under: a way to read what the clause leaves open. A release tests one "
        "month, which the table names."
    )
    record = {result.reading for test in tests for result in test.results.values() if result.of_record}
    columns = [f"{name.replace('_', ' ')}{' (of record)' if name in record else ''}" for name in rows.readings]
    head = ("Licence", "Clause", "Asks", "Month tested", *columns)
    widths = (42, 20, 34, 30, *(max(20, 60 // max(len(columns), 1)) for _ in columns))
    for licensee, by_kind in by_licensee(tests, rows.registry):
        captions = {True: f"Tested at a release, for {licensee} and its affiliates", False: f"Other clauses, for {licensee}"}
        for is_first, of_kind in by_kind.items():
            lines = [_row(rows, test) for test in of_kind if _is_measured(test)]
            if lines:
                yield Grid(captions[is_first], head, lines, widths)
        yield from _not_measured(rows, licensee, [test for of_kind in by_kind.values() for test in of_kind])
    untested = sum(not clause.tested for entry in rows.registry.entries for clause in entry.clauses)
    if untested:
        yield Paragraph(
            f"{untested} more clauses aren't tested: they ask what users' numbers don't say, such as revenue.", "soft"
        )


def _is_measured(test: ClauseRow) -> bool:
    return any(result.result != "not_measured" for result in test.results.values())


def _not_measured(rows: PageRows, licensee: str, tests: Sequence[ClauseRow]) -> Iterator[Part]:
    """The clauses without a result under any reading, by what each would need."""
    by_need: dict[str, list[str]] = {}
    for test in tests:
        if not _is_measured(test):
            needs = next((result.settled_by for result in test.results.values() if result.settled_by), ())
            # What differs in the licence's own id alone is one need.
            need = "; ".join(needs).replace(test.licence, "...") or "not said"
            by_need.setdefault(components.plain(need), []).append(rows.licence_name(test.licence))
    if by_need:
        yield Paragraph(f"Not measured for {licensee} under any reading, with what it would take:")
        yield Bullets([f"{', '.join(dict.fromkeys(of_need))}: {need}" for need, of_need in by_need.items()])


def _row(rows: PageRows, test: ClauseRow) -> tuple[str, ...]:
    clause = f"{test.clause} · {test.product}" if test.product else test.clause
    month = formats.month_name(test.month) if test.month else "–"
    cells = [_in_words(test.results[name].result) if name in test.results else "–" for name in rows.readings]
    return rows.licence_name(test.licence), clause, asks(test), month, *cells


def _in_words(result: str) -> str:
    glyph, word = components.RESULTS[result]
    return f"{glyph} {word}"


def settling(rows: PageRows) -> Iterator[Part]:
    """What would settle the results that are open: of the readings that decide, and of what has a number."""
    yield Heading("What would settle what is open")
    lines = []
    for test in rows.read_group(published_licences.matrix) or ():
        clause = clause_of(test, rows.registry)
        # A clause that nobody is under asks for nothing: who the licensee is, is said with the results.
        if clause is None or not clause.tested:
            continue
        lines += [(test, result) for result in _deciding(test) if result.result == "undetermined" and result.settled_by]
    if not lines:
        yield Paragraph("Nothing is open that has a number: each tested clause is settled, or has nobody whom it binds.")
        return
    head = ("Licence", "Reading", "Range against the threshold", "What would settle it")
    yield Grid("Results that can't be told yet", head, [_settled(rows, *line) for line in lines], (30, 22, 30, 92))


def _deciding(test: ClauseRow) -> Sequence[ClauseResult]:
    """The result of record, or where none is, all of them (decision 54)."""
    return [test.of_record] if test.of_record else list(test.results.values())


def _settled(rows: PageRows, test: ClauseRow, result: ClauseResult) -> tuple[str, ...]:
    span = formats.between(result.lower, result.upper, test.threshold) if result.lower is not None else "not measured"
    line = f"{span}; {asks(test)}"
    settled = "; ".join(map(components.plain, result.settled_by))
    return rows.licence_name(test.licence), result.reading.replace("_", " "), line, settled


def adopting(rows: PageRows, figures: MonthFigures) -> Iterator[Part]:
    """What rests on open results, and what there is to do before a product uses a version: the models in use first."""
    yield Heading("Models in use, and what there is to do to adopt one")
    used = rows.read_group(lambda store: find_dependencies(_months(store, rows), rows.registry, rows.today))
    uses = used.uses if used else ()
    if uses:
        lines = [
            (
                product_name(rows.group, str(use.ref)),
                use.use.model,
                "; ".join(text.replace("_", " ") for text in use.open)
                or ", ".join(map(_in_words, use.results))
                or "no threshold in its text",
                "; ".join(use.without_grant) or "–",
            )
            for use in uses
        ]
        yield Grid("Uses of models", ("Product", "Model", "Stands on", "Days without a grant"), lines, (40, 34, 60, 40))
    else:
        yield Paragraph("No product is said to use a model: affiliates/*.yaml would name it under `models`.".replace("`", '"'))
    in_use = [(str(use.ref), use.use.model) for use in uses]
    newest = release_tests.llama_releases(rows.registry)
    asked = dict.fromkeys([*in_use, *((str(ref), newest[-1].id) for ref in (rows.group.products if newest else ()))])
    checks = rows.read_group(lambda store: list(_checks(_months(store, rows), rows, asked))) or []
    yield from _answers(rows, checks)


def _months(store: ContributionStore, rows: PageRows) -> Months:
    # Nothing is measured for a report: what isn't published is said.
    return Months(store, rows.group, measures=False)


def _checks(
    months: Months, rows: PageRows, asked: Iterator[tuple[str, str]] | dict[tuple[str, str], None]
) -> Iterator[AdoptionCheck]:
    for product, version in asked:
        if rows.registry.get(version) is not None:
            yield adoption.check(months, rows.registry, version, product, rows.today)


def _answers(rows: PageRows, checks: Sequence[AdoptionCheck]) -> Iterator[Part]:
    """Products with the same answer and the same to-dos in one row: twenty that differ in their names alone are one matter."""
    alike: dict[tuple[str, bool | None, str, tuple[tuple[str, ...], ...]], list[str]] = {}
    for check in checks:
        to_do = tuple(tuple(_of_any(check, text) for text in item) for item in check.clearance.to_do)
        answer = _of_any(check, check.clearance.answer)
        alike.setdefault((check.version, check.clearance.cleared, answer, to_do), []).append(check.product)
    glyphs = {True: "✓", False: "✕", None: "○"}
    for (version, cleared, answer, to_do), asked in alike.items():
        of_products = (
            "all products"
            if len(asked) == len(rows.group.products)
            else names([product_name(rows.group, name) for name in asked], len(asked))
        )
        yield Paragraph(f"{rows.licence_name(version)} for {of_products}: {glyphs[cleared]} {answer}")
        if to_do:
            yield Grid(
                f"What there is to do: {version}, {names([product_name(rows.group, name) for name in asked], 2)}",
                ("What", "Whom to write to", "By when"),
                to_do,
                (90, 52, 32),
            )
        else:
            yield Paragraph("Nothing is left to do.")


def _of_any(check: AdoptionCheck, text: str) -> str:
    """A text of the check without the product's name, so that products in the same position can share a row."""
    affiliate, _, _ = check.product.partition("/")
    text = text.replace(check.product, "the product")
    for before, after in (("counsel of ", ""), ("accepted for ", ","), ("", ", who answers for")):
        text = text.replace(f"{before}{affiliate}{after}", f"{before}its affiliate{after}")
    return components.plain(text)
