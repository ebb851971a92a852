"""The contributions, events and crosswalk of a made-up population whose true counts are known.

People of one pattern and cohort are a segment: they are active on the same days. A segment's registers are made once, each person
hashed once in each namespace, and a product's day or month is a union of segments. So some 900 million people take seconds. Most
people have made-up keys; `named` people have identifiers.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import numpy as np
import polars as pl

from affiliates.concurrency import ordered
from affiliates.contributions.contract import Contribution, Part
from affiliates.crosswalks import snapshot
from affiliates.crosswalks.snapshot import NO_CROSSWALK, Crosswalk
from affiliates.identity import canaries
from affiliates.identity.keys import PERSON, GroupKey, person_key
from affiliates.identity.normalisation import NORMALISATION
from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import Grain, month_after, month_days
from affiliates.simulation.population import WAVES, History, Population, Range, Truth
from affiliates.sketches.arrays import Keys
from affiliates.sketches.registers import Absorber, Registers

PHONES = 40_000
"""How many people of a named pattern have a telephone number."""

_SALTS = {"email": 1 << 60, "phone": 2 << 60, "device": 3 << 60, PERSON: 4 << 60}
"""By namespace, what keeps the made-up keys of one person apart."""
_EVENTS = {"email": pl.String(), "phone": pl.String(), "kind": pl.String()}


class Simulation:
    """A population's history in a group. Each `advance` goes on by a month; what a method gives is of the present month."""

    def __init__(self, population: Population, group: Group, key: GroupKey, months: Sequence[date]) -> None:
        self.population = population
        self.group = group
        self.key = key
        self.history = History(population, months)
        self.month = -1
        self._lg_k = group.settings.lg_k
        self.crosswalk = self._linked()
        self._segments: dict[tuple[int, int, str], Absorber] = {}
        self._waves: dict[tuple[int, int, str], Absorber] = {}
        self._people: dict[tuple[int, int], list[Range]] = defaultdict(list)

    def truth(self, month: date, products: Iterable[str]) -> Truth:
        """The number of people who use any of these products (affiliate/product) in a month of the history."""
        return self.history.truth(self.history.months.index(month), set(products))

    def advance(self) -> date:
        """Go to the next month, and hash the people who join in it, in each of their namespaces; returns the month."""
        self.month += 1
        tasks: list[tuple[Absorber, int, str, Range]] = []
        for number, pattern in enumerate(self.population.patterns):
            namespaces = pattern.namespaces(pattern.uses)
            for cohort, people in self.history.newcomers(number, self.month):
                self._people[number, cohort].append(people)
                for namespace in namespaces:
                    segment = self._segments.setdefault((number, cohort, namespace), Absorber(self._lg_k))
                    tasks.append((segment, number, namespace, people))
            for wave in range(WAVES):
                stay = self.history.stay(wave)
                people = self.history.wave(number, wave)
                for namespace in namespaces if people.number else ():
                    if self.month in stay and (number, wave, namespace) not in self._waves:
                        self._waves[number, wave, namespace] = Absorber(self._lg_k)
                        tasks.append((self._waves[number, wave, namespace], number, namespace, people))
                    elif self.month not in stay:  # A wave never comes back, so its memory can go.
                        self._waves.pop((number, wave, namespace), None)
        # The largest first: else one core would end with the largest segment while the others wait.
        for _ in ordered(lambda task: self._absorb(*task), sorted(tasks, key=lambda task: -task[3].number), at_once=1):
            pass
        return self.history.months[self.month]

    def monthly(self, now: datetime) -> Iterator[Contribution]:
        """Every product's contribution for the whole month."""
        month = self.history.months[self.month]
        people = [self.history.there(number, self.month) for number in range(len(self.population.patterns))]
        sketches = self._sketches(range(len(self.population.cohorts)))
        # Each pattern's cohorts once: a pattern is in several products, and all of them take whole months.
        united = zip(sketches, ordered(Registers.union, sketches.values()), strict=True)
        month_sketches = {segment: [registers] for segment, registers in united}

        def contribution(product: tuple[ProductRef, Product]) -> Contribution:
            return self._contribution(*product, "month", month, month_sketches, people, now)

        yield from ordered(contribution, self.products(month))

    def daily(self, ref: ProductRef, product: Product, now: datetime) -> Iterator[Contribution]:
        """A product's contributions for each day of the last month, when nobody is left who will leave."""

        def contribution(day: date) -> Contribution:
            active = self._active(day)
            people = [
                sum(people_range.number for cohort in active for people_range in self._people.get((number, cohort), ()))
                for number in range(len(self.population.patterns))
            ]
            return self._contribution(ref, product, "day", day, self._sketches(active), people, now)

        yield from ordered(contribution, self.days())

    def products(self, month: date) -> list[tuple[ProductRef, Product]]:
        """The products that hand in sketches for a month, of entities in which anybody has a part before the month's end."""
        after = month_after(month)
        sketched = {product for pattern in self.population.patterns for product, namespaces in pattern.uses.items() if namespaces}
        return [
            (ref, product)
            for entity in self.group.entities.values()
            if any(part.from_ is None or part.from_ < after for part in (*entity.owned_by, *entity.controlled_by))
            for product in entity.products  # An entity that joins later contributes from the month in which it joins.
            if str(ref := ProductRef(entity.entity, product.product)) in sketched
        ]

    def forget(self) -> None:
        """Free the memory of all sketches; truths stay."""
        self._segments.clear()
        self._waves.clear()

    def days(self) -> list[date]:
        """The days of the present month."""
        return month_days(self.history.months[self.month])

    def events(self, product: str, day: date) -> pl.DataFrame:
        """A day's raw events of a product whose people are named, in columns `email`, `phone` and `kind`, shuffled.

        Half of the people have a second event. Notices (`push`) to people who weren't active, and events of nobody, are in
        between, as in real logs: neither counts.
        """
        emails: list[Keys] = []
        phones: list[pl.Series] = []
        for (number, cohort), ranges in self._people.items():
            pattern = self.population.patterns[number]
            first = self.history.first[number]
            if cohort in self._active(day) and pattern.named and product in pattern.uses:
                for people_range in ranges:
                    numbers = np.arange(people_range.first, people_range.first + people_range.number, dtype=np.uint64)
                    emails.append(numbers)
                    if "phone" in pattern.uses[product]:
                        phones.append(self._phones(number, numbers[numbers < first + PHONES]))
        # By seed and day: the same day is the same file, in whatever order days are asked for.
        rng = np.random.default_rng((self.population.seed, day.toordinal()))
        # Telephone numbers come in events without an address: only the crosswalk tells that both are one person's.
        people = np.concatenate(emails) if emails else np.empty(0, np.uint64)
        again = people[rng.random(len(people)) < 0.5]
        strangers = np.arange(len(people) // 20, dtype=np.uint64)
        frame = pl.concat(
            [
                pl.DataFrame({"email": _emails(people), "phone": None, "kind": "open"}, schema=_EVENTS),
                pl.DataFrame({"email": _emails(again), "phone": None, "kind": "collect"}, schema=_EVENTS),
                *(pl.DataFrame({"email": None, "phone": numbers, "kind": "open"}, schema=_EVENTS) for numbers in phones),
                pl.DataFrame({"email": _emails(strangers, "stranger"), "phone": None, "kind": "push"}, schema=_EVENTS),
                pl.DataFrame({"email": ["n/a"] * (len(people) // 1000), "phone": None, "kind": "open"}, schema=_EVENTS),
            ]
        )
        return frame[rng.permutation(frame.height)]

    def _active(self, day: date) -> set[int]:
        """The numbers of the cohorts that are active on a day."""
        return {number for number, cohort in enumerate(self.population.cohorts) if cohort.is_active_on(day)}

    def _sketches(self, cohorts: Iterable[int]) -> dict[tuple[int, str], list[Registers]]:
        """By pattern and namespace, the sketches of the segments of these cohorts, and of the waves that are there."""
        by_pattern: dict[tuple[int, str], list[Registers]] = defaultdict(list)
        for (number, cohort, namespace), absorber in self._segments.items():
            if cohort in cohorts:
                by_pattern[number, namespace].append(absorber.registers())
        for (number, _, namespace), absorber in self._waves.items():
            by_pattern[number, namespace].append(absorber.registers())
        return by_pattern

    def _contribution(
        self,
        ref: ProductRef,
        product: Product,
        grain: Grain,
        first: date,
        sketches: Mapping[tuple[int, str], list[Registers]],
        people: Sequence[int],
        now: datetime,
    ) -> Contribution:
        """`sketches`: by pattern and namespace. `people`: by pattern, how many of its people are in the sketches."""
        by_namespace: dict[str, list[Registers]] = defaultdict(list)
        users: dict[str, int] = defaultdict(int)
        for number, pattern in enumerate(self.population.patterns):
            for namespace in pattern.namespaces([str(ref)]):
                by_namespace[namespace] += sketches.get((number, namespace), [])
                users[namespace] += people[number]
        parts = []
        for namespace, segments in sorted(by_namespace.items()):
            canary = canaries.image(namespace, self.key, self._lg_k)
            registers = Registers.union(segments, self._lg_k)
            parts.append(Part("external", namespace, registers, 3 * users[namespace], None, canary))
        return Contribution(
            affiliate=ref.affiliate,
            product=ref.product,
            grain=grain,
            activity_date=first,
            key_epoch=self.key.epoch,
            crosswalk_digest=self.crosswalk.digest if self.crosswalk else NO_CROSSWALK,
            normalisation=NORMALISATION,
            unidentified_events=0,
            undecided_events=0,
            definition=product.active.label,
            definition_digest=None,
            day_zone=self.group.settings.time_zone,
            computed_at=now,
            producer="simulation",
            parts=tuple(parts),
        )

    def _absorb(self, segment: Absorber, number: int, namespace: str, people: Range) -> None:
        """Add people of a pattern to a segment: keys of named people are hashed, others are made from the person's number."""
        if self.population.patterns[number].named:
            numbers = np.arange(people.first, people.first + people.number, dtype=np.uint64)
            segment.absorb(self._keys(number, namespace, numbers))
        else:
            segment.absorb_simulated(*people, self.population.seed + _SALTS[namespace])

    def _keys(self, number: int, namespace: str, numbers: Keys) -> Keys:
        """Keys of named people, hashed from their identifiers."""
        if namespace == "phone":
            names = self._phones(number, numbers[numbers < self.history.first[number] + PHONES])
        elif namespace == "email":
            names = _emails(numbers)
        else:
            names = pl.select(pl.concat_str(pl.lit(f"{namespace}-"), pl.Series(numbers).cast(pl.String))).to_series()
        return pl.select(person_key(pl.lit(names), namespace, self.key)).to_series().to_numpy()

    def _phones(self, number: int, numbers: Keys) -> pl.Series:
        """The telephone numbers of some of a pattern's people: +1 AREA 555 0100 to 0199, which are reserved for fiction."""
        with_phones = [
            pattern_number
            for pattern_number, pattern in enumerate(self.population.patterns)
            if pattern.named and "phone" in pattern.identified
        ]
        places = numbers - np.uint64(self.history.first[number]) + np.uint64(PHONES * with_phones.index(number))
        return pl.Series([f"+1{200 + n // 100}555{100 + n % 100:04}" for n in places.tolist()], dtype=pl.String)

    def _linked(self) -> Crosswalk | None:
        """The crosswalk of the linked patterns' people who stay; none without such a pattern."""
        keys = []
        people = []
        for number, pattern in enumerate(self.population.patterns):
            if pattern.linked:
                numbers = np.arange(pattern.people, dtype=np.uint64) + np.uint64(self.history.first[number])
                person_keys = self._keys(number, PERSON, numbers)
                for namespace in pattern.identified:
                    namespace_keys = self._keys(number, namespace, numbers)
                    keys.append(namespace_keys)
                    # The first people have telephone numbers, so a shorter array is of the first of them.
                    people.append(person_keys[: len(namespace_keys)])
        return snapshot.from_keys(np.concatenate(keys), np.concatenate(people)) if keys else None


def _emails(numbers: Keys, name: str = "member") -> pl.Series:
    """An address at example.com for each number."""
    text = pl.Series(numbers).cast(pl.String).str.zfill(9)
    return pl.select(pl.concat_str(pl.lit(name), text, pl.lit("@example.com"))).to_series()
