"""`mauwatch contribute` and `inspect`: a period left out without a word is people left out of the number."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from affiliates.contributions import contract
from tests.support.command import ran
from tests.support.groups import entity, events, product, source, write_group

ROWS: list[tuple[str, str | None]] = [(f"2025-01-{1 + i % 31:02}T12:00:00Z", f"u{i % 60}@example.com") for i in range(620)]
PLANTED = "planted@example.com"


def edge(directory: Path, **changes: Any) -> Path:
    """An affiliate's machine: group.yaml, its own manifest and not its owner's, events, the key."""
    write_group(
        directory, [entity("shop", [product(**changes)])], {"events.parquet": events([*ROWS, ("2025-01-03T01:00:00Z", PLANTED)])}
    )
    (directory / "affiliates" / "parent.yaml").unlink()
    return directory


def test_what_leaves_and_what_stays(tmp_path: Path) -> None:
    directory, out = edge(tmp_path / "shop"), tmp_path / "c.parquet"
    said = ran("contribute", "--group", str(directory), "--month", "2025-01", "-o", str(out))
    assert "31 contributions, 2025-01-01 to 2025-01-31" in said
    assert "Stayed: all identifiers" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "c.parquet",
        "shop",
    ]
    made = contract.read(out)
    assert {c.activity_date for c in made} == {date(2025, 1, d) for d in range(1, 32)}
    assert sum(p.events or 0 for c in made for p in c.parts) == 621
    for text in (PLANTED, "u1@", "c0de"):
        assert text.encode() not in out.read_bytes()
        assert text not in said
    held = json.loads(ran("inspect", str(out), "--json"))
    assert [(h["product"], h["audience"], h["namespace"], h["periods"], h["people"], h["events"]) for h in held["holds"]] == [
        ("shop/app", "external", "email", 31, 61, 621)
    ]
    assert "no identifier" in ran("inspect", str(out))


def test_a_month_external_users_only(tmp_path: Path) -> None:
    """The least that can be asked of an affiliate: one number's sketch a month, and nobody of its own staff."""
    staff = source(internal_when="\"user\" like 'u1%'")
    directory, out = edge(tmp_path / "shop", grain="month", sources=[staff]), tmp_path / "c.parquet"
    said = ran("contribute", "--group", str(directory), "--month", "2025-01", "-o", str(out), "--external-only")
    assert "Of external users alone: a reading that counts others has no upper bound from it." in " ".join(said.split())
    (made,) = contract.read(out)
    assert (made.grain, made.activity_date) == ("month", date(2025, 1, 1))
    assert [(p.audience, p.distinct_users) for p in made.parts] == [("external", 50)]
    assert made.audiences == "external"
    stated = edge(tmp_path / "stated", grain="month", sources=[staff], audiences=["external"])
    ran("contribute", "--group", str(stated), "--month", "2025-01", "-o", str(tmp_path / "stated.parquet"))
    assert contract.read(tmp_path / "stated.parquet")[0].digest == made.digest
    assert json.loads(ran("inspect", str(out), "--json"))["audiences"] == ["external"]


def test_days_that_are_not_there_are_said(tmp_path: Path) -> None:
    directory, out = edge(tmp_path / "shop", sources=[source(complete_through="2025-01-20")]), tmp_path / "c.parquet"
    said = ran("contribute", "--group", str(directory), "--month", "2025-01", "-o", str(out))
    assert "20 contributions" in said
    assert "Missing, and so not in it: shop/app: 11 days from 2025-01-21" in said
    answer = json.loads(ran("contribute", "--group", str(directory), "--month", "2025-01", "-o", str(out), "--yes", "--json"))
    assert answer["missing_days"] == {"shop/app": [f"2025-01-{d}" for d in range(21, 32)]}


def test_files_that_are_left_out_are_said(tmp_path: Path) -> None:
    """Who hands in a number has to see that a file lay there and wasn't read."""
    directory, out = edge(tmp_path / "shop", sources=[source(files="d")]), tmp_path / "c.parquet"
    (directory / "d" / "_temporary").mkdir(parents=True)
    for name in ("a.parquet", "_temporary/b.parquet"):
        (directory / "d" / name).write_bytes((directory / "events.parquet").read_bytes())
    said = " ".join(ran("contribute", "--group", str(directory), "--month", "2025-01", "-o", str(out)).split())
    assert "Left out of the sources: shop/app: 1 file in a folder whose name begins with _ or ., such as _temporary." in said


def test_options_in_the_place_of_a_manifest_give_the_same(tmp_path: Path) -> None:
    directory = edge(tmp_path / "shop")
    ran("contribute", "--group", str(directory), "--month", "2025-01", "-o", str(tmp_path / "a.parquet"))
    options = ["--files", "events.parquet", "--time", "at", "--identifier", "email=user", "--key-file", "group.key"]
    ran("contribute", "shop/app", "--group", str(directory), *options, "--month", "2025-01", "-o", str(tmp_path / "b.parquet"))
    registers = [
        [p.registers.digest() for c in contract.read(tmp_path / name) for p in c.parts] for name in ("a.parquet", "b.parquet")
    ]
    assert registers[0] == registers[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "no product with a source"),
        (["--month", "2024-06"], "holds no day of any product's life (2024-06-01 to 2024-06-30)"),
        (["--month", "2025-02"], "no period of it is whole in the sources (shop/app: 28 days from 2025-02-01)"),
        (["--month", "2025-01", "--from", "2025-01-01"], "ask for two things"),
        (["--from", "2025-01-02", "--to", "2025-01-01"], "go together, in order"),
        (["--print-sql", "oracle", "--month", "2025-01"], "takes one of spark"),
        (["--print-sql", "spark", "--month", "2025-01"], "needs the product's one table"),
        (
            ["shop/app", "--files", "events.parquet", "--identifier", "email=user", "--month", "2025-01"],
            "say where the group key is",
        ),
        (
            ["shop/app", "--files", "x", "--identifier", "user", "--key-file", "group.key", "--month", "2025-01"],
            "NAMESPACE=COLUMN",
        ),
        (
            ["shop/app", "--files", "x", "--identifier", "email=user", "--key-file", "group.key", "--month", "2025-01"],
            "`time` is missing",
        ),
    ],
)
def test_what_is_refused_leaves_no_file(tmp_path: Path, arguments: list[str], said: str) -> None:
    directory = edge(tmp_path / "shop")
    out = tmp_path / "c.parquet"
    assert said in " ".join(ran("contribute", *arguments, "--group", str(directory), "-o", str(out), code=2).split())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shop"]


def test_a_source_that_counts_wrongly_leaves_no_file(tmp_path: Path) -> None:
    """Nor a part of one, nor the identifier it stumbled over."""
    directory = edge(tmp_path / "shop")
    frame = pl.read_parquet(directory / "events.parquet").with_columns(at=pl.lit(f"{PLANTED} yesterday"))
    frame.write_parquet(directory / "events.parquet")
    said = ran("contribute", "--group", str(directory), "--month", "2025-01", "-o", str(tmp_path / "c.parquet"), code=2)
    assert "without a readable time" in said
    assert PLANTED not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shop"]


def test_a_query_for_each_month_and_key(tmp_path: Path) -> None:
    """Two epochs or snapshots in one query would be two people each."""
    table = {"table": "events", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}
    directory = edge(tmp_path / "shop", sources=[table])
    said = ran("contribute", "--group", str(directory), "--print-sql", "spark", "--from", "2025-01-01", "--to", "2025-02-03")
    assert "DATE '2025-02-03'" in said
    whole = (
        (directory / "group.yaml")
        .read_text()
        .replace("key:\n  file: group.key", "keys:\n- {epoch: 1, file: group.key}\n- {epoch: 2, file: group.key, from: 2025-02}")
    )
    (directory / "group.yaml").write_text(whole)
    asked = ["contribute", "--group", str(directory), "--print-sql", "spark"]
    assert "print a query for each month" in ran(*asked, "--from", "2025-01-01", "--to", "2025-02-03", code=2)
    assert "key epoch 2" in ran(*asked, "--month", "2025-02")
