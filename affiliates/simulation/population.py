"""A made-up population and its history: who uses what in which month, in exact numbers. Pure.

People come in patterns: people of one pattern use the same products. People are numbered, pattern by pattern: first those who are
there in the last month, in the order in which they joined, then those who left before, wave by wave. Months are numbered from 0.
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
"""People who left came in so many waves. Two of them are there at any time, so that somebody leaves and somebody comes."""


class Range(NamedTuple):
    """So many people (`number`), numbered from `first`."""

    first: int
    number: int


class Truth(NamedTuple):
    """The true number of people in a month."""

    people: int
    """Each person once."""
    apart: int
    """Each person once in each namespace: as many as they seem to be, taken apart. Without those in counts alone."""


class Cohort(Model):
    """A share of each pattern's people, and the days of a month on which they are active."""

    share: Annotated[float, Field(gt=0, le=1)]
    days: Literal["weekdays", "weekends"] | Annotated[float, Field(gt=0, le=1)]
    """A number is the share of days, drawn by lot; the first day of a month is always among them."""

    def is_active_on(self, day: date) -> bool:
        """Whether the cohort's people are active on a day."""
        if isinstance(self.days, str):
            return (day.weekday() < 5) == (self.days == "weekdays")
        # From the day alone, so that every run and every machine draws the same days.
        lot = hashlib.sha256(f"{self.days} {day}".encode()).digest()
        return day.day == 1 or int.from_bytes(lot[:4]) < self.days * (1 << 32)


class Pattern(Model):
    """People who use the same products."""

    people: Annotated[int, Field(ge=0)]
    """How many are there in the last month."""
    joined: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of `people` that came during the history, month by month."""
    left: Annotated[int, Field(ge=0)] = 0
    """How many more people were there and left before the last month."""
    named: bool = False
    """Whether the people have identifiers, not only keys."""
    linked: bool = False
    """Whether the crosswalk has the people."""
    uses: Mapping[str, tuple[Namespace, ...]]
    """By affiliate/product, the namespaces in which the people appear; none where the product sends no sketch."""

    @property
    def identified(self) -> list[str]:
        """The namespaces of the people's identifiers, before the crosswalk."""
        return sorted({namespace for namespaces in self.uses.values() for namespace in namespaces})

    def namespaces(self, products: Collection[str]) -> list[str]:
        """The namespaces of the people's keys in the sketches of any of the products, after the crosswalk."""
        before = {namespace for product in products for namespace in self.uses.get(product, ())}
        return [PERSON] if before and self.linked else sorted(before)


class Population(Model):
    """population.yaml: a made-up population."""

    seed: int
    """Another seed makes other people of the same numbers."""
    cohorts: Annotated[tuple[Cohort, ...], Field(min_length=1)]
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1)]

    def scaled(self, scale: float) -> "Population":
        """The same population with `scale` times as many people."""
        patterns = tuple(
            pattern.model_copy(update={"people": round(pattern.people * scale), "left": round(pattern.left * scale)})
            for pattern in self.patterns
        )
        return self.model_copy(update={"patterns": patterns})


class History:
    """Which people of a population are there in which month. `months` follow each other."""

    def __init__(self, population: Population, months: Sequence[date]) -> None:
        self.patterns = population.patterns
        self.months = list(months)
        self._shares = list(accumulate((cohort.share for cohort in population.cohorts), initial=0.0))

    @cached_property
    def first(self) -> list[int]:
        """The number of each pattern's first person."""
        return list(accumulate((pattern.people + pattern.left for pattern in self.patterns), initial=0))[:-1]

    def joined(self, number: int, month: int) -> int:
        """How many of a pattern's people who stay are there in a month; none before the first month."""
        pattern = self.patterns[number]
        last = len(self.months) - 1
        if month < 0 or month == last:
            return pattern.people if month >= 0 else 0
        # Everybody else was there before the first month.
        came = round(pattern.people * pattern.joined)
        return pattern.people - came + came * month // last  # They come evenly, and rounding loses nobody.

    def newcomers(self, number: int, month: int) -> Iterator[tuple[int, Range]]:
        """The people of a pattern who join in a month and stay, with the number of each range's cohort."""
        before = self.joined(number, month - 1)
        after = self.joined(number, month)
        # Shares of what has been added up, so that the cohorts' people are all newcomers, whatever is rounded.
        edges = [before + round((after - before) * share / self._shares[-1]) for share in self._shares]
        for cohort, (begin, end) in enumerate(pairwise(edges)):
            if end > begin:
                yield cohort, Range(self.first[number] + begin, end - begin)

    def wave(self, number: int, wave: int) -> Range:
        """The people of a pattern who came and left together."""
        pattern = self.patterns[number]
        begin = pattern.left * wave // WAVES
        end = pattern.left * (wave + 1) // WAVES
        return Range(self.first[number] + pattern.people + begin, end - begin)

    def stay(self, wave: int) -> range:
        """The months in which a wave is there; never the last."""
        months = len(self.months) - 1
        return range(wave * months // (WAVES + 1), (wave + 2) * months // (WAVES + 1))

    def there(self, number: int, month: int) -> int:
        """How many of a pattern's people are there in a month."""
        in_waves = sum(self.wave(number, wave).number for wave in range(WAVES) if month in self.stay(wave))
        return self.joined(number, month) + in_waves

    def truth(self, month: int, products: Collection[str]) -> Truth:
        """The number of people who use any of these products (affiliate/product) in a month."""
        people = 0
        apart = 0
        for number, pattern in enumerate(self.patterns):
            if any(product in pattern.uses for product in products):
                there = self.there(number, month)
                people += there
                apart += there * len(pattern.namespaces(products))
        return Truth(people, apart)
