"""The monthly report for download: as HTML and as PDF, made of what is published when somebody asks."""

from collections.abc import Callable
from datetime import UTC, datetime

from dash import html
from dash.development.base_component import Component
from flask import Flask, Response, abort, request

from affiliates.errors import Code, RefusedError
from affiliates.manifests.report_settings import file_name
from dashboards.web import monthly_report
from dashboards.web.answers import check
from dashboards.web.router import OF_GROUP, Parameters, ProblemError, WebPage, parameters_of
from dashboards.web.row_source import RowSource, trouble_of
from dashboards.web.viewer import current_viewer

KINDS = {"html": ("text/html", "to read in a browser, and to print"), "pdf": ("application/pdf", "to send and to file")}
"""By suffix, the type and what the file is."""
PATHS = {f"/report/monthly.{kind}": OF_GROUP for kind in KINDS}
"""Who may have them: whoever sees the group's figures. An affiliate's own people don't."""


def links(parameters: Parameters) -> Component:
    """The links on a page, for its month and reading."""
    items = [
        html.Li(html.A(f"{kind.upper()}, {what}", href=f"/report/monthly.{kind}{parameters.query()}", download=""))
        for kind, (_, what) in KINDS.items()
    ]
    return html.Ul(items)


def register(server: Flask, source: RowSource, page: WebPage, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Add the route: /report/monthly.KIND, with month and reading as the page `page` takes them."""

    def monthly_file(kind: str) -> Response:
        if kind not in KINDS:
            abort(404)
        viewer = current_viewer()
        if not OF_GROUP & viewer.roles:
            abort(403)
        try:
            parameters = parameters_of(page, request.query_string.decode("utf-8", "replace"))
            # By the report's own reader: two people who ask get the same bytes.
            with source.rows(monthly_report.READER, clock()) as rows:
                check(parameters, rows)
                made = monthly_report.of_rows(rows, parameters.month, parameters.reading)
        except ProblemError as error:
            return _refusal(error.problem.status, f"{error.problem.headline} {error.problem.detail}", error.problem.next_step)
        except RefusedError as error:
            trouble = trouble_of(error)
            is_missing = error.refusals[0].code is Code.FIGURE_MISSING
            return _refusal(404 if is_missing else 503, f"{trouble.headline}. {trouble.detail}", trouble.next_step)
        name = file_name(made.month, kind)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(made.html if kind == "html" else made.pdf, mimetype=KINDS[kind][0], headers=headers)

    server.add_url_rule("/report/monthly.<kind>", "monthly_report", monthly_file)


def _refusal(status: int, headline: str, next_step: str) -> Response:
    return Response(f"{headline.strip()} What to do: {next_step}.\n", status=status, mimetype="text/plain")
