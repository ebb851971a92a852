"""A group of made-up events that come in day by day, and what a month's figures have to be: by sets of people, with no sketch.

Four entities, eight products, two namespaces and a crosswalk. Most files come in the next morning with four fifths of
their events and once more, whole, before they settle; some come late, a week comes much too late, and three days are
written again with other events.
"""

import os
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import yaml

from affiliates.identity.keys import GroupKey
from affiliates.periods import DAY, days_between, month_end
from tests.support.crosswalks import from_people
from tests.support.groups import KEY, Manifests, entity, product, write_group

BORN = date(2025, 2, 20)
"""Of all products."""
BEGIN, END = date(2025, 2, 26), date(2025, 4, 11)
"""The days with a run: 45. Llama 4 tests the month of March."""
ACQUIRED = date(2025, 3, 12)
A_DAY, FIRST = 10, 8
"""Events of a product's day, and how many of them its file has when it first comes."""
SETTLES = timedelta(3)
CEILING = 5_000
COUNTS = {date(2025, 2, 1): (30, date(2025, 3, 4)), date(2025, 3, 1): (40, date(2025, 4, 3))}
"""By month, the number of callers and the day on which somebody attests it."""
BY_FILE = ("app", "web", "feed", "store", "maps", "magazine")
SKETCHED = (*BY_FILE, "messenger")
OF = {
    "shop": ("app", "web"), "social": ("feed", "messenger"),
    "phones": ("store", "prepaid"), "roads": ("maps", "kiosk", "magazine"),
}  # fmt: skip
WEB_ENDS = date(2025, 3, 21)
MISSING_WEEK, WEEK_COMES = [date(2025, 3, 10) + DAY * i for i in range(7)], date(2025, 4, 8)
LATE_FILES = {
    ("app", date(2025, 2, 28)): 5, ("store", date(2025, 3, 30)): 4, ("web", date(2025, 3, 8)): 6,
    ("magazine", date(2025, 3, 29)): 5, ("maps", date(2025, 3, 31)): 5, ("feed", date(2025, 2, 27)): 3,
}  # fmt: skip
"""So many days after their own; most of them after they ought to have settled."""
RESTATED = {
    ("app", date(2025, 3, 5)): date(2025, 3, 20),  # Before its month is whole,
    ("app", date(2025, 2, 24)): date(2025, 4, 2),  # after it was,
    ("store", date(2025, 3, 18)): date(2025, 4, 10),  # and a month that Llama 4 has tested.
}  # fmt: skip
"""By product and day, when its file is written again with other events, long after it settled."""
STALL = date(2025, 3, 22), date(2025, 3, 23)
"""On these days messenger's one file doesn't move on. If it stood still until its last days have settled, their late events
would be lost for good: settled days of a file that many days share aren't read again (decision 27)."""

Event = tuple[int, bool]
"""A person, and whether the app knows their device alone."""
Cell = tuple[str, date]


class DailyGroup:
    """The directory, and the events as they are in the end."""

    def __init__(self, directory: Path, store_url: str) -> None:
        self.directory, self.store_url = directory, store_url
        chance = random.Random(45)

        def some(first: int = 0) -> list[Event]:
            return [(first + chance.randrange(1500), chance.random() < 0.3) for _ in range(A_DAY)]

        days = days_between(BORN, END - DAY)
        self.events = {(p, d): some() for p in SKETCHED for d in days if p != "web" or d < WEB_ENDS}
        """By product and day, as first delivered in full."""
        self.restated = {cell: some(first=1500) for cell in RESTATED}
        """What the days that are written again then say."""
        self.deliveries = {cell: _delivery(cell, chance.randint(1, 4)) for cell in self.events}
        """By product and day, the mornings on which its file comes and on which it is whole."""

    def current(self, cell: Cell, today: date) -> list[Event]:
        """A day's events in the version that its file has on a day, all of them."""
        return self.restated[cell] if cell in RESTATED and RESTATED[cell] <= today else self.events[cell]

    # What lies in the directory on a morning.

    def morning(self, today: date) -> None:
        """Bring what comes in on this day; on the first one, all that had come by then."""
        if today in (BEGIN, ACQUIRED, *(day for _, day in COUNTS.values())):
            self.manifests(today)
        for (name, day), (comes, whole) in self.deliveries.items():
            if name not in BY_FILE or day >= today:
                continue
            moments = {comes, whole, RESTATED.get((name, day), whole)}
            if comes <= today and (today in moments or today == BEGIN):
                self._file((name, day), today, A_DAY if whole <= today else FIRST)
        self._one_file(today)

    def _file(self, cell: Cell, today: date, number: int) -> None:
        name, day = cell
        rows, folder = self.current(cell, today)[:number], self.directory / name
        folder.mkdir(parents=True, exist_ok=True)
        if name != "web":
            _write(folder / f"{day}.parquet", [(day, rows)], today)
            return
        _write(folder / f"{day}-a.parquet", [(day, rows[:FIRST])], today)
        if number > FIRST:  # The rest comes as a file of its own.
            _write(folder / f"{day}-b.parquet", [(day, rows[FIRST:])], today)

    def _one_file(self, today: date) -> None:
        """Messenger's export holds all its days; the newest one lacks some events until the next export."""
        until = min(today, STALL[0]) if today <= STALL[1] else today
        days = days_between(BORN, until - DAY)
        held = [(d, self.events["messenger", d][: A_DAY if d + DAY < until else FIRST]) for d in days]
        _write(self.directory / "messenger.parquet", held, today)
        (self.directory / "messenger.day").write_text(str(days[-1]))

    def manifests(self, today: date) -> None:
        entities = {
            "shop": entity("shop", [self._product("app"), self._product("web", to=WEB_ENDS)]),
            "social": {
                **entity("social", [self._product("feed"), self._product("messenger")], owned_by=[]),
                "controlled_by": [{"basis": "contract", "document": "agreement of 2019", "from": date(2019, 1, 1)}],
            },
            "phones": entity("phones", [self._product("store"), product("prepaid", **{"from": BORN}, sources=[], counts=[
                {"month": f"{m:%Y-%m}", "users": n, "unit": "people", "document": "calls", "attested_by": "head of billing"}
                for m, (n, known) in COUNTS.items() if known <= today
            ])]),
        }  # fmt: skip
        if today >= ACQUIRED:
            roof = {"users": CEILING, "unit": "cards", "document": "card register", "attested_by": "head of operations"}
            roads = [
                self._product("maps"), self._product("magazine", grain="month"),
                product("kiosk", **{"from": BORN}, sources=[], ceilings=[roof]),
            ]  # fmt: skip
            entities["roads"] = entity("roads", roads, owned_by=[{"owner": "parent", "share": 0.9, "from": ACQUIRED}])
        key = GroupKey(KEY, "1")
        linked = [(n, device) for n in range(3000) if n % 4 == 0 for device in (False, True)]
        tables = [
            from_people(
                pl.DataFrame({
                    "identifier": [_identifier(n, d) for n, d in linked if d == device],
                    "person": [f"p{n}" for n, d in linked if d == device],
                }), "device" if device else "email", key,
            )
            for device in (False, True)
        ]  # fmt: skip
        write_group(
            self.directory, list(entities.values()), {"crosswalk.parquet": pl.concat(tables).sort("key")},
            crosswalk="crosswalk.parquet", store=self.store_url, lg_k=18,
        )  # fmt: skip
        readings = [
            {"name": "unique_people", "counts": "unique_people"}, {"name": "summed_products", "counts": "summed_products"},
            {"name": "outsiders", "counts": "unique_people", "audiences": ["external"]},
        ]  # fmt: skip
        (self.directory / "readings.yaml").write_text(yaml.safe_dump({"readings": readings}))

    def _product(self, name: str, **changes: object) -> Manifests:
        files = {"web": "web/{day}-*.parquet", "messenger": "messenger.parquet"}.get(name, f"{name}/{{day}}.parquet")
        events = {
            "files": files, "time": "at", "internal_when": "staff",
            "identifiers": [{"column": "email", "namespace": "email"}, {"column": "device", "namespace": "device"}],
        } | ({"complete_through": "messenger.day"} if name == "messenger" else {})  # fmt: skip
        return product(name, **{"from": BORN}, sources=[events], settles_after=SETTLES.days, **changes)

    # What a month's figures have to be.

    def people(self, month: date, subject: str, today: date, reading: str) -> tuple[int | None, int | None]:
        """The figure and the sum over its products: of all the month's events, come or yet to come, in today's version."""
        rewritten = tuple(cell for cell, day in RESTATED.items() if day <= today)
        return self._people(month, subject, rewritten, reading == "outsiders")

    @cache  # noqa: B019 the group lives as long as the test
    def _people(self, month: date, subject: str, rewritten: tuple[Cell, ...], outsiders: bool) -> tuple[int | None, int | None]:
        by_product: dict[str, set[str]] = defaultdict(set)
        names = self.products(month, subject)
        for (name, day), rows in self.events.items():
            if name in names and day.replace(day=1) == month:
                day_rows = self.restated[name, day] if (name, day) in rewritten else rows
                by_product[name] |= {_person(*e) for e in day_rows if not (outsiders and _staff(e[0]))}
        count = COUNTS[month][0] if "prepaid" in names and month in COUNTS else 0
        if names == ["kiosk"]:
            return None, None
        united = len(set().union(*by_product.values()))
        # Callers may be anybody of the others, so by the convention they are none of them.
        return united + count, sum(map(len, by_product.values())) + count

    def products(self, month: date, subject: str) -> list[str]:
        """The products of a subject that are due in a month."""
        entities = [e for e in OF if e != "roads" or month_end(month) >= ACQUIRED]
        products = [p for e in entities for p in OF[e] if subject in ("test", e, f"{e}/{p}")]
        return [p for p in products if p != "web" or month < WEB_ENDS]

    def is_whole(self, month: date, subject: str, now: datetime) -> bool:
        """Whether every event of the month has come in by now, settled, or a number stands in for it."""
        return not any(self._lacks(name, month, now) for name in self.products(month, subject))

    def _lacks(self, name: str, month: date, now: datetime) -> bool:
        over = min(month_end(month) + DAY, WEB_ENDS if name == "web" else date.max)
        if name == "kiosk":
            return now.date() < over
        if name == "prepaid":
            return month not in COUNTS or now.date() < COUNTS[month][1]
        if now < datetime.combine(over, time(), UTC) + SETTLES:
            return True
        if name == "messenger":  # It has stood still in the middle of a month only.
            return False
        return any(w > now.date() for (p, d), (_, w) in self.deliveries.items() if p == name and d.replace(day=1) == month)


def _delivery(cell: Cell, whole_after: int) -> tuple[date, date]:
    name, day = cell
    if name == "feed" and day in MISSING_WEEK:
        return WEEK_COMES, WEEK_COMES
    if cell in LATE_FILES:
        return day + DAY * LATE_FILES[cell], day + DAY * LATE_FILES[cell]
    return day + DAY, day + DAY * whole_after


def _identifier(number: int, device: bool) -> str:
    return f"d-{number:04}" if device else f"u{number}@example.com"


def _person(number: int, device: bool) -> str:
    """As the crosswalk joins them: one in four is known by both."""
    return f"p{number}" if number % 4 == 0 else _identifier(number, device)


def _staff(number: int) -> bool:
    return number % 11 == 0


def _write(path: Path, days: Iterable[tuple[date, list[Event]]], today: date) -> None:
    """Events, written on the morning of a day."""
    rows = [(day, *event) for day, events in days for event in events]
    pl.DataFrame({
        "at": pl.Series([datetime.combine(day, time(12), UTC) for day, _, _ in rows], dtype=pl.Datetime("us", "UTC")),
        "email": pl.Series([None if device else _identifier(n, False) for _, n, device in rows], dtype=pl.String),
        "device": pl.Series([_identifier(n, True) if device else None for _, n, device in rows], dtype=pl.String),
        "staff": pl.Series([_staff(n) for _, n, _ in rows], dtype=pl.Boolean),
    }).write_parquet(path)  # fmt: skip
    moment = datetime.combine(today, time(5), UTC).timestamp()
    os.utime(path, (moment, moment))
