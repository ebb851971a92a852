"""`mauwatch whatif` on kept scenarios: who sees what, under which name, and what a file is told from a command by."""

import json
import os
import pwd
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboards.cli.commands import whatif
from pipelines.scenarios import access
from pipelines.scenarios.definition import Definition
from pipelines.store import contributions
from tests.support.command import Done, answer, mauwatch
from tests.support.databases import SQLITE, rows_of
from tests.support.groups import entity, events, product, write_group
from tests.support.runs import go
from tests.support.scenarios import ANSWER

NOW = datetime(2026, 11, 30, 19, tzinfo=UTC)
Become = Callable[[str], None]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Makes this process that of another user of the system."""

    def becoming(name: str) -> None:
        monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name=name))

    return becoming


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group of one person in January, published."""
    files = {"events.parquet": events([("2025-01-05T00:00:00Z", "u@example.com")])}
    made = write_group(tmp_path_factory.mktemp("whatif") / "group", [entity("a", [product(to="2025-02-01")])], files)
    go(made)
    return made


@pytest.fixture
def group(published: Path, tmp_path: Path) -> Path:
    """The group with two scenarios of ann's, one of them in two versions."""
    directory = tmp_path / "group"
    shutil.copytree(published, directory)
    with contributions.open_store(SQLITE, directory) as store:
        for name, headline, again in (("apple", "One.", False), ("apple", "Two.", True), ("pear", "Three.", False)):
            inputs = replace(ANSWER.inputs, definition=(headline[0] * 64).lower())
            definition = Definition.from_dict({"scenario": name, "changes": [{"divest": "a", "on": "2027-01-01"}]})
            one = replace(ANSWER, scenario=name, headline=headline, inputs=inputs)
            access.keep(store, "ann", definition, tmp_path, one, NOW, again)
    return directory


def kept(directory: Path) -> list[int]:
    rows = rows_of(SQLITE, directory)
    return [len(rows["scenarios"]), len(rows["scenario_access"])]


def whatif_(group: Path, *arguments: str) -> Done:
    return mauwatch("whatif", *arguments, "--group", group)


def test_the_owner_sees_all_versions(group: Path, become: Become) -> None:
    become("ann")
    shown = answer("whatif", "list", "--group", group)
    assert [(one["reference"], one["headline"]) for one in shown] == [
        ("pear@1", "Three."),
        ("apple@2", "Two."),
        ("apple@1", "One."),
    ]
    assert {one["owner"] for one in shown} == {"ann"}
    assert answer("whatif", "show", "apple", "--group", group)["headline"] == "Two."
    assert answer("whatif", "show", "apple@1", "--group", group)["headline"] == "One."
    assert "apple@2: kept at 2026-11-30 19:00 UTC by you; seen by you alone." in whatif_(group, "show", "apple").stdout


def test_nobody_else_learns_that_there_is_a_scenario(group: Path, become: Become) -> None:
    """By its refusal, its exit code or its output, a name that is kept must look like one that isn't."""
    become("bob")
    assert answer("whatif", "list", "--group", group) == []
    assert whatif_(group, "list").stdout == "No scenario that you may see.\n"
    for command in (["show"], ["verify"], ["export", "-o", "out.csv"], ["grant", "--to", "bob"], ["revoke", "--from", "ann"]):
        for name in ("apple", "ann/apple", "apple@1"):
            there = whatif_(group, command[0], name, *command[1:])
            nowhere = whatif_(group, command[0], name.replace("apple", "plum"), *command[1:])
            assert (there.returncode, there.stdout, there.stderr) == (nowhere.returncode, nowhere.stdout, nowhere.stderr)
            assert there.returncode == 2
            assert "none of this name that you may see" in there.stderr
    assert whatif_(group, "compare", "apple", "pear").stderr == whatif_(group, "compare", "plum", "fig").stderr
    assert kept(group) == [3, 0]


def test_an_environment_variable_makes_nobody_somebody_else(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "ann")
    assert whatif.asker() == pwd.getpwuid(os.getuid()).pw_name != "ann"
    assert answer("whatif", "list", "--group", group) == []


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert whatif.asker() == f"uid {os.getuid()}"


def test_granted_seen_and_revoked(group: Path, become: Become) -> None:
    become("ann")
    assert whatif_(group, "grant", "apple", "--to", "bob").stdout == "bob may see apple@2 now.\n"
    assert answer("whatif", "show", "apple", "--group", group)["kept"]["shared_with"] == ["bob"]
    become("bob")
    assert [one["reference"] for one in answer("whatif", "list", "--group", group)] == ["ann/apple@2"]
    for name in ("apple", "ann/apple", "ann/apple@2"):
        shown = answer("whatif", "show", name, "--group", group)
        assert shown["headline"] == "Two."
        assert "shared_with" not in shown["kept"]
    assert whatif_(group, "show", "ann/apple@1").returncode == 2
    assert "only its owner says who may see it" in whatif_(group, "grant", "apple", "--to", "cleo").stderr
    become("ann")
    assert whatif_(group, "revoke", "apple", "--from", "bob").stdout == "bob may no longer see apple@2.\n"
    assert whatif_(group, "revoke", "apple", "--from", "bob").stdout == "bob didn't see it before.\n"
    become("bob")
    assert answer("whatif", "list", "--group", group) == []
    assert kept(group) == [3, 2], "each is kept"


def test_side_by_side(group: Path, become: Become) -> None:
    become("ann")
    done = whatif_(group, "compare", "apple@1", "pear")
    assert done.returncode == 0
    assert "One." in done.stdout
    assert "Three." in done.stdout
    data = answer("whatif", "compare", "apple@1", "apple@2", "pear", "--group", group)
    assert [one["scenario"] for one in data["scenarios"]] == ["apple@1", "apple@2", "pear@1"]
    assert whatif_(group, "compare", "apple", "apple").returncode == 2
    assert whatif_(group, "compare", "apple").returncode == 2


def test_what_is_shown_is_what_was_kept(group: Path, become: Become) -> None:
    become("ann")
    shown = answer("whatif", "show", "pear", "--group", group)
    assert shown["definition"]["changes"] == [{"on": {"from": "2027-01-01", "to": "2027-01-01"}, "divest": "a"}]
    for key in ("schema_version", "kept", "definition"):
        del shown[key]
    (row,) = (row for row in rows_of(SQLITE, group)["scenarios"] if row["name"] == "pear")
    assert shown == json.loads(row["answer"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lst"], "lst; did you mean list?"),
        (["shwo"], "shwo; did you mean show?"),
        (["--json", "show", "apple"], "unexpected extra argument"),
        (["--json", "list"], "write its options after it: mauwatch whatif list"),
        (["apple"], "for a kept scenario: mauwatch whatif show NAME"),
        (["--json", "nowhere.yaml"], "is no file"),
        (["."], "is no file"),
        (["nowhere.yaml", "--plot", "x.pdf"], "--plot takes a file that ends in .png, .svg or .html"),
        (["nowhere.yaml", "--no-keep", "--again"], "--again keeps a further version, and --no-keep nothing"),
        (["show"], "Missing argument"),
        (["export", "apple", "-o", "x.pdf"], "--out takes a file that ends in .xlsx, .csv, .png, .svg, .html"),
        (["grant", "apple", "--to", " "], "name a person"),
        (["grant", "apple", "--to", "bob\x1b[2J"], "U+001B"),
        (["show", "apple\u202e"], "U+202E"),
    ],
)
def test_bad_usage_keeps_nothing(group: Path, become: Become, arguments: list[str], words: str) -> None:
    become("ann")
    done = mauwatch("whatif", *arguments, *([] if arguments == ["show"] else ["--group", group]))
    assert done.returncode == 2
    assert words in " ".join((done.stderr + done.stdout).split())
    assert kept(group) == [3, 0]


def test_help_is_of_the_commands_and_of_a_file_alike() -> None:
    assert "FILE.yaml | COMMAND" in mauwatch("whatif", "--help").stdout
    assert mauwatch("whatif", "x.yaml", "--help").stdout == mauwatch("whatif", "run", "--help").stdout
    assert mauwatch("whatif").returncode in (0, 2)


def test_a_store_that_isnt_there_isnt_made(tmp_path: Path) -> None:
    """A what-if of a group that has counted nothing would begin an empty store, and the next run would take it for its own."""
    made = write_group(tmp_path / "group", [entity("a", [product()])])
    file = tmp_path / "x.yaml"
    file.write_text("scenario: apple\nchanges:\n  - {divest: a, on: 2027-01-01}\n")
    before = sorted(made.rglob("*"))
    for command in ([str(file)], ["new"], ["list"], ["show", "apple"], ["verify", "apple"]):
        done = whatif_(made, *command)
        assert done.returncode == 2
        assert "isn't there yet" in done.stderr
    assert sorted(made.rglob("*")) == before
