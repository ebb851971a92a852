"""A scenario's charts for a page, by plotly: months, frontier and what matters most.

Texts of the scenario's writer are escaped: plotly obeys some of HTML's tags, links among them, in titles and labels.
"""

import html
from typing import Any

from dashboards.charts import scenario
from dashboards.charts.scenario import BAND, BAR, INK, LINE, OVER, SOFT
from dashboards.formats import about, chance, short
from pipelines.scenarios.answer import ScenarioAnswer

_LAYOUT: dict[str, Any] = {"template": "plotly_white", "font": {"color": INK, "size": 14}, "margin": {"t": 60, "l": 80, "r": 30}}


def charts(answer: ScenarioAnswer) -> list[str]:
    """The charts as HTML to stand in a page, the first with all of plotly's script; nothing is fetched from elsewhere."""
    figures = [_months(answer)]
    if answer.frontier is not None:
        figures.append(_frontier(answer))
    if answer.tornado:
        figures.append(_tornado(answer))
    texts = []
    for number, figure in enumerate(figures):
        # The same answer is the same page: plotly would draw a random name for the chart.
        options = {"full_html": False, "include_plotlyjs": number == 0, "div_id": f"chart-{number}"}
        texts.append(str(figure.to_html(**options, config={"displaylogo": False, "responsive": True})))
    return texts


def _text(text: str) -> str:
    """A text of the scenario's writer as plotly shows it unchanged."""
    return html.escape(scenario.one_line(text), quote=False)


def _months(answer: ScenarioAnswer) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [month.month for month in answer.months]
    lines = scenario.month_lines(answer)
    line = answer.threshold_after
    chances = [
        f"P({scenario.over(answer.comparator)}) {chance(month.after.probability_over)}, "
        f"by the range {scenario.by_range(month.after.probability_over_by_range)}"
        for month in answer.months
    ]
    for name, key, fill in (("after, 2.5 %", "low", None), ("after, 97.5 %", "high", "tonexty")):
        texts = [short(number, line) for number in lines[key]]
        figure.add_scatter(
            x=names,
            y=lines[key],
            text=texts,
            name="after, 95 % of the paths",
            mode="lines",
            line={"width": 0},
            fill=fill,
            fillcolor=BAND,
            showlegend=fill is not None,
            hovertemplate=f"%{{x}} %{{text}}<extra>{name}</extra>",
        )
    for name, key, style in (
        ("before, middle", "before", {"color": SOFT, "dash": "dash", "width": 2}),
        ("after, middle", "after", {"color": LINE, "width": 3}),
    ):
        texts = [short(number, line) for number in lines[key]]
        if key == "after":
            texts = [f"{text}, {said}" for text, said in zip(texts, chances, strict=True)]
        figure.add_scatter(
            x=names,
            y=lines[key],
            text=texts,
            name=name,
            mode="lines+markers",
            line=style,
            marker={"size": 5},
            hovertemplate=f"%{{x}} %{{text}}<extra>{name}</extra>",
        )
    limits = scenario.axis_of(answer)
    if limits.shows_threshold:
        above, left = scenario.quiet_corner(answer)
        figure.add_hline(
            line,
            line_color=OVER,
            annotation_text=html.escape(scenario.threshold_text(answer), quote=False),
            annotation_position=f"{'top' if above else 'bottom'} {'left' if left else 'right'}",
            annotation_font_color=OVER,
        )
    figure.update_layout(**_LAYOUT, height=460, legend={"orientation": "h", "y": 1.12}, hovermode="x unified")
    figure.update_xaxes(type="category")
    title = f"people (the axis begins at {limits.low:,})" if limits.low else "people"
    figure.update_yaxes(title_text=title, range=[limits.low, limits.high], tickformat=",.0f")
    return figure


def _frontier(answer: ScenarioAnswer) -> Any:
    import plotly.graph_objects as go

    frontier = answer.frontier
    assert frontier is not None  # noqa: S101 (the caller asks)
    line = answer.threshold_after
    over = f"P({scenario.over(answer.comparator)})"
    texts = [
        [
            f"middle {short(middle, line)}, 97.5 % of the paths up to {short(high, line)}, {over} {chance(probability)}"
            for middle, high, probability in zip(middles, highs, chances, strict=True)
        ]
        for middles, highs, chances in zip(frontier.p50, frontier.p97_5, frontier.p_over, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            x=[f"{100 * share:.4g} %" for share in frontier.overlap],
            y=[about(users) for users in frontier.users],
            z=frontier.p_over,
            text=[[scenario.percent(probability) for probability in row] for row in frontier.p_over],
            texttemplate="%{text}",
            customdata=texts,
            hovertemplate="%{y} people, %{x} shared: %{customdata}<extra></extra>",
            zmin=0,
            zmax=1,
            colorscale=[[0, "#ffffff"], [0.5, "#f2b8a8"], [1, OVER]],
            showscale=False,
        )
    )
    heading = f"P({scenario.over(answer.comparator)} {scenario.exact(line)}) in {answer.decision_month}, by target and overlap"
    figure.update_layout(**_LAYOUT, height=430, title={"text": heading})
    figure.update_xaxes(type="category", title_text="of its people are the group's already")
    figure.update_yaxes(type="category", title_text=f"people of {_text(frontier.target)}")
    return figure


def _tornado(answer: ScenarioAnswer) -> Any:
    import plotly.graph_objects as go

    bars = answer.tornado[::-1]
    line = answer.threshold_after
    lows = [min(bar.after_at_low, bar.after_at_high) for bar in bars]
    widths = [abs(bar.after_at_high - bar.after_at_low) for bar in bars]
    texts = [
        f"{short(bar.after_at_low, line)} at {_text(bar.low)}, {short(bar.after_at_high, line)} at {_text(bar.high)}; "
        f"P({scenario.over(answer.comparator)}) {chance(bar.p_over_at_low)} and {chance(bar.p_over_at_high)}"
        for bar in bars
    ]
    names = [html.escape(scenario.bar_name(bar), quote=False) for bar in bars]
    figure = go.Figure(
        go.Bar(
            x=widths,
            base=lows,
            y=list(range(len(bars))),
            orientation="h",
            marker_color=BAR,
            customdata=texts,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    figure.update_layout(
        **_LAYOUT, height=180 + 46 * len(bars), title={"text": f"What matters most, for {answer.decision_month}"}
    )
    figure.update_yaxes(tickvals=list(range(len(bars))), ticktext=names, automargin=True)
    figure.update_xaxes(title_text="people, the middle of the paths (the axis doesn't begin at 0)", tickformat=",.0f")
    return figure
