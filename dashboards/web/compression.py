"""Answers by brotli: scripts and styles once and for good, pages and figures each time. Nothing else is sent shorter."""

from functools import lru_cache

import cramjam
from flask import Flask, Response, request

_LEAST = 500
"""Bytes below which an answer isn't worth it."""
_TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")
_FOR_GOOD = 9
_EACH_TIME = 4
"""Brotli's quality: 11 takes four seconds for all scripts, 9 a third of one for 8 % more bytes; 4 a millisecond for a page."""
_YEAR = 365 * 24 * 3600


def install(server: Flask) -> None:
    """Compress what the server answers, and let browsers keep scripts whose address says their version."""

    @server.after_request
    def compressed(response: Response) -> Response:
        is_script = request.path.startswith(("/assets/", "/_dash-component-suites/"))
        if is_script and response.status_code == 200 and _says_version():
            response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
        return _by_brotli(response, is_script)


def _says_version() -> bool:
    """Whether the address of a script changes with the script: by Dash's fingerprint, a time of change, or its own name."""
    name = request.path.rpartition("/")[2]
    return "m" in request.args or ".v" in name or name.startswith("plotly-")


def _by_brotli(response: Response, is_script: bool) -> Response:
    # Every browser of the last years takes brotli; what doesn't gets the answer as it is.
    accepted = request.accept_encodings.find("br") >= 0
    if not accepted or response.status_code not in (200, 400, 403, 404, 500, 503) or "Content-Encoding" in response.headers:
        return response
    if not (response.mimetype or "").startswith(_TEXTS):
        return response
    # A file is sent as it lies there, unless asked otherwise.
    response.direct_passthrough = False
    sent = response.response
    content = response.get_data()
    # The file that was to be sent: nobody else closes it once its content has another body.
    if hasattr(sent, "close"):
        sent.close()
    if len(content) < _LEAST:
        return response
    response.set_data(_compressed_once(content) if is_script else _brotli(content, _EACH_TIME))
    response.headers["Content-Encoding"] = "br"
    response.headers["Content-Length"] = str(response.calculate_content_length())
    response.vary.add("Accept-Encoding")
    return response


@lru_cache(maxsize=64)
def _compressed_once(content: bytes) -> bytes:
    return _brotli(content, _FOR_GOOD)


def _brotli(content: bytes, quality: int) -> bytes:
    return bytes(cramjam.brotli.compress(content, level=quality))
