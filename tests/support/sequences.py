"""Random sequences of what people do to a group directory, beside the truth that they can't change: who used what on which day.

A group of two entities: `a/app` has its events here, a file a day; `b/web` is counted at an edge of its own and handed in through
the inbox. Some people use both, some have two identifiers that the crosswalk joins. The truth is a set of people, kept apart
from every file: an export that is lost, a condition that matches nothing or a clock that runs ahead takes nobody out of it.
"""

import json
import os
import random
import shutil
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

from affiliates.aggregation.availability import periods_present
from affiliates.aggregation.contribute import EdgeContext, contribute
from affiliates.concurrency import private_folder
from affiliates.contributions import contract
from affiliates.crosswalks.snapshot import Snapshots
from affiliates.errors import RefusedError
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY, days_between
from affiliates.sources import resolve
from pipelines.figures import query
from pipelines.ingestion import inbox, receive
from pipelines.records import Restatement
from pipelines.store import contributions, erasure, mark
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.receive import publish_received, receive_files
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.crosswalks import from_people
from tests.support.groups import KEY, entity, product, source, write_group

MONTH = date(2025, 1, 1)
DAYS = days_between(date(2025, 1, 6), date(2025, 1, 9))
"""Of both products' lives."""
BEGIN = datetime(2025, 2, 10, 6, tzinfo=UTC)
A_DAY = 120
"""People of a product's day at first: enough that a loss is no chance of a few."""
MORE = 12, 40
"""The fewest and the most people who come late on a day."""
UNSURE = 6
"""People by which a sketch of all of them may be off: over four standard errors of 1,000 people at this lgK."""
APP, WEB = "app", "web"
MOST_PEOPLE = 1_500
"""People whom a crosswalk knows: more than a sequence can have."""
STATE = Path(".mauwatch")

Person = int


@dataclass(frozen=True)
class Outcome:
    """What a sequence came to."""

    seed: int
    steps: tuple[str, ...]
    truth: int
    """People who used a product in the month."""
    estimate: int | None
    complete: bool
    words: tuple[str, ...]
    """What the last commands said that isn't clean: refusals, findings, reasons of the figure."""
    signed_low: tuple[str, ...] = ()
    """Steps that signed a complete figure below the truth without `--despite`."""

    @property
    def kind(self) -> str:
        """How the figure lies to the truth, and whether anything was said."""
        estimate = self.estimate
        lies = "none" if estimate is None else "low" if estimate < self.truth - UNSURE else "high"
        if estimate is not None and abs(estimate - self.truth) <= UNSURE:
            lies = "right"
        return f"{'complete' if self.complete else 'open'}, {lies}, {'told' if self.words else 'silent'}"

    @property
    def silently_low(self) -> bool:
        """Whether a complete figure lies below the truth, and nobody said anything; or was signed so."""
        is_low = self.estimate is not None and self.estimate < self.truth - UNSURE
        return bool(self.signed_low) or (self.complete and not self.words and is_low)


@dataclass
class World:
    """A group directory, the edge beside it, and the truth."""

    room: Path
    seed: int
    chance: random.Random
    now: datetime = BEGIN
    """The true time."""
    skew: timedelta = timedelta()
    """How far the centre's clock is from the true time."""
    seen: dict[tuple[str, date], set[Person]] = field(default_factory=dict)
    """The truth: who used a product on a day."""
    kept: dict[tuple[str, date], set[Person] | None] = field(default_factory=dict)
    """What the files hold; None for a file that isn't there."""
    computed: dict[tuple[str, date, datetime], set[Person]] = field(default_factory=dict)
    """What the files held when a product's day was computed at a moment."""
    known: dict[tuple[str, date], set[Person]] = field(default_factory=dict)
    """Who was counted at any time: what is lost before anybody has counted it can't be missed by anybody."""
    known_at_backup: dict[tuple[str, date], set[Person]] | None = None
    handed_in: dict[str, dict[tuple[str, date], set[Person]]] = field(default_factory=dict)
    """What each file of the inbox holds."""
    signed_low: list[str] = field(default_factory=list)
    """Steps that signed a complete figure below the truth without `--despite`."""
    sharing: int = 1
    """Of how many people the crosswalk makes one."""
    refused: list[str] = field(default_factory=list)
    """Why the files that were received last were refused: they lie in the quarantine, with their receipts."""
    steps: list[str] = field(default_factory=list)
    next_person: Person = 0

    @property
    def centre(self) -> Path:
        """The group's directory."""
        return self.room / "centre"

    @property
    def edge(self) -> Path:
        """The directory of the affiliate that hands in files."""
        return self.room / "edge"

    @property
    def clock(self) -> datetime:
        """What the centre takes for the time."""
        return self.now + self.skew

    @property
    def truth(self) -> int:
        """People of the month: who was counted once, and who stands in a file that is there and is asked for."""
        there = [people for cell in self.asked_for() if (people := self.kept[cell])]
        # What was handed in lies in the inbox still, unless it was refused.
        folder = self.centre / STATE / "inbox" / "b"
        lying = [cells for name, cells in self.handed_in.items() if (folder / name).exists()]
        known = set[Person]().union(*self.known.values())
        everybody = known.union(*there, *(people for cells in lying for people in cells.values()))
        # Whom a wrong join made one before they were counted apart, nothing that anybody holds tells apart.
        return max(len(known), len({person // self.sharing for person in everybody}))

    def asked_for(self) -> list[tuple[str, date]]:
        """The products and days that the centre's manifests ask for."""
        cells = list[tuple[str, date]]()
        for affiliate, name in (("a", APP), ("b", WEB)):
            path = self.centre / "affiliates" / f"{affiliate}.yaml"
            if path.exists():
                manifest = yaml.safe_load(path.read_text())["products"][0]
                begin, end = date.fromisoformat(manifest["from"]), date.fromisoformat(manifest["to"])
                cells += [(name, day) for day in DAYS if begin <= day < end and self._is_read(manifest, day)]
        return cells

    def _is_read(self, manifest: dict[str, Any], day: date) -> bool:
        """Whether a product's source, if it has one here, reads the day's file."""
        return not manifest["sources"] or manifest["sources"][0]["files"] in ("{day}.csv", f"{day}.csv")

    def _note_known(self) -> None:
        """Who was counted: what the files held when the store's contributions, of whatever version, were computed."""
        path = self.centre / STATE / "store.sqlite"
        if not path.exists() or self.sharing > 1:
            return
        with closing(sqlite3.connect(path)) as store:
            rows = store.execute("select product, grain, activity_date, computed_at from contributions").fetchall()
        for name, grain, first, moment in rows:
            at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
            for day in DAYS if grain == "month" else [date.fromisoformat(first)]:
                people = self.computed.get((name, day, at), set())
                self.known[name, day] = self.known.get((name, day), set()) | people

    def begin(self) -> None:
        """Lay out both directories, with the events of each day in its file."""
        days: Any = {"from": DAYS[0].isoformat(), "to": (DAYS[-1] + DAY).isoformat()}
        daily = source(files="{day}.csv", complete_through=None)
        for name in (APP, WEB):
            for day in DAYS:
                self.seen[name, day] = {self._person() for _ in range(A_DAY)}
                self.kept[name, day] = set(self.seen[name, day])
        settings: dict[str, Any] = {"lg_k": 18, "crosswalk": "crosswalk.parquet"}
        namespaces = {"email": {"identifiers_per_person": "several"}}
        app = product(APP, **days, sources=[daily])
        web = product(WEB, **days, sources=[])
        write_group(self.centre, [entity("a", [app]), entity("b", [web])], namespaces=namespaces, **settings)
        write_group(self.edge, [entity("b", [product(WEB, **days, sources=[daily])])], namespaces=namespaces, **settings)
        self.write_readings("people")
        self._lay_out_store()
        for name, day in self.seen:
            self.write_day(name, day)
        self.write_crosswalk()

    def _lay_out_store(self) -> None:
        """An empty store: making one takes longer than a run."""
        path = self.centre / STATE / "store.sqlite"
        private_folder(path.parent)
        path.write_bytes(_empty_store())

    def write_key(self, key: str) -> None:
        """The centre's secret."""
        (self.centre / "group.key").write_text(key)

    def write_readings(self, name: str) -> None:
        """One reading: what is asked here is of the number, and each reading costs its time."""
        (self.centre / "readings.yaml").write_text(json.dumps({"readings": [{"name": name, "counts": "unique_people"}]}))

    def _person(self) -> Person:
        """A person: mostly a new one, sometimes one who is known."""
        if self.next_person and self.chance.random() < 0.25:
            return self.chance.randrange(self.next_person)
        self.next_person += 1
        return self.next_person - 1

    # Files.

    def write_day(self, name: str, day: date) -> None:
        """Write a day's file as `kept` says."""
        path = (self.centre if name == APP else self.edge) / f"{day}.csv"
        people = self.kept[name, day]
        if people is None:
            path.unlink(missing_ok=True)
            return
        lines = [f"{day}T12:00:00Z,{_identifier(person, name)}" for person in sorted(people)]
        path.write_text("\n".join(["at,user", *lines]) + "\n")
        # By the sequence's clock: a file that is written twice in one second must not look unchanged.
        stamp = self.now.timestamp() + len(self.steps)
        os.utime(path, (stamp, stamp))

    def write_crosswalk(self, sharing: int = 1) -> None:
        """Who is one person: each person's identifiers; `sharing`: of so many people a wrong join made one."""
        self.sharing = sharing
        rows = [(_identifier(p, name), f"p{p // sharing}") for p in range(MOST_PEOPLE) for name in (APP, WEB)]
        links = pl.DataFrame(rows, schema=["identifier", "person"], orient="row").unique("identifier")
        table = from_people(links, "email", GroupKey(KEY, "1"))
        for directory in (self.centre, self.edge):
            table.write_parquet(directory / "crosswalk.parquet")

    def edit(self, path: Path, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a manifest."""
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    # Commands. Each gives what wasn't clean, in its words.

    def run(self, first: date | None = None, last: date | None = None) -> list[str]:
        """`mauwatch run`."""
        mine = [cell for cell in self.asked_for() if cell[0] == APP]
        self.computed |= {(*cell, self.clock): people for cell in mine if (people := self.kept[cell])}
        try:
            report = run(self.centre, read_group(self.centre), self.clock, first, last)
        except RefusedError as error:
            return [str(error)]
        refusals = [str(refusal) for of_product in report.products for refusal in of_product.refusals]
        self._note_known()
        missing = [
            f"{of_product.name} lacks {len(of_product.missing)} days" for of_product in report.products if of_product.missing
        ]
        return [*refusals, *missing, *(str(finding) for finding in report.findings)]

    def hand_in(self, name: str, restates: bool = False) -> list[str]:
        """`mauwatch contribute` at the edge, and `mauwatch receive` of what lies in the inbox."""
        folder = self.centre / STATE / "inbox" / "b"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            group = read_group(self.edge, edge=True)
            ref = ProductRef("b", WEB)
            of_edge = group.products[ref]
            settings = group.settings
            keys = Keyring(settings, self.edge)
            context = EdgeContext(self.edge, settings, keys, Snapshots(settings, self.edge, keys), self.now)
            sources = resolve.find(str(ref), of_edge, self.edge, "UTC")
            periods = periods_present(sources, of_edge, of_edge.days_due(MONTH, DAYS[-1], "UTC"), "UTC", self.now)
            path = folder / name
            if periods:
                made = [c for batch in contribute(ref, of_edge, sources, periods, context) for c in batch]
                contract.write(path, made)
                mine = {cell: people for cell, people in self.kept.items() if cell[0] == WEB and people is not None}
                self.handed_in[name] = {cell: set(people) for cell, people in mine.items() if cell[1] in periods}
                self.computed |= {(*cell, self.now): people for cell, people in self.handed_in[name].items()}
                stamp = self.now.timestamp() - 600
                os.utime(path, (stamp, stamp))
        except RefusedError as error:
            return [str(error)]
        return self.receive(restates)

    def receive(self, restates: bool = False) -> list[str]:
        """`mauwatch receive`."""
        restatement = Restatement("Head of Data", "late events") if restates else None
        try:
            with Workspace(self.centre, read_group(self.centre), self.clock) as workspace:
                accepted, signed = receive.accepted_files(workspace), receive.must_sign(workspace.group)
                offers, left, _ = inbox.waiting(self.centre, self.clock.timestamp(), accepted, signed)
                session = receive_files(workspace, offers, None, restatement)
                publish_received(workspace, session)
        except RefusedError as error:
            return [str(error)]
        self._note_known()
        self.refused = [str(refusal) for file in session.files for refusal in file.refusals]
        waiting = [str(of_file) for of_file in left]
        findings = [str(finding) for finding in [*session.undecided, *session.report.findings]]
        return self.refused + waiting + findings

    def close(self, despite: str | None = None, restates: str | None = None) -> list[str]:
        """`mauwatch close`."""
        try:
            with Workspace(self.centre, read_group(self.centre), self.clock) as workspace:
                measured = close_month(workspace, MONTH, Signature("Head of Finance", despite, restates))
        except RefusedError as error:
            return [str(error)]
        known = len(set().union(*self.known.values()))
        groups = [figures.group for figures in measured.values()]
        low = [figure for figure in groups if figure.estimate is not None and figure.estimate < known - UNSURE]
        if despite is None and any(figure.complete for figure in low):
            self.signed_low.append(f"{self.steps[-1]}: {low[0].estimate} of {known} people")
        return []

    def erase(self, day: date) -> None:
        """`mauwatch erase a/app --from DAY --to DAY`."""
        try:
            group = read_group(self.centre)
            with contributions.open_store(group.settings.store, self.centre) as store:
                scope = erasure.Scope(affiliate="a", product=APP, first_day=day, last_day=day)
                erasure.erase(store, scope, erasure.Order("DPO", "by request"), self.clock)
        except RefusedError:
            return

    def figure(self) -> tuple[int | None, bool, list[str]]:
        """`mauwatch measure`: estimate, whether it is complete, and what is said beside it; nothing where it is refused."""
        try:
            group = read_group(self.centre)
            with contributions.open_store(group.settings.store, self.centre) as store:
                measured, publication = query.figures_of_month(store, group, MONTH, group.readings.readings[0])
        except RefusedError as error:
            return None, False, [str(error)]
        despite = [f"signed although: {publication.despite}"] if publication and publication.despite else []
        return measured.group.estimate, measured.group.complete, [*measured.group.reasons, *despite]

    def last_look(self) -> Outcome:
        """Hand in, run twice with the right clock three weeks later, and look: what is said must be said again, not once."""
        self.skew = timedelta()
        self.now += timedelta(21)
        self.hand_in("last.parquet")
        in_quarantine = self.refused
        self.run()
        self.now += timedelta(hours=12)
        words = [*in_quarantine, *self.receive(), *self.run()]
        estimate, complete, reasons = self.figure()
        steps, signed_low = tuple(self.steps), tuple(self.signed_low)
        return Outcome(self.seed, steps, self.truth, estimate, complete, (*words, *reasons), signed_low)


@cache
def _empty_store() -> bytes:
    """The bytes of a store that nothing was stored in."""
    with TemporaryDirectory() as folder:
        with contributions.open_store("sqlite:///store.sqlite", Path(folder), create=True):
            pass
        return (Path(folder) / "store.sqlite").read_bytes()


def _identifier(person: Person, product_name: str) -> str:
    """Every fifth person has another address with each product, which the crosswalk joins."""
    return f"u{person}-{product_name}@example.com" if person % 5 == 0 else f"u{person}@example.com"


# What may happen; each changes the world, and none of them changes the truth but the first two.

Step = Callable[[World], None]


def _late_events(world: World) -> None:
    """People whose events came later: the day's file is written again with more of them."""
    _more(world, APP)


def _late_at_the_edge(world: World) -> None:
    _more(world, WEB)


def _more(world: World, name: str) -> None:
    day = world.chance.choice(DAYS)
    people = {world._person() for _ in range(world.chance.randint(*MORE))}
    world.seen[name, day] |= people
    world.kept[name, day] = set(world.seen[name, day])
    world.write_day(name, day)


def _lost_here(world: World) -> None:
    """All events of one day of the app are gone: its file has its header alone."""
    world.kept[APP, DAYS[0]] = set()
    world.write_day(APP, DAYS[0])


def _lost(world: World) -> None:
    """Part of a day's events is gone: a file of some rows, its header alone, or no file."""
    name = world.chance.choice((APP, WEB))
    for day in world.chance.sample(DAYS, world.chance.randint(1, len(DAYS))):
        rest = world.chance.choice((0.5, 0.2, 0.0, None))
        kept = world.kept[name, day]
        world.kept[name, day] = None if rest is None or kept is None else set(sorted(kept)[: int(len(kept) * rest)])
        world.write_day(name, day)


def _found(world: World) -> None:
    """All files are whole again."""
    for cell in world.seen:
        world.kept[cell] = set(world.seen[cell])
        world.write_day(*cell)


def _run(world: World) -> None:
    world.run()


def _hand_in(world: World) -> None:
    world.hand_in(world.chance.choice(("jan.parquet", f"jan-{len(world.steps)}.parquet")), world.chance.random() < 0.2)


def _replaced_with_time_kept(world: World) -> None:
    """`rsync -t`, `cp -p`: the file has other bytes and its old time."""
    path = world.centre / STATE / "inbox" / "b" / "jan.parquet"
    before = path.stat().st_mtime_ns if path.exists() else None
    _more(world, WEB)
    world.hand_in("jan.parquet")
    if before is not None and path.exists():
        os.utime(path, ns=(before, before))


def _close(world: World) -> None:
    world.close()


def _close_despite(world: World) -> None:
    world.close("the board wants a number")


def _erase(world: World) -> None:
    world.erase(world.chance.choice(DAYS))


def _backup(world: World) -> None:
    path = world.centre / STATE / "store.sqlite"
    if path.exists():
        with closing(sqlite3.connect(path)) as store, closing(sqlite3.connect(world.room / "backup")) as copy:
            store.backup(copy)
        world.known_at_backup = {cell: set(people) for cell, people in world.known.items()}


def _restore(world: World) -> None:
    """The database is that of the backup; the inbox, the receipts and the mark beside the store are today's."""
    if world.known_at_backup is not None:
        world.known = {cell: set(people) for cell, people in world.known_at_backup.items()}
        for path in (world.centre / STATE).glob("store.sqlite*"):
            path.unlink()
        shutil.copy(world.room / "backup", world.centre / STATE / "store.sqlite")


def _store_gone(world: World) -> None:
    """A volume that isn't mounted: what is in no file can't be known any more."""
    world.known = {}
    for path in (world.centre / STATE).glob("store.sqlite*"):
        path.unlink()


def _new_store(world: World) -> None:
    """`mauwatch run --new-store`: the store that is there, or none, is the right one from now on."""
    mark.forget(world.centre)
    world.run()


def _restated(world: World) -> None:
    world.close(restates="late events")


def _clock_ahead(world: World) -> None:
    world.skew = timedelta(world.chance.choice((1, 10, 400)))


def _clock_behind(world: World) -> None:
    world.skew = -timedelta(world.chance.choice((2, 30, 9000)))


def _clock_right(world: World) -> None:
    world.skew = timedelta()


def _collapsed(world: World) -> None:
    """A join on an empty column made one person of all, or of some."""
    world.write_crosswalk(world.chance.choice((2, 3, MOST_PEOPLE)))


def _another_key(world: World) -> None:
    """Another secret in the key's file."""
    world.write_key("beef" * 16)


def _key_right(world: World) -> None:
    world.write_key(KEY)


def _another_zone(world: World) -> None:
    """The group's days begin elsewhere: at noon of UTC the next one has begun there."""
    world.edit(world.centre / "group.yaml", lambda settings: settings.update(time_zone="Pacific/Auckland"))


def _zone_right(world: World) -> None:
    world.edit(world.centre / "group.yaml", lambda settings: settings.update(time_zone="UTC"))


def _run_in_a_range(world: World) -> None:
    first, last = sorted(world.chance.choices(DAYS, k=2))
    world.run(first, last)


def _crosswalk_right(world: World) -> None:
    world.write_crosswalk()


def _day_passes(world: World) -> None:
    world.now += timedelta(world.chance.choice((1, 3, 9)))


def _on_app(change: Callable[[dict[str, Any]], None]) -> Step:
    def step(world: World) -> None:
        path = world.centre / "affiliates" / "a.yaml"
        if path.exists():
            world.edit(path, lambda content: change(content["products"][0]))

    return step


def _as_it_was(world: World) -> None:
    """All manifests as at the beginning."""
    days = {"from": DAYS[0].isoformat(), "to": (DAYS[-1] + DAY).isoformat()}
    manifests = {
        "a": entity("a", [product(APP, **days, sources=[source(files="{day}.csv", complete_through=None)])]),
        "b": entity("b", [product(WEB, **days, sources=[])]),
    }
    for name, manifest in manifests.items():
        (world.centre / "affiliates" / f"{name}.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    for hidden in (world.centre / "affiliates").glob(".*.yaml"):
        hidden.unlink()
    world.write_readings("people")


def _hidden(world: World) -> None:
    """A manifest gets a name that isn't read."""
    path = world.centre / "affiliates" / f"{world.chance.choice('ab')}.yaml"
    if path.exists():
        path.rename(path.with_name(f".{path.name}"))


def _mended(world: World) -> None:
    """What commands and the runbook ask for: manifests, crosswalk and clock are right again, and so is the store."""
    _as_it_was(world)
    _crosswalk_right(world)
    _key_right(world)
    _zone_right(world)
    _clock_right(world)
    if not (world.centre / STATE / "store.sqlite").exists():
        _restore(world)
        _new_store(world)


def _reading_renamed(world: World) -> None:
    world.write_readings(f"people_{len(world.steps)}")


def _life_moved(app: dict[str, Any]) -> None:
    app["to"] = DAYS[2].isoformat()


def _born_later(app: dict[str, Any]) -> None:
    app["from"] = DAYS[3].isoformat()


def _matches_nothing(app: dict[str, Any]) -> None:
    app["sources"][0]["counts_when"] = "user = 'none'"


def _all_automated(app: dict[str, Any]) -> None:
    app["sources"][0]["automated_when"] = "user like '%@%'"


def _one_file(app: dict[str, Any]) -> None:
    """Another name of the files: one that only one of them has, and a day that no export has reached."""
    app["sources"][0] |= {"files": f"{DAYS[0]}.csv", "complete_through": DAYS[-1].isoformat()}


def _count_above(app: dict[str, Any]) -> None:
    app["counts"] = [{"month": "2025-01", "users": 5000, "unit": "people", "document": "report", "attested_by": "CFO"}]


def _by_month(app: dict[str, Any]) -> None:
    """One contribution for the whole month, in the place of one a day."""
    app["grain"] = "month"


def _no_settling(app: dict[str, Any]) -> None:
    app["settles_after"] = 0


STEPS: dict[str, tuple[Step, int]] = {
    "late events": (_late_events, 10), "late events at the edge": (_late_at_the_edge, 8), "events lost": (_lost, 2),
    "a day of the app lost": (_lost_here, 1), "files whole again": (_found, 4), "run": (_run, 22), "hand in": (_hand_in, 16),
    "replaced, time kept": (_replaced_with_time_kept, 4), "close": (_close, 5), "close despite": (_close_despite, 1),
    "restated": (_restated, 3), "erase a day": (_erase, 1), "backup": (_backup, 5), "restore": (_restore, 6),
    "store gone": (_store_gone, 1), "new store": (_new_store, 2), "clock ahead": (_clock_ahead, 3),
    "clock behind": (_clock_behind, 3), "clock right": (_clock_right, 5), "crosswalk collapsed": (_collapsed, 1),
    "crosswalk right": (_crosswalk_right, 3), "days pass": (_day_passes, 6), "manifests as they were": (_as_it_was, 8),
    "mended": (_mended, 4), "manifest hidden": (_hidden, 1), "reading renamed": (_reading_renamed, 1),
    "life ends earlier": (_on_app(_life_moved), 1), "life begins later": (_on_app(_born_later), 1),
    "condition matches nothing": (_on_app(_matches_nothing), 1), "all automated": (_on_app(_all_automated), 1),
    "another file name": (_on_app(_one_file), 1), "count above": (_on_app(_count_above), 1),
    "settles at once": (_on_app(_no_settling), 2), "by month": (_on_app(_by_month), 1), "another key": (_another_key, 1),
    "key right": (_key_right, 1), "another zone": (_another_zone, 1), "zone right": (_zone_right, 1),
    "run in a range": (_run_in_a_range, 3),
}  # fmt: skip
"""By name, what may happen, and how often beside the others."""


ALWAYS = "run", "hand in"
CHOSEN = 0.4
"""How often a sequence has a kind of step."""


def play(seed: int, room: Path, length: int = 10) -> Outcome:
    """A sequence of so many steps, always the same for a seed, and what a last look says.

    A sequence has some kinds of steps alone, so that those meet often. Every other one is mended before the look: a figure that
    was said to be wrong has to be right then.
    """
    chance = random.Random(seed)
    chosen = [name for name in STEPS if name in ALWAYS or chance.random() < CHOSEN]
    names = chance.choices(chosen, [STEPS[name][1] for name in chosen], k=length)
    names += ["mended"] * (seed % 2)
    return play_steps(names, room, seed)


def play_steps(names: list[str], room: Path, seed: int = 0) -> Outcome:
    """These steps in this order: what is left of a failing sequence once the steps that don't matter are taken out."""
    world = World(room, seed, random.Random(seed))
    world.begin()
    for name in names:
        world.steps.append(name)
        # No two commands are of one moment.
        world.now += timedelta(minutes=1)
        STEPS[name][0](world)
    return world.last_look()
