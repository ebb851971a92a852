"""The scripts of a page, in the order in which a visitor waits for them: asked for at once, run after the first paint, and sent
from memory.

All that Dash names goes as one script: twelve requests at once would keep the first paint waiting.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from werkzeug.test import Client

_SCRIPT = re.compile(r'<script src="([^"]+)"></script>\n?')
_RENDERER = re.compile(r'<script id="_dash-renderer"[^>]*>[^<]*</script>\n?')
_DATA = re.compile(r'<script [^>]*type="application/json"')
_KEPT = re.compile(r'(?:src|href|data-plotly[a-z-]*)="(/(?:assets|_dash-component-suites)/[^"]+)"')
_HEADERS = ("Cache-Control", "Content-Encoding", "Vary")


def address(asset: Path) -> str:
    """The address of an asset, which changes with its content, so that browsers may keep it for good."""
    return f"/assets/{asset.name}?m={sha256(asset.read_bytes()).hexdigest()[:12]}"


class PageScripts:
    """The scripts of one application."""

    def __init__(self, server: Flask) -> None:
        self._server = server
        self._parts: list[str] = []
        self._address = ""
        self._kept: dict[str, tuple[bytes, str, dict[str, str]]] = {}
        server.before_request(self._from_memory)

    def rewritten(self, index: str) -> str:
        """Dash's index with one script in the place of all, which `assets/start.js` runs once the page is painted.

        Raises `ValueError` where a script stands in the page itself: it would run before the others.
        """
        head, end, body = index.partition("</head>")
        parts = _SCRIPT.findall(body)
        body = _RENDERER.sub("", _SCRIPT.sub("", body))
        # Data is no script.
        if not parts or "<script" in _DATA.sub("", body):
            raise ValueError("Dash's index has other scripts than were expected")
        self._parts = parts
        # Addresses say the versions: other scripts have another address together, too.
        self._address = f"/assets/page.js?m={sha256(chr(10).join(parts).encode()).hexdigest()[:12]}"
        return f'{head}<link rel="preload" as="script" href="{self._address}" id="page-scripts">\n{end}{body}'

    def keep(self, environ: dict[str, Any]) -> None:
        """Make all that the first page names before somebody asks for it: no visitor waits for brotli, no worker for a file.

        `environ` marks the requests as the server's own. Sets Dash up, too, which takes the first request.
        """
        client = Client(self._server)
        brotli = {"Accept-Encoding": "br"}
        for path in _KEPT.findall(client.get("/", environ_overrides=environ).text):
            answer = client.get(path, headers=brotli, environ_overrides=environ, buffered=True)
            if answer.status_code == 200 and answer.headers.get("Content-Encoding") == "br":
                self._kept[path] = answer.data, str(answer.mimetype), {name: answer.headers[name] for name in _HEADERS}

    def _from_memory(self) -> Response | None:
        if request.method not in ("GET", "HEAD") or not request.path.startswith(("/assets/", "/_dash-component-suites/")):
            return None
        # The query is part of the address: another version is another script.
        path = request.full_path.rstrip("?")
        known = self._kept.get(path) if request.accept_encodings.find("br") >= 0 else None
        if known is not None:
            content, mimetype, headers = known
            return Response(content, mimetype=mimetype, headers=headers)
        return Response(self._together(), mimetype="text/javascript") if path == self._address else None

    def _together(self) -> str:
        """All parts as one script, each on its own lines."""
        client = Client(self._server)
        # The server's own requests say so in their environment.
        marks = {name: value for name, value in request.environ.items() if name.startswith("mauwatch.")}
        answers = [client.get(part, base_url=request.host_url, environ_overrides=marks, buffered=True) for part in self._parts]
        if any(answer.status_code != 200 for answer in answers):
            raise RuntimeError("a script of the page can't be read")
        return "\n;\n".join(answer.text for answer in answers)
