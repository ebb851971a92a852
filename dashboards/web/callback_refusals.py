"""How a callback refuses: a status of HTTP, and words that the page shows (`assets/refusals.js`)."""

from collections.abc import Callable
from typing import NoReturn

import flask

from affiliates.errors import Code, RefusedError

_OF_FORM = frozenset({Code.USAGE_INVALID, Code.SCENARIO_INVALID, Code.SCENARIO_CONTRADICTORY})
"""What is wrong with what was sent; all else is so in the store, or isn't so any more."""


def refuse(status: int, headline: str, next_step: str) -> NoReturn:
    """End a callback with a status and a line of text. The page keeps what it shows, and adds the line."""
    # An answer and no exception by its status: the app's handler gives those words of its own.
    flask.abort(flask.Response(f"{headline.strip()} What to do: {next_step}.", status=status, mimetype="text/plain"))


def refuse_by(error: RefusedError, where: Callable[[str], str] = str) -> NoReturn:
    """End a callback with all that is refused: 400 where a form's values are wrong, 409 where the store says otherwise.

    `where` gives a subject as the form calls it. A command in a next step is left out: the reader has the page.
    """
    told = " ".join(f"{where(refusal.subject)} {refusal.rule}: {refusal.values}." for refusal in error.refusals)
    next_step = error.refusals[0].next_step.partition(": mauwatch")[0]
    status = 400 if all(refusal.code in _OF_FORM for refusal in error.refusals) else 409
    refuse(status, told, "correct it in the form" if "whatif new" in error.refusals[0].next_step else next_step)
