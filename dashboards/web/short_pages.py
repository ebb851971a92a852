"""Answers of one sentence: refusals, and the page for logging out. They need no script, no style and no figure."""

from html import escape

from flask import Response, jsonify, make_response, request


def message(status: int, text: str) -> Response:
    """A sentence: as a page for whoever opens one, else as JSON."""
    if request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "text/html"):
        return short_page(status, "mauwatch", text)
    answer = jsonify({"error": text})
    answer.status_code = status
    return answer


def short_page(status: int, title: str, text: str, button: tuple[str, str] | None = None) -> Response:
    """A page with a title and a sentence; `button`: a form's label, and the token that the form sends."""
    form = ""
    if button is not None:
        label, token = button
        form = (
            f'<form method="post"><input type="hidden" name="token" value="{escape(token)}">'
            f'<button type="submit">{escape(label)}</button></form>'
        )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        "<style>body{font:1rem/1.5 system-ui;margin:3rem auto;max-width:40rem;padding:0 1rem}</style>"
        f"</head><body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{form}</main></body></html>"
    )
    return make_response(page, status)
