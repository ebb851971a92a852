"""`mauwatch forecast`: the group's own months, or any series, against a threshold.

As in `cli.py`, what a command needs is imported inside it.
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from affiliates.manifests.alert_settings import LeadTimes
from affiliates.periods import local_day
from dashboards.cli import console, tables
from dashboards.cli.options import HERE, GroupDir, Json
from dashboards.formats import STANDING, chance, number

if TYPE_CHECKING:
    from affiliates.manifests.group import Group
    from affiliates.manifests.readings import Reading
    from pipelines.forecasting.forecast import Forecast, ForecastPeriod, MonthToDate, Outcomes
    from pipelines.forecasting.series import Series


MONTHS = 24
"""Of the horizon, where none is asked for."""


def forecast(
    series: Annotated[
        Path | None,
        typer.Option(
            help="A CSV instead of the group's months: columns period (2026-10, 2026-10-31 or 2026-Q3) and value; also lower and "
            "upper, and definition, whose change is no growth. An empty value is a missing one.",
            metavar="FILE.csv",
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="In the unit of the series; else the newest licence's.", metavar="N")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Periods ahead; else 24 months or 8 quarters.", metavar="N", min=1, max=120)
    ] = None,
    reading: Annotated[str | None, typer.Option(help="A reading of readings.yaml; else the one of record.")] = None,
    to_date: Annotated[
        bool,
        typer.Option("--to-date", help="With the people so far of the month that isn't over: no published outlook has them."),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw it, too: a picture, or a page that needs no network.", metavar="FILE.png|FILE.html")
    ] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Where the figures are heading: intervals, the probability of being over a threshold, and by when to decide.

    Without options, the outlook that the last run has published: alerts and pages read the same one. Of the published months
    those with an upper bound are taken. Where a definition changed, an affiliate joined or left, or a month was restated, the
    step isn't taken for growth. The days to decide by are those of a crossing less the lead times in alerts.yaml.
    """
    from pipelines.forecasting import forecast as forecasting_forecast

    if plot is not None and plot.suffix not in (".png", ".html"):
        raise typer.BadParameter("--plot takes a file that ends in .png or .html")
    if threshold is not None and not 0 < threshold < math.inf:  # Nothing is over what is no number, ever.
        raise typer.BadParameter("--threshold takes a number over zero")
    # A reading has no meaning for a series that mauwatch didn't count.
    if series is not None and (reading is not None or to_date):
        raise typer.BadParameter("--reading and --to-date are for the group's own months, and --series for others")
    settings = _settings(group, needed=series is None)
    today = local_day(datetime.now(UTC), settings.settings.time_zone if settings else "UTC")
    line = _newest_clause(group) if threshold is None else threshold
    months = _months(series, group, settings, reading, today, line, to_date)
    outlook = months.published if horizon in (None, MONTHS) else None
    if outlook is None:
        outlook = forecasting_forecast.forecast(months.series, line, horizon or MONTHS // months.series.months, months.so_far)
    lead_times = settings.alerting.lead_times if settings else LeadTimes()
    if plot is not None:
        from dashboards.charts.forecast import write

        write(outlook, plot)
    if as_json:
        console.print_json(to_dict(outlook, lead_times))
    else:
        console.output().print(shown(outlook, lead_times, today))


def _newest_clause(directory: Path) -> float:
    from pipelines.licences import registry, release_tests

    threshold = release_tests.llama_releases(registry.from_directory(directory))[-1].clause.threshold
    return float(threshold or math.nan)


def _settings(directory: Path, needed: bool) -> "Group | None":
    """The group, whose lead times hold for a CSV, too, if there is one."""
    from affiliates.manifests.loader import read_group

    # The lead times of a group hold for any series; without a group directory there are defaults.
    return read_group(directory) if needed or (directory / "group.yaml").is_file() else None


class _Months(NamedTuple):
    """What a forecast rests on, and what is published of it."""

    series: "Series"
    so_far: "MonthToDate | None" = None
    published: "Forecast | None" = None
    """The published outlook of the question, by its own horizon; null where none is, or the question is another."""


def _months(
    path: Path | None, directory: Path, group: "Group | None", reading: str | None, today: date, threshold: float, to_date: bool
) -> _Months:
    from pipelines.forecasting.series_csv import read_csv

    if path is not None or group is None:
        return _Months(read_csv(path or Path(), today))
    from pipelines.forecasting import history, outlook
    from pipelines.store import contributions

    # One snapshot: the months and the outlook belong to one state of the store.
    with contributions.open_store(group.settings.store, directory) as store, store.snapshot() as fixed:
        chosen = _reading(group, reading, today)
        series = history.read_series(fixed, group, chosen)
        if to_date:
            return _Months(series, history.month_to_date(fixed, group, chosen, today))
        return _Months(
            series, published=outlook.read(fixed, chosen.name, series, threshold, group.alerting.lead_times.model_dump())
        )


def _reading(group: "Group", name: str | None, today: date) -> "Reading":
    if name is None:
        return group.readings.reading_on(today)
    readings = {r.name: r for r in group.readings.readings}
    if name not in readings:
        raise typer.BadParameter(f"no reading {name}; there are {', '.join(readings)}")
    return readings[name]


def to_dict(forecast: "Forecast", lead_times: LeadTimes) -> dict[str, Any]:
    """What `forecast --json` answers. `by_estimate`: as if the newest figure were the truth; all else by its bounds as well."""
    label = forecast.series.label
    newest = forecast.series.newest
    at_estimate = forecast.at_estimate
    return {
        "as_of": label(newest.number),
        "threshold": _rounded(forecast.threshold),
        "periods": [
            {"period": label(a.number), **_period(a), "by_estimate": _period(alone)}
            for a, alone in zip(forecast.ahead, at_estimate.ahead, strict=True)
        ],
        "series": forecast.series.name,
        "newest": _rounded(newest.value or 0),
        "newest_lower": None if newest.lower is None else _rounded(newest.lower),
        "newest_upper": None if newest.upper is None else _rounded(newest.upper),
        "probability_over_now": round(forecast.over_now, 4),
        "first_passage": {label(n): round(p, 4) for n, p in forecast.first_passage.items()},
        "not_within_horizon": round(forecast.not_within, 4),
        "decide_by": _decisions(forecast, lead_times),
        "by_estimate": {
            "probability_over_now": round(at_estimate.over_now, 4),
            "first_passage": {label(n): round(p, 4) for n, p in at_estimate.first_passage.items()},
            "not_within_horizon": round(at_estimate.not_within, 4),
            "decide_by": _decisions(at_estimate, lead_times),
        },
        "lead_times": lead_times.model_dump(),
        "notes": list(forecast.notes),
        "left_out": list(forecast.series.left_out),
        "standing": STANDING,
    }


def _period(ahead: "ForecastPeriod") -> dict[str, float]:
    """Quantiles and probabilities of one period, as JSON has them."""
    return {
        **{name: _rounded(value) for name, value in ahead.quantiles.items()},
        "probability_over": round(ahead.over, 4),
        "probability_crossed": round(ahead.crossed, 4),
    }


def _decisions(outcomes: "Outcomes", lead_times: LeadTimes) -> list[dict[str, Any]]:
    """The days to decide by, as JSON has them."""
    return [
        {**decision, "days": {name: day and day.isoformat() for name, day in decision["days"].items()}}
        for decision in outcomes.decide_by(lead_times.model_dump())
    ]


def _rounded(number: float) -> float:
    """To nine digits: a quantile has fewer that mean anything."""
    rounded = float(f"{number:.9g}")
    return int(rounded) if rounded.is_integer() else rounded


def shown(forecast: "Forecast", lead_times: LeadTimes, today: date) -> RenderableType:
    """The forecast for a terminal; where the newest figure has bounds, by the range and by the estimate alone."""
    label = forecast.series.label
    newest = forecast.series.newest
    figures = f"{number(newest.value or 0)}; threshold {number(forecast.threshold)}"
    title = f"{forecast.series.name}: forecast as of {label(newest.number)}, {figures}"
    if forecast.has_bounds:
        quantiles = ("lowest\n2.5 %", "\n10 %", "\nmedian", "\n90 %", "highest\n2.5 %")
        chances = ("P(over):\nrange", "\nestimate", "P(crossed):\nrange", "\nestimate")
        pairs = zip(forecast.ahead, forecast.at_estimate.ahead, strict=True)
        rows = [
            (
                label(a.number),
                *map(number, a.quantiles.values()),
                *map(chance, (a.over, alone.over, a.crossed, alone.crossed)),
            )
            for a, alone in pairs
        ]
        parts: list[RenderableType] = [tables.table(title, ("", *quantiles, *chances), rows, range(1, 10))]
        parts += [Text(line) for line in _two_doubts(forecast)]
        parts += [Text(line) for line in _passage(forecast, "By the range: ")]
        parts += [Text(line) for line in _passage(forecast.at_estimate, "By the estimate: ")]
        parts += [Text(line) for line in _decide_by(forecast, lead_times, today, "by the range")]
        parts += [Text(line) for line in _decide_by(forecast.at_estimate, lead_times, today, "by the estimate")]
    else:
        rows = [(label(a.number), *map(number, a.quantiles.values()), *map(chance, (a.over, a.crossed))) for a in forecast.ahead]
        columns = ("", "lowest 2.5 %", "10 %", "median", "90 %", "highest 2.5 %", "P(over)", "P(crossed)")
        parts = [tables.table(title, columns, rows, range(1, 8))]
        parts += [Text(line) for line in _passage(forecast)]
        parts += [Text(line) for line in _decide_by(forecast, lead_times, today)]
    parts.append(tables.reasons("Noted", forecast.notes))
    parts.append(tables.reasons("Left out", forecast.series.left_out))
    parts.append(Text(STANDING, style="dim"))
    return Stack(*(part for part in parts if not isinstance(part, Text) or part.plain))


def _two_doubts(forecast: "Forecast") -> list[str]:
    """What the two probabilities of the next period rest on, in words."""
    newest = forecast.series.newest
    first = forecast.ahead[0]
    alone = forecast.at_estimate.ahead[0]
    bounds = f"{number(newest.lower or 0)} to {number(newest.upper or 0)}"
    return [
        f"P(over) in {forecast.series.label(first.number)} is {chance(first.over)} by the range and {chance(alone.over)} by the "
        f"estimate. By the estimate, {number(newest.value or 0)} is the truth, and only growth is in doubt. By the range, the "
        f"truth may lie anywhere from {bounds}, and growth is in doubt as well. No month to come narrows that range.",
    ]


def _passage(outcomes: "Outcomes", basis: str = "") -> list[str]:
    """When the threshold is passed, and how likely never; `basis`: what begins each line."""
    label = outcomes.series.label
    last = outcomes.ahead[-1]
    lines = []
    # By the newest figure's own bounds: the figure is an estimate, and may be over only with a probability.
    if outcomes.over_now >= 0.5:
        certain = "is" if outcomes.over_now == 1 else f"is, with a probability of {chance(outcomes.over_now)},"
        lines.append(f"{basis}The newest figure {certain} over the threshold already.")
    crossings = [(p, outcomes.crossing(p)) for p in (0.1, 0.5, 0.9)]
    reached = [f"{p:.0%} by {label(n)}".replace("%", " %") for p, n in crossings if n is not None]
    if reached:
        lines.append(
            f"{basis}The probability of having been over in any {outcomes.series.unit} is at least {', '.join(reached)}."
        )
    lines.append(f"{basis}Not within the horizon, to {label(last.number)}: {chance(outcomes.not_within)}.")
    return [f"{line[: len(basis)]}{line[len(basis) :][0].lower()}{line[len(basis) + 1 :]}" if basis else line for line in lines]


def _decide_by(outcomes: "Outcomes", lead_times: LeadTimes, today: date, basis: str = "") -> list[str]:
    """The days to decide by, one line for each stated probability; `basis`: what a crossing rests on, in brackets after it."""
    days: Mapping[str, int] = lead_times.model_dump()
    rests = f" ({basis})" if basis else ""
    lines = []
    for decision in outcomes.decide_by(days):
        share = f"{decision['probability']:.0%}".replace("%", " %")
        # No day is better than a wrong one: within the horizon nothing says by when to decide.
        if decision["crossing"] is None:
            lines.append(f"Decide by: no day at {share}{rests}, since the threshold isn't crossed with it within the horizon.")
            continue
        parts = []
        for name, day in decision["days"].items():
            passed = ": passed" if day < today else ""
            parts.append(f"{name.replace('_', ' ')} {day} ({days[name]} days before{passed})")
        lines.append(f"Decide by, for a crossing at {share}{rests} by {decision['crossing']}: {'; '.join(parts)}.")
    return lines
