"""From an address to what a viewer gets to see: the page in its frame, with a status of HTTP.

An answer is kept until something new is published.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Any

from dash.development.base_component import Component
from plotly.io.json import to_json_plotly

from affiliates.errors import Refusal, RefusedError, did_you_mean, unforeseen_into
from dashboards import formats
from dashboards.web import components, shell
from dashboards.web.answer_cache import AnswerCache
from dashboards.web.first_paint import to_html
from dashboards.web.queries import PageRows
from dashboards.web.router import Parameters, Problem, ProblemError, Route, Router, forbidden, not_found
from dashboards.web.row_source import RowSource, trouble_of
from dashboards.web.viewer import Viewer

_KEPT = 200
"""Answers that are kept at most; each takes 0.1 MB."""
_NAME = f"viewer-{secrets.token_hex(16)}"
"""Stands in kept answers for the viewer's name, which nobody can write into a manifest."""


@dataclass(frozen=True)
class PageAnswer:
    """What an address leads to."""

    status: int
    title: str
    painted: str
    """The page in its frame as HTML: what is read before scripts are there."""
    layout: str
    """The same with its inputs, as Dash's renderer takes it: JSON."""
    state: str
    """What the answer rests on, as `PageRows.state`; empty where nothing could be read."""

    def named(self, name: str) -> "PageAnswer":
        """The answer with a viewer's name in its frame."""
        painted = self.painted.replace(_NAME, escape(name, quote=False))
        return replace(self, painted=painted, layout=self.layout.replace(_NAME, json.dumps(name)[1:-1]))


class Answers:
    """Builds pages for viewers, and keeps them by page, parameters, what the viewer may see and what is published."""

    def __init__(self, source: RowSource, router: Router, clock: Callable[[], datetime]) -> None:
        self._source = source
        self._router = router
        self._clock = clock
        self._kept = AnswerCache[PageAnswer](_KEPT)

    def answer(self, path: str, query: str, viewer: Viewer) -> PageAnswer:
        """What an address leads to, for a viewer; a problem is an answer, too."""
        # All viewers who may see the same share one answer, which knows none of their names.
        anybody = replace(viewer, name=_NAME)
        return self._answer(path, query, viewer, anybody).named(viewer.name)

    def _answer(self, path: str, query: str, viewer: Viewer, anybody: Viewer) -> PageAnswer:
        try:
            route = self._router.resolve(path, query)
            if not route.page.roles & viewer.roles:
                raise forbidden()
            asks = anybody if route.page.is_kept else viewer
            noted = list[Refusal]()
            # A page that fails shows module and line, and nothing of the error's text, which may hold figures.
            with unforeseen_into("the page", noted.append, ProblemError), self._source.rows(asks, self._clock()) as rows:
                if not route.page.is_kept:
                    return self._of_route(route, viewer, anybody, rows)
                key = route.address, anybody, rows.kept_until_changed
                return self._kept.of(key, lambda: self._of_route(route, anybody, anybody, rows))
            return self._of_problem(_as_problem(RefusedError(*noted), 500), anybody)
        except ProblemError as error:
            return self._of_problem(error.problem, anybody)
        except RefusedError as error:
            return self._of_problem(_as_problem(error, 503), anybody)

    def state(self, viewer: Viewer) -> str:
        """What a page that is built now would rest on; empty where nothing can be read."""
        try:
            with self._source.rows(viewer, self._clock()) as rows:
                return rows.state
        except RefusedError:
            return ""

    def _of_route(self, route: Route, viewer: Viewer, anybody: Viewer, rows: PageRows) -> PageAnswer:
        check(route.parameters, rows)
        content = route.page.layout(viewer, route.parameters, rows)
        tree = shell.frame(content, self._router, anybody, route, rows)
        return _written(200, f"{route.page.title} – {rows.group_name}", tree, rows.state)

    def _of_problem(self, problem: Problem, anybody: Viewer) -> PageAnswer:
        tree = shell.frame(components.problem(problem), self._router, anybody, None, None)
        return _written(problem.status, problem.headline, tree, "")


def _written(status: int, title: str, tree: Component, state: str) -> PageAnswer:
    # Written once: for a page of a thousand components this takes longer than all the rest of an answer.
    layout: Any = to_json_plotly(shell.watched(tree, state))
    return PageAnswer(status, title, to_html(tree), layout, state)


def _as_problem(error: RefusedError, status: int) -> Problem:
    trouble = trouble_of(error)
    return Problem(status, trouble.headline, trouble.detail, trouble.next_step)


def check(parameters: Parameters, rows: PageRows) -> None:
    """Check parameters against what is published. Raises `ProblemError` of status 404 for another month or reading."""
    if parameters.reading is not None and parameters.reading not in rows.readings:
        known = ", ".join(rows.readings)
        hint = did_you_mean(parameters.reading, rows.readings)
        raise not_found(f"There is no reading {parameters.reading}.", f"there are {known}{hint}", "choose one of these")
    if parameters.month is not None and parameters.month not in rows.months:
        months = rows.months
        known = f"there are {months[0]:%Y-%m} to {months[-1]:%Y-%m}" if months else "no month is published yet"
        raise not_found(f"{formats.month_name(parameters.month)} isn't published.", known, "choose a published month")
