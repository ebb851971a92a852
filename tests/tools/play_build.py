"""Plays one build for `compare_builds`: its commands over its demos and old stores, and all that they leave, as text.

`compare_builds` runs this by the checkout's own Python, in an empty folder; nothing here names a module of the product but
`pipelines.definitions`, which stays where it is. Everything goes into files of one folder: a line is one row, path or line
of output.

What would differ between two runs of one build is made the same here: the clock that the product reads, its random keys,
and the few columns in `MASKED`.
"""

import argparse
import contextlib
import gc
import hashlib
import inspect
import io
import json
import os
import random
import runpy
import secrets
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from ctypes import py_object, pythonapi
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
"""When the first command is run, by the product's clock; it stands still within a command."""
STEP = timedelta(minutes=1)
"""From one command to the next."""
PLAYS = ("own", "stores", "git-activity", "conglomerate")
PACKAGES = ("affiliates", "pipelines", "dashboards")
"""Whose modules are given the clock that stands still; libraries have the machine's."""
MASKED = {
    ("sources_seen", "files"): "a digest of the files' times of change, which a checkout sets",
    ("deliveries", "sender"): "host, process and its start",
}
"""Columns that two runs of one build have differently, with the reason."""
TEXTS = {".csv", ".json", ".jsonl", ".md", ".txt", ".yaml"}
LONG_TEXT = 200_000
LONG_AGO = 1_700_000_000
"""The time of change of files that are handed in: receipts name it, and an inbox leaves newer ones alone."""


class Clock:
    """The product's clock: it stands still within a command, and steps between two of them."""

    def __init__(self) -> None:
        self.now = START

    def install(self) -> None:
        """Puts this clock behind `datetime.now` and `time.monotonic`, for callers in the product."""
        real_now, real_monotonic = datetime.now, time.monotonic

        def now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
            return self.now.astimezone(tz) if _product_calls() else real_now(tz)

        def monotonic() -> float:
            return 0.0 if _product_calls() else real_monotonic()

        # `datetime` is built in and refuses an assignment: a subclass in its place would break isinstance in libraries.
        gc.get_referents(datetime.__dict__)[0]["now"] = classmethod(now)
        pythonapi.PyType_Modified(py_object(datetime))
        time.monotonic = monotonic


def _product_calls() -> bool:
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame and frame.f_back else None
    return bool(caller) and str(caller.f_globals.get("__name__", "")).split(".")[0] in PACKAGES  # type: ignore[union-attr]


class Randomness:
    """Keys and tokens from generators with a seed: both builds then have the same.

    A command begins anew, and each kind and length of token has a generator of its own: a build that draws one more name for
    a temporary file has the same keys.
    """

    def __init__(self) -> None:
        self._generators: dict[tuple[str, int], random.Random] = {}

    def begin(self) -> None:
        """Each generator begins anew."""
        self._generators.clear()

    def draw(self, kind: str, length: int) -> bytes:
        """The next so many bytes of a kind."""
        generator = self._generators.setdefault((kind, length), random.Random(f"{kind} {length}"))
        return generator.randbytes(length)

    def install(self) -> None:
        """Puts this behind `secrets` and the making of signing keys."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        secrets.token_hex = lambda nbytes=None: self.draw("hex", nbytes or 32).hex()
        secrets.token_bytes = lambda nbytes=None: self.draw("bytes", nbytes or 32)
        secrets.randbits = lambda k: int.from_bytes(self.draw("bits", k), "big") >> 7 * k

        def generate(cls: type[Ed25519PrivateKey]) -> Ed25519PrivateKey:
            return cls.from_private_bytes(self.draw("signing", 32))

        Ed25519PrivateKey.generate = classmethod(generate)  # type: ignore[assignment]


class Player:
    """Runs commands in the present folder and keeps what they print and leave."""

    def __init__(self, checkout: Path, results: Path, clock: Clock, randomness: Randomness) -> None:
        self.checkout = checkout
        self.results = results
        self.clock = clock
        self.randomness = randomness

    def keep(self, name: str, lines: Iterable[str]) -> None:
        """One comparison: its lines, without this machine's folders."""
        texts = [line.replace(str(Path.cwd()), "FOLDER").replace(str(self.checkout), "CHECKOUT") for line in lines]
        (self.results / f"{name}.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")

    def command(self, name: str, *arguments: str) -> None:
        """Runs the installed command in this process and keeps its exit code and both outputs."""
        self.clock.now += STEP
        self.randomness.begin()
        out, err, code = io.StringIO(), io.StringIO(), 0
        before, began = sys.argv, time.perf_counter()
        sys.argv = ["mauwatch", *arguments]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                runpy.run_path(str(self.checkout / ".venv" / "bin" / "mauwatch"), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.argv = before
        lines = [f"$ mauwatch {' '.join(arguments)}", f"exit code {code}", *out.getvalue().splitlines(), "-- errors"]
        self.keep(name, [*lines, *err.getvalue().splitlines()])
        print(f"  {name}: exit code {code}, {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)

    def command_help(self, command: str) -> str:
        """What a command says of its options."""
        program = [str(self.checkout / ".venv" / "bin" / "mauwatch"), command, "--help"]
        return subprocess.run(program, capture_output=True, text=True, check=True).stdout

    def database(self, name: str, path: Path) -> None:
        """All that the schema says, and all rows of all tables and views; an image by its digest."""
        with contextlib.closing(sqlite3.connect(path)) as connection:
            objects = connection.execute("select type, name, sql from sqlite_master order by type, name").fetchall()
            self.keep(f"{name}.schema", (json.dumps(row) for row in objects))
            for kind, table, _ in objects:
                if kind in {"table", "view"}:
                    self.keep(f"{name}.{kind}.{table}", _rows(connection, table))

    def files(self, name: str, folder: Path) -> None:
        """Every file by its digest, an archive's contents one by one; a database and Dagster's own state aside."""
        self.keep(name, _digests(folder))


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    cursor = connection.execute(f'select * from "{table}"')
    columns = [column[0] for column in cursor.description]
    yield json.dumps(columns)
    rows = [
        json.dumps(
            ["(masked)" if (table, column) in MASKED else _plain(value) for column, value in zip(columns, row, strict=True)]
        )
        for row in cursor
    ]
    yield from sorted(rows)


def _plain(value: Any) -> Any:
    return f"{len(value)} bytes {hashlib.sha256(value).hexdigest()}" if isinstance(value, bytes) else value


def _digests(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        shown = path.relative_to(folder)
        if not path.is_file() or "sqlite" in path.name or "dagster" in shown.parts:
            continue
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.namelist():
                    yield from _digest(f"{shown}/{entry}", archive.read(entry))
            continue
        yield from _digest(str(shown), path.read_bytes())


def _digest(name: str, content: bytes) -> Iterator[str]:
    """A short text as it stands, so that words which may change are told from what may not; else size and digest."""
    if Path(name).suffix in TEXTS and len(content) < LONG_TEXT:
        yield from (f"{name}: {line}" for line in content.decode().splitlines())
    else:
        yield f"{name} {_plain(content)}"


def play_readers(player: Player, name: str, group: str, months: list[str], products: list[str]) -> None:
    """Every command that reads a store, in JSON and, once each, as a person sees it."""
    at = ("--group", group)
    for month in months:
        player.command(f"{name}.measure.{month}.json", "measure", *at, "--month", month, "--json")
        player.command(
            f"{name}.measure.{month}.summed.json", "measure", *at, "--month", month, "--reading", "summed_products", "--json"
        )
        player.command(f"{name}.licences.{month}.json", "licences", *at, "--month", month, "--json")
    last = months[-1]
    commands: dict[str, list[str]] = {
        "measure": ["measure", "--month", last],
        "measure.known": ["measure", "--month", last, "--as-known-on", "2026-11-21", "--json"],
        "measure.unknown": ["measure", "--month", last, "--as-known-on", "2020-01-01", "--json"],
        "measure.anew": ["measure", "--month", last, "--anew", "--json"],
        "measure.trailing": ["measure", "--trailing", "28", "--to", f"{last}-28", "--json"],
        "measure.to_date": ["measure", "--month", last, "--to-date", "--json"],
        "measure.wrong": ["measure", "--month", "2026-13"],
        "validate.json": ["validate", "--json"],
        "validate": ["validate"],
        "doctor.json": ["doctor", "--json"],
        "doctor": ["doctor"],
        "licences.json": ["licences", "--json"],
        "licences.all.json": ["licences", "--all", "--json"],
        "licences.all": ["licences", "--all"],
        "licences.released.json": ["licences", "--released", "2026-10-01", "--json"],
        "licences.dependencies.json": ["licences", "--dependencies", "--json"],
        "licences.adopt.wrong": ["licences", "--adopt", "llama-44", "--json"],
        "forecast.json": ["forecast", "--json"],
        "forecast": ["forecast", "--horizon", "6"],
        "alerts.json": ["alerts", "--json"],
        "alerts.all.json": ["alerts", "list", "--all", "--json"],
        "alerts.all": ["alerts", "list", "--all"],
        "ledger.json": ["verify", "--json"],
        "key.json": ["key", "check", "--json"],
    }
    for product in products:
        commands[f"licences.adopt.{product.replace('/', '.')}.json"] = [
            "licences",
            "--adopt",
            "llama-4",
            "--product",
            product,
            "--json",
        ]
    for key, arguments in commands.items():
        player.command(f"{name}.{key}", *arguments, *at)


def play_writers(player: Player, name: str, group: str, month: str) -> None:
    """A month is closed, closed again, shown to counsel and erased but for its figures."""
    at = ("--group", group)
    sign = ("close", month, "--by", "General Counsel", *at, "--json")
    player.command(f"{name}.close.json", *sign)
    player.command(f"{name}.close.despite.json", *sign, "--despite", "the day is lost")
    player.command(f"{name}.close.again.json", *sign)
    player.command(f"{name}.close.restated.json", *sign, "--restates", "a wrong file")
    player.command(f"{name}.close.measured", "measure", "--month", month, *at)
    player.command(f"{name}.run.again.json", "run", *at, "--json")
    player.command(f"{name}.evidence.json", "evidence", "llama-4", "-o", f"{group}-evidence", "--expert", *at, "--json")
    player.files(f"{name}.evidence.files", Path(f"{group}-evidence"))
    for kind in ("outside", "expert"):
        player.command(f"{name}.evidence.{kind}.verified.json", "verify", f"{group}-evidence/{kind}.zip", *at, "--json")
    player.command(f"{name}.evidence.outside.verified", "verify", f"{group}-evidence/outside.zip", *at)
    player.command(f"{name}.ledger.after.json", "verify", *at, "--json")
    erase = ("erase", "--before", month, "--by", "Privacy Officer", "--reason", "kept long enough", *at)
    player.command(f"{name}.erase.dry.json", *erase, "--dry-run", "--json")
    # Builds before the question have no such option.
    yes = ("--yes",) if "--yes" in player.command_help("erase") else ()
    player.command(f"{name}.erase.json", *erase, *yes, "--json")
    player.command(f"{name}.erase.measured.json", "measure", "--month", month, *at, "--json")
    player.database(name, Path(group) / ".mauwatch" / "store.sqlite")
    player.files(f"{name}.files", Path(group) / ".mauwatch")


def play_demo(player: Player, name: str, month: str, months: list[str], products: list[str], *options: str) -> None:
    """A demo as the command plays it, and all that can be asked of its group."""
    player.clock.now = START
    player.command(f"{name}.demo.json", "demo", name, *options, "--json")
    player.database(f"{name}.played", Path(name) / ".mauwatch" / "store.sqlite")
    play_definitions(player, name, Path(name))
    play_readers(player, name, name, months, products)
    play_writers(player, name, name, month)


def play_definitions(player: Player, name: str, group: Path) -> None:
    """What Dagster knows the group by: its assets, checks, jobs, schedules and sensors."""
    from pipelines.definitions import build_defs

    repository = build_defs(group.resolve()).get_repository_def()
    assets = repository.asset_graph
    lines = [f"asset {key.to_user_string()}" for key in assets.get_all_asset_keys()]
    lines += [f"check {key.asset_key.to_user_string()} {key.name}" for key in assets.asset_check_keys]
    lines += [f"job {job.name}: {', '.join(sorted(node.name for node in job.nodes))}" for job in repository.get_all_jobs()]
    lines += [f"schedule {each.name} {each.cron_schedule} {each.job_name}" for each in repository.schedule_defs]
    lines += [f"sensor {each.name} {each.minimum_interval_seconds}" for each in repository.sensor_defs]
    player.keep(f"{name}.definitions", sorted(lines))


CENTRE = """\
entity: example
owned_by: [{owner: parent, share: 60 %, from: 2020-01-01}]
products:
  - product: app
    from: 2025-01-01
    settles_after: 3
    active: {id: seen, version: 1, meaning: opened the app}
"""
WAREHOUSE = """\
    sources:
      - table: analytics.events
        database: {env: APP_DB_URL}
        time: at
        complete_through: 2025-01-31
        identifiers: [{column: user, namespace: email}, {column: device, namespace: device}]
        counts_when: kind = 'open'
        internal_when: lower(coalesce(user, '')) like '%@staff.example.com'
"""
ALERTS = """\
channels:
  - {name: counsel, audience: legal, urls: ["json://127.0.0.1:9/"]}
  - {name: data, audience: ops, urls: ["json://127.0.0.1:9/"]}
lead_times: {licence_request: 90, migration: 180}
"""
"""Nobody listens at port 9: each message is tried and fails."""


def play_own_group(player: Player) -> None:
    """A group of one's own, from `init` to a file that an affiliate signs and the centre takes or refuses."""
    player.clock.now = START
    for group in ("edge", "centre"):
        player.command(f"own.init.{group}", "init", group, "--name", "acme")
    edge, workspace = Path("edge"), Path("centre")
    (workspace / ".mauwatch" / "group.key").write_bytes((edge / ".mauwatch" / "group.key").read_bytes())
    (workspace / "affiliates" / "example.yaml").write_text(CENTRE)
    for folder in (edge, workspace):
        (folder / "alerts.yaml").write_text(ALERTS)
    player.files("own.init.files", edge)
    player.command("own.run.log", "run", "--group", "edge", "--from", "2025-01-01", "--to", "2025-01-31", "--log-json")
    play_definitions(player, "own", edge)
    play_readers(player, "own", "edge", ["2025-01", "2025-02"], ["example/app"])
    player.command("own.alerts.test", "alerts", "test", "data", "--group", "edge", "--json")
    player.command("own.alerts.send", "alerts", "send", "--group", "edge", "--json")
    player.command("own.alerts.ack", "alerts", "ack", "1", "--by", "Head of App", "--group", "edge", "--json")
    closing = ("--by", "Head of App", "--reason", "accepted", "--matter", "M-1")
    player.command("own.alerts.close", "alerts", "close", "1", *closing, "--group", "edge", "--json")
    player.command("own.alerts.wrong", "alerts", "ack", "999", "--by", "Head of App", "--group", "edge")
    play_contributions(player)
    play_keys(player)
    play_writers(player, "own", "edge", "2025-01")
    play_restatement(player)
    player.database("own.centre", workspace / ".mauwatch" / "store.sqlite")
    player.files("own.centre.files", workspace / ".mauwatch")
    Path("broken/affiliates").mkdir(parents=True)
    Path("broken/group.yaml").write_text("group: Broken!\nultimate_parnt: x\nlg_k: 30\n")
    for command in ("validate", "doctor", "run", "alerts"):
        player.command(f"own.broken.{command}", command, "--group", "broken")
    player.command("own.nowhere", "measure", "--month", "2025-01", "--group", "nowhere")


def play_restatement(player: Player) -> None:
    """An event comes late: the closed month stands, and is restated by name."""
    with (Path("edge") / "data" / "app.csv").open("a") as events:
        events.write("2025-01-20T08:00:00Z,open,late@example.com,,browser\n")
    player.command("own.late.run.json", "run", "--group", "edge", "--from", "2025-01-20", "--to", "2025-01-20", "--json")
    player.command("own.late.anew.json", "measure", "--month", "2025-01", "--anew", "--group", "edge", "--json")
    signature = ("--by", "General Counsel", "--restates", "an event came late")
    player.command("own.late.close.json", "close", "2025-01", *signature, "--group", "edge", "--json")
    player.command("own.late.measured.json", "measure", "--month", "2025-01", "--group", "edge", "--json")
    player.command("own.late.ledger.json", "verify", "--group", "edge", "--json")
    player.database("own.late", Path("edge") / ".mauwatch" / "store.sqlite")


def play_contributions(player: Player) -> None:
    """Files that an affiliate hands in: by name and by the inbox, twice, signed, and not a contribution at all."""
    at = ("--group", "edge")
    player.command("own.contribute.json", "contribute", *at, "--month", "2025-01", "-o", "january.parquet", "--json")
    player.command(
        "own.contribute", "contribute", "example/app", *at, "--from", "2025-01-03", "--to", "2025-01-05", "-o", "days.parquet"
    )
    edge, warehouse = Path("edge"), Path("warehouse")
    for copied in ("group.yaml", "affiliates/parent.yaml", ".mauwatch/group.key"):
        (warehouse / copied).parent.mkdir(parents=True, exist_ok=True)
        (warehouse / copied).write_bytes((edge / copied).read_bytes())
    (warehouse / "affiliates" / "example.yaml").write_text(CENTRE + WAREHOUSE)
    for engine in ("spark", "databricks", "snowflake", "bigquery", "postgres"):
        player.command(
            f"own.sql.{engine}", "contribute", "example/app", "--group", "warehouse", "--month", "2025-01", "--print-sql", engine
        )
        player.command(f"own.sql.{engine}.self_test", "contribute", *at, "--print-sql", engine, "--self-test")
    player.command("own.inspect.json", "inspect", "january.parquet", "--json")
    player.command("own.inspect", "inspect", "days.parquet")
    Path("wrong.parquet").write_bytes(Path("january.parquet").read_bytes()[:-40])
    for file in ("january", "days", "wrong"):
        os.utime(f"{file}.parquet", (LONG_AGO, LONG_AGO))
    for file in ("january", "january", "days", "wrong"):
        number = len(list(player.results.glob("own.receive.*.json.txt")))
        player.command(f"own.receive.{number}.json", "receive", f"{file}.parquet", "--group", "centre", "--json")
    player.command("own.receive.sender", "receive", "days.parquet", "--sender", "nobody", "--group", "centre")
    inbox = Path("centre/.mauwatch/inbox/example")
    inbox.mkdir(parents=True, exist_ok=True)
    for file in ("days", "wrong"):
        (inbox / f"{file}.parquet").write_bytes(Path(f"{file}.parquet").read_bytes())
        os.utime(inbox / f"{file}.parquet", (LONG_AGO, LONG_AGO))
    player.command("own.receive.inbox.json", "receive", "--group", "centre", "--json")
    player.command("own.receive.measured.json", "measure", "--month", "2025-01", "--group", "centre", "--json")
    player.keep("own.contributions", _digests(Path.cwd()))


def play_keys(player: Player) -> None:
    """Keys, signatures, a trustee's canaries and a crosswalk."""
    player.command("own.key.new.json", "key", "new", "another.key", "--epoch", "2", "--json")
    player.command("own.key.new.again", "key", "new", "another.key")
    player.command("own.key.pair", "key", "pair", "signing.key")
    player.command("own.key.sign", "key", "sign", "january.parquet", "--with", "signing.key")
    player.command("own.key.canaries.json", "key", "canaries", "canaries.json", "--group", "edge", "--json")
    player.command("own.key.check", "key", "check", "--group", "edge")
    Path("links.csv").write_text(
        "email,device\nuser1@example.com,device-1\nuser2@example.com,device-1\nuser3@example.com,device-3\n"
    )
    crosswalk = (
        "crosswalk",
        "links.csv",
        "--month",
        "2025-01",
        "--group",
        "edge",
        "--column",
        "email=email",
        "--column",
        "device=device",
    )
    player.command("own.crosswalk.json", *crosswalk, "-o", "crosswalk.parquet", "--json")
    player.command("own.crosswalk.links", *crosswalk, "--links-to", "links.parquet")
    player.keep("own.keys", _digests(Path.cwd()))


OLD_GROUP = {
    "group.yaml": """\
group: test
ultimate_parent: parent
lg_k: 12
key: {file: group.key}
store: sqlite:///.mauwatch/store.sqlite
""",
    "readings.yaml": """\
readings:
  - {name: unique_people, counts: unique_people}
  - {name: summed_products, counts: summed_products}
""",
    "affiliates/parent.yaml": "entity: parent\n",
    "group.key": f"{'c0de' * 16}\n",
}
"""The group whose stores lie in tests/data/stores; its products are read out of each store."""


def play_old_store(player: Player, path: Path) -> None:
    """A store of an older schema: filled without the product, brought up to date by `run`, and asked."""
    player.clock.now = START
    name, folder = f"store_{path.stem}", Path(f"store_{path.stem}")
    rows: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    (folder / "affiliates").mkdir(parents=True)
    (folder / ".mauwatch").mkdir()
    for file, text in (OLD_GROUP | _old_entities(rows)).items():
        (folder / file).write_text(text)
    (folder / "group.key").chmod(0o600)
    _fill(player.checkout, folder / ".mauwatch" / "store.sqlite", path.stem, rows)
    player.command(f"{name}.before", "measure", "--month", "2025-03", "--group", str(folder))
    player.command(f"{name}.run.json", "run", "--group", str(folder), "--json")
    player.database(f"{name}.migrated", folder / ".mauwatch" / "store.sqlite")
    play_readers(player, name, str(folder), ["2025-01", "2025-03"], [])
    player.database(f"{name}.read", folder / ".mauwatch" / "store.sqlite")


def _old_entities(rows: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    products: dict[str, dict[str, str]] = {}
    for row in rows["contributions"]:
        products.setdefault(row["affiliate"], {})[row["product"]] = row["activity_date"][:7]
    texts = {}
    for affiliate, begins in products.items():
        lines = [
            f"  - {{product: {product}, from: 2025-01-01, settles_after: 3, active: {{id: seen, meaning: was seen}}}}"
            for product in begins
        ]
        owner = "owned_by: [{owner: parent, share: 1}]"
        texts[f"affiliates/{affiliate}.yaml"] = "\n".join([f"entity: {affiliate}", owner, "products:", *lines, ""])
    return texts


def _fill(checkout: Path, store: Path, revision: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    engine = sa.create_engine(f"sqlite:///{store}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(checkout / "sql" / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for name, records in rows.items():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            images = {column.name for column in table.columns if isinstance(column.type, sa.LargeBinary)}
            for record in records:
                values = {k: bytes.fromhex(v) if k in images and v is not None else v for k, v in record.items()}
                marks = ", ".join(f":{column}" for column in values)
                connection.execute(sa.text(f"insert into {name} ({', '.join(values)}) values ({marks})"), values)
    engine.dispose()


def main() -> None:
    """Plays the build whose Python runs this."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PLAYS, default=PLAYS)
    given = parser.parse_args()
    clock = Clock()
    randomness = Randomness()
    clock.install()
    randomness.install()
    player = Player(given.checkout, given.results, clock, randomness)
    if "own" in given.only:
        play_own_group(player)
    if "stores" in given.only:
        for path in sorted((given.checkout / "tests" / "data" / "stores").glob("*.json")):
            play_old_store(player, path)
    if "git-activity" in given.only:
        months = ["2023-06", "2025-03", "2026-07"]
        play_demo(player, "git_activity", "2025-03", months, ["rust_lang/cargo"], "--data", "git-activity")
    if "conglomerate" in given.only:
        months = ["2023-06", "2024-01", "2024-12", "2025-11", "2026-10"]
        size = ("--scale", "0.00001") if given.small else ()
        play_demo(player, "conglomerate", "2026-10", months, ["social/feed"], *size)


if __name__ == "__main__":
    main()
