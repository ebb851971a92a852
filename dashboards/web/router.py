"""From an address to a page with checked parameters, or to what is wrong with the address. Pure.

An own router and not Dash's: that one puts each page's layout into the page of every visitor, and answers 200 for a page that
isn't there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from affiliates.errors import did_you_mean, in_plain_sight
from affiliates.periods import month_from_text
from dashboards.web.viewer import Role, Viewer

if TYPE_CHECKING:
    from dash import Dash
    from dash.development.base_component import Component

    from dashboards.charts.table import Table
    from dashboards.web.queries import PageRows

EVERYBODY = frozenset(Role)
OF_GROUP = EVERYBODY - {Role.affiliate}
"""Who may see figures of the whole group."""
_LONGEST = 200
"""Characters of a parameter's value at most."""
_ID = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Parameters:
    """What an address says beside the page: all of it checked for its form, and nothing for what is published."""

    month: date | None = None
    """The month's first day; null for the newest."""
    reading: str | None = None
    """The reading's name; null for the reading of record."""
    id: int | None = None
    """The number after the page's path, such as an alert's."""
    more: Mapping[str, str] = field(default_factory=dict)
    """The page's own parameters."""

    def query(self, **changes: str | None) -> str:
        """The parameters as an address has them, with its question mark; empty for none. A change of null leaves one out."""
        values = {"month": self.month and f"{self.month:%Y-%m}", "reading": self.reading, **self.more, **changes}
        given = {name: value for name, value in values.items() if value}
        return f"?{urlencode(given)}" if given else ""


@dataclass(frozen=True)
class Problem:
    """Why an address leads to no page, or a page can't be shown: a status of HTTP, and what the page says."""

    status: int
    headline: str
    detail: str
    next_step: str


@dataclass(frozen=True)
class Chart:
    """A picture on a page, and the numbers behind it."""

    name: str
    """Its place in an address: /chart/NAME.csv."""
    title: str
    figure: Callable[["PageRows", Parameters], Mapping[str, Any] | None]
    """Plotly's figure as JSON; null where there is nothing to draw."""
    table: Callable[["PageRows", Parameters], "Table"]
    """The same numbers, for CSV, Excel and whoever doesn't see the picture."""
    svg: Callable[["PageRows", Parameters], str | None] | None = None
    """A plain picture for the time until scripts are there."""
    has_cells: bool = False
    """Whether the drawing is a heat map, which takes a larger script."""


@dataclass(frozen=True)
class WebPage:
    """A page: a module of `pages` names one."""

    path: str
    title: str
    roles: frozenset[Role]
    """Who may see the page, its charts and its downloads."""
    layout: Callable[[Viewer, Parameters, "PageRows"], "Component"]
    """What the page shows; of `html` components alone what is read. Raises `ProblemError`."""
    takes: frozenset[str] = frozenset()
    """The page's own parameters, beside month and reading."""
    takes_id: bool = False
    """Whether a number may stand after the path."""
    charts: tuple[Chart, ...] = ()
    callbacks: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    """The page's callbacks by their output, as Dash posts it, with the roles that may call them."""
    register: Callable[["Dash", Any], None] | None = None
    """Registers the callbacks; is called once, with the app and the `RowSource` of rows."""
    files: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    """Addresses of files that the page offers beside its charts' data, with the roles that may have them."""
    in_navigation: bool = True
    has_choices: bool = True
    """Whether month and reading can be chosen on the page."""
    is_kept: bool = True
    """Whether an answer is kept until something is published; false where the page shows what a viewer makes."""


@dataclass(frozen=True)
class Route:
    """A page and its parameters."""

    page: WebPage
    parameters: Parameters

    @property
    def address(self) -> str:
        """The address that leads here."""
        number = "" if self.parameters.id is None else f"/{self.parameters.id}"
        return f"{self.page.path}{number}{self.parameters.query()}"


class ProblemError(Exception):
    """A page can't be shown as it was asked for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.headline)
        self.problem = problem


def not_found(what: str, detail: str = "", next_step: str = "choose a page from the navigation") -> ProblemError:
    """The error for what isn't there."""
    return ProblemError(Problem(404, what, detail, next_step))


def bad_request(what: str, detail: str, next_step: str) -> ProblemError:
    """The error for a parameter that can't be read."""
    return ProblemError(Problem(400, what, detail, next_step))


def forbidden() -> ProblemError:
    """The error for a page that the viewer's roles don't allow."""
    return ProblemError(
        Problem(403, "This page isn't for your role.", "", "ask whoever gave you access, or choose a page from the navigation")
    )


class Router:
    """The pages by their paths."""

    def __init__(self, pages: Sequence[WebPage]) -> None:
        self.pages = {page.path: page for page in pages}
        self.files = {path: roles for page in pages for path, roles in page.files.items()}
        self.charts = {chart.name: (chart, page) for page in pages for chart in page.charts}

    def page_of(self, path: str) -> WebPage | None:
        """The page of a path without its parameters; null for an unknown path."""
        # A path with a number is another one than its page's, so neither can stand for the other.
        if path in self.pages:
            return self.pages[path]
        parent, _, number = path.rpartition("/")
        page = self.pages.get(parent)
        return page if page is not None and page.takes_id and _ID.fullmatch(number) else None

    def roles_of(self, path: str) -> frozenset[Role] | None:
        """Who may ask for a path: a page, a chart's data, or a file; null for an unknown path."""
        if path in self.files:
            return self.files[path]
        if path.startswith("/chart/"):
            named = self.charts.get(path.removeprefix("/chart/").rpartition(".")[0])
            return named[1].roles if named else None
        page = self.page_of(path)
        return page.roles if page else None

    def resolve(self, path: str, query: str) -> Route:
        """The page of an address. Raises `ProblemError`: 404 for an unknown path, 400 for a parameter that can't be read."""
        page = self.page_of(path)
        if page is None:
            raise not_found(
                "There is no such page.", f"{_shown(path)}{did_you_mean(path, self.pages)}", "choose a page from the navigation"
            )
        number = int(path.rpartition("/")[2]) if path not in self.pages else None
        return Route(page, parameters_of(page, query, number))


def parameters_of(page: WebPage, query: str, number: int | None = None) -> Parameters:
    """What a query says, checked. Raises `ProblemError` of status 400 for an unknown, repeated or unreadable parameter."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
        known = {"month", "reading", *page.takes}
        if name not in known:
            raise bad_request(
                "The address has a parameter that this page doesn't take.",
                f"{_shown(name)}{did_you_mean(name, known)}",
                "leave it out",
            )
        # Twice, and one of them would be ignored without a word.
        if name in values:
            raise bad_request("The address has a parameter twice.", name, "leave one of them out")
        if len(value) > _LONGEST:
            raise bad_request("A parameter of the address is too long.", f"{name}: {len(value)} characters", "shorten it")
        values[name] = value
    month_text = values.pop("month", "")
    reading = values.pop("reading", "") or None
    return Parameters(_month(month_text) if month_text else None, reading, number, values)


def _month(text: str) -> date:
    try:
        return month_from_text(text)
    except ValueError:
        raise bad_request("The month can't be read.", f"month={_shown(text)}", "write it as YYYY-MM, such as 2026-10") from None


def _shown(text: str) -> str:
    """A text from an address in a message: short, and without signs that nobody sees."""
    visible = in_plain_sight(text)
    return visible if len(visible) <= 60 else f"{visible[:60]}…"
