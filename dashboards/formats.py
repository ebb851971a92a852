"""How figures and probabilities of a forecast are written, in a terminal and in a picture."""

STANDING = "A forecast: no evidence, no part of a licence's test, and no legal advice."


def number(value: float) -> str:
    """People, or whatever the unit is: whole where there are many."""
    return f"{value:,.0f}" if value >= 10_000 else f"{value:,.1f}" if value >= 100 else f"{value:,.4g}"


def chance(probability: float) -> str:
    """A probability by sample paths: none or all of ten thousand isn't never or always."""
    # Ten thousand sample paths tell nothing below one in a thousand with any certainty.
    if probability < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"
