"""How figures and probabilities are written: in a terminal, in a picture and on a page."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime

STANDING = "A forecast: no evidence, no part of a licence's test, and no legal advice."
SCENARIO_STANDING = "A scenario: no evidence, no part of a licence's test, and no legal advice."
SPACE = "\u00a0"
"""A space at which no line is broken: a number and its unit stay together."""
MINUS = "\u2212"
_MILLION = 1_000_000
_WHOLE_UP_TO = 10_000_000
"""People up to here are written whole."""


def number(value: float) -> str:
    """People, or whatever the unit is: whole where there are many."""
    return f"{value:,.0f}" if value >= 10_000 else f"{value:,.1f}" if value >= 100 else f"{value:,.4g}"


def chance(probability: float) -> str:
    """A probability by sample paths: none or all of ten thousand isn't never or always."""
    # Ten thousand sample paths tell nothing below one in a thousand with any certainty.
    if probability < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"


def short(people: int, line: int | None = None) -> str:
    """A number of people in millions where there are many, else whole: 612.0 M, 9,999,999.

    With a `line`, such as a threshold, as many digits as it takes to stay on the number's side of the line: 699.96 M, and not
    700.0 M.
    """
    if people < 10_000_000:
        return f"{people:,}"
    for digits in range(1, 7):
        rounded = round(people / 1_000_000, digits)
        is_clear = line is None or _side(rounded * 1_000_000, line) == _side(people, line)
        if is_clear:
            return f"{rounded:,.{digits}f} M"
    return f"{people:,}"


def about(people: int) -> str:
    """A number of people that no line is tested by, with three digits of millions: 2.27 M where `short` has 2,271,784."""
    return f"{people / 1_000_000:.2f} M" if 1_000_000 <= people < 10_000_000 else short(people)


def _side(number: float, line: int) -> int:
    """Whether a number lies below a line (-1), on it (0) or above it (1)."""
    return (number > line) - (number < line)


def people(number: int | float | None, line: int | None = None) -> str:
    """People as the pages write them: 612.4 M, 9,999,999, −1.2 M; "not measured" where there is no number.

    With a `line`, such as a threshold, as many digits as it takes to stay on the number's side of the line, as `short`.
    """
    if number is None:
        return "not measured"
    return _written(round(number), line, 1, round)


def exact(number: int) -> str:
    """A round number in its shortest exact form, as thresholds and ticks are: 700 M, 2.5 M, 10,000."""
    millions = number / _MILLION
    if abs(number) >= _MILLION and number == round(millions, 3) * _MILLION:
        return f"{millions:,.10g}{SPACE}M".replace("-", MINUS)
    return f"{number:,}".replace("-", MINUS)


def at_least(number: int, line: int | None = None) -> str:
    """A lower bound in whole millions, rounded down, so that what is written holds, too."""
    return _written(number, line, 0, math.floor)


def at_most(number: int, line: int | None = None) -> str:
    """An upper bound in whole millions, rounded up, so that what is written holds, too."""
    return _written(number, line, 0, math.ceil)


def between(lower: int, upper: int | None, line: int | None = None) -> str:
    """Two bounds: 583 to 691 M; "at least 583 M" where there is no upper bound."""
    if upper is None:
        return f"at least {at_least(lower, line)}"
    low = at_least(lower, line)
    high = at_most(upper, line)
    unit = f"{SPACE}M"
    # The unit once, where both have it.
    return f"{low.removesuffix(unit) if high.endswith(unit) else low} to {high}"


def headroom(least: int | None, most: int) -> str:
    """What is left under a threshold, from the least to the most: −69 M to +389 M; below zero the threshold is passed."""
    if least is None:
        return f"at most {_signed(at_most(most, 0))}"
    return f"{_signed(at_least(least, 0))} to {_signed(at_most(most, 0))}"


def percent(probability: float) -> str:
    """A chance in whole percent; what isn't certain isn't written as 0 % or 100 %."""
    if 0 < probability < 0.01:
        return f"<{SPACE}1{SPACE}%"
    if 0.99 < probability < 1:
        return f">{SPACE}99{SPACE}%"
    return f"{100 * probability:.0f}{SPACE}%"


def share(part: int, whole: int) -> str:
    """A part of a whole in percent with one digit."""
    return "–" if not whole else percent_change(part / whole).lstrip("+")


def percent_change(change: float) -> str:
    """A relative change with its sign: +1.2 %, −0.4 %; 0.0 % where it rounds to nothing."""
    rounded = round(100 * change, 1)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):,.1f}{SPACE}%"


def month_name(month: date) -> str:
    """A month in words: October 2026."""
    return f"{month:%B}{SPACE}{month.year}"


def moment(at: datetime) -> str:
    """A moment to the minute, in UTC: 2026-11-01 06:12 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}{SPACE}UTC".replace(" ", SPACE, 1)


def age(then: datetime, now: datetime) -> str:
    """How long ago a moment was: today, 1 day ago, 12 days ago; less than a day in hours."""
    hours = (now - then).total_seconds() / 3600
    if hours < 1:
        return "less than an hour ago"
    if hours < 24:
        return _count(int(hours), "hour") + " ago"
    return _count(int(hours // 24), "day") + " ago"


def days_from(day: date, today: date) -> str:
    """How far a day lies from today: in 12 days, today, passed 119 days ago."""
    days = (day - today).days
    if days == 0:
        return "today"
    return f"in {_count(days, 'day')}" if days > 0 else f"passed {_count(-days, 'day')} ago"


def _count(number: int, noun: str) -> str:
    return f"{number:,}{SPACE}{noun}{'' if number == 1 else 's'}"


def _signed(text: str) -> str:
    return text if text.startswith(MINUS) or text == "0" else f"+{text}"


def _written(number: int, line: int | None, digits: int, rounding: Callable[[float], int]) -> str:
    """A number in millions with at least so many digits, rounded by `rounding` and never onto or across the line."""
    if abs(number) < _WHOLE_UP_TO:
        return f"{number:,}".replace("-", MINUS)
    for places in range(digits, 7):
        scale = 10**places
        # Whole numbers, not floats: 10 ** places divides a million, so nothing is lost.
        rounded = rounding(number * scale / _MILLION) * (_MILLION // scale)
        if line is None or _side(rounded, line) == _side(number, line):
            return f"{rounded / _MILLION:,.{places}f}{SPACE}M".replace("-", MINUS)
    return f"{number:,}".replace("-", MINUS)
