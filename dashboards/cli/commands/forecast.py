"""`mauwatch forecast`: the group's own months, or any series, against a threshold.

As in `cli.py`, what a command needs is imported inside it.
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from pipelines.forecasting.forecast import Forecast, ForecastPeriod, MonthToDate
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
    plot: Annotated[
        Path | None, typer.Option(help="Draw it, too: a picture, or a page that needs no network.", metavar="FILE.png|FILE.html")
    ] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Where the figures are heading: intervals, the probability of being over a threshold, and by when to decide.

    Of the published months those with an upper bound are taken. Where a definition changed, an affiliate joined or left, or a
    month was restated, the step isn't taken for growth. The days to decide by are those of a crossing less the lead times in
    alerts.yaml.
    """
    from pipelines.forecasting import forecast as forecasting_forecast

    if plot is not None and plot.suffix not in (".png", ".html"):
        raise typer.BadParameter("--plot takes a file that ends in .png or .html")
    if threshold is not None and not 0 < threshold < math.inf:  # Nothing is over what is no number, ever.
        raise typer.BadParameter("--threshold takes a number over zero")
    # A reading has no meaning for a series that mauwatch didn't count.
    if series is not None and reading is not None:
        raise typer.BadParameter("--reading is for the group's own months, and --series for others")
    settings = _settings(group, needed=series is None)
    today = local_day(datetime.now(UTC), settings.settings.time_zone if settings else "UTC")
    monthly_series, so_far = _series(series, group, settings, reading, today)
    line = _newest_clause(group) if threshold is None else threshold
    outlook = forecasting_forecast.forecast(monthly_series, line, horizon or MONTHS // monthly_series.months, so_far)
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


def _series(
    path: Path | None, directory: Path, group: "Group | None", reading: str | None, today: date
) -> "tuple[Series, MonthToDate | None]":
    from pipelines.forecasting.series_csv import read_csv

    if path is not None or group is None:
        return read_csv(path or Path(), today), None
    from pipelines.forecasting import history
    from pipelines.store import contributions

    # One snapshot: the months and the month to date belong to one state of the store.
    with contributions.open_store(group.settings.store, directory) as store, store.snapshot() as fixed:
        chosen = _reading(group, reading, today)
        return history.read_series(fixed, group, chosen), history.month_to_date(fixed, group, chosen, today)


def _reading(group: "Group", name: str | None, today: date) -> "Reading":
    if name is None:
        return group.readings.reading_on(today)
    readings = {r.name: r for r in group.readings.readings}
    if name not in readings:
        raise typer.BadParameter(f"no reading {name}; there are {', '.join(readings)}")
    return readings[name]


def to_dict(forecast: "Forecast", lead_times: LeadTimes) -> dict[str, Any]:
    """What `forecast --json` answers."""
    label = forecast.series.label
    return {
        "as_of": label(forecast.series.newest.number),
        "threshold": _rounded(forecast.threshold),
        "periods": [
            {
                "period": label(a.number),
                **{name: _rounded(value) for name, value in a.quantiles.items()},
                "probability_over": round(a.over, 4),
                "probability_crossed": round(a.crossed, 4),
            }
            for a in forecast.ahead
        ],
        "series": forecast.series.name,
        "newest": _rounded(forecast.series.newest.value or 0),
        "probability_over_now": round(forecast.over_now, 4),
        "first_passage": {label(n): round(p, 4) for n, p in forecast.first_passage.items()},
        "not_within_horizon": round(forecast.not_within, 4),
        "decide_by": [
            {**each, "days": {name: day and day.isoformat() for name, day in each["days"].items()}}
            for each in forecast.decide_by(lead_times.model_dump())
        ],
        "lead_times": lead_times.model_dump(),
        "notes": list(forecast.notes),
        "left_out": list(forecast.series.left_out),
        "standing": STANDING,
    }


def _rounded(number: float) -> float:
    """To nine digits: a quantile has fewer that mean anything."""
    rounded = float(f"{number:.9g}")
    return int(rounded) if rounded.is_integer() else rounded


def shown(forecast: "Forecast", lead_times: LeadTimes, today: date) -> RenderableType:
    """The forecast for a terminal."""
    label = forecast.series.label
    newest = forecast.series.newest
    rows = [(label(a.number), *_cells(a)) for a in forecast.ahead]
    figures = f"{number(newest.value or 0)}; threshold {number(forecast.threshold)}"
    title = f"{forecast.series.name}: forecast as of {label(newest.number)}, {figures}"
    columns = ("", "lowest 2.5 %", "10 %", "median", "90 %", "highest 2.5 %", "P(over)", "P(crossed)")
    parts: list[RenderableType] = [tables.table(title, columns, rows, range(1, 8))]
    parts += [Text(line) for line in _passage(forecast)]
    parts += [Text(line) for line in _decide_by(forecast, lead_times, today)]
    parts.append(tables.reasons("Noted", forecast.notes))
    parts.append(tables.reasons("Left out", forecast.series.left_out))
    parts.append(Text(STANDING, style="dim"))
    return Stack(*(part for part in parts if not isinstance(part, Text) or part.plain))


def _cells(ahead: "ForecastPeriod") -> list[str]:
    return [number(value) for value in ahead.quantiles.values()] + [chance(ahead.over), chance(ahead.crossed)]


def _passage(forecast: "Forecast") -> list[str]:
    label = forecast.series.label
    last = forecast.ahead[-1]
    lines = []
    # By the newest figure's own bounds: the figure is an estimate, and may be over only with a probability.
    if forecast.over_now >= 0.5:
        certain = "is" if forecast.over_now == 1 else f"is, with a probability of {chance(forecast.over_now)},"
        lines.append(f"The newest figure {certain} over the threshold already.")
    crossings = [(p, forecast.crossing(p)) for p in (0.1, 0.5, 0.9)]
    reached = [f"{p:.0%} by {label(n)}".replace("%", " %") for p, n in crossings if n is not None]
    if reached:
        lines.append(f"The probability of having been over in any {forecast.series.unit} is at least {', '.join(reached)}.")
    lines.append(f"Not within the horizon, to {label(last.number)}: {chance(forecast.not_within)}.")
    return lines


def _decide_by(forecast: "Forecast", lead_times: LeadTimes, today: date) -> list[str]:
    days: Mapping[str, int] = lead_times.model_dump()
    lines = []
    for each in forecast.decide_by(days):
        share = f"{each['probability']:.0%}".replace("%", " %")
        # No day is better than a wrong one: within the horizon nothing says by when to decide.
        if each["crossing"] is None:
            lines.append(f"Decide by: no day at {share}, since the threshold isn't crossed with it within the horizon.")
            continue
        parts = []
        for name, day in each["days"].items():
            passed = ": passed" if day < today else ""
            parts.append(f"{name.replace('_', ' ')} {day} ({days[name]} days before{passed})")
        lines.append(f"Decide by, for a crossing at {share} by {each['crossing']}: {'; '.join(parts)}.")
    return lines
