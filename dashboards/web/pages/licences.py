"""Licences: results by clause and reading with their reasoning, the adoption check, dependencies, month close, evidence."""

from typing import Any

from dash import Dash, html
from dash.development.base_component import Component

from affiliates.errors import RefusedError
from dashboards import formats
from dashboards.web import components, evidence_files, month_closing
from dashboards.web.pages import adoption_form, clause_matrix, clause_reasoning, clause_table, dependency_table, month_close
from dashboards.web.pages.figures_in_words import nothing_published
from dashboards.web.queries import PageRows, product_name
from dashboards.web.router import OF_GROUP, Parameters, WebPage, not_found
from dashboards.web.row_source import RowSource, trouble_of
from dashboards.web.viewer import Viewer
from pipelines.figures import published_licences
from pipelines.figures.figure_cache import FigureCache
from pipelines.figures.months import Months
from pipelines.figures.published_licences import ClauseRow
from pipelines.licences import adoption, release_tests
from pipelines.licences.dependencies import find_dependencies
from pipelines.store.contributions import ContributionStore

PATH = "/licences"
TITLE = "Licences"
ROLES = OF_GROUP


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """All results, and what there is to ask and to do."""
    if not rows.months:
        return nothing_published(TITLE, rows)
    tests = rows.read_group(published_licences.matrix) or ()
    month = parameters.month or rows.months[-1]
    # Shorter than the titles, to stand in one line.
    sections = {
        "results": "Results",
        "adoption": "May a product use a version?",
        "dependencies": "Open results",
        "close": "Sign a month",
        "evidence": "Evidence",
    }
    links = [html.Li(html.A(words, href=f"#{identity}-title")) for identity, words in sections.items()]
    return html.Div(
        [
            html.H1(TITLE),
            html.P(f"{rows.group_name} · all readings beside each other · {_last_run(rows)}", className="about"),
            html.Nav(html.Ul(links, className="line-legend"), **components.aria(label="On this page")),
            components.section("Results by clause and reading", _results(tests, parameters, rows), "results"),
            _reasoning(tests, parameters, rows),
            components.section(sections["adoption"], _adoption(parameters, rows), "adoption"),
            components.section("What rests on an open result", _dependencies(rows), "dependencies"),
            components.section(f"Sign {formats.month_name(month)}", _closing(viewer, parameters, rows), "close"),
            components.section("Evidence", _evidence(viewer, rows), "evidence"),
        ]
    )


def _last_run(rows: PageRows) -> str:
    run = next(iter(rows.last_runs()), None)
    return f"last run {formats.age(run.at, rows.now)}" if run else "no run is noted yet"


def _results(tests: tuple[ClauseRow, ...], parameters: Parameters, rows: PageRows) -> list[Component]:
    if not tests:
        return [components.notice("No result of a clause is published yet.", "", "run it: mauwatch run")]
    untested = [
        (f"{entry.name}, {clause.id}", clause.needs)
        for entry in rows.registry.entries
        for clause in entry.clauses
        if not clause.tested
    ]
    return [
        *clause_matrix.matrix(tests, rows.registry, rows.readings, parameters),
        html.P(
            "Each result leads to its reasoning. The columns are readings: ways to read what a clause leaves open. "
            "A small screen has room for one of them: choose another one above."
        ),
        components.downloads(clause_table.RESULTS.name, ""),
        html.Details(
            [
                html.Summary(f"{len(untested)} clauses that aren't tested here"),
                components.table("What they would need", ("Clause", "Would need"), untested),
            ]
        ),
    ]


def _reasoning(tests: tuple[ClauseRow, ...], parameters: Parameters, rows: PageRows) -> Component | None:
    named = tuple(parameters.more.get(name, "") for name in clause_matrix.KEY)
    if not any(named):
        return None
    test = next((test for test in tests if tuple(getattr(test, name) for name in clause_matrix.KEY) == named), None)
    if test is None:
        asked = ", ".join(filter(None, named))
        raise not_found("There is no such test.", f"{asked} isn't tested", "choose a result on the page Licences")
    record = test.of_record or next(iter(test.results.values()))
    result = test.results.get(parameters.reading) if parameters.reading else record
    if result is None:
        return components.notice(f"This clause has no result under {parameters.reading}.", "", "choose another reading")
    reading = result.reading

    def read(store: ContributionStore) -> Any:
        return published_licences.earlier(store, test.licence, test.clause, test.licensee, test.product, reading)

    return clause_reasoning.reasoning(test, result, rows.read_group(read) or (), rows.registry)


def _months(store: ContributionStore, rows: PageRows) -> Months:
    # Nothing is measured while a reader waits: what isn't published is said.
    return Months(store, rows.group, kept=FigureCache(rows.directory, rows.group), measures=False)


def _adoption(parameters: Parameters, rows: PageRows) -> list[Component]:
    # The newest version of Llama first: that is the one that is asked about.
    llama = list(reversed(rows.registry.family(release_tests.LLAMA)))
    others = [entry for entry in rows.registry.entries if entry.kind == "model_licence" and entry not in llama]
    versions = [(entry.id, entry.name) for entry in (*llama, *others)]
    products = [(str(ref), product_name(rows.group, str(ref))) for ref in rows.group.products]
    form = adoption_form.question(versions, products, parameters)
    version, product = parameters.more.get("adopt", ""), parameters.more.get("into", "")
    if not version and not product:
        return [form]
    if version not in dict(versions):
        raise not_found(f"There is no version {version or 'of no name'}.", "", "choose one on the page Licences")
    if product not in dict(products):
        raise not_found(f"There is no product {product or 'of no name'}.", "", "choose one on the page Licences")

    def read(store: ContributionStore) -> adoption.AdoptionCheck:
        return adoption.check(_months(store, rows), rows.registry, version, product, rows.today)

    try:
        check = rows.read_group(read)
    except RefusedError as error:
        return [form, _trouble(error)]
    return [form, adoption_form.conclusion(check)] if check else [form]


def _dependencies(rows: PageRows) -> Component | None:
    try:
        answer = rows.read_group(lambda store: find_dependencies(_months(store, rows), rows.registry, rows.today))
    except RefusedError as error:
        return _trouble(error)
    return dependency_table.dependencies(answer) if answer else None


def _trouble(error: RefusedError) -> Component:
    trouble = trouble_of(error)
    return components.notice(f"{trouble.headline}.", trouble.detail, trouble.next_step, "problem")


def _closing(viewer: Viewer, parameters: Parameters, rows: PageRows) -> list[Component | None]:
    month = parameters.month or rows.months[-1]
    closing = month_closing.closing(rows, month, parameters.reading)
    if closing is None:
        return [
            components.notice(f"{formats.month_name(month)} isn't published under this reading.", "", "choose another reading")
        ]
    return month_close.check_list(closing, viewer)


def _evidence(viewer: Viewer, rows: PageRows) -> list[Component]:
    if not evidence_files.MAY_HAVE & viewer.roles:
        return [html.P("Counsel downloads evidence: the role is legal.")]
    published = set(rows.months)
    lines = []
    for licence in reversed(release_tests.releases(rows.registry)):
        # Of a month without figures there is nothing to write evidence of.
        if licence.measured_month not in published:
            continue
        signed = any(publication.signed for (month, _), publication in rows.in_force.items() if month == licence.measured_month)
        links = [
            html.Li(html.A(file.what, href=f"/evidence/{file.name}?licence={licence.id}", download=f"{licence.id}-{file.name}"))
            for file in evidence_files.FILES
        ]
        state = "signed" if signed else "preliminary: nobody has signed the month"
        tested = f"{formats.month_name(licence.measured_month)}, {state}"
        lines.append(([licence.name, html.Br(), html.Span(tested, className="detail")], html.Ul(links)))
    if not lines:
        return [components.notice("No month that a release tests is published.", "", "bring its contributions, and run again")]
    return [
        html.P("Each file is made when it is asked for, and checked as its reader would: that takes some seconds."),
        components.table("Evidence by version", ("Version, month tested, state", "Files"), lines),
    ]


def _register(app: Dash, source: RowSource) -> None:
    month_close.register(app, source)
    evidence_files.register(app.server, source)


PAGE = WebPage(
    PATH,
    TITLE,
    ROLES,
    layout,
    charts=(clause_table.RESULTS,),
    takes=frozenset({*clause_matrix.KEY, "adopt", "into"}),
    callbacks={month_close.ANSWER: month_close.MAY_SIGN},
    register=_register,
    files=evidence_files.PATHS,
)
