"""Addresses of a chart's data: /chart/NAME.json for the drawing, .svg, .csv and .xlsx. Each is checked like its page."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flask import Flask, Response, abort, request

from affiliates.errors import RefusedError
from dashboards.web import table_files
from dashboards.web.answer_cache import AnswerCache
from dashboards.web.answers import check
from dashboards.web.counsel_legend import legend
from dashboards.web.queries import PageRows
from dashboards.web.router import Chart, Parameters, ProblemError, Router, parameters_of
from dashboards.web.row_source import RowSource
from dashboards.web.viewer import current_viewer

_KEPT = 200
"""Drawings that are kept at most; each takes some kilobytes."""
_DRAWN = ("json", "svg")
"""What a page asks for by itself."""


def register(server: Flask, source: RowSource, router: Router, clock: Callable[[], datetime]) -> None:
    """Add the route. `clock` gives the moment that ages are counted to."""

    drawings = AnswerCache[Response](_KEPT)

    def chart_data(name: str, kind: str) -> Response:
        known = router.charts.get(name)
        writer = _WRITERS.get(kind)
        if known is None or writer is None:
            abort(404)
        chart, page = known
        viewer = current_viewer()
        if not page.roles & viewer.roles:
            abort(403)
        try:
            parameters = parameters_of(page, request.query_string.decode("utf-8", "replace"))
            # Those who may see the same see one drawing; what a viewer makes is drawn for nobody else.
            is_kept = page.is_kept and kind in _DRAWN
            asks = replace(viewer, name="") if is_kept else viewer
            with source.rows(asks, clock()) as rows:

                def written() -> Response:
                    check(parameters, rows)
                    return writer(chart, parameters, rows)

                if not is_kept:
                    return written()
                answer = drawings.of((name, kind, parameters.query(), asks, rows.kept_until_changed), written)
                return Response(answer.get_data(), status=answer.status, mimetype=answer.mimetype)
        except ProblemError as error:
            return _refusal(error.problem.status, error.problem.headline, error.problem.next_step)
        except RefusedError:
            return _refusal(503, "The figures can't be read.", "look at the page itself")

    server.add_url_rule("/chart/<name>.<kind>", "chart_data", chart_data)


def _refusal(status: int, headline: str, next_step: str) -> Response:
    return Response(f"{headline} What to do: {next_step}.\n", status=status, mimetype="text/plain")


def _json(chart: Chart, parameters: Parameters, rows: PageRows) -> Response:
    figure = chart.figure(rows, parameters)
    # Nothing to draw is no empty drawing: axes without a line would say that there is nobody.
    if figure is None:
        return _refusal(404, "There is nothing to draw.", "choose another month")
    words = [*chart.table(rows, parameters).notes, legend(rows)]
    content = {"title": chart.title, "words": words, **figure}
    return Response(json.dumps(content, separators=(",", ":")), mimetype="application/json")


def _svg(chart: Chart, parameters: Parameters, rows: PageRows) -> Response:
    picture = chart.svg(rows, parameters) if chart.svg else None
    return (
        _refusal(404, "There is nothing to draw.", "choose another month")
        if picture is None
        else Response(picture, mimetype="image/svg+xml")
    )


def _csv(chart: Chart, parameters: Parameters, rows: PageRows) -> Response:
    return _file(table_files.csv(chart.table(rows, parameters)), f"{chart.name}.csv", "text/csv")


def _xlsx(chart: Chart, parameters: Parameters, rows: PageRows) -> Response:
    content = table_files.workbook(chart.table(rows, parameters), legend(rows))
    return _file(content, f"{chart.name}.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def _file(content: bytes, name: str, mimetype: str) -> Response:
    return Response(content, mimetype=mimetype, headers={"Content-Disposition": f'attachment; filename="{name}"'})


_WRITERS: dict[str, Callable[[Chart, Parameters, PageRows], Response]] = {"json": _json, "svg": _svg, "csv": _csv, "xlsx": _xlsx}
