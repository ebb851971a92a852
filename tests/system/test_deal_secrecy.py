"""A planned deal is told by nothing but the store's scenario tables and the files that its owner exported.

What would silently go wrong: a name of a deal in a log that an operator reads, in Dagster's record, in an alert to everybody,
or in the bundle for the other side's lawyer.
"""

import json
import logging
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from pipelines.store.engine import connected
from tests.support.command import Done, mauwatch
from tests.support.databases import SQLITE, rows_of
from tests.support.groups import NOW, entity, events, product, source, write_group
from tests.support.receivers import Hooks, web_server
from tests.support.runs import go
from tests.support.wrong_contributions import by_key, row, write

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning"),
]
PLANTED = "nightjar"
"""In every name of the deal, in some case of letters."""
TABLES = {"scenarios", "scenario_access"}
SCENARIO = {
    "scenario": "nightjar-one",
    "title": "Buying Nightjar Title",
    "note": "Nightjar note",
    "month": "2025-03",
    "horizon": 6,
    "releases": ["2025-06-15"],
    "changes": [
        {
            "acquire": "Nightjar Social",
            "on": "2025-05-01",
            "users": {"low": 4, "likely": 5, "high": 6, "unit": "accounts", "month": "2025-03"},
            "people_per_unit": {"low": 0.5, "high": 1, "source": "the Nightjar panel", "as_of": "2025-03-31"},
            "overlap": {"of": "target", "low": "20 %", "high": "60 %"},
            "source": "Nightjar's annual report",
            "as_of": "2025-03-31",
            "note": "told by a nightjar",
            "models": [{"licence": "llama-4", "from": "2025-01-01"}],
        },
        {"acquire": "Nightjar Chat", "on": "2025-05-01", "contribution": "nightjar-contribution.parquet"},
    ],
}
MARCH = date(2025, 3, 1)


@pytest.fixture
def told() -> Iterator[Hooks]:
    """Whom alerts go to."""
    with web_server() as hooks:
        yield hooks


@pytest.fixture
def directory(tmp_path: Path, told: Hooks, store_url: str) -> Path:
    """A group of 30 people whose months to March are published, and whose one product lacks days."""
    days = [(f"2025-{month:02}-{1 + i % 28:02}T10:00:00Z", f"u{i}@example.com") for month in (1, 2, 3) for i in range(27 + month)]
    made = write_group(
        tmp_path / "group",
        [
            entity("a", [product(to="2025-04-01", sources=[source(complete_through="2025-03-31")])]),
            entity("b", [product("web", **{"from": "2025-04-01"}, to="2025-05-01", sources=[source(files="late.parquet")])]),
        ],
        {"events.parquet": events(days)},
        store=store_url,
    )
    channels = [{"name": "data", "audience": "ops", "urls": [told.url()]}]
    (made / "alerts.yaml").write_text(yaml.safe_dump({"channels": channels}))
    go(made)
    return made


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of this process."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def deal(tmp_path: Path) -> Path:
    """The deal's file, with the target's contribution beside it, outside the group directory."""
    folder = tmp_path / "deals"
    folder.mkdir()
    file = folder / "nightjar-deal.yaml"
    file.write_text(yaml.safe_dump(SCENARIO, sort_keys=False))
    target: dict[str, Any] = {"affiliate": "nightjar", "product": "chat", "grain": "month", "computed_at": NOW}
    write(folder / "nightjar-contribution.parquet", row(MARCH, number=10, **target))
    write(folder / "nightjar-wrong-key.parquet", row(MARCH, by_key(b"1" * 64), number=10, **target))
    return file


def is_told(text: str | bytes) -> bool:
    content = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    return PLANTED.encode() in content.lower()


def files_that_tell(folder: Path) -> list[str]:
    """The files whose name or content tells of the deal."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [str(path) for path in files if is_told(str(path.relative_to(folder))) or is_told(path.read_bytes())]


def contents(folder: Path) -> dict[str, bytes]:
    """All files of the group directory but the store's own."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("store.sqlite")]
    return {str(path): path.read_bytes() for path in files}


def planned(deal: Path, directory: Path) -> list[Done]:
    """Everything that an owner does with a deal; all of it succeeds."""
    exports = [deal.parent / f"nightjar.{ending}" for ending in ("xlsx", "html", "csv", "png", "svg")]
    changed = deal.with_name("nightjar-again.yaml")
    changed.write_text(deal.read_text().replace("20 %", "30 %"))
    commands: list[tuple[object, ...]] = [
        (deal, "--plot", deal.parent / "plot.html"), (deal, "--no-keep", "--json"), (changed, "--again"), ("list",),
        ("list", "--json"), ("show", "nightjar-one"), ("compare", "nightjar-one@1", "nightjar-one@2"),
        ("verify", "nightjar-one"), ("grant", "nightjar-one", "--to", "nightjar-friend"),
        ("revoke", "nightjar-one", "--from", "nightjar-friend"),
        *(("export", "nightjar-one", "-o", path) for path in exports),
    ]  # fmt: skip
    done = [mauwatch("whatif", *command, "--group", directory) for command in commands]
    assert [one.returncode for one in done] == [0] * len(done), [one.stderr for one in done if one.returncode]
    for path in (*exports, deal.parent / "plot.html"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    return done


def mistaken(deal: Path, directory: Path) -> None:
    """What goes wrong with a deal: refused, and nothing stored."""
    before = rows_of(SQLITE, directory)
    text = deal.read_text()
    other = deal.with_name("nightjar-other.yaml")
    for wrong in (
        text.replace("low: 4", "low: 400"),
        text.replace("20 %", "120 %"),
        text.replace("unit: accounts", "unit: nightjars"),
        text.replace("nightjar-contribution", "nightjar-nowhere"),
        text.replace("nightjar-contribution", "nightjar-wrong-key"),
        text.replace("Nightjar's annual report", "Nightjar's other report"),
        text.replace("acquire: Nightjar Chat", "divest: nightjar"),
        "nightjar: [",
    ):
        assert wrong != text
        other.write_text(wrong)
        done = mauwatch("whatif", other, "--json", "--group", directory)
        assert done.returncode == 2, done.stdout
    for arguments in (("show", "nightjar-nowhere"), ("nightjar-nowhere.yaml",), ("verify", "nobody/nightjar-one")):
        assert mauwatch("whatif", *arguments, "--group", directory).returncode == 2
    assert rows_of(SQLITE, directory) == before


def everything_else(directory: Path, out: Path) -> list[Done]:
    """The other commands, on a group with something due: a run through Dagster among them."""
    days = [(f"2025-{month:02}-{1 + i % 28:02}T10:00:00Z", f"u{i}@example.com") for month in (1, 2, 3) for i in range(30 + month)]
    events(days).write_parquet(directory / "events.parquet")
    handed_in = out / "handed-in.parquet"
    write(handed_in, row(MARCH, affiliate="c"))
    commands: list[tuple[object, ...]] = [
        ("run", "--log-json"), ("run", "--json"), ("validate", "--json"), ("doctor", "--json"), ("doctor",),
        ("measure", "--month", "2025-03", "--json"), ("measure", "--month", "2025-03"), ("history", "--json"),
        ("licences", "--long", "--json"), ("licences", "--released", "2025-04-15"), ("licences", "--dependencies"),
        ("licences", "--adopt", "llama-4", "--product", "a/app", "--json"), ("forecast", "--json"), ("alerts", "--json"),
        ("alerts", "send"), ("close", "2025-02", "--by", "CFO", "--despite", "a test", "--json"),
        ("evidence", "llama-4", "-o", out / "evidence", "--expert", "--privileged", "--json"), ("verify", "--json"),
        ("verify", out / "evidence" / "outside.zip", "--json"), ("receive", handed_in, "--json"), ("inspect", handed_in),
        ("erase", "--before", "2025-02", "--by", "DPO", "--reason", "a test", "--yes", "--json"), ("key", "check", "--json"),
        ("packet", "a", "-o", out / "packet.zip", "--json"),
    ]  # fmt: skip
    done = [mauwatch(*command, *(() if command[0] == "inspect" else ("--group", directory))) for command in commands]
    assert [one.args for one in done if one.returncode not in (0, 1)] == []
    return done


def test_a_deal_is_told_by_nothing_but_its_own_tables_and_files(
    deal: Path, directory: Path, temporary: Path, told: Hooks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = contents(directory)
    own = planned(deal, directory)
    assert any(is_told(one.stdout) for one in own), "else nothing of the deal was ever said"
    mistaken(deal, directory)
    assert contents(directory) == before, "a what-if writes into the group directory"
    assert files_that_tell(temporary) == []

    out = tmp_path / "out"
    out.mkdir()
    others = everything_else(directory, out)
    assert [one.args for one in others if is_told(one.stdout + one.stderr)] == []
    (first, *_) = others
    assert '"event": "published"' in first.stderr, "else no run went through Dagster"
    assert told.taken, "else nobody was told of anything"
    assert not is_told(json.dumps(told.taken, default=str))
    assert not is_told(
        "\n".join(str(record.__dict__) for record in caplog.get_records("call") if record.levelno >= logging.DEBUG)
    )

    assert (directory / ".mauwatch" / "dagster").is_dir()
    stores = sorted((directory / ".mauwatch").glob("store.sqlite*"))
    assert {path for path in files_that_tell(directory) if Path(path) not in stores} == set()
    assert files_that_tell(out) == files_that_tell(temporary) == []
    tables = rows_of(SQLITE, directory)
    assert all(is_told(str(tables[name])) for name in TABLES)
    assert [name for name in sorted(set(tables) - TABLES) if is_told(str(tables[name]))] == []
    assert not is_told(without_scenarios(directory, tmp_path).read_bytes()), "in a view, an index or a comment"


def without_scenarios(directory: Path, folder: Path) -> Path:
    """A copy of the store's file without the two tables, written anew."""
    copy = folder / "without.sqlite"
    with sqlite3.connect(directory / ".mauwatch" / "store.sqlite") as store, sqlite3.connect(copy) as other:
        store.backup(other)
    store.close()
    other.close()
    connection = sqlite3.connect(copy, isolation_level=None)
    for statement in ("pragma secure_delete = on", "drop table scenario_access", "drop table scenarios", "vacuum"):
        connection.execute(statement)
    connection.close()
    return copy


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_server_of_many_tells_a_deal_in_its_own_tables_alone(deal: Path, directory: Path, store_url: str) -> None:
    """In PostgreSQL others read tables, views and comments, what runs at the moment, what was prepared, and the server's log."""
    changed = deal.with_name("nightjar-again.yaml")
    changed.write_text(deal.read_text().replace("20 %", "30 %"))
    commands: list[tuple[object, ...]] = [
        (deal, "--json"), (changed, "--again"), ("list",), ("verify", "nightjar-one"),
        ("grant", "nightjar-one", "--to", "nightjar-friend"),
    ]  # fmt: skip
    done = [mauwatch("whatif", *command, "--group", directory) for command in commands]
    assert [one.returncode for one in done] == [0] * len(done), [one.stderr for one in done if one.returncode]
    changed.write_text(deal.read_text().replace("nightjar-contribution", "nightjar-wrong-key"))
    for command in ((changed,), (deal,), ("show", "nightjar-nowhere")):
        assert mauwatch("whatif", *command, "--group", directory).returncode == 2
    with connected(store_url, directory) as engine, engine.connect() as connection:
        relations = connection.scalars(
            sa.text(
                "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                "where c.relkind in ('r', 'v', 'm', 'p') and n.nspname not in ('pg_catalog', 'information_schema')"
            )
        ).all()
        rows = {name: str(connection.execute(sa.text(f"select t::text from {name} t")).all()) for name in relations}
        assert len(rows) > 20
        assert {name.removeprefix("public.") for name, text in rows.items() if is_told(text)} == TABLES
        for catalogue in ("pg_stat_activity", "pg_prepared_statements", "pg_description", "pg_largeobject", "pg_settings"):
            assert not is_told(str(connection.execute(sa.text(f"select t::text from {catalogue} t")).all())), catalogue
        folder = Path(connection.scalar(sa.text("show data_directory")) or "")
    logs = [path for path in folder.rglob("*log") if path.is_file()]
    assert logs, "else nothing of the server's log was read"
    assert [path for path in logs if is_told(path.read_bytes())] == []
