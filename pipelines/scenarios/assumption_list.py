"""Every number that an answer takes for granted, with its basis, its source and its day. Pure."""

from collections.abc import Iterator

from pipelines.scenarios.answer_parts import Assumption, RestsOn
from pipelines.scenarios.assumptions import StatedOverlap
from pipelines.scenarios.changes import Acquire, AnyChange, Grow, Launch
from pipelines.scenarios.paths import SERIES, ScenarioPaths
from pipelines.scenarios.wording import people


def assumptions(paths: ScenarioPaths) -> Iterator[Assumption]:
    """The base's assumptions, then those of each change in the order of their days."""
    baseline = paths.baseline
    figure = baseline.people
    upper = "no upper bound" if figure.upper is None else f"{figure.upper:,}"
    yield Assumption(
        SERIES,
        "figure",
        f"{baseline.estimate:,.0f} ({figure.lower:,} to {upper})",
        RestsOn.MEASURED,
        None,
        f"{baseline.month:%Y-%m}",
    )
    known = "none: fewer than two published months" if baseline.series is None else f"as {len(baseline.series.points)} months say"
    yield Assumption(SERIES, "growth", known, RestsOn.ASSUMED, None, None)
    for name, change in zip(paths.names, paths.changes, strict=True):
        yield from _of_change(name, change)


def _of_change(name: str, change: AnyChange) -> Iterator[Assumption]:
    as_of = str(change.as_of) if change.as_of else None
    stated = RestsOn.STATED if change.source else RestsOn.ASSUMED

    def of(key: str, value: str, basis: RestsOn = stated, source: str | None = change.source) -> Assumption:
        return Assumption(name, key, value, basis, source, as_of)

    if change.on is not None:
        yield of("on", f"{change.on.from_}" if change.on.from_ == change.on.to else f"{change.on.from_} to {change.on.to}")
    if isinstance(change, Acquire) and change.contribution is not None:
        yield of("contribution", change.contribution, RestsOn.MEASURED)
    if isinstance(change, Grow):
        yield of("by", _range(change.by, "% a month", 100))
        new = "from what only it has to all" if change.new_people is None else _range(change.new_people, "%", 100)
        yield of("new_people", new, RestsOn.ASSUMED if change.new_people is None else stated)
    if isinstance(change, Acquire | Launch) and change.users is not None and change.overlap is not None:
        low, likely, high = change.users.span
        number = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        likeliest = f", likeliest {likely:,.0f}" if change.users.likely is not None and low < high else ""
        yield of("users", f"{number} {change.users.unit}{likeliest} in {change.users.month:%Y-%m}")
        per_unit = change.people_per_unit
        if per_unit is not None:
            day = str(per_unit.as_of) if per_unit.as_of else as_of
            source = per_unit.source or change.source
            basis = RestsOn.STATED if source else RestsOn.ASSUMED
            yield Assumption(
                name, "people_per_unit", _range(per_unit, f"people for one of {change.users.unit}"), basis, source, day
            )
        growth = "none stated, so none" if change.growth is None else _range(change.growth, "% a month", 100)
        yield of("growth", growth, RestsOn.ASSUMED if change.growth is None else stated)
        overlap = change.overlap
        guessed = overlap.unknown or overlap.independent_in is not None
        yield of("overlap", _overlap(overlap), RestsOn.ASSUMED if guessed else stated)


def _overlap(overlap: StatedOverlap) -> str:
    if overlap.unknown:
        return "unknown: anything from nobody to everybody"
    if overlap.independent_in is not None:
        low, high = people(overlap.independent_in.low), people(overlap.independent_in.high)
        return f"as chance has it in a population of {low if low == high else f'{low} to {high}'}"
    spans = ((side, s) for side, s in (("target", overlap.of_target), ("group", overlap.of_group)) if s is not None)
    return " and ".join(_range(s, f"% of the {side}", 100) for side, s in spans)


def _range(limits: object, unit: str, factor: int = 1) -> str:
    low, high = (float(getattr(limits, end)) * factor for end in ("low", "high"))
    return f"{low:g} {unit}" if low == high else f"{low:g} to {high:g} {unit}"
