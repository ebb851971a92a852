"""How figures and probabilities are written, in a terminal and in a picture."""

STANDING = "A forecast: no evidence, no part of a licence's test, and no legal advice."
SCENARIO_STANDING = "A scenario: no evidence, no part of a licence's test, and no legal advice."


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


def _side(number: float, line: int) -> int:
    """Whether a number lies below a line (-1), on it (0) or above it (1)."""
    return (number > line) - (number < line)
