"""How a callback refuses: a status of HTTP, and words that the page shows (`assets/refusals.js`)."""

from typing import NoReturn

import flask


def refuse(status: int, headline: str, next_step: str) -> NoReturn:
    """End a callback with a status and a line of text. The page keeps what it shows, and adds the line."""
    # An answer and no exception by its status: the app's handler gives those words of its own.
    flask.abort(flask.Response(f"{headline.strip()} What to do: {next_step}.", status=status, mimetype="text/plain"))
