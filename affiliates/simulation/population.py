"""A made-up population and its history: who uses what in which month, in exact numbers. Pure.

People come in patterns: those of one use the same products. A pattern's people have numbers: first
those of the last month in the order in which they joined, then those who left, wave by wave.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from affiliates.identity.keys import PERSON
from affiliates.manifests.base import Model

Namespace = Literal["email", "phone", "device"]

WAVES = 6
"""Those who left came in so many waves, two of them there at any time."""


class Range(NamedTuple):
    """People numbered from `first`."""

    first: int
    number: int


class Truth(NamedTuple):
    """People in a month, each once; and as many as they seem to be with namespaces taken as different people."""

    people: int
    apart: int


class Cohort(Model):
    """A share of each pattern's people, and the days of a month on which they are active."""

    share: Annotated[float, Field(gt=0, le=1)]
    days: Literal["weekdays", "weekends"] | Annotated[float, Field(gt=0, le=1)]
    """A number is the share of days, drawn by lot; the first day of a month is always among them."""

    def on(self, day: date) -> bool:
        if isinstance(self.days, str):
            return (day.weekday() < 5) == (self.days == "weekdays")
        lot = hashlib.sha256(f"{self.days} {day}".encode()).digest()
        return day.day == 1 or int.from_bytes(lot[:4]) < self.days * (1 << 32)


class Pattern(Model):
    """People who use the same products."""

    people: Annotated[int, Field(ge=0)]
    """In the last month."""
    joined: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of them that came during the history, month by month."""
    left: Annotated[int, Field(ge=0)] = 0
    """People on top of them, gone before the last month."""
    named: bool = False
    """They have identifiers, not only keys."""
    linked: bool = False
    """The crosswalk has them."""
    uses: Mapping[str, tuple[Namespace, ...]]
    """By affiliate/product, the namespaces they appear in; none where the product sends no sketch."""

    @property
    def identified(self) -> list[str]:
        """The namespaces of their identifiers, before the crosswalk."""
        return sorted({namespace for used in self.uses.values() for namespace in used})

    def namespaces(self, products: Collection[str]) -> list[str]:
        """Those of their keys in the sketches of any of the products, after the crosswalk."""
        found = {namespace for product in products for namespace in self.uses.get(product, ())}
        return [PERSON] if found and self.linked else sorted(found)


class Population(Model):
    """population.yaml."""

    seed: int
    cohorts: Annotated[tuple[Cohort, ...], Field(min_length=1)]
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1)]

    def scaled(self, scale: float) -> "Population":
        """The same with another number of people."""
        changed = ({"people": round(p.people * scale), "left": round(p.left * scale)} for p in self.patterns)
        patterns = tuple(p.model_copy(update=c) for p, c in zip(self.patterns, changed, strict=True))
        return self.model_copy(update={"patterns": patterns})


class History:
    """Who of a population is there in which of some months, which follow each other."""

    def __init__(self, population: Population, months: Sequence[date]) -> None:
        self.patterns, self.months = population.patterns, list(months)
        self._shares = list(accumulate((c.share for c in population.cohorts), initial=0.0))

    @cached_property
    def first(self) -> list[int]:
        """The number of each pattern's first person."""
        return list(accumulate((p.people + p.left for p in self.patterns), initial=0))[:-1]

    def joined(self, number: int, month: int) -> int:
        """Of a pattern's people of the last month, how many are there in a month; none before the first."""
        pattern = self.patterns[number]
        last = len(self.months) - 1
        if month < 0 or month == last:
            return pattern.people if month >= 0 else 0
        came = round(pattern.people * pattern.joined)
        return pattern.people - came + came * month // last

    def newcomers(self, number: int, month: int) -> Iterator[tuple[int, Range]]:
        """By cohort, the people of a pattern who are there from a month on."""
        before = self.joined(number, month - 1)
        after = self.joined(number, month)
        edges = [before + round((after - before) * share / self._shares[-1]) for share in self._shares]
        for cohort, (begin, end) in enumerate(pairwise(edges)):
            if end > begin:
                yield cohort, Range(self.first[number] + begin, end - begin)

    def wave(self, number: int, wave: int) -> Range:
        """Those of a pattern who came and left together."""
        pattern = self.patterns[number]
        begin, end = (pattern.left * w // WAVES for w in (wave, wave + 1))
        return Range(self.first[number] + pattern.people + begin, end - begin)

    def stay(self, wave: int) -> range:
        """The months in which a wave is there; never the last."""
        months = len(self.months) - 1
        return range(wave * months // (WAVES + 1), (wave + 2) * months // (WAVES + 1))

    def there(self, number: int, month: int) -> int:
        """How many of a pattern's people are there in a month."""
        waves = sum(self.wave(number, w).number for w in range(WAVES) if month in self.stay(w))
        return self.joined(number, month) + waves

    def truth(self, month: int, products: Collection[str]) -> Truth:
        """People who use any of these products in a month."""
        people = apart = 0
        for number, pattern in enumerate(self.patterns):
            if any(product in pattern.uses for product in products):
                there = self.there(number, month)
                people += there
                apart += there * len(pattern.namespaces(products))
        return Truth(people, apart)
