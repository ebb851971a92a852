"""How much a month lacks on the day on which it first calls itself complete: `python -m tests.tools.by_arrival`.

The real events of ../shared/data/git-activity are played by arrival: a run on a day sees the rows that had been recorded
before it. The six families of projects are a product each; which repository an event is of changes no figure of the group.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.periods import DAY, days_between, month_after
from pipelines.store import contributions, publications
from pipelines.workflows.run import run
from tests.support.crosswalks import from_people
from tests.support.git_activity import SETTLES_AFTER, SHARED
from tests.support.groups import KEY, entity, product, write_group
from tests.support.paths import TESTS

YEAR = 2024
BEGIN, END = date(YEAR, 1, 1), date(YEAR + 1, 1, 1)
MONTHS = [date(YEAR, number, 1) for number in range(1, 13)]
FINAL = date(2026, 10, 1)
"""By then every row is there."""
LIMIT = 0.01
HEAD = "| month | first complete on | figure then | in the end | difference | true number |\n|---|---|---:|---:|---:|---:|"
TABLE = TESTS / "by_arrival.md"


@dataclass(frozen=True)
class Way:
    """How the events are handed over, and after how many days they are taken to be all there."""

    by_day: bool
    settles: int

    def __str__(self) -> str:
        return f"{'a file a day' if self.by_day else 'one file'}, settles after {self.settles} days"


AS_IN_THE_DEMO = Way(by_day=False, settles=SETTLES_AFTER)
A_WEEK = Way(by_day=False, settles=7)
A_FILE_A_DAY = Way(by_day=True, settles=7)


@dataclass(frozen=True)
class Month:
    """What became of a month: by day of a run, its figure, and whether it called itself complete."""

    month: date
    seen: dict[date, tuple[int, bool]]

    @property
    def first_complete(self) -> date:
        return min(day for day, (_, complete) in self.seen.items() if complete)

    @property
    def then(self) -> int:
        return self.seen[self.first_complete][0]

    @property
    def least(self) -> int:
        """The lowest figure that was called complete."""
        return min(number for number, complete in self.seen.values() if complete)

    @property
    def last(self) -> int:
        """The figure of the last run, with every row there is."""
        return self.seen[max(self.seen)][0]


def arrivals() -> pl.DataFrame:
    """Who was active in which family on which day of the year, and on which day that was first recorded; bots aside."""
    links = pl.scan_parquet(SHARED / "crosswalk.parquet")
    return (
        pl.scan_parquet(SHARED / "events.parquet")
        .filter(pl.col("event_time").dt.year() == YEAR, ~pl.col("is_bot"), pl.col("user_id").is_not_null())
        .group_by("affiliate", user="user_id", day=pl.col("event_time").dt.date())
        .agg(recorded=pl.col("recorded_time").min().dt.date())
        .join(links, left_on="user", right_on="user_id", how="left")
        .with_columns(person=pl.coalesce("person_id", "user"), month=pl.col("day").dt.month_start())
        .drop("person_id")
        .sort("affiliate", "day", "user")
        .collect()
    )


def people(rows: pl.DataFrame) -> dict[date, int]:
    """By month, how many different people there are."""
    found = dict(rows.group_by("month").agg(pl.col("person").n_unique()).iter_rows())
    return {month: found.get(month, 0) for month in MONTHS}


def visible_on(rows: pl.DataFrame, today: date) -> pl.DataFrame:
    return rows.filter(pl.col("recorded") < today)


def least_settling(rows: pl.DataFrame) -> int:
    """After how many days months have to settle to be, when complete, never more than the limit under their final figures.

    The whole month is looked at on the day on which its last day settles.
    """
    final, since = people(rows), pl.col("day").dt.month_end()
    return next(
        days for days in range(401)
        if all(
            number >= (1 - LIMIT) * final[month]
            for month, number in people(rows.filter((pl.col("recorded") - since).dt.total_days() <= days)).items()
        )
    )  # fmt: skip


def days_of(way: Way, months: list[date]) -> list[date]:
    """The days with a run: each day from a month's end until it has settled, else each week.

    Where settling takes months, the days on which a month settles alone: each run computes again all that hasn't settled.
    """
    settled = [month_after(month) + DAY * way.settles for month in months]
    if way.settles > 30:
        return [*settled, FINAL]
    days = {months[0] + DAY * i for i in range(7, (settled[-1] - months[0]).days + 30, 7)}
    days |= {day - DAY * i for day in settled for i in range(-2, way.settles + 1)}
    return [*sorted(days), FINAL]


def play(way: Way, directory: Path, rows: pl.DataFrame, months: list[date]) -> list[Month]:
    """Run a group that lives in these months with the rows that are visible on each day with a run."""
    life = months[0], month_after(months[-1])
    rows = rows.filter(pl.col("month").is_in(months))
    _group(directory, way, rows, life)
    group, before = read_group(directory), date.min
    seen: dict[date, dict[date, tuple[int, bool]]] = {month: {} for month in months}
    for today in days_of(way, months):
        _bring(directory, way, rows, (max(before, life[0]), min(today, life[1])), today)
        run(directory, group, datetime.combine(today, time(6), UTC))
        with contributions.open_store(group.settings.store, directory) as store, store.snapshot() as fixed:
            for (month, reading), publication in publications.in_force(fixed).items():
                if reading == "unique_people" and month_after(month) <= today:
                    whole = publications.figures_of(fixed, publication.id)[0]
                    seen[month][today] = whole["estimate"], whole["complete"]
        before = today
    return [Month(month, found) for month, found in seen.items()]


def _group(directory: Path, way: Way, rows: pl.DataFrame, lives: tuple[date, date]) -> None:
    def source(family: str) -> dict[str, object]:
        said = {"files": f"{family}/{{day}}.parquet"} if way.by_day else {
            "files": f"{family}.parquet", "complete_through": "through",
        }  # fmt: skip
        return said | {"time": "day", "identifiers": [{"column": "user", "namespace": "author"}]}

    life = {"from": lives[0], "to": lives[1], "settles_after": way.settles}
    families = [entity(f, [product("commits", **life, sources=[source(f)])]) for f in rows["affiliate"].unique().sort()]
    linked = rows.filter(pl.col("person") != pl.col("user")).select(identifier="user", person="person").unique()
    table = from_people(linked, "author", GroupKey(KEY, "1"))
    write_group(
        directory, families, {"crosswalk.parquet": table}, crosswalk="crosswalk.parquet", lg_k=20 if way.settles < 30 else 21
    )
    (directory / "readings.yaml").write_text("readings: [{name: unique_people, counts: unique_people}]")


def _bring(directory: Path, way: Way, rows: pl.DataFrame, since: tuple[date, date], today: date) -> None:
    """Write the files as they are on this day; a day's is written again where a row came since the last time."""
    there, (before, until) = visible_on(rows, today), since
    (directory / "through").write_text(str(until - DAY))
    for family in rows["affiliate"].unique():
        found = there.filter(pl.col("affiliate") == family)
        if not way.by_day:
            found.select("day", "user").write_parquet(directory / f"{family}.parquet")
            continue
        (directory / family).mkdir(exist_ok=True)
        for day in {*found.filter(pl.col("recorded") >= before)["day"], *days_between(before, until - DAY)}:
            found.filter(pl.col("day") == day).select("day", "user").write_parquet(directory / family / f"{day}.parquet")


def table(way: Way, months: list[Month], final: dict[date, int]) -> str:
    return f"## {str(way).capitalize()}\n{HEAD}\n" + "\n".join(line(m, final[m.month]) for m in months)


def line(m: Month, final: int) -> str:
    return f"| {m.month:%Y-%m} | {m.first_complete} | {m.then} | {m.last} | {m.then / m.last - 1:+.2%} | {final} |"


def lags(rows: pl.DataFrame) -> str:
    """How long after its day a person's being active is recorded."""
    shares = (0.5, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
    days = (rows["recorded"] - rows["day"]).dt.total_days()
    found = [days.quantile(share, "higher") for share in shares]
    said = "| of the year's person-days | recorded within days |\n|---:|---:|\n"
    return said + "\n".join(
        f"| {share:.1%} | {number:.0f} |" for share, number in zip(shares, found, strict=True) if number is not None
    )


def main() -> None:
    rows = arrivals()
    final = people(rows)
    parts = [
        f"# What a month lacked when it first called itself complete, {YEAR}, by arrival\n"
        "Made by `python -m tests.tools.by_arrival` from all of ../shared/data/git-activity. By the data, each month is within\n"
        f"1 % of its final figure {least_settling(rows)} days after its end; `settles_after` of the demo is {SETTLES_AFTER}.\n"
        "In the end: the figure of a run with all rows.",
        lags(rows),
    ]
    for way in (AS_IN_THE_DEMO, A_WEEK):
        with TemporaryDirectory() as folder:
            parts.append(table(way, play(way, Path(folder), rows, MONTHS), final))
        TABLE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
