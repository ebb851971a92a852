"""What each reader of `tests.tools.load` looks at, again and again: whether it sees half of anything, or time go backwards.

Half a month is any answer that no single publication gave: a reading, an affiliate or a product that is missing or is of
another publication, parts that don't add up to the whole, a licence's result that is of other figures.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg
import sqlalchemy as sa

from affiliates.manifests.group import Group
from pipelines.counting.measure import Measured
from pipelines.figures.query import figures_of_month
from pipelines.store.contributions import ContributionStore

Key = tuple[date, str]
"""Month and reading."""

WHOLE = """
select g.month, g.reading,
    (select count(*) from group_mau as o where o.month = g.month and o.published_at = g.published_at),
    (select count(*) from affiliate_mau as a
     where a.month = g.month and a.reading = g.reading and a.published_at = g.published_at),
    (select count(*) from product_mau as p
     where p.month = g.month and p.reading = g.reading and p.published_at = g.published_at),
    (select count(*) from coverage as c where c.month = g.month and c.reading = g.reading)
from group_mau as g
"""
"""One statement, as a BI tool sends it: readings, affiliates and products of each figure in force."""

IN_FORCE = """
select p.id, p.month, p.reading, p.inputs, p.contributions_to, p.counts_to, p.known_at,
    (select count(*) from figures as f where f.publication = p.id) as figures
from publications as p
where p.id in (select max(id) from publications group by month, reading)
"""
SUMS = "days_expected", "days_present", "unidentified_events", "undecided_events"


@dataclass(frozen=True)
class Expected:
    """What a month that is there has."""

    readings: int
    affiliates: int
    products: int
    months: int


@dataclass
class Reader:
    """One reader, and what it has seen so far; `halves` says what it shouldn't have."""

    group: Group
    expected: Expected
    halves: list[str] = field(default_factory=list)
    _last: dict[Key, Sequence[Any]] = field(default_factory=dict)

    def statement(self, connection: psycopg.Connection[Any]) -> None:
        """By one plain statement without a transaction around it."""
        e, rows = self.expected, connection.execute(WHOLE).fetchall()
        self._hold(len(rows) == e.months * e.readings, f"{len(rows)} figures of the group in force")
        for month, reading, *found in rows:
            self._hold(
                found == [e.readings, e.affiliates, e.products, e.products], f"{month} {reading}: {found} in one statement"
            )

    def look(self, store: ContributionStore, month: date, number: int) -> None:
        """By all views, and by what the program itself shows of a month, at one moment."""
        reading = self.group.readings.readings[number % len(self.group.readings.readings)]
        with store.snapshot() as fixed:
            with fixed.reading() as connection:
                publications = {(p["month"], p["reading"]): p for p in _rows(connection, IN_FORCE)}
                whole = {(g["month"], g["reading"]): g for g in _rows(connection, "select * from group_mau")}
                affiliates = _by_key(_rows(connection, "select * from affiliate_mau"))
                products = _by_key(_rows(connection, "select * from product_mau"))
                coverage = _by_key(_rows(connection, "select * from coverage"))
                results = _rows(connection, "select * from licence_results")
                history = _rows(connection, "select month, reading, max(publication) as id from figure_history group by 1, 2")
            measured, _ = figures_of_month(fixed, self.group, month, reading)
        self._hold({(h["month"], h["reading"]): h["id"] for h in history} == {k: p["id"] for k, p in publications.items()},
                   "the history ends elsewhere than what is in force")  # fmt: skip
        self._forward(publications)
        self._together(publications)
        for key, figure in whole.items():
            self._parts(key, figure, affiliates[key], products[key], coverage[key])
        self._licences(results, whole)
        self._shown(measured, publications.get((month, reading.name)), whole.get((month, reading.name)))

    def _hold(self, condition: bool, otherwise: str) -> None:
        if not condition:
            self.halves.append(otherwise)

    def _forward(self, publications: dict[Key, Any]) -> None:
        """What a reader was told isn't taken back by what was known before."""
        for key, p in publications.items():
            for name in ("id", "contributions_to", "counts_to", "known_at"):
                before = self._last.get(key, p)[name]
                self._hold(before <= p[name], f"{key[0]} {key[1]}: {name} went back from {before} to {p[name]}")
        self._last |= publications

    def _together(self, publications: dict[Key, Any]) -> None:
        """All readings of a month are of one publishing: they differ in what they test alone, and so rest on the same."""
        by_month: dict[date, list[Any]] = defaultdict(list)
        for (month, _), p in publications.items():
            by_month[month].append((p["inputs"], p["contributions_to"], p["counts_to"], p["known_at"]))
            figures = 1 + self.expected.affiliates + self.expected.products
            self._hold(p["figures"] == figures, f"{month}: {p['figures']} of {figures} figures")
        self._hold(len(by_month) == self.expected.months, f"{len(by_month)} months in force")
        for month, found in by_month.items():
            self._hold(len(found) == self.expected.readings, f"{month}: {len(found)} readings")
            self._hold(len(set(found)) == 1, f"{month}: its readings are of different publishings")

    def _parts(self, key: Key, figure: Any, affiliates: list[Any], products: list[Any], coverage: list[Any]) -> None:
        name, e = f"{key[0]} {key[1]}", self.expected
        self._hold(len(affiliates) == e.affiliates, f"{name}: {len(affiliates)} affiliates")
        self._hold(len(products) == len(coverage) == e.products, f"{name}: {len(products)} products, {len(coverage)} covered")
        for part in (*affiliates, *products):
            self._hold(part["published_at"] == figure["published_at"], f"{name}: a part was published at another time")
        for parts in (affiliates, products):
            for column in SUMS:
                self._hold(sum(p[column] for p in parts) == figure[column], f"{name}: {column} of the parts don't add up")
        self._hold(sum(c["days_present"] for c in coverage) == figure["days_present"], f"{name}: the coverage is another's")
        self._within(name, figure["estimate"], [p["estimate"] for p in products], figure["summed_products"])

    def _within(self, name: str, estimate: int, products: list[int], summed: int) -> None:
        """Of products this small the sketches are exact: people are at least the largest, and at most all of them."""
        self._hold(sum(products) == summed, f"{name}: products sum to {sum(products)}, published is {summed}")
        self._hold(max(products) <= estimate <= summed, f"{name}: {estimate} people, in products {products}")

    def _licences(self, results: Sequence[Any], whole: dict[Key, Any]) -> None:
        tested = 0
        for result in results:
            figure = whole.get((result["measured_month"], result["reading"]))
            if figure is None:
                self._hold(result["result"] == "not_measured", f"{result['licence']}: {result['result']}, and no figure")
                continue
            tested += result["licence"].startswith("llama")
            summed = result["reading"] == "summed_products"
            stands = figure["summed_products"] if summed else figure["estimate"]
            self._hold(result["estimate"] == stands, f"{result['licence']} {result['reading']}: tested with "
                       f"{result['estimate']} people, in force is {stands}")  # fmt: skip
        self._hold(tested == self.expected.readings, f"{tested} results rest on a figure in force")

    def _shown(self, measured: Measured, publication: Any, figure: Any) -> None:
        """Measured anew it may be ahead of what is published; of the same inputs it is the same."""
        name, products = f"{measured.inputs.month} shown", measured.products
        self._hold(len(products) == self.expected.products, f"{name}: {len(products)} products")
        self._within(name, measured.group.estimate or 0, [p.estimate or 0 for p in products.values()], measured.summed[0] or 0)
        if publication is not None and publication["inputs"] == measured.inputs.digest:
            same = measured.group.estimate, measured.group.lower, measured.group.upper, measured.group.summed_products
            published = tuple(figure[c] for c in ("estimate", "lower", "upper", "summed_products"))
            self._hold(same == published, f"{name}: {same}, published of the same inputs is {published}")


def _rows(connection: sa.Connection, query: str) -> list[Any]:
    return list(connection.execute(sa.text(query)).mappings())


def _by_key(rows: Sequence[Any]) -> dict[Key, list[Any]]:
    found: dict[Key, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["month"], row["reading"]].append(row)
    return found
