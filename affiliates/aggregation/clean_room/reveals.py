"""What a sketch still tells whoever holds it and the deal's key: whether a guessed identifier may be in it. Pure."""

import numpy as np

from affiliates.sketches.image import ADDRESS_BITS, MAX_VALUE
from affiliates.sketches.registers import Registers

PRIOR = 0.01
"""How likely a guess is before the test, in the example of what a yes is worth."""


def false_yes(registers: Registers) -> float:
    """The chance that somebody who isn't in a sketch seems to be in it, between 0 and 1. For somebody who is, the answer is yes.

    An identifier has one place, and a value v with a probability of 2^-v. While a sketch has coupons, the answer is yes where
    place (of 2^26) and value are there; with registers, where the place's register is at least v: 1 - 2^-register.
    """
    if registers.coupons is not None:
        values = registers.coupons >> ADDRESS_BITS
        return float(np.sum(0.5 ** values.astype(float)) / 2 ** int(ADDRESS_BITS))
    by_value = 1 - 0.5 ** np.arange(MAX_VALUE + 1, dtype=float)
    by_value[MAX_VALUE] = 1.0  # The greatest value stands for all beyond it, too.
    return float(registers.counts @ by_value) / (1 << registers.lg_k)


def worth_of_yes(chance_of_false_yes: float, prior: float = PRIOR) -> float:
    """How likely somebody is in a sketch after a yes, who was in it with probability `prior` before (Bayes)."""
    return prior / (prior + (1 - prior) * chance_of_false_yes)


def in_words(namespace: str, registers: Registers) -> str:
    """What the sketch of a namespace reveals, in one sentence."""
    chance = false_yes(registers)
    form = "" if registers.coupons is None else ": of so few people it is nearly a list of their hashes"
    return (
        f"{namespace}: whoever is in it seems to be, and of others {_share(chance)} (lgK {registers.lg_k}{form}). A guess that "
        f"is right 1 time in {1 / PRIOR:.0f} is right {_certainty(worth_of_yes(chance))} of the time after a yes, never after "
        "a no"
    )


GENERAL = (
    "how many people there are by each kind of identifier, to the sketch's error",
    "how many of any list of identifiers are there, a list of your customers, of voters or of patients: whoever has the key can "
    "hash the list, and compare as this report does",
    "who came or left, in numbers, where sketches of two months or days are handed over: so hand over one month once",
    "not in it: identifiers, keys, products, days, and what anybody did",
)
"""What every sketch of a deal reveals to whoever has the key, and what it doesn't."""


def _share(chance: float) -> str:
    """How many of many; never none of what can be, nor all of what needn't."""
    if chance < 0.01:
        return f"1 in {float(f'{1 / chance:.2g}'):,.0f}" if chance else "nobody"
    return _certainty(chance)


def _certainty(chance: float) -> str:
    percent = 100 * chance
    return "over 99.9 %" if 99.9 < percent < 100 else f"{percent:.3g} %"
