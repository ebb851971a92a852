"""What the forecast would have said of real companies, quarter by quarter: coverage, interval score, Brier score.

Each company is judged by constants that were chosen by the others'. A forecast sees what was known at its origin and
nothing later. `python -m tests.tools.backtest` prints the section of `make bench`.

The series are those of public_mau.csv (companies' published monthly users, with the source of each figure beside it) that
are regular: each company's longest run of consecutive quarter ends under one metric, of twelve quarters or more.
"""

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from affiliates.periods import month_end, month_number
from pipelines.forecasting.forecast import QUANTILES, forecast_from_paths, walk
from pipelines.forecasting.series import Point, Series, even_series
from pipelines.forecasting.simulators import TUNING, Tuning
from pipelines.forecasting.state_space import Floats
from tests.support import made_up
from tests.support.paths import DATA

FILE = DATA / "public_mau.csv"
LONG_ENOUGH, FIRST = 12, 6
"""Quarters of a run, and figures before the first origin."""
HORIZONS = 1, 2, 4, 8
LINES = 1.02, 1.05, 1.1, 1.2, 1.35, 1.5
"""Thresholds, in newest figures: crossed within four quarters or not."""
WITHIN = 4
LEVELS = np.array(list(QUANTILES.values()))
CANDIDATES = tuple(
    Tuning(*some)
    for some in itertools.product(
        (0.007, 0.01, 0.014, 0.02), ((0.65, 0.25, 0.10), (0.45, 0.45, 0.10), (1 / 3, 1 / 3, 1 / 3)), (0.25, 0.5, 1.0)
    )
)
Result = dict[str, Any]


@dataclass(frozen=True)
class Played:
    """Forecasts of one series beside what came."""

    horizons: Floats
    """By row, how many periods (in quarters) it was ahead."""
    said: Floats
    """Quantiles by row, in newest figures, as all that follows."""
    walked: Floats
    """The same of a log random walk."""
    came: Floats
    crossing: Floats
    """By origin and line: probability of crossing."""
    crossed: Floats
    """By origin and line: whether it was."""


def companies(path: Path = FILE) -> dict[str, Series]:
    """The regular runs, by company."""
    rows: dict[str, list[tuple[date, float, str]]] = {}
    with path.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            said = date.fromisoformat(row["quarter_end"]), float(row["mau_millions"]), row["metric"]
            rows.setdefault(row["company"], []).append(said)
    found = {}
    for company, figures in rows.items():
        longest: list[Point] = max(_runs(sorted(figures)), key=len)
        if len(longest) >= LONG_ENOUGH:
            found[company] = even_series(company, longest, 3, "quarter")
    return found


def _runs(figures: Sequence[tuple[date, float, str]]) -> Iterator[list[Point]]:
    run, before = list[Point](), ""
    for day, value, metric in figures:
        ends = day.month % 3 == 0 and day == month_end(day)
        if run and (not ends or metric != before or month_number(day) != run[-1].number + 3):
            yield run
            run = []
        run, before = [*run, Point(month_number(day), value)] if ends else run, metric
    yield run


def until(series: Series, origin: int) -> Series:
    """What was known when the first `origin` figures were."""
    return even_series(series.name, series.points[:origin], series.months, series.spelling)


def play(series: Series, chosen: Tuning = TUNING, origins: Sequence[int] | None = None, paths: int = 1000) -> Played:
    """Forecast a series from each origin (a number of figures that are known), beside what came."""
    values = np.array([p.value for p in series.points], float)
    quarter = 3 // series.months
    rows: list[tuple[int, list[float], Floats, float]] = []
    crossing, crossed = list[list[float]](), list[list[float]]()
    for origin in origins or range(FIRST, len(values)):
        known, newest = until(series, origin), values[origin - 1]
        last, within = min(HORIZONS[-1] * quarter, len(values) - origin), WITHIN * quarter
        walked = walk(known, last, tuning=chosen, paths=paths)
        made = [forecast_from_paths(walked, newest * line) for line in LINES]
        for h in HORIZONS:
            if h * quarter <= last:
                ahead = made[0].ahead[h * quarter - 1]
                said = [q / newest for q in ahead.quantiles.values()]
                rows.append(
                    (h, said, random_walk(values[:origin], h * quarter) / newest, values[origin + h * quarter - 1] / newest)
                )
        if within <= last:
            crossing.append([m.ahead[within - 1].crossed for m in made])
            crossed.append([float(values[origin : origin + within].max() > newest * x) for x in LINES])
    ahead_, said_, peer, actual = (np.array(column, float) for column in zip(*rows, strict=True))
    size = -1, len(LINES)
    return Played(ahead_, said_, peer, actual, np.array(crossing).reshape(size), np.array(crossed).reshape(size))


def random_walk(values: Floats, ahead: int) -> Floats:
    """Quantiles of a random walk in logarithms with normal steps: the peer."""
    spread = np.diff(np.log(values)).std(ddof=1) * np.sqrt(ahead)
    normal = np.array([-1.959964, -1.281552, 0, 1.281552, 1.959964])
    quantiles: Floats = values[-1] * np.exp(normal * spread)
    return quantiles


def loss(played: Played) -> float:
    """Mean quantile loss of logarithms: least for who says what comes, neither too wide nor too narrow."""
    off = np.log(played.came)[:, None] - np.log(played.said)
    return float(np.maximum(LEVELS * off, (LEVELS - 1) * off).mean())


Tried = dict[Tuning, dict[str, Played]]


def tried(series: Mapping[str, Series], candidates: Sequence[Tuning] = CANDIDATES, every: int = 1, paths: int = 1000) -> Tried:
    """What each candidate makes of each series."""
    return {c: {name: play(s, c, range(FIRST, len(s.points), every), paths) for name, s in series.items()} for c in candidates}


def leave_one_out(each: Tried) -> dict[str, tuple[Tuning, Played]]:
    """By company, the constants that the others choose and what they make of it."""
    found = {}
    for company in next(iter(each.values())):
        best = choose(each, without=company)
        found[company] = best, each[best][company]
    return found


def choose(each: Tried, without: str = "") -> Tuning:
    """The shares of the least mean loss. Of their scales and tempers, which widen all, the widest of those whose intervals hold
    as near to what they say as any does, within a hundredth: too narrow is the dearer mistake."""
    seen = {c: [played for name, played in by_name.items() if name != without] for c, by_name in each.items()}
    shares = min({c.shares for c in seen}, key=lambda s: np.mean([loss(p) for c in seen if c.shares == s for p in seen[c]]))
    misses = {c: miss(seen[c]) for c in seen if c.shares == shares}
    return max((c for c, off in misses.items() if off <= min(misses.values()) + 0.01), key=lambda c: (c.scale, -c.temper))


def miss(each: Sequence[Played]) -> float:
    """How far the shares that were held lie from 80 and 95 %: the mean over horizons."""
    off = [
        abs(np.concatenate([held(p, h, low, high) for p in each]).mean() - nominal)
        for h in HORIZONS for low, high, nominal in (("p10", "p90", 0.8), ("p2_5", "p97_5", 0.95))
    ]  # fmt: skip
    return float(np.mean(off))


def held(played: Played, horizon: int, low: str, high: str) -> Floats:
    """By forecast, whether the interval held what came."""
    rows, names = played.horizons == horizon, list(QUANTILES)
    low_, high_ = played.said[rows, names.index(low)], played.said[rows, names.index(high)]
    return np.asarray((low_ <= played.came[rows]) & (played.came[rows] <= high_), float)


def coverage(each: Sequence[Played], horizon: int, low: str, high: str, draws: int = 2000) -> tuple[float, float, float]:
    """How often the interval held what came, with a 95 % interval by drawing companies anew."""
    found = [held(p, horizon, low, high) for p in each]
    sums, numbers = np.array([f.sum() for f in found]), np.array([len(f) for f in found])
    drawn = np.random.default_rng(0).integers(0, len(found), (draws, len(found)))
    shares = sums[drawn].sum(axis=1) / np.maximum(numbers[drawn].sum(axis=1), 1)
    lower, upper = np.quantile(shares, [0.025, 0.975])
    return float(sums.sum() / numbers.sum()), float(lower), float(upper)


def interval_score(each: Sequence[Played], horizon: int, outside: float, peer: bool = False) -> float:
    """Width, and 2/`outside` times what lies beyond it; in newest figures, the mean of all forecasts."""
    low, high = (0, 4) if outside == 0.05 else (1, 3)
    scores = []
    for p in each:
        rows = p.horizons == horizon
        said, came = (p.walked if peer else p.said)[rows], p.came[rows]
        beyond = np.maximum(said[:, low] - came, 0) + np.maximum(came - said[:, high], 0)
        scores.append(said[:, high] - said[:, low] + 2 / outside * beyond)
    return float(np.concatenate(scores).mean())


def brier(each: Sequence[Played]) -> tuple[float, float, float]:
    """Of crossing within four quarters: ours, that of the frequency over all lines, and that of each line's own frequency."""
    said, came = np.concatenate([p.crossing for p in each]), np.concatenate([p.crossed for p in each])
    return float(((said - came) ** 2).mean()), float(came.var()), float(came.var(axis=0).mean())


def rows(each: Sequence[Played]) -> Iterator[Result]:
    for h in HORIZONS:
        result: Result = {"quarters": h, "forecasts": int(sum((p.horizons == h).sum() for p in each))}
        for name, low, high, outside in (("80", "p10", "p90", 0.2), ("95", "p2_5", "p97_5", 0.05)):
            share, lower, upper = coverage(each, h, low, high)
            peer = interval_score(each, h, outside, peer=True)
            result |= {f"held_{name}": share, f"held_{name}_from": lower, f"held_{name}_to": upper}
            result |= {f"score_{name}": interval_score(each, h, outside), f"walk_{name}": peer}
        yield result


def forecasts(_: Path) -> Iterator[Result]:
    """For bench.json: companies left out in turn, and made-up series by kind."""
    all_tried = tried(companies())
    found, of_all = leave_one_out(all_tried), choose(all_tried)
    each = [played for _company, played in found.values()]
    ours, climate, by_line = brier(each)
    yield {
        "of": "companies", "rows": list(rows(each)), "brier": ours, "climatology": climate, "climatology_by_line": by_line,
        "chosen": {name: asdict(c) for name, (c, _) in found.items()},
        "chosen_with_all": asdict(of_all), "used": of_all == TUNING,
    }  # fmt: skip
    for kind in made_up.KINDS:
        some = [play(s, origins=[origin]) for s, origin in made_up.several(kind, 60)]
        ours, climate, _by_line = brier(some)
        yield {"of": kind, "rows": list(rows(some)), "brier": ours, "climatology": climate}


def markdown(found: Sequence[Result]) -> list[str]:
    """The section of bench.md."""
    real, *kinds = found
    lines = [
        "",
        "The forecast, of five companies' quarters, each judged by constants that the others chose; from origins of six figures "
        "on. In brackets 95 % intervals by drawing companies anew. The score is the interval score beside a log random walk's: "
        "below 1 is better.",
        "",
        "| quarters ahead | forecasts | 80 % held | 95 % held | score 80 % | score 95 % |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r['quarters']} | {r['forecasts']} | {r['held_80']:.0%} ({r['held_80_from']:.0%} to {r['held_80_to']:.0%}) "
        f"| {r['held_95']:.0%} ({r['held_95_from']:.0%} to {r['held_95_to']:.0%}) "
        f"| {r['score_80'] / r['walk_80']:.2f} | {r['score_95'] / r['walk_95']:.2f} |"
        for r in real["rows"]
    ]
    chosen = {name: _said(c) for name, c in real["chosen"].items()}
    lines += [
        "",
        f"Brier score of crossing 1.02 to 1.5 times the newest figure within four quarters: {real['brier']:.3f}, "
        f"{real['brier'] / real['climatology']:.2f} of the frequency's over all lines ({real['climatology']:.3f}), "
        f"{real['brier'] / real['climatology_by_line']:.2f} of that of each line's own ({real['climatology_by_line']:.3f}).",
        "Chosen with a company left out: "
        + "; ".join(f"{name} {said}" for name, said in chosen.items())
        + f". With none left out: {_said(real['chosen_with_all'])}"
        + ("; these are used." if real["used"] else ". Others are used."),
        "",
        "Made-up series, 60 of each kind, monthly and quarterly, 6 to 60 figures: what was held, and scores as above, at 1 and 4 "
        "quarters ahead; Brier as a share of the frequency's.",
        "",
        "| kind | 80 % at 1 | 95 % at 1 | 80 % at 4 | 95 % at 4 | score 80 % at 4 | score 95 % at 4 | Brier |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for kind in kinds:
        one, _, four, _ = kind["rows"]
        share = "–" if kind["climatology"] < 0.005 else f"{kind['brier'] / kind['climatology']:.2f}"
        lines.append(
            f"| {kind['of']} | {one['held_80']:.0%} | {one['held_95']:.0%} | {four['held_80']:.0%} | {four['held_95']:.0%} "
            f"| {four['score_80'] / four['walk_80']:.2f} | {four['score_95'] / four['walk_95']:.2f} | {share} |"
        )
    return lines


def _said(chosen: Result) -> str:
    return f"scale {chosen['scale']}, shares {tuple(round(s, 2) for s in chosen['shares'])}, temper {chosen['temper']}"


if __name__ == "__main__":
    print("\n".join(markdown(list(forecasts(Path())))))
