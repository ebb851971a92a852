"""`mauwatch crosswalk`, from tables to a snapshot and on to the figure: who is joined, what is refused, what is shown."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from affiliates.crosswalks import snapshot as crosswalks_snapshot
from affiliates.errors import RefusedError
from affiliates.identity.keys import GroupKey, person_key
from affiliates.identity.normalisation import normalise
from dashboards.cli.main import app
from tests.support.command import answer
from tests.support.groups import KEY, entity, events, product, source

Make = Callable[..., Path]
PLANTED = "planted.person@example.com"
BOTH = [{"column": "user", "namespace": "email"}, {"column": "device", "namespace": "device"}]


@pytest.fixture
def group(make: Make) -> Path:
    return make([entity("a", [product(sources=[source(identifiers=BOTH)])])], crosswalk="crosswalk-{month}.parquet")


def ran(*arguments: object) -> Any:
    """The command in this process: its answer, or what it refused."""
    done = CliRunner().invoke(app, ["crosswalk", *map(str, arguments), "--json"])
    assert PLANTED.partition("@")[0] not in done.output + str(done.exception)
    if isinstance(done.exception, RefusedError):
        return done.exception
    return json.loads(done.stdout) if done.exit_code == 0 else done.output


def joins(group: Path, links: object, *options: object, month: str = "2025-01") -> Any:
    several = links if isinstance(links, list) else [links]
    return ran(*several, "--group", group, "--month", month, *options)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def snapshot(group: Path, month: str = "2025-01") -> pl.DataFrame:
    return pl.read_parquet(group / f"crosswalk-{month}.parquet")


def keyed(identifier: str, namespace: str = "email") -> str:
    normalised = normalise(pl.col("i"), namespace)
    keys = pl.DataFrame({"i": [identifier]}).select(key=person_key(normalised, namespace, GroupKey(KEY, "1")))
    return str(crosswalks_snapshot.as_text(keys["key"])[0])


def people(group: Path, month: str = "2025-01") -> set[frozenset[str]]:
    found = snapshot(group, month).group_by("person_key").agg("key")
    return {frozenset(keys) for keys in found["key"].to_list()}


def test_a_snapshot_is_what_the_group_reads(group: Path, tmp_path: Path) -> None:
    """Normalised, keyed and joined as events are: another key of the same address would join nobody."""
    said = "email,device\n ADA+shop@Gmail.com ,d1\na.da@googlemail.com,d2\nbob@example.com,d3\ncarl@example.com,\n"
    found = joins(group, written(tmp_path / "links.csv", said))
    assert people(group) == {
        frozenset({keyed("ada@gmail.com"), keyed("d1", "device"), keyed("d2", "device")}),
        frozenset({keyed("bob@example.com"), keyed("d3", "device")}),
    }
    made = crosswalks_snapshot.read("crosswalk-2025-01.parquet", group)
    assert (found["digest"], found["keys"], made.table.height) == (made.digest, 5, 5)
    assert (found["rows"], found["linking"], found["state"]) == (4, 3, "written")
    assert found["people"] == {"kept": 0, "new": 2, "split": 0, "merged": 0, "gone": 0}
    assert (group / "crosswalk-2025-01.parquet").stat().st_mode & 0o077 == 0
    assert not list(group.glob(".*crosswalk*"))


def test_what_names_nobody_joins_nobody(group: Path, tmp_path: Path) -> None:
    """Else everybody whose advertising id is switched off would be one person."""
    zero = "00000000-0000-0000-0000-000000000000"
    rows = [(f"u{i}@example.com", f"d{i}" if i < 2 else ["0", zero, "", "NULL", " unknown "][i % 5]) for i in range(22)]
    text = "email,device\n" + "".join(f"{a},{b}\n" for a, b in rows)
    found = joins(group, written(tmp_path / "links.csv", text))
    assert len(people(group)) == found["linking"] == 2
    assert found["naming_nobody"] == {"device": 16}


def test_columns_of_any_type_and_name(group: Path, tmp_path: Path) -> None:
    """Two addresses in a row, whole numbers, a null column, telephone numbers as they are dialled at home."""
    pl.DataFrame(
        {"mail": ["a@example.com", None], "other": ["b@example.com", "c@example.com"], "device": [7, 7], "when": [1.5, 2.5],
         "tel": ["030 901820", "0"], "nothing": [None, None]}
    ).write_parquet(tmp_path / "links.parquet")  # fmt: skip
    names = ("mail=email", "other=email", "when=", "tel=phone", "nothing=visitor")
    found = joins(group, tmp_path / "links.parquet", *(f"--column={name}" for name in names), "--region", "DE")
    one = {*(keyed(f"{u}@example.com") for u in "abc"), keyed("7", "device"), keyed("+4930901820", "phone")}
    assert people(group) == {frozenset(one)}
    assert found["naming_nobody"] == {"phone": 1}


def some_links(seed: int = 1) -> list[tuple[str, str]]:
    rng = random.Random(seed)
    return [(f"u{rng.randrange(60)}@example.com", f"d{rng.randrange(80)}") for _ in range(70)]


def as_text(rows: list[tuple[str, str]]) -> dict[str, str]:
    return {
        "csv": "email,device\n" + "".join(f"{a},{b}\n" for a, b in rows),
        "jsonl": "".join(f"{json.dumps({'device': b, 'email': a})}\n" for a, b in rows),
    }


def test_order_files_formats_and_who_keys_change_no_byte(group: Path, tmp_path: Path) -> None:
    """Else two offices with the same links would hold two snapshots, and refuse each other's contributions."""
    rows = some_links()
    out = [tmp_path / f"{i}.parquet" for i in range(4)]
    whole = written(tmp_path / "whole.csv", as_text(rows)["csv"])
    parts = tmp_path / "parts"
    parts.mkdir()
    shuffled = [*rows[40:], *rows[:50][::-1]]
    for i in range(3):
        written(parts / f"{i}.jsonl", as_text(shuffled[i::3])["jsonl"])
    for i, part in enumerate((rows[:30], rows[25:])):
        pl.DataFrame(part, ["email", "device"], orient="row").write_parquet(tmp_path / f"part{i}.parquet")
        assert (
            ran(tmp_path / f"part{i}.parquet", "--group", group, "--links-to", tmp_path / f"k{i}.parquet")["state"] == "written"
        )
    both = [tmp_path / "k1.parquet", tmp_path / "k0.parquet"]
    digests = [
        joins(group, whole, "-o", out[0])["digest"],
        joins(group, parts, "-o", out[1])["digest"],
        joins(group, both, "--keyed", "-o", out[2])["digest"],
    ]
    assert ran(*both, "--group", group, "--keyed", "--links-to", tmp_path / "united.parquet")["state"] == "written"
    assert ran(whole, "--group", group, "--links-to", tmp_path / "united.parquet")["state"] == "the same"
    digests.append(joins(group, tmp_path / "united.parquet", "--keyed", "-o", out[3])["digest"])
    assert len(set(digests)) == len({path.read_bytes() for path in out}) == 1
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("k*.parquet"))
    assert b"example" not in kept
    assert (tmp_path / "k0.parquet").stat().st_mode & 0o077 == 0


def test_months_follow_each_other(group: Path, tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", "email,device\na@example.com,1\nb@example.com,2\nc@example.com,3\n")
    then = written(tmp_path / "2.csv", "email,device\na@example.com,1\nb@example.com,2\nb@example.com,1\nd@example.com,4\n")
    joins(group, first, month="2024-11")
    found = joins(group, then)
    assert found["people"] == {"kept": 1, "new": 1, "split": 0, "merged": 1, "gone": 1}
    assert found["previous"] == str(group / "crosswalk-2024-11.parquet")
    assert set(snapshot(group)["named"].dt.strftime("%Y-%m")) == {"2024-11", "2025-01"}
    assert joins(group, first, month="2025-03")["people"] == {"kept": 1, "new": 1, "split": 1, "merged": 0, "gone": 1}
    assert joins(group, then)["state"] == "the same"
    before = (group / "crosswalk-2025-01.parquet").read_bytes()
    refused = joins(group, first)
    assert "a month uses one snapshot" in str(refused)
    assert "contributions made with the one that is there are then refused" in str(refused)
    assert (group / "crosswalk-2025-01.parquet").read_bytes() == before
    found = joins(group, first, "--replace")
    assert (found["state"], found["later"]) == ("replaced", ["2025-03"])
    assert joins(group, first, "--no-previous", "--replace")["people"]["new"] == 3


def test_a_snapshot_of_something_else_keeps_its_names(group: Path, tmp_path: Path) -> None:
    """It has no ages; its names are older than all others."""
    rows = {"key": [keyed("a@example.com"), keyed("b@example.com")], "person_key": ["a" * 16, "b" * 16]}
    pl.DataFrame(rows).write_parquet(group / "crosswalk-2024-12.parquet")
    joins(group, written(tmp_path / "1.csv", "email,device\na@example.com,1\n"))
    assert snapshot(group)["person_key"].to_list() == ["a" * 16] * 2
    assert snapshot(group)["named"].to_list() == [None, None]


def test_shared_things_are_cut_out_and_said(make: Make, tmp_path: Path) -> None:
    """A till's device, say: its people count each for themselves, and nobody is named."""
    group = make(
        [entity("a", [product(sources=[source(identifiers=BOTH)])])], crosswalk="crosswalk-{month}.parquet", largest_person=4
    )
    text = (
        "email,device\n"
        + "".join(f"u{i}@example.com,till\n" for i in range(4))
        + "".join(f"v{i}@example.com,x\n" for i in range(3))
    )
    found = joins(group, written(tmp_path / "links.csv", text))
    assert found["cut_out"] == {"limit": 4, "clusters": 1, "keys": 5, "largest": 5}
    assert len(people(group)) == 1
    assert joins(group, tmp_path / "links.csv", "--largest", "5", "-o", tmp_path / "all.parquet")["cut_out"]["clusters"] == 0
    shown = CliRunner().invoke(app, ["crosswalk", str(tmp_path / "links.csv"), "--group", str(group), "--month", "2025-01"])
    assert "Clusters of more than 4 identifiers: 1, the largest of 5. They are cut out: their 5 keys join nobody" in " ".join(
        shown.output.split()
    )


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        ({}, [], "no file is there"),
        ({"a.csv": ""}, [], "zero bytes"),
        ({"a.csv": f"email,device\n{PLANTED}\n"}, [], "line 2: 1 fields"),
        ({"a.csv": f"{PLANTED},1\n{PLANTED},2\n"}, [], "columns must be namespaces of the group (no. 1, 2 of 2"),
        ({"a.csv": f"e_mail,device\n{PLANTED},1\n"}, [], "e_mail looks like email"),
        ({"a.csv": f"email,person\n{PLANTED},1\n"}, [], "no. 2 of 2"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--column", "mail=email"], "no table has the column (mail)"),
        ({"a.csv": f"email,device\n{PLANTED},0\n"}, [], "(1 rows, values that name nobody: 1 of device)"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--keyed"], "keys must be 16 hex characters (1 values or more aren't)"),
        ({"a.csv": "key,linked\n0123456789abcdef,0123456789abcdeg\n"}, ["--keyed"], "(1 values or more aren't)"),
        ({"a.csv": "key,linked\n0123456789abcdef,0123456789abcdef00\n"}, ["--keyed"], "(1 values or more aren't)"),
        ({"a.csv": "key,linked\n0123456789abcdef,0123456789abcd\n"}, ["--keyed"], "(1 values or more aren't)"),
        ({"a.parquet": f"PAR1{PLANTED}"}, [], "is not a readable Parquet file"),
        ({"a.jsonl": f'{{"email": "{PLANTED}"'}, [], "isn't a JSON object"),
        ({"a.jsonl": f'{{"email": "{PLANTED}", "device": 1}}\n{{"email": "{PLANTED}"'}, [], "isn't a JSON object"),
        ({"a.jsonl": f'{{"email": ["{PLANTED}"], "device": 1}}\n'}, [], "must be text or whole numbers"),
        ({"a.txt": PLANTED}, [], "format"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--previous", "a.csv"], "isn't a readable Parquet file"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--column", "device=person"], "is the namespace of people"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--column", "device=My Own"], "My Own"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--column", "device"], "write NAME=NAMESPACE"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--keyed", "--column", "email=device"], "NAME= (to leave it out)"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--region", "Berlin"], "Berlin"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--links-to", "x", "-o", "y"], "makes no snapshot"),
        ({"a.csv": f"email,device\n{PLANTED},1\n"}, ["--previous", "x", "--no-previous"], "two things"),
    ],
)  # fmt: skip
def test_refused_without_a_word_of_anybody(
    group: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], options: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "links").mkdir()
    for name, text in files.items():
        written(tmp_path / "links" / name, text)
        written(tmp_path / name, text)
    refused = joins(group, "links", *options)
    assert said in str(refused)
    assert not list(group.glob("crosswalk-*"))


def test_other_types_are_refused(group: Path, tmp_path: Path) -> None:
    """1e20 and 0.1 have many spellings: such a key would meet no event's."""
    pl.DataFrame({"email": [PLANTED], "device": [1.5]}).write_parquet(tmp_path / "a.parquet")
    assert "those of device are Float64" in str(joins(group, tmp_path / "a.parquet"))
    assert "a column is Float64" in str(joins(group, tmp_path / "a.parquet", "--keyed", "--column", "email="))
    pl.DataFrame({"a": [1, 2], "b": [2**64 - 1, 2]}, {"a": pl.UInt64, "b": pl.UInt64}).write_parquet(tmp_path / "b.parquet")
    assert joins(group, tmp_path / "b.parquet", "--keyed")["keys"] == 2


def test_a_snapshot_before_that_cannot_be(group: Path, tmp_path: Path) -> None:
    links = written(tmp_path / "a.csv", f"email,device\n{PLANTED},1\n")
    joins(group, links, month="2025-02")
    later = joins(group, links, "--previous", group / "crosswalk-2025-02.parquet")
    assert "isn't from before the month (crosswalk-2025-02.parquet has names of 2025-02)" in str(later)
    assert "isn't from before" in str(joins(group, links, "--previous", group / "crosswalk-2025-02.parquet", month="2025-02"))
    (group / "group.key").write_text("beef" * 16)
    assert "has no key in common with the links (2 and 2 keys)" in str(joins(group, links, month="2025-03"))
    assert joins(group, links, "--no-previous", month="2025-03")["people"]["new"] == 1
    wrong = snapshot(group, "2025-02").with_columns(named=pl.lit("2025"))
    wrong.write_parquet(tmp_path / "wrong.parquet")
    assert "must hold months" in str(joins(group, links, "--previous", tmp_path / "wrong.parquet"))


def test_a_full_disk_leaves_the_old_snapshot(group: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a snapshot would join half of the people."""
    joins(group, written(tmp_path / "a.csv", f"email,device\n{PLANTED},1\n"))
    before = (group / "crosswalk-2025-01.parquet").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    joins(group, written(tmp_path / "b.csv", f"email,device\n{PLANTED},2\n"), "--replace")
    assert (group / "crosswalk-2025-01.parquet").read_bytes() == before
    assert not list(group.glob(".*crosswalk*"))


def test_a_group_without_a_file_for_each_month(make: Make, tmp_path: Path) -> None:
    """One file for all months would be another snapshot for months that have been counted."""
    links = written(tmp_path / "a.csv", f"email,phone\n{PLANTED},+49 30 901820\n")
    for settings in ({}, {"crosswalk": "crosswalk.parquet"}):
        group = make([entity("a", [product()])], **settings)
        assert "has no file of its month" in str(joins(group, links))
    assert joins(group, links, "-o", group / "crosswalk.parquet")["previous"] is None
    other = written(tmp_path / "b.csv", f"email,phone\n{PLANTED},+49 30 901821\n")
    assert "another file is there" in str(ran(other, "--group", group, "--links-to", group / "crosswalk.parquet"))


def test_from_events_of_two_products_to_the_exact_number_of_people(make: Make, tmp_path: Path) -> None:
    """The whole way, against a count in plain Python: links by chains, shared and empty devices, people of one product."""
    rng = random.Random(7)
    users, devices = [f"u{i}@example.com" for i in range(70)], [f"d{i}" for i in range(90)]
    links = [(rng.choice(users), rng.choice([*devices, "0"])) for _ in range(45)]
    links += [(user, "till") for user in users[-12:]]
    active = {"a": rng.sample(users, 50), "b": [*rng.sample(devices, 60), "till"]}
    files = {
        f"{name}.parquet": events([(f"2025-01-{1 + i % 31:02}T12:00:00Z", u) for i, u in enumerate(seen)])
        for name, seen in active.items()
    }
    entities = [
        entity(n, [product(to="2025-02-01", sources=[source(files=f"{n}.parquet", identifiers=[BOTH[i] | {"column": "user"}])])])
        for i, n in enumerate("ab")
    ]
    # By chains of links, a person has any number of both.
    several = {namespace: {"identifiers_per_person": "several"} for namespace in ("email", "device")}
    group = make(entities, files, crosswalk="crosswalk-{month}.parquet", largest_person=12, namespaces=several)
    person = {identifier: identifier for identifier in [*users, *devices, "till"]}
    for user, device in links:
        if device != "0":
            old, new = person[device], person[user]
            person = {i: new if p == old else p for i, p in person.items()}
    sizes = {p: sum(q == p for q in person.values()) for p in person.values()}
    counted = {person[i] if sizes[person[i]] <= 12 else i for seen in active.values() for i in seen}

    text = "email,device\n" + "".join(f"{a},{b}\n" for a, b in links)
    found = joins(group, written(tmp_path / "links.csv", text))
    assert found["cut_out"]["clusters"] == sum(size > 12 for size in sizes.values()) > 0
    answer("run", "--group", group)
    figure = answer("measure", "--group", group, "--month", "2025-01")["group"]
    assert figure["estimate"] == len(counted) < figure["summed_products"]
