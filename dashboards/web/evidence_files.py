"""Evidence of a licence's test for download: the page to read, and the bundles, each checked before it goes."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, abort, request, send_file

from affiliates.errors import Code, RefusedError, refused
from dashboards.report import pdf
from dashboards.web.row_source import RowSource, trouble_of
from dashboards.web.viewer import Role, current_viewer
from pipelines.evidence import documents, leftovers, write
from pipelines.evidence.verify import check
from pipelines.licences import release_tests
from pipelines.workspace import Workspace

MAY_HAVE = frozenset({Role.legal})
"""Evidence names the group's figures to the person, and the expert bundle holds personal data."""


class EvidenceFile(NamedTuple):
    """One of the files that evidence consists of."""

    kind: write.Kind
    name: str
    """As the folder of evidence has it."""
    what: str


FILES = (
    EvidenceFile("outside", documents.PAGE, "PDF to read, for the licensor or a court"),
    EvidenceFile("outside", "outside.zip", "bundle for the outside: figures, method, membership, digests"),
    EvidenceFile("expert", "expert.zip", "bundle for an expert, with the sketches: personal data"),
    EvidenceFile("privileged", write.PRIVILEGED_PAGE, "PDF under all readings, for counsel alone"),
    EvidenceFile("privileged", "privileged.zip", "bundle under all readings, for counsel alone"),
)
PATHS = {f"/evidence/{file.name}": MAY_HAVE for file in FILES}


def register(server: Flask, source: RowSource, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Add the route: /evidence/FILE?licence=ID."""

    def evidence_file(name: str) -> Response:
        file = next((known for known in FILES if known.name == name), None)
        if file is None:
            abort(404)
        if not MAY_HAVE & current_viewer().roles:
            abort(403)
        # Left out without a word, a slip in `licence` would be another licence's evidence.
        if unknown := sorted(set(request.args) - {"licence"}):
            return _refusal(400, "The address has a parameter that evidence doesn't take.", f"leave out {unknown[0][:40]}")
        try:
            content = _made(source, file, request.args.get("licence", ""), clock())
        except RefusedError as error:
            trouble = trouble_of(error)
            is_unknown = error.refusals[0].code is Code.LICENCE_UNTESTABLE
            return _refusal(404 if is_unknown else 409, f"{trouble.headline}. {trouble.detail}", trouble.next_step)
        licence = request.args["licence"]
        return send_file(content, as_attachment=True, download_name=f"{licence}-{file.name}", max_age=0)

    server.add_url_rule("/evidence/<name>", "evidence_file", evidence_file)


def _refusal(status: int, headline: str, next_step: str) -> Response:
    return Response(f"{headline.strip()} What to do: {next_step}.\n", status=status, mimetype="text/plain")


def _made(source: RowSource, file: EvidenceFile, licence: str, now: datetime) -> BytesIO:
    """The file, made anew. Raises `RefusedError`: for a licence without a test, and for evidence that doesn't hold."""
    manifests = source.manifests.read()
    directory = source.manifests.directory
    known = {entry.id: entry for entry in release_tests.releases(manifests.registry)}
    if licence not in known:
        raise refused(
            Code.LICENCE_UNTESTABLE, "the licence", "has no test at its release", licence[:40], "choose one of the page"
        )
    settings = manifests.group.settings
    font = directory / settings.evidence_font if settings.evidence_font else None
    page = partial(pdf.pdf, font=font)
    filing = write.Filing([file.kind], page_made_with=pdf.made_with(font))
    # In memory, since the room is gone before the answer is sent; an expert's bundle of the demo has 17 MB.
    content = BytesIO()
    with leftovers.room_in(directory, directory / ".mauwatch") as room:
        with Workspace(directory, manifests.group, now) as workspace:
            write.write(workspace, known[licence], room, filing, page)
        # Nobody may get what doesn't hold: the page comes from the bundle, so the bundle is checked in any case.
        if wrong := check(room / f"{file.kind}.zip", page=page, page_made_with=filing.page_made_with).wrong:
            raise refused(
                Code.EVIDENCE_UNWRITABLE,
                file.name,
                "doesn't hold, and isn't handed out",
                "; ".join(wrong[:3]),
                "run again, or restate the month",
            )
        _copy(room / file.name, content)
    content.seek(0)
    return content


def _copy(path: Path, to: BytesIO) -> None:
    with path.open("rb") as opened:
        shutil.copyfileobj(opened, to)
