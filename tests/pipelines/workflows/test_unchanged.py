"""What the last quiet run said, said again while nothing has changed: said once too often, it would hide a change for ever.

The judge is the quiet run itself: whatever is said again has to be what a run that asks everything says.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from affiliates.crosswalks.digest_memo import FILE as DIGESTS
from affiliates.crosswalks.statements import BESIDE
from affiliates.manifests.loader import read_group
from affiliates.periods import DAY, end_of
from affiliates.sources.places import PlaceState, are_apart
from pipelines.figures.figure_cache import FOLDER as FIGURES
from pipelines.ingestion.quarantine import QUARANTINE
from pipelines.store import contributions, run_log
from pipelines.workflows import basis, unchanged
from pipelines.workflows.quiet_run import quiet_run
from pipelines.workflows.report import Report
from pipelines.workflows.unchanged import FILE, Look
from pipelines.workspace import Workspace
from tests.support.command import mauwatch
from tests.support.databases import SQLITE
from tests.support.groups import KEY, NOW, entity, events, product, write_group
from tests.support.runs import go

Directory = Callable[[Path], object]
LATER = NOW + timedelta(days=1)
FIRST = date(2025, 3, 1)
BY_DAY = {"files": "seen-{day}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}
IN_FOLDER = {
    "files": "exports", "time": "at", "complete_through": "exports.through",
    "identifiers": [{"column": "user", "namespace": "email"}],
}  # fmt: skip


def write_day(directory: Path, day: date, users: int = 20) -> None:
    people = [(f"{day}T12:00:00Z", f"u{i}@example.com") for i in range(users)]
    events(people).write_parquet(directory / f"seen-{day}.parquet")


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of one product without the fifth, and another product in a folder of files: run until nothing was new."""
    directory = tmp_path_factory.mktemp("counted") / "group"
    life = {"from": "2025-03-01", "to": "2025-03-11"}
    products = [product("app", **life, sources=[BY_DAY]), product("shop", **life, sources=[IN_FOLDER])]
    crosswalk = pl.DataFrame({"key": ["00" * 8], "person_key": ["00" * 8]})
    write_group(directory, [entity("a", products)], {"joined.parquet": crosswalk}, crosswalk="joined.parquet")
    (directory / "exports" / "first").mkdir(parents=True)
    (directory / "exports" / "none").mkdir()
    people = [(f"2025-03-{day:02}T09:00:00Z", f"s{day}@example.com") for day in range(1, 11)]
    events(people).write_parquet(directory / "exports" / "first" / "all.parquet")
    (directory / "exports.through").write_text("2025-03-10")
    for number in range(10):
        if number != 4:
            write_day(directory, FIRST + timedelta(number))
    go(directory)
    return directory


@pytest.fixture(scope="module")
def report(counted: Path) -> Report:
    """What a quiet run says of it."""
    said = asked_anew(counted)
    assert said is not None
    return said


@pytest.fixture
def directory(counted: Path, report: Report, tmp_path: Path) -> Path:
    """A copy of it, of which is kept what a quiet run says of the same content."""
    copied = Path(shutil.copytree(counted, tmp_path / "group"))
    keep(copied, report)
    assert said_again(copied)
    return copied


def keep(directory: Path, report: Report, between: Directory = lambda _: None) -> None:
    """Keep a report as a quiet run does that took so long, while something happens."""
    look = Look(directory, LATER)
    group = read_group(directory)
    before = basis.of_run(look, group)
    end = ends(directory, LATER)
    assert before is not None
    time.sleep(0.06)
    between(directory)
    before.keep(report, basis.places_of(look.directory, group), LATER, end)


@pytest.fixture
def running(counted: Path, tmp_path: Path) -> Path:
    """A copy whose files were counted once more, since they are others than the copied ones."""
    copied = Path(shutil.copytree(counted, tmp_path / "group"))
    go(copied)
    return copied


def quietly(directory: Path, now: datetime = LATER) -> Report | None:
    """A quiet run that asks everything, and keeps what it says if it may."""
    look = Look(directory, now)
    return quiet_run(directory, read_group(directory), now, look)


def said_again(directory: Path, now: datetime = LATER) -> Report | None:
    return Look(directory, now).report()


def asked_anew(directory: Path, now: datetime = LATER) -> Report | None:
    """What a quiet run says that knows of nothing kept."""
    return quiet_run(directory, read_group(directory), now)


def test_what_is_said_again_is_what_was_said(running: Path) -> None:
    directory = running
    quietly(directory)
    again, anew = said_again(directory), asked_anew(directory)
    assert again is not None
    assert anew is not None
    assert again == replace(anew, tests=[])
    assert again.to_dict() == anew.to_dict()
    assert again.to_dict()["products"]["a/app"]["missing_days"] == ["2025-03-05"]
    assert not again.clean
    assert oct((directory / FILE).stat().st_mode)[-3:] == "600"


def test_when_a_run_last_looked_is_known_and_hides_no_change(running: Path) -> None:
    """A day on which all is as it was left no trace: nobody could tell it from a day without a run."""
    directory = running
    quietly(directory)
    moments = [LATER + timedelta(minutes=minutes) for minutes in (1, 2)]
    for now in moments:
        again = said_again(directory, now)
        assert again is not None, "the line of the run before is no change"
    with contributions.open_store(SQLITE, directory) as store:
        looked = run_log.latest(store, directory, 3)
        assert [(one.at, one.kind) for one in looked] == [(moments[1], "unchanged"), (moments[0], "unchanged"), (LATER, "quiet")]
        assert {(one.result, one.findings) for one in looked} == {("findings", 1)}
    go(directory, LATER + timedelta(minutes=3))
    with contributions.open_store(SQLITE, directory) as store:
        stored = run_log.latest(store, None, 4)
    assert [one.kind for one in stored] == ["whole", "unchanged", "unchanged", "quiet"], "the run that writes takes them along"
    assert not (directory / run_log.FILE).exists()


@pytest.mark.parametrize("form", [(), ("--json",), ("--log-json",)])
def test_the_command_says_the_same_in_every_form(running: Path, form: tuple[str, ...]) -> None:
    """The run before had nothing to do, and this one says what that one said: on both streams, and by its exit code."""
    go(running, datetime.now(UTC))
    told = []
    for is_kept in (False, True):
        assert (running / FILE).exists() == is_kept
        done = mauwatch("run", "--group", running, *form)
        lines = [json.loads(line) for line in done.stderr.splitlines()] if form == ("--log-json",) else []
        told.append((done.returncode, done.stdout, [line | {"time": None} for line in lines]))
    assert told[0] == told[1]
    assert told[0][0] == 1
    assert "2025-03-05" in told[0][1] or '"first_missing_day": "2025-03-05"' in json.dumps(told[0][2])


def test_nothing_is_opened_where_all_is_as_it_was(running: Path) -> None:
    """To import what reads columns, databases and forecasts takes four times as long as the look at what has changed."""
    directory = running
    go(directory, datetime.now(UTC))
    program = (
        "import sys; from dashboards.cli import main\n"
        "try: main.main()\n"
        "except SystemExit as ended: code = ended.code\n"
        "print(code, [name for name in ('polars', 'numpy', 'sqlalchemy', 'pipelines.store.engine') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, "run", "--group", str(directory)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 []"


@pytest.mark.parametrize("options", [("--new-store",), ("--to", "2025-03-02")])
def test_what_is_asked_for_by_name_is_done(running: Path, options: tuple[str, ...]) -> None:
    """A range is computed again, although nothing has changed. What is kept says something else here, to be told by."""
    go(running, datetime.now(UTC))
    mauwatch("run", "--group", running)
    kept = json.loads((running / FILE).read_text())
    kept["report"]["notes"] = ["as it was kept"]
    (running / FILE).write_text(json.dumps(kept))
    assert "as it was kept" in mauwatch("run", "--group", running).stdout
    assert "as it was kept" not in mauwatch("run", "--group", running, *options).stdout


def rewrite_in_place(path: Path) -> None:
    """Other bytes of the same number in the same file, whose time of change is put back."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def edit(directory: Path, name: str, before: str, after: str) -> None:
    text = (directory / name).read_text()
    assert before in text
    (directory / name).write_text(text.replace(before, after))


def by_sql(directory: Path, statement: str) -> None:
    with closing(sqlite3.connect(directory / ".mauwatch" / "store.sqlite")) as store:
        store.execute(statement)
        store.commit()


def in_the_log_alone(directory: Path) -> None:
    """A change that SQLite has in its log, and not yet in the store: another process reads and holds the log."""
    store = sqlite3.connect(directory / ".mauwatch" / "store.sqlite")
    store.execute("pragma wal_autocheckpoint = 0")
    store.execute("update incidents set acknowledged_by = 'somebody'")
    store.commit()
    HELD.append(store)


HELD: list[sqlite3.Connection] = []


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    yield
    while HELD:
        HELD.pop().close()


def another_copy(path: Path) -> None:
    """The same bytes and times in another file."""
    shutil.copy2(path, path.with_name("copy.tmp"))
    os.replace(path.with_name("copy.tmp"), path)


CHANGES: dict[str, Directory] = {
    # The files of sources
    "a file in place, with its size and time": lambda d: rewrite_in_place(d / "seen-2025-03-07.parquet"),
    "a file of a folder in place, with its size and time": lambda d: rewrite_in_place(d / "exports" / "first" / "all.parquet"),
    "a file touched": lambda d: os.utime(d / "seen-2025-03-07.parquet", (1, 1)),
    "a copy in a file's place": lambda d: another_copy(d / "seen-2025-03-07.parquet"),
    "a day that was missing": lambda d: write_day(d, date(2025, 3, 5)),
    "a day gone": lambda d: (d / "seen-2025-03-07.parquet").unlink(),
    "a file that nobody may read": lambda d: (d / "seen-2025-03-07.parquet").chmod(0),
    "a link in a file's place": lambda d: link(d / "seen-2025-03-07.parquet"),
    "a file in an empty folder": lambda d: shutil.copy(d / "seen-2025-03-01.parquet", d / "exports" / "none" / "more.parquet"),
    "a folder in the folder": lambda d: shutil.copytree(d / "exports" / "first", d / "exports" / "second"),
    "what lies there and isn't read": lambda d: (d / "exports" / "none" / "part.tmp").write_text("half"),
    "a table's log beside the files": lambda d: table(d),
    "a table's log above the folder": lambda d: table(d / "exports"),
    "how far a source is complete": lambda d: (d / "exports.through").write_text("2025-03-09"),
    # Manifests
    "a manifest": lambda d: edit(d, "affiliates/a.yaml", "id: seen", "id: open"),
    "an entity's file": lambda d: (d / "affiliates" / "b.yaml").write_text(yaml.safe_dump(entity("b", []))),
    "what lies beside manifests": lambda d: (d / "affiliates" / "notes.txt").write_text("x"),
    "group.yaml": lambda d: edit(d, "group.yaml", "group: test", "group: tess"),
    "readings.yaml": lambda d: (d / "readings.yaml").write_text(
        "readings: [{name: unique_people, counts: unique_people, audiences: [external]}]\n"
    ),
    "alerts.yaml": lambda d: (d / "alerts.yaml").write_text("escalate_after: 4\n"),
    "grants.yaml": lambda d: (d / "grants.yaml").write_text("grants: []\n"),
    "a licence of the group's own": lambda d: licence(d),
    # The store
    "the store, by SQL": lambda d: by_sql(d, "update incidents set acknowledged_by = 'somebody'"),
    "the store, in its log": in_the_log_alone,
    "the store, in place with its size and time": lambda d: rewrite_in_place(d / ".mauwatch" / "store.sqlite"),
    "a copy in the store's place": lambda d: another_copy(d / ".mauwatch" / "store.sqlite"),
    "the store gone": lambda d: (d / ".mauwatch" / "store.sqlite").unlink(),
    "the store's mark": lambda d: (d / ".mauwatch" / "ledger.head").write_text('{"number": 9, "digest": "x"}'),
    # Keys and crosswalk
    "another key": lambda d: (d / "group.key").write_text("beef" * 16),
    "a key that others may read": lambda d: (d / "group.key").chmod(0o644),
    "another crosswalk": lambda d: rewrite_in_place(d / "joined.parquet"),
    "no crosswalk": lambda d: (d / "joined.parquet").unlink(),
    "what is said of a crosswalk": lambda d: (d / f"joined.parquet{BESIDE}").write_text("{}"),
    # What nobody has counted
    "a file in quarantine": lambda d: in_quarantine(d, "b"),
    # What was kept
    "what was kept isn't ours": lambda d: (d / FILE).write_text("{}"),
    "what was kept is half there": lambda d: (d / FILE).write_text((d / FILE).read_text()[:-50]),
}  # fmt: skip


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.parquet"))
    path.symlink_to(path.with_name("elsewhere.parquet"))


def table(folder: Path) -> None:
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log" / "0.json").write_text("{}")


def in_quarantine(directory: Path, affiliate: str) -> None:
    folder = directory / QUARANTINE / affiliate
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "march.parquet").write_bytes(b"x")


def licence(directory: Path) -> None:
    (directory / "licences").mkdir()
    (directory / "licences" / "own.yaml").write_text("{}")


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_is_hidden(directory: Path, name: str) -> None:
    CHANGES[name](directory)
    assert said_again(directory) is None


def test_a_file_in_quarantine_that_is_told_and_then_gone(directory: Path, report: Report) -> None:
    in_quarantine(directory, "a")
    keep(directory, report)
    assert said_again(directory)
    (directory / QUARANTINE / "a" / "march.parquet.receipt.json").write_text("{}")
    assert said_again(directory) is None
    keep(directory, report)
    (directory / QUARANTINE / "a" / "march.parquet").unlink()
    assert said_again(directory) is None


_HOOKED = """
import json, os, sys
from datetime import datetime
from pathlib import Path
from affiliates.manifests.loader import read_group
from pipelines.workflows import basis, unchanged
from pipelines.workflows.quiet_run import quiet_run

directory, now, seen = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), []
sys.addaudithook(lambda event, of: seen.append(of[0]) if event in ("open", "os.listdir", "os.scandir") else None)
look = unchanged.Look(directory, now)
group = read_group(directory)
assert quiet_run(directory, group, now, look)
paths = [os.path.abspath(os.fsdecode(path)) for path in seen if isinstance(path, (str, bytes, os.PathLike))]
print(json.dumps([paths, basis.places_of(look.directory, group)]))
"""


def test_a_run_opens_nothing_that_no_look_is_taken_of(running: Path) -> None:
    """Whoever lets a run read another file has to let `basis` know: else a change of that file is hidden for a day."""
    in_quarantine(running, "a")
    command = [sys.executable, "-c", _HOOKED, str(running), LATER.isoformat()]
    opened, (files, folders, names) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    below = {Path(path) for path in opened if Path(path).is_relative_to(running)}
    known = {Path(path) for path in (*files, *folders, *names)}
    known |= {running / name for name in (*unchanged._FILES, *unchanged._FOLDERS)}
    holding = {Path(path) for path in folders} | {running / name for name in unchanged._FOLDERS}
    # What a run keeps for the next one is looked up by all that it rests on, and decides nothing.
    of_its_own = {running / path for path in (FILE, FIGURES, DIGESTS, run_log.FILE)}
    left = [p for p in below if p not in known and p.parent not in holding and not {p, *p.parents} & of_its_own]
    assert [path for path in left if not path.name.startswith(".") and path != running / ".mauwatch"] == []
    for name in ("group.yaml", "group.key", "affiliates/a.yaml", f"{QUARANTINE}/a"):
        assert running / name in below, name


HARMLESS: dict[str, Directory] = {
    "a file of the inbox": lambda d: inbox(d),
    "a manifest touched": lambda d: os.utime(d / "affiliates" / "a.yaml", (1, 1)),
    "figures that were kept": lambda d: shutil.rmtree(d / ".mauwatch" / "figures", ignore_errors=True),
    "nothing": lambda d: None,
}


def inbox(directory: Path) -> None:
    """`run` receives nothing: `receive` does, and tells the store."""
    folder = directory / ".mauwatch" / "inbox" / "a"
    folder.mkdir(parents=True)
    (folder / "march.parquet").write_bytes(b"x")


@pytest.mark.parametrize("name", HARMLESS)
def test_whatever_is_said_again_is_what_a_run_says(running: Path, name: str) -> None:
    quietly(running)
    HARMLESS[name](running)
    again, anew = said_again(running), asked_anew(running)
    assert again is not None
    assert anew is not None
    assert again == replace(anew, tests=[])


def test_a_change_that_is_undone_is_none(directory: Path) -> None:
    """Manifests are known by their bytes: an editor that writes the same again changes nothing."""
    edit(directory, "affiliates/a.yaml", "id: seen", "id: open")
    edit(directory, "affiliates/a.yaml", "id: open", "id: seen")
    assert said_again(directory)


def test_another_program_asks_anew(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version may find what an older one didn't, and so may a newer library."""
    with monkeypatch.context() as patched:
        (tmp_path / "libraries" / "polars-99.0.dist-info").mkdir(parents=True)
        patched.syspath_prepend(str(tmp_path / "libraries"))
        assert said_again(directory) is None
    assert said_again(directory)
    root = Path(unchanged.__file__).parents[2]
    copied = tmp_path / "program"
    for package in ("affiliates", "pipelines"):
        shutil.copytree(root / package, copied / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = list(unchanged._program(copied))
    rewrite_in_place(
        copied / "pipelines" / "licences" / "data" / sorted(os.listdir(copied / "pipelines" / "licences" / "data"))[0]
    )
    assert list(unchanged._program(copied)) != before


def test_a_key_in_the_environment(directory: Path, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key in the variable makes everybody somebody else; and the file that is kept doesn't hold it."""
    edit(directory, "group.yaml", "file: group.key", "env: GROUP_KEY")
    monkeypatch.setenv("GROUP_KEY", KEY)
    keep(directory, report)
    assert said_again(directory)
    assert KEY not in (directory / FILE).read_text()
    monkeypatch.setenv("GROUP_KEY", "beef" * 16)
    assert said_again(directory) is None
    monkeypatch.delenv("GROUP_KEY")
    assert said_again(directory) is None


@pytest.mark.parametrize("name", ["a file touched", "the store, by SQL", "group.yaml", "what lies beside manifests", "a new key"])
def test_what_changes_while_a_run_is_at_work_is_not_kept(counted: Path, report: Report, tmp_path: Path, name: str) -> None:
    """The report is of what was there before; what is there now may ask for another."""
    copied = Path(shutil.copytree(counted, tmp_path / "group"))
    keep(copied, report, CHANGES.get(name, lambda d: another_copy(d / "group.key")))
    assert not (copied / FILE).exists()


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_run_too_short_for_the_clock_of_files_looks_again_after_it(
    directory: Path, report: Report, is_changed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two changes within one tick have the same times: the second one would not show to a look within the tick."""
    (directory / FILE).unlink()
    look = Look(directory, LATER)
    group = read_group(directory)
    where = basis.places_of(look.directory, group)
    before = basis.of_run(look, group)
    assert before is not None
    wait = time.sleep

    def wait_and_change(seconds: float) -> None:
        wait(seconds)
        if is_changed:
            (directory / "exports.through").write_text("2025-03-09")

    monkeypatch.setattr(time, "sleep", wait_and_change)
    before.keep(report, where, LATER, LATER + DAY)
    assert (directory / FILE).exists() == (not is_changed)
    for seconds, in_seconds, is_enough in ((0.01, False, False), (0.1, False, True), (0.1, True, False), (4.0, True, True)):
        assert are_apart(seconds, PlaceState("", in_seconds)) == is_enough


def test_what_no_look_at_files_can_tell_is_not_kept(directory: Path) -> None:
    group = read_group(directory)
    assert basis.places_of(directory, group)
    for url in ("postgresql://localhost/store", "sqlite://", "sqlite:///s.sqlite?mode=ro"):
        elsewhere = group.model_copy(update={"settings": group.settings.model_copy(update={"store": url})})
        assert basis.places_of(directory, elsewhere) is None, url
    text = (directory / "affiliates" / "a.yaml").read_text()
    for other in (
        "files: s3://bucket/seen-{day}.parquet",
        "table: seen\n    database: {env: URL}\n    complete_through: 2025-03-10",
    ):
        (directory / "affiliates" / "a.yaml").write_text(text.replace("files: seen-{day}.parquet", other))
        assert basis.places_of(directory, read_group(directory)) is None, other


# The time


def ends(directory: Path, now: datetime) -> datetime:
    with Workspace(directory, read_group(directory), now) as workspace:
        return basis.until(workspace)


def test_a_new_day_and_an_earlier_moment_ask_anew(directory: Path) -> None:
    assert said_again(directory, LATER + timedelta(hours=11))
    assert said_again(directory, LATER + timedelta(hours=12)) is None
    assert said_again(directory, LATER - timedelta(seconds=1)) is None
    # An alert's days go on, although the clock has been set back and forth.
    assert said_again(directory, LATER + timedelta(days=365)) is None


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize("day", [date(2025, 3, 29), date(2025, 4, 5), date(2025, 10, 25), date(2025, 11, 1), date(2025, 7, 1)])
def test_what_is_kept_ends_before_a_day_is_missing(counted: Path, zone: str, day: date) -> None:
    """Late events are due so many times 24 hours after their day: with summer time in between, that is no midnight."""
    directory = counted.parent / zone.replace("/", "-")
    if not directory.exists():
        write_group(directory, [entity("a", [product("app", sources=[BY_DAY])])], time_zone=zone)
    late = end_of("day", day, zone) + DAY * 3
    for before in (timedelta(seconds=1), timedelta(hours=3), timedelta(hours=23)):
        assert late - before < ends(directory, late - before) <= late
    assert ends(directory, late) > late


@given(hours=st.floats(0, 60), further=st.floats(0, 1))
@hypothesis_settings(max_examples=5)
def test_until_it_ends_a_run_says_the_same(counted: Path, hours: float, further: float) -> None:
    """Days have been missing for a while, or become so in these hours; a moment later by any part of the time kept changes
    nothing."""
    now = datetime(2025, 3, 8, tzinfo=UTC) + timedelta(hours=hours)
    directory = counted.parent / "in-march"
    if not directory.exists():
        life = {"from": "2025-03-01", "sources": [BY_DAY]}
        write_group(directory, [entity("a", [product("app", **life)])], time_zone="Asia/Kolkata")
        for number in range(4):
            write_day(directory, FIRST + timedelta(number))
        go(directory, datetime(2025, 3, 7, 22, tzinfo=UTC))
        go(directory, datetime(2025, 3, 7, 23, tzinfo=UTC))
    first = asked_anew(directory, now)
    end = ends(directory, now)
    second = asked_anew(directory, now + (end - now) * further * 0.999999)
    assert (first and first.to_dict()) == (second and second.to_dict())


# What has to happen all the same


@contextmanager
def service(status: list[int]) -> Iterator[tuple[str, list[str]]]:
    """An address that answers with the first of `status`, and what it was asked for."""
    taken: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            taken.append(self.path)
            self.send_response(status[0])
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", taken
        finally:
            server.shutdown()
            thread.join()


def test_the_heartbeat_is_sent_each_time(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the outside service rings; and that its address can't be reached is found each time anew."""
    directory = running
    status = [200]
    with service(status) as (address, taken):
        monkeypatch.setenv("BEAT", f"{address}/beat")
        (directory / "alerts.yaml").write_text("heartbeat: {url_env: BEAT, kind: post}\n")
        quietly(directory)
        assert len(taken) == 1
        again = said_again(directory)
        assert again is not None
        assert len(taken) == 2
        assert again.to_dict() == (asked_anew(directory) or Report()).to_dict()
        status[0] = 500
        failed, anew = said_again(directory), asked_anew(directory)
        assert failed is not None
        assert failed.findings == (anew or Report()).findings
        assert failed.findings[-1].text == "the heartbeat's address can't be reached: it answers with 500"
        # A failure is of its moment, and isn't kept.
        (directory / FILE).unlink()
        quietly(directory)
        assert not (directory / FILE).exists()
    assert address not in "".join(path.read_text() for path in directory.glob(".mauwatch/*.json"))


def test_nothing_is_kept_while_a_message_waits(running: Path) -> None:
    """Each run tries again; an escalation comes in time though nothing else happens."""
    directory = running
    status = [500]
    channel = {"name": "ops", "audience": "ops", "urls": [""]}
    with service(status) as (address, taken):
        channel["urls"] = [address.replace("http:", "json:")]
        (directory / "alerts.yaml").write_text(yaml.safe_dump({"channels": [channel], "escalate_after": 1}))
        quietly(directory, LATER)
        quietly(directory, LATER + timedelta(seconds=1))
        assert not (directory / FILE).exists()
        status[0] = 200
        sent = LATER + timedelta(minutes=10)
        quietly(directory, sent)
        quietly(directory, sent)
        assert len(taken) == 2
        assert said_again(directory, sent)
        # Since yesterday nobody has acknowledged, and the alert is older than the message.
        assert datetime.fromisoformat(json.loads((directory / FILE).read_text())["ends"]) <= LATER + timedelta(days=1)
