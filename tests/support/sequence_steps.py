"""What may happen in a random sequence, by name. Each step changes the world; the truth grows with late events alone."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import yaml

from pipelines.ingestion import quarantine
from pipelines.store import mark
from tests.support import sequence_commands as commands
from tests.support.groups import KEY, Manifests
from tests.support.sequence_world import (
    AFFILIATES,
    APP,
    DAYS,
    ENDED,
    MOST_PEOPLE,
    STATE,
    WEB,
    World,
    first_manifest,
    namespaces,
)

MORE = 12, 40
"""The fewest and the most people who come late on a day."""

Step = Callable[[World], object]


# Events and their files.


def _more(world: World, name: str) -> None:
    """People whose events came later: the day's file is written again with more of them."""
    day = world.chance.choice(DAYS)
    people = {world.person() for _ in range(world.chance.randint(*MORE))}
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


def _whole_again(world: World) -> None:
    """All files are whole again."""
    for cell in world.seen:
        world.kept[cell] = set(world.seen[cell])
        world.write_day(*cell)


# Files handed in.


def _hand_in(world: World) -> None:
    name = world.chance.choice(("jan.parquet", f"jan-{len(world.steps)}.parquet"))
    commands.hand_in(world, name, world.chance.random() < 0.2)


def _hand_in_app(world: World) -> None:
    """The app's own affiliate counts it, too, and hands it in."""
    commands.hand_in(world, f"app-{len(world.steps)}.parquet", product=APP)


def _replaced_with_time_kept(world: World) -> None:
    """`rsync -t`, `cp -p`: the file has other bytes and its old time."""
    path = world.centre / STATE / "inbox" / "b" / "jan.parquet"
    before = path.stat().st_mtime_ns if path.exists() else None
    _more(world, WEB)
    commands.hand_in(world, "jan.parquet")
    if before is not None and path.exists():
        os.utime(path, ns=(before, before))


def _quarantine_emptied(world: World) -> None:
    """Whoever has read why files were refused removes them."""
    shutil.rmtree(world.centre / quarantine.QUARANTINE, ignore_errors=True)


# Signatures and erasure.


def _close_despite(world: World) -> None:
    commands.close(world, "the board wants a number")


def _erase(world: World) -> None:
    first, last = sorted(world.chance.choices(range(len(DAYS)), k=2))
    commands.erase(world, world.chance.choice((APP, WEB)), DAYS[first : last + 1])


def _allow_again(world: World) -> None:
    commands.erase(world, world.chance.choice((APP, WEB)), DAYS, allow_again=True)


# The store.


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
    commands.run_centre(world)


# Clocks, keys, zones and crosswalks.


def _clock_ahead(world: World) -> None:
    world.skew = timedelta(world.chance.choice((1, 10, 400)))


def _clock_behind(world: World) -> None:
    world.skew = -timedelta(world.chance.choice((2, 30, 9000)))


def _clock_of_the_edge(world: World) -> None:
    world.edge_skew = timedelta(world.chance.choice((-40, -2, 1, 10)))


def _clocks_right(world: World) -> None:
    world.skew = world.edge_skew = timedelta()


def _day_passes(world: World) -> None:
    world.now += timedelta(world.chance.choice((1, 3, 9)))


def _collapsed(world: World) -> None:
    """A join on an empty column made one person of all, or of some."""
    world.write_crosswalk(world.chance.choice((2, 3, MOST_PEOPLE)))


def _fewer_joined(world: World) -> None:
    """A crosswalk that knows few of the people."""
    world.write_crosswalk(people=200)


def _crosswalk_right(world: World) -> None:
    world.write_crosswalk()


def _crosswalk_gone(world: World) -> None:
    (world.centre / "crosswalk.parquet").unlink(missing_ok=True)


def _another_key(world: World) -> None:
    """Another secret in the key's file."""
    world.write_key("beef" * 16)


def _key_right(world: World) -> None:
    world.write_key(KEY)


def _setting(**changes: object) -> Step:
    """Something else in group.yaml."""

    def step(world: World) -> None:
        world.edit(world.centre / "group.yaml", lambda settings: settings.update(changes))

    return step


# The affiliates' manifests and the readings.


def _on(name: str, change: Callable[[Manifests], None]) -> Step:
    """A change of a product's affiliate."""

    def step(world: World) -> None:
        world.edit(world.centre / "affiliates" / f"{AFFILIATES[name]}.yaml", change)

    return step


def _on_app(**changes: object) -> Step:
    return _on(APP, lambda content: content["products"][0].update(changes))


def _in_source(**changes: object) -> Step:
    def change(content: Manifests) -> None:
        for source in content["products"][0]["sources"]:
            source.update(changes)

    return _on(APP, change)


def _held(**changes: object) -> Step:
    """Who holds shares of the app's affiliate, and until when."""
    return _on(APP, lambda content: content["owned_by"][0].update(changes))


def _as_it_was(world: World) -> None:
    """All manifests as at the beginning."""
    for name, affiliate in AFFILIATES.items():
        text = yaml.safe_dump(first_manifest(name), sort_keys=False)
        (world.centre / "affiliates" / f"{affiliate}.yaml").write_text(text)
    for hidden in (world.centre / "affiliates").glob(".*.yaml"):
        hidden.unlink()
    world.write_readings("people")


def _hidden(world: World) -> None:
    """A manifest gets a name that isn't read."""
    path = world.centre / "affiliates" / f"{world.chance.choice('ab')}.yaml"
    if path.exists():
        path.rename(path.with_name(f".{path.name}"))


def _reading_renamed(world: World) -> None:
    world.write_readings(f"people_{len(world.steps)}")


def _external_alone(world: World) -> None:
    world.write_readings("people", "external")


def mend(world: World) -> None:
    """What commands and the runbook ask for: manifests, crosswalk and clocks are right again, and so is the store."""
    _as_it_was(world)
    _crosswalk_right(world)
    _key_right(world)
    _setting(time_zone="UTC", namespaces=namespaces("several"))(world)
    _clocks_right(world)
    _quarantine_emptied(world)
    if not (world.centre / STATE / "store.sqlite").exists():
        _restore(world)
        _new_store(world)


def _count(users: int) -> Manifests:
    return {"month": "2025-01", "users": users, "unit": "people", "document": "report", "attested_by": "CFO"}


_ONE_FILE = {"files": f"{DAYS[0]}.csv", "complete_through": DAYS[-1].isoformat()}
"""Another name of the files: one that only one of them has, and a day that no export has reached."""
_CEILING = {"from": "2025-01-01", "users": 200, "unit": "accounts", "document": "report", "attested_by": "CFO"}

STEPS: dict[str, tuple[Step, int]] = {
    "late events": (lambda world: _more(world, APP), 10), "late events at the edge": (lambda world: _more(world, WEB), 8),
    "events lost": (_lost, 2), "a day of the app lost": (_lost_here, 1), "files whole again": (_whole_again, 4),
    "run": (commands.run_centre, 22),
    "run in a range": (lambda world: commands.run_centre(world, *sorted(world.chance.choices(DAYS, k=2))), 3),
    "hand in": (_hand_in, 16), "the app handed in": (_hand_in_app, 2), "replaced, time kept": (_replaced_with_time_kept, 4),
    "a damaged file": (commands.hand_in_damaged, 1), "quarantine emptied": (_quarantine_emptied, 1),
    "close": (commands.close, 5), "close despite": (_close_despite, 1),
    "restated": (lambda world: commands.close(world, restates="late events"), 3), "erase": (_erase, 1),
    "erased again allowed": (_allow_again, 1), "backup": (_backup, 5), "restore": (_restore, 6), "store gone": (_store_gone, 1),
    "new store": (_new_store, 2), "clock ahead": (_clock_ahead, 3), "clock behind": (_clock_behind, 3),
    "clock of the edge": (_clock_of_the_edge, 2), "clock right": (_clocks_right, 5), "days pass": (_day_passes, 6),
    "crosswalk collapsed": (_collapsed, 1), "crosswalk of few": (_fewer_joined, 1), "crosswalk gone": (_crosswalk_gone, 1),
    "crosswalk right": (_crosswalk_right, 3), "another key": (_another_key, 1), "key right": (_key_right, 1),
    # At noon of UTC the next day has begun there.
    "another zone": (_setting(time_zone="Pacific/Auckland"), 1), "zone right": (_setting(time_zone="UTC"), 1),
    "one address each": (_setting(namespaces=namespaces(1)), 1),
    "manifests as they were": (_as_it_was, 8), "mended": (mend, 4), "manifest hidden": (_hidden, 1),
    "reading renamed": (_reading_renamed, 1), "external alone": (_external_alone, 1),
    "life ends earlier": (_on_app(to=DAYS[2].isoformat()), 1), "life begins later": (_on_app(**{"from": DAYS[3].isoformat()}), 1),
    "renamed": (_on_app(product="app2"), 1), "share of 40 %": (_held(share=0.4), 1), "left": (_held(to=ENDED.isoformat()), 1),
    "condition matches nothing": (_in_source(counts_when="user = 'none'"), 1),
    "all automated": (_in_source(automated_when="user like '%@%'"), 1),
    "all internal": (_in_source(internal_when="user like '%@%'"), 1), "another file name": (_in_source(**_ONE_FILE), 1),
    "count above": (_on_app(counts=[_count(5000)]), 1), "ceiling below": (_on_app(ceilings=[_CEILING]), 1),
    "count in place of files": (_on(WEB, lambda content: content["products"][0].update(counts=[_count(60)])), 1),
    "settles at once": (_on_app(settles_after=0), 2), "by month": (_on_app(grain="month"), 1),
    # Explains that fewer are left, whatever took them away: never by chance.
    "another definition": (_on_app(active={"id": "seen", "version": 2, "meaning": "was seen"}), 0),
}  # fmt: skip
"""By name, what may happen, and how often beside the others."""
