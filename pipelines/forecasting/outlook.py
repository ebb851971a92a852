"""The one outlook that is published: alerts, `mauwatch forecast` and pages read it, and nobody draws paths of their own.

It rests on the published months with an upper bound, and on nothing else: a month that isn't over is in none of its paths, so the
same publications give the same outlook on any day. What it rests on is in its basis; the same basis isn't drawn again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime

from affiliates.periods import month_from_number, month_number
from pipelines.figures.figure_cache import code_digest
from pipelines.forecasting import history
from pipelines.forecasting.forecast import QUANTILES, Forecast, ForecastPeriod, Outcomes, forecast
from pipelines.forecasting.history import KnownMonths
from pipelines.forecasting.series import Point, Series
from pipelines.store import outlooks
from pipelines.store.engine import Store
from pipelines.store.outlooks import DecideBy, OutlookMonth, PublishedOutlook

HORIZON = 24
"""Months of a published outlook."""
_QUARTER = 3
_YEAR = 12
_CODE = ("pipelines/forecasting", "affiliates/periods.py")
"""What decides an outlook, from the months on."""
_LIBRARIES = ("numpy",)


def published(
    store: Store,
    reading: str,
    subject: str | None,
    known: KnownMonths,
    threshold: int,
    month: date,
    lead_times: Mapping[str, int],
    now: datetime,
) -> PublishedOutlook | None:
    """The outlook after a month as it is published; drawn and published where it isn't yet, in the store's transaction.

    `subject`: an affiliate, or affiliate/product; null for the whole group. `known`: its published months. Null where the month
    is no evidence, or the first one: alerts then go by the figure alone.
    """
    points = [point for point in known.points if point.number <= month_number(month)]
    if len(points) < 2 or points[-1].number != month_number(month):
        return None
    basis = basis_of(points, threshold, lead_times)
    # Whoever asks first draws it: alerts of several rules, and the run itself, ask the same.
    before = outlooks.of_month(store, month, reading, subject or "", threshold)
    if before is not None and before.basis == basis:
        return before
    # Of an earlier month than the newest, the notes and months left out are those of the outlook that was published then.
    until_then = replace(known, points=points, notes=known.notes if len(points) == len(known.points) else [])
    whole = history.series_of("the published months", until_then)
    series = replace(whole, left_out=tuple(sorted(text for text in whole.left_out if text[:7] <= f"{month:%Y-%m}")))
    outlook = _drawn(series, reading, subject, threshold, lead_times, basis, now)
    outlooks.append(store, outlook)
    return outlook


def read(store: Store, reading: str, series: Series, threshold: float, lead_times: Mapping[str, int]) -> Forecast | None:
    """The published outlook of the whole group against a threshold, as a forecast; null where none is published.

    `series`: the group's published months under the reading. A note says where these, or the lead times, aren't those that the
    outlook rests on any more: the next run publishes another.
    """
    outlook = outlooks.newest(store, reading, "", round(threshold)) if threshold == round(threshold) else None
    points = [point for point in series.points if outlook is not None and point.number <= month_number(outlook.month)]
    if outlook is None or len(points) < 2 or points[-1].number != month_number(outlook.month) or points[-1].value is None:
        return None
    notes = outlook.notes
    if outlook.basis != basis_of(series.points, outlook.threshold, lead_times):
        when = f"{outlook.known_at:%Y-%m-%d %H:%M} UTC"
        notes = (*notes, f"published on {when}, and what it rests on has changed since: `mauwatch run` publishes the next one")
    return as_forecast(replace(outlook, notes=notes), replace(series, points=tuple(points)))


def basis_of(points: Sequence[Point], threshold: int, lead_times: Mapping[str, int]) -> str:
    """SHA-256 in hex of all that an outlook's numbers rest on; the points up to its month."""
    months = [asdict(point) for point in points if point.value is not None]
    content = [months, threshold, dict(lead_times), HORIZON, code_digest(_CODE, _LIBRARIES)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _drawn(
    series: Series, reading: str, subject: str | None, threshold: int, lead_times: Mapping[str, int], basis: str, now: datetime
) -> PublishedOutlook:
    """The outlook of a series, drawn."""
    drawn = forecast(series, threshold, HORIZON)
    newest = series.newest
    number = drawn.crossing(0.5)
    return PublishedOutlook(
        month=month_from_number(newest.number),
        reading=reading,
        subject=subject or "",
        threshold=threshold,
        basis=basis,
        estimate=round(newest.value or 0),
        lower=None if newest.lower is None else round(newest.lower),
        upper=None if newest.upper is None else round(newest.upper),
        over_now=drawn.over_now,
        within_quarter=drawn.ahead[_QUARTER - 1].crossed,
        within_year=drawn.ahead[_YEAR - 1].crossed,
        not_within=drawn.not_within,
        not_within_by_estimate=drawn.at_estimate.not_within,
        crossing=month_from_number(number) if number is not None else None,
        decisions=(*_decisions(drawn, "range", lead_times), *_decisions(drawn.at_estimate, "estimate", lead_times)),
        notes=drawn.notes,
        left_out=series.left_out,
        known_at=now,
        months=tuple(_months(drawn)),
    )


def _decisions(outcomes: Outcomes, doubt: str, lead_times: Mapping[str, int]) -> Sequence[DecideBy]:
    decisions = []
    for decision in outcomes.decide_by(lead_times):
        number = outcomes.crossing(decision["probability"])
        crossing = None if number is None else month_from_number(number)
        days = {name: day for name, day in decision["days"].items() if day is not None}
        decisions.append(DecideBy(doubt, decision["probability"], crossing, days))
    return decisions


def _months(drawn: Forecast) -> Sequence[OutlookMonth]:
    """The newest month by its bounds, then those to come."""
    newest = drawn.series.newest
    exact = dict.fromkeys(QUANTILES, float(newest.value or 0))
    own = ForecastPeriod(newest.number, drawn.now, drawn.over_now, 0.0)
    alone = ForecastPeriod(newest.number, exact, drawn.at_estimate.over_now, 0.0)
    pairs = zip([own, *drawn.ahead], [alone, *drawn.at_estimate.ahead], strict=True)
    return [
        OutlookMonth(
            month=month_from_number(by_range.number),
            **by_range.quantiles,
            **{f"{name}_by_estimate": value for name, value in by_estimate.quantiles.items()},
            over=by_range.over,
            over_by_estimate=by_estimate.over,
            crossed=by_range.crossed,
            crossed_by_estimate=by_estimate.crossed,
        )
        for by_range, by_estimate in pairs
    ]


def as_forecast(outlook: PublishedOutlook, series: Series) -> Forecast:
    """A published outlook as a forecast, for whoever shows forecasts; `series`: the months up to the outlook's own."""
    first, *ahead = outlook.months
    by_range = [
        ForecastPeriod(month_number(m.month), {name: getattr(m, name) for name in QUANTILES}, m.over, m.crossed) for m in ahead
    ]
    by_estimate = [
        ForecastPeriod(
            month_number(m.month),
            {name: getattr(m, f"{name}_by_estimate") for name in QUANTILES},
            m.over_by_estimate,
            m.crossed_by_estimate,
        )
        for m in ahead
    ]
    return Forecast(
        series,
        tuple(by_range),
        outlook.over_now,
        outlook.threshold,
        Outcomes(series, tuple(by_estimate), first.over_by_estimate),
        {name: getattr(first, name) for name in QUANTILES},
        outlook.notes,
    )
