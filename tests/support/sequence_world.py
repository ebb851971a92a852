"""The world of a random sequence: a group directory, the edges beside it, and the truth: who used what on which day.

A group of two entities: `a/app` has its events here, a file a day; `b/web` is counted at an edge of its own and handed in through
the inbox. Some people use both, some have two identifiers that the crosswalk joins. The truth is a set of people, kept apart
from every file: an export that is lost, a condition that matches nothing or a clock that runs ahead takes nobody out of it.
"""

import json
import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import yaml

from affiliates.concurrency import private_folder
from affiliates.identity.keys import GroupKey
from affiliates.periods import DAY, days_between
from pipelines.store import contributions
from tests.support.crosswalks import from_people
from tests.support.groups import KEY, Manifests, entity, product, source, write_group

MONTH = date(2025, 1, 1)
DAYS = days_between(date(2025, 1, 6), date(2025, 1, 9))
"""Of both products' lives."""
BEGIN = datetime(2025, 2, 10, 6, tzinfo=UTC)
A_DAY = 120
"""People of a product's day at first: enough that a loss is no chance of a few."""
UNSURE = 6
"""People by which a sketch of all of them may be off: over four standard errors of 1,000 people at this lgK."""
FEW = 100
"""Events that a condition may all leave out, below which a product isn't refused for it."""
APP, WEB = "app", "web"
AFFILIATES = {APP: "a", WEB: "b"}
MOST_PEOPLE = 1_500
"""People whom a crosswalk knows: more than a sequence can have."""
STATE = Path(".mauwatch")
ENDED = date(2025, 1, 20)
"""The day within the month on which an affiliate leaves that leaves on a stated day."""

Person = int
Cell = tuple[str, date]
"""A product and a day."""


@dataclass
class World:
    """A group directory, the edges beside it, and the truth."""

    room: Path
    seed: int
    chance: random.Random
    now: datetime = BEGIN
    """The true time."""
    skew: timedelta = timedelta()
    """How far the centre's clock is from the true time."""
    edge_skew: timedelta = timedelta()
    """How far the clock of the edges is from the true time."""
    seen: dict[Cell, set[Person]] = field(default_factory=dict)
    """The truth: who used a product on a day."""
    kept: dict[Cell, set[Person] | None] = field(default_factory=dict)
    """What the files hold; None for a file that isn't there."""
    computed: dict[tuple[str, date, datetime], set[Person]] = field(default_factory=dict)
    """What the files held when a product's day was computed at a moment."""
    known: dict[Cell, set[Person]] = field(default_factory=dict)
    """Who was counted at any time: what is lost before anybody has counted it can't be missed by anybody."""
    known_at_backup: dict[Cell, set[Person]] | None = None
    handed_in: dict[str, dict[Cell, set[Person]]] = field(default_factory=dict)
    """What each file of the inbox holds, by AFFILIATE/NAME."""
    faults: list[str] = field(default_factory=list)
    """Steps after which a complete figure lay below the truth, and nobody said anything: signed, or shown."""
    sharing: int = 1
    """Of how many people the crosswalk makes one."""
    steps: list[str] = field(default_factory=list)
    next_person: Person = 0

    @property
    def centre(self) -> Path:
        """The group's directory."""
        return self.room / "centre"

    @property
    def edge(self) -> Path:
        """The directory of the affiliates that hand in files."""
        return self.room / "edge"

    @property
    def clock(self) -> datetime:
        """What the centre takes for the time."""
        return self.now + self.skew

    # The truth.

    @property
    def truth(self) -> int:
        """People of the month: who was counted once, and who stands in a file that is there and is asked for."""
        there = [people for cell in self.asked_for() if (people := self.kept[cell])]
        # What was handed in lies in the inbox still, unless it was refused.
        inbox = self.centre / STATE / "inbox"
        lying = [cells for name, cells in self.handed_in.items() if (inbox / name).exists()]
        stated = [people for cells in lying for (name, _), people in cells.items() if not self._has_left(name)]
        known = self.known_people()
        everybody = known.union(*there, *stated)
        # Whom a wrong join made one before they were counted apart, nothing that anybody holds tells apart.
        return max(len(known), len({person // self.sharing for person in everybody}))

    def known_people(self) -> set[Person]:
        """Who was counted at any time, but for an affiliate's people that left the group on a stated day of the month."""
        return set[Person]().union(*(people for (name, _), people in self.known.items() if not self._has_left(name)))

    def asked_for(self) -> list[Cell]:
        """The products and days that the centre's manifests ask for, and of which files are read here or handed in."""
        cells = list[Cell]()
        for name in (APP, WEB):
            content = self._manifest(name)
            if content is not None and all(holding["share"] == 1 and "to" not in holding for holding in content["owned_by"]):
                manifest = content["products"][0]
                begin, end = date.fromisoformat(manifest["from"]), date.fromisoformat(manifest["to"])
                of_product = [(name, day) for day in DAYS if begin <= day < end and self._is_read(manifest, day)]
                cells += [] if self._is_left_out(manifest, of_product) else of_product
        return cells

    def _manifest(self, name: str) -> Manifests | None:
        """What the centre's manifest says of a product's affiliate; None for one that isn't there."""
        path = self.centre / "affiliates" / f"{AFFILIATES[name]}.yaml"
        return yaml.safe_load(path.read_text()) if path.exists() else None

    def _has_left(self, name: str) -> bool:
        """Whether a product's affiliate left on a stated day of the month: then its people are none of the month's."""
        content = self._manifest(name)
        return content is not None and any("to" in holding for holding in content["owned_by"])

    def _is_left_out(self, manifest: Manifests, cells: list[Cell]) -> bool:
        """Whether a condition leaves out all of so few events that nothing but their number is said, as docs/checks.md has it."""
        conditions = [name for source in manifest["sources"] for name in ("counts_when", "automated_when") if name in source]
        return bool(conditions) and sum(len(self.kept[cell] or ()) for cell in cells) < FEW

    def _is_read(self, manifest: Manifests, day: date) -> bool:
        """Whether a product's source, if it has one here, reads the day's file."""
        return not manifest["sources"] or manifest["sources"][0]["files"] in ("{day}.csv", f"{day}.csv")

    def note_known(self) -> None:
        """Who was counted: what the files held when the store's contributions, of whatever version, were computed."""
        path = self.centre / STATE / "store.sqlite"
        if not path.exists() or self.sharing > 1:
            return
        with closing(sqlite3.connect(path)) as store:
            rows = store.execute("select affiliate, grain, activity_date, computed_at from contributions").fetchall()
        # By the affiliate: its one product may have another name.
        products = {affiliate: name for name, affiliate in AFFILIATES.items()}
        for affiliate, grain, first, moment in rows:
            name = products[affiliate]
            at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
            for day in DAYS if grain == "month" else [date.fromisoformat(first)]:
                people = self.computed.get((name, day, at), set())
                self.known[name, day] = self.known.get((name, day), set()) | people

    # Files.

    def begin(self) -> None:
        """Lay out the directories, with the events of each day in its file."""
        for name in (APP, WEB):
            for day in DAYS:
                self.seen[name, day] = {self.person() for _ in range(A_DAY)}
                self.kept[name, day] = set(self.seen[name, day])
        settings: Manifests = {"lg_k": 18, "crosswalk": "crosswalk.parquet", "namespaces": namespaces("several")}
        write_group(self.centre, [first_manifest(name) for name in (APP, WEB)], **settings)
        at_the_edge = [first_manifest(name, [daily(f"{name}-{{day}}.csv")]) for name in (APP, WEB)]
        write_group(self.edge, at_the_edge, **settings)
        self.write_readings("people")
        path = self.centre / STATE / "store.sqlite"
        private_folder(path.parent)
        path.write_bytes(_empty_store())
        for name, day in self.seen:
            self.write_day(name, day)
        self.write_crosswalk()

    def write_key(self, key: str) -> None:
        """The centre's secret."""
        (self.centre / "group.key").write_text(key)

    def write_readings(self, name: str, *audiences: str) -> None:
        """One reading: what is asked here is of the number, and each reading costs its time."""
        reading: Manifests = {"name": name, "counts": "unique_people"} | ({"audiences": audiences} if audiences else {})
        (self.centre / "readings.yaml").write_text(json.dumps({"readings": [reading]}))

    def person(self) -> Person:
        """A person: mostly a new one, sometimes one who is known."""
        if self.next_person and self.chance.random() < 0.25:
            return self.chance.randrange(self.next_person)
        self.next_person += 1
        return self.next_person - 1

    def write_day(self, name: str, day: date) -> None:
        """Write a day's file as `kept` says, at the edge and, of the app, here."""
        people = self.kept[name, day]
        for path in [self.edge / f"{name}-{day}.csv", *([self.centre / f"{day}.csv"] if name == APP else [])]:
            if people is None:
                path.unlink(missing_ok=True)
                continue
            lines = [f"{day}T12:00:00Z,{_identifier(person, name)}" for person in sorted(people)]
            path.write_text("\n".join(["at,user", *lines]) + "\n")
            # By the sequence's clock: a file that is written twice in one second must not look unchanged.
            stamp = self.now.timestamp() + len(self.steps)
            os.utime(path, (stamp, stamp))

    def write_crosswalk(self, sharing: int = 1, people: int = MOST_PEOPLE) -> None:
        """Who is one person: the identifiers of so many people; `sharing`: of so many people a wrong join made one."""
        self.sharing = sharing
        rows = [(_identifier(p, name), f"p{p // sharing}") for p in range(people) for name in (APP, WEB)]
        links = pl.DataFrame(rows, schema=["identifier", "person"], orient="row").unique("identifier")
        table = from_people(links, "email", GroupKey(KEY, "1"))
        for directory in (self.centre, self.edge):
            table.write_parquet(directory / "crosswalk.parquet")

    def edit(self, path: Path, change: Callable[[Manifests], None]) -> None:
        """Change a manifest, if it is there."""
        if path.exists():
            content = yaml.safe_load(path.read_text())
            change(content)
            path.write_text(yaml.safe_dump(content, sort_keys=False))


def namespaces(identifiers_per_person: object) -> Manifests:
    """What group.yaml says of how many addresses a person has."""
    return {"email": {"identifiers_per_person": identifiers_per_person}}


def daily(files: str = "{day}.csv") -> Manifests:
    """A source of a file a day."""
    return source(files=files, complete_through=None)


def first_manifest(name: str, sources: list[Manifests] | None = None) -> Manifests:
    """A product's affiliate as at the beginning; without `sources`, the app reads a file a day and the other is handed in."""
    days: Any = {"from": DAYS[0].isoformat(), "to": (DAYS[-1] + DAY).isoformat()}
    own = [daily()] if name == APP else list[Manifests]()
    return entity(AFFILIATES[name], [product(name, **days, sources=own if sources is None else sources)])


@cache
def _empty_store() -> bytes:
    """The bytes of a store that nothing was stored in: making one takes longer than a run."""
    with TemporaryDirectory() as folder:
        with contributions.open_store("sqlite:///store.sqlite", Path(folder), create=True):
            pass
        return (Path(folder) / "store.sqlite").read_bytes()


def _identifier(person: Person, product_name: str) -> str:
    """Every fifth person has another address with each product, which the crosswalk joins."""
    return f"u{person}-{product_name}@example.com" if person % 5 == 0 else f"u{person}@example.com"
