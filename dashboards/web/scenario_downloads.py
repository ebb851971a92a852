"""A saved scenario's files by an address: workbook, page, picture for a slide, rows; each checked like the scenario's page."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import flask
from flask import Flask, Response, request

from affiliates.errors import RefusedError
from dashboards.report import scenario_files
from dashboards.web.router import ProblemError
from dashboards.web.row_source import RowSource
from dashboards.web.scenario_rows import scenario_of
from dashboards.web.viewer import Role, current_viewer

KINDS = {
    "xlsx": ("Workbook", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "png": ("Slide as PNG", "image/png"),
    "svg": ("Slide as SVG", "image/svg+xml"),
    "html": ("Page", "text/html"),
    "csv": ("Months as CSV", "text/csv"),
}
"""By ending, a file's name for a reader and its type."""
_LONGEST = 18


def register_files(server: Flask, source: RowSource) -> None:
    """Add the route /chart/scenario.KIND?scenario=NUMBER: it goes before that of charts, whose names are any."""

    def scenario_file(kind: str) -> Response:
        viewer = current_viewer()
        if Role.deals not in viewer.roles:
            flask.abort(403)
        number = request.args.get("scenario", "")
        if not number.isascii() or not number.isdecimal() or len(number) > _LONGEST:
            flask.abort(400)
        try:
            # The viewer's name stands in the query: a download is checked like its page.
            with source.rows(viewer, datetime.now(UTC)) as rows:
                answer = scenario_of(rows, int(number)).answer
        except ProblemError as error:
            text = f"{error.problem.headline} What to do: {error.problem.next_step}.\n"
            return Response(text, status=error.problem.status, mimetype="text/plain")
        except RefusedError:
            return Response("The scenarios can't be read.\n", status=503, mimetype="text/plain")
        audit = flask.current_app.extensions.get("mauwatch_audit")
        # A page's pictures aren't noted by themselves; a slide is a download.
        if kind == "svg" and audit is not None:
            audit.note(viewer.name, "downloaded", "/chart/scenario.svg", [("scenario", number)])
        # The same name for all: a folder of another user's scenarios would show a deal's.
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"scenario.{kind}"
            scenario_files.write(answer, path)
            content = path.read_bytes()
        name = f"scenario-{int(number)}.{kind}"
        return Response(content, mimetype=KINDS[kind][1], headers={"Content-Disposition": f'attachment; filename="{name}"'})

    endings = ",".join(KINDS)
    server.add_url_rule(f"/chart/scenario.<any({endings}):kind>", "scenario_file", scenario_file)
