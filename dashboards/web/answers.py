"""From an address to what a viewer gets to see: the page in its frame, with a status of HTTP.

An answer is kept until something new is published.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from dash.development.base_component import Component

from affiliates.errors import Refusal, RefusedError, did_you_mean, unforeseen_into
from dashboards import formats
from dashboards.web import components, shell
from dashboards.web.queries import PageRows
from dashboards.web.router import Parameters, Problem, ProblemError, Route, Router, forbidden, not_found
from dashboards.web.row_source import RowSource, trouble_of
from dashboards.web.viewer import Viewer

_KEPT = 200
"""Answers that are kept at most."""


@dataclass(frozen=True)
class PageAnswer:
    """What an address leads to."""

    status: int
    title: str
    tree: Component
    """The page in its frame."""
    state: str
    """What the answer rests on, as `PageRows.state`; empty where nothing could be read."""


class Answers:
    """Builds pages for viewers, and keeps them by page, parameters, the viewer's scope and what is published."""

    def __init__(self, source: RowSource, router: Router, clock: Callable[[], datetime]) -> None:
        self._source = source
        self._router = router
        self._clock = clock
        self._kept = OrderedDict[object, PageAnswer]()
        self._lock = Lock()

    def answer(self, path: str, query: str, viewer: Viewer) -> PageAnswer:
        """What an address leads to, for a viewer; a problem is an answer, too."""
        try:
            route = self._router.resolve(path, query)
            if not route.page.roles & viewer.roles:
                raise forbidden()
            noted = list[Refusal]()
            # A page that fails shows module and line, and nothing of the error's text, which may hold figures.
            with unforeseen_into("the page", noted.append, ProblemError), self._source.rows(viewer, self._clock()) as rows:
                return self._of_route(route, viewer, rows)
            return self._of_problem(_as_problem(RefusedError(*noted), 500), viewer)
        except ProblemError as error:
            return self._of_problem(error.problem, viewer)
        except RefusedError as error:
            return self._of_problem(_as_problem(error, 503), viewer)

    def state(self, viewer: Viewer) -> str:
        """What a page that is built now would rest on; empty where nothing can be read."""
        try:
            with self._source.rows(viewer, self._clock()) as rows:
                return rows.state
        except RefusedError:
            return ""

    def _of_route(self, route: Route, viewer: Viewer, rows: PageRows) -> PageAnswer:
        # All that an answer depends on stands in its key: a viewer's name is written on the page. It is kept for a minute at
        # most: ages grow, and runs and deliveries come without a publication.
        key = route.address, viewer, rows.state, rows.files, f"{rows.now:%Y-%m-%d %H:%M}"
        with self._lock:
            if route.page.is_kept and key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        check(route.parameters, rows)
        content = route.page.layout(viewer, route.parameters, rows)
        tree = shell.frame(content, self._router, viewer, route, rows)
        answer = PageAnswer(200, f"{route.page.title} – {rows.group_name}", tree, rows.state)
        if not route.page.is_kept:
            return answer
        # Two requests may have built the same page: the later one replaces an equal one.
        with self._lock:
            self._kept[key] = answer
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return answer

    def _of_problem(self, problem: Problem, viewer: Viewer) -> PageAnswer:
        tree = shell.frame(components.problem(problem), self._router, viewer, None, None)
        return PageAnswer(problem.status, problem.headline, tree, "")


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
