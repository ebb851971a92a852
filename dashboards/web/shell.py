"""The frame around each page: navigation by the viewer's roles, month and reading, and counsel's words. Pure."""

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from dashboards.web.counsel_legend import legend
from dashboards.web.queries import PageRows
from dashboards.web.router import Route, Router
from dashboards.web.viewer import Viewer

_RENEW_SECONDS = 60


def frame(content: Any, router: Router, viewer: Viewer, route: Route | None, rows: PageRows | None) -> Component:
    """A page in its frame; without a route or rows where the page can't be shown."""
    # Mantine holds the colours of inputs; all that is read is HTML, and is painted without Mantine.
    framed: Component = dmc.MantineProvider(
        [
            html.A("Skip to the figures", href="#page", className="skip"),
            html.Header(
                [html.A("mauwatch", href="/", className="brand"), _navigation(router, viewer, route), *_viewer(viewer)],
                className="top",
            ),
            html.Main(
                [
                    html.Div(_choices(route, rows), className="choices")
                    if route and route.page.has_choices and rows and rows.months
                    else None,
                    html.Div(id="renewed", role="status"),
                    html.Div(id="failure"),
                    html.Div(content, id="content"),
                    html.Footer(legend(rows), className="counsel"),
                ],
                id="page",
                tabIndex="-1",
            ),
        ],
        defaultColorScheme="auto",
        # White on Mantine's usual blue has too little contrast.
        theme={"primaryShade": {"light": 8, "dark": 8}},
    )
    return framed


def watched(page: Component, state: str) -> Component:
    """A page with what notices that figures were published since; `state`: what the page rests on, empty for nothing."""
    whole: Component = html.Div(
        [
            page,
            dcc.Store(id="state", data=state),
            dcc.Interval(id="look-again", interval=_RENEW_SECONDS * 1000, disabled=not state),
        ]
    )
    return whole


def _navigation(router: Router, viewer: Viewer, route: Route | None) -> Component:
    shown = [page for page in router.pages.values() if page.in_navigation and page.roles & viewer.roles]
    # Month and reading go along: the same question on another page.
    query = route.parameters.query(**dict.fromkeys(route.parameters.more)) if route else ""
    here = route.page.path if route else None
    links = [
        html.Li(
            html.A(
                page.title,
                href=f"{page.path}{query}",
                **(components.aria(current="page") if page.path == here else {}),
            )
        )
        for page in shown
    ]
    return html.Nav(html.Ul(links), **components.aria(label="Pages"))


def _viewer(viewer: Viewer) -> list[Component]:
    return [
        html.Span(viewer.name, className="viewer"),
        html.Div(
            dmc.ColorSchemeToggle(
                lightIcon=html.Span("☀", **components.HIDDEN),
                darkIcon=html.Span("☾", **components.HIDDEN),
                variant="default",
                **components.aria(label="Light or dark"),
            ),
            className="switch",
        ),
    ]


def _choices(route: Route, rows: PageRows) -> list[Component]:
    """Month and reading; a choice leads to another address."""
    month = rows.month_of(route.parameters)
    reading = rows.reading(route.parameters.reading, month).name
    months = [{"value": f"{known:%Y-%m}", "label": formats.month_name(known)} for known in reversed(rows.months)]
    readings = [{"value": name, "label": name.replace("_", " ")} for name in rows.readings]
    return [
        _select("month", "Month", months, f"{month:%Y-%m}"),
        _select("reading", "Reading", readings, reading),
    ]


def _select(name: str, label: str, options: list[dict[str, str]], value: str) -> Component:
    select: Component = dmc.Select(
        id=f"choice-{name}",
        label=label,
        data=options,
        value=value,
        allowDeselect=False,
        searchable=True,
        className="choice",
        # The address holds the choice, and no second place.
        persistence=False,
    )
    return select
