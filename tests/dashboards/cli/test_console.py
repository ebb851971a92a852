"""The command line on terminals and in scripts as other people have them."""

import codecs
import gc
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest.mock import patch

import pytest

from affiliates.errors import Code
from dashboards.cli import console, main
from tests.support.command import Done, answer, mauwatch
from tests.support.environment import variables
from tests.support.groups import entity, events, product, write_group

PROGRAM = str(Path(sys.executable).parent / "mauwatch")
Make = Callable[..., Path]


class Typed(StringIO):
    """Standard input of somebody who sits at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group of one person in January, whose names many terminals can't show; run."""
    files = {"events.parquet": events([("2025-01-05T00:00:00Z", "u@example.com")])}
    folder = tmp_path_factory.mktemp("console") / "group"
    directory = write_group(folder, [entity("a", [product(to="2025-02-01", name="Größe")])], files, name="Ärzte 東京")
    assert mauwatch("run", "--group", directory).returncode == 0
    return directory


def in_encoding(encoding: str, *arguments: object) -> tuple[int, bytes, bytes]:
    """Exit code and outputs of a command whose standard output and error have an encoding."""
    out, err = (TextIOWrapper(BytesIO(), encoding=encoding) for _ in range(2))
    with patch.multiple(sys, argv=["mauwatch", *map(str, arguments)], stdout=out, stderr=err), pytest.raises(SystemExit) as end:
        main.main()
    out.flush()
    err.flush()
    return int(end.value.code or 0), out.buffer.getvalue(), err.buffer.getvalue()


def in_terminal(arguments: Sequence[object], columns: int) -> str:
    """What a terminal of so many columns shows of the installed command."""
    pid, terminal = pty.fork()
    if pid == 0:
        environment = os.environ | {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"}
        os.execve(PROGRAM, [PROGRAM, *map(str, arguments)], environment)  # noqa: S606 no shell is wanted
    shown = b""
    while True:
        part = b""
        with suppress(OSError):  # Linux's answer where the other side is closed.
            part = os.read(terminal, 65536)
        if not part:
            break
        shown += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return shown.decode().replace("\r\n", "\n")


def test_version_and_short_help() -> None:
    """The first question of whoever helps."""
    done = mauwatch("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"mauwatch \d+\.\d+\.\d+\n", done.stdout)
    for command in ((), ("measure",), ("key", "check")):
        short, long = mauwatch(*command, "-h"), mauwatch(*command, "--help")
        assert (short.returncode, short.stdout) == (0, long.stdout)
        assert "-h, --help" in short.stdout


@pytest.mark.parametrize(
    ("shell", "typed"),
    [
        ("bash", {"COMP_WORDS": "mauwatch mea", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "mauwatch mea"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "mauwatch mea", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_a_shell_completes_commands(shell: str, typed: Mapping[str, str]) -> None:
    """A script that names another variable, or no answer for it, leaves the shell silent."""
    with variables(_MAUWATCH_COMPLETE=f"source_{shell}"):
        assert f"_MAUWATCH_COMPLETE=complete_{shell}" in mauwatch().stdout
    with variables(_MAUWATCH_COMPLETE=f"complete_{shell}", **typed):
        assert "measure" in mauwatch().stdout


def refused_in_json(done: Done) -> list[dict[str, str]]:
    """What a refused command says on standard output: one JSON value; its exit code is the process's."""
    said = json.loads(done.stdout)
    assert set(said) == {"schema_version", "errors", "exit_code"}
    assert said["exit_code"] == done.returncode == 2
    assert done.stderr.strip(), "a person reads it in words"
    errors: list[dict[str, str]] = said["errors"]
    return errors


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["measure", "--month", "2025-01", "--group", "/nowhere"], Code.GROUP_MISSING),
        (["verify", "/nowhere.zip"], Code.FILE_UNUSABLE),
        (["inspect", "/nowhere.parquet"], Code.FILE_UNUSABLE),
        (["measure", "--month", "January"], Code.USAGE_INVALID),
        (["measure", "--mouth", "2025-01"], Code.USAGE_INVALID),
        (["measured"], Code.USAGE_INVALID),
    ],
)
def test_a_refusal_in_json_has_its_code(arguments: list[str], code: Code) -> None:
    """A program that parses standard output would else meet nothing, and take the words from standard error."""
    (error,) = refused_in_json(mauwatch(*arguments, "--json"))
    assert error["code"] == code
    assert error["rule"]
    plain = mauwatch(*arguments)
    assert (plain.returncode, plain.stdout) == (2, "")


def test_mistakes_of_manifests_have_codes(make: Make) -> None:
    found = answer("validate", "--group", make([entity("a", [product()], colour="red")]), code=1)
    assert found["mistakes"][0]["code"] == Code.MANIFEST_KEY_INVALID


@pytest.mark.parametrize(
    "command",
    [
        "validate", "run", "measure --month 2025-01", "licences", "licences --released 2025-02-15",
        "licences --dependencies", "history", "alerts", "verify", "key check",
    ],
)  # fmt: skip
def test_each_answer_has_the_version_of_its_schema(counted: Path, command: str) -> None:
    """A reader of an answer can't tell else that a key means something new."""
    done = mauwatch(*command.split(), "--group", counted, "--json")
    said = json.loads(done.stdout)
    objects = said if isinstance(said, list) else [said]
    assert [one["schema_version"] for one in objects] == [1] * len(objects)


def test_a_contribution_is_its_owners_alone_and_isnt_overwritten_unasked(counted: Path, tmp_path: Path) -> None:
    """It says how many people used a product; and the file that is there may be the one that was handed in."""
    path = tmp_path / "january.parquet"
    command = ["contribute", "--group", counted, "--month", "2025-01", "-o", path]
    assert mauwatch(*command).returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"before")
    (error,) = refused_in_json(mauwatch(*command, "--json"))
    assert (error["code"], path.read_bytes()) == (Code.NOT_CONFIRMED, b"before")
    with patch.object(sys, "stdin", Typed("n\n")):
        done = mauwatch(*command)
    assert (done.returncode, done.stdout.strip(), path.read_bytes()) == (2, "", b"before")
    assert "january.parquet is there already. Overwrite? [y/N]" in re.sub(r"\s+", " ", done.stderr)
    with patch.object(sys, "stdin", Typed("y\n")):
        assert mauwatch(*command).returncode == 0
    assert path.read_bytes() != b"before"
    path.chmod(0o644)
    assert mauwatch(*command, "--yes").returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_erase_asks_first(make: Make) -> None:
    """What is erased can't be taken back."""
    files = {"events.parquet": events([("2025-01-05T00:00:00Z", "u@example.com")])}
    directory = make([entity("a", [product(to="2025-02-01")])], files)
    assert mauwatch("run", "--group", directory).returncode == 0
    command = ["a/app", "--from", "2025-01-01", "--to", "2025-01-31", "--by", "A", "--reason", "b", "--group", directory]
    (error,) = refused_in_json(mauwatch("erase", *command, "--json"))
    assert error["code"] == Code.NOT_CONFIRMED
    with patch.object(sys, "stdin", Typed("n\n")):
        done = mauwatch("erase", *command)
    assert done.returncode == 2
    assert "Would be erased: a/app from 2025-01-01 to 2025-01-31" in done.stderr
    assert "Erase this? It can't be taken back. [y/N]" in done.stderr
    assert answer("erase", *command, "--dry-run")["erased_before"] == 0
    with patch.object(sys, "stdin", Typed("y\n")):
        assert mauwatch("erase", *command).returncode == 0
    assert answer("erase", *command, "--dry-run")["erased_before"] > 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
def test_terminals_of_other_encodings(counted: Path, encoding: str) -> None:
    """A sign that the terminal lacks ends the command with a traceback, after the work and before the answer."""
    for command in (["measure", "--month", "2025-01"], ["licences", "--long"], ["history"], ["validate"]):
        code, out, _ = in_encoding(encoding, *command, "--group", counted)
        assert code == 0
        assert out.decode(encoding)
    _, said, _ = in_encoding(encoding, "measure", "--month", "2025-01", "--group", counted, "--json")
    assert json.loads(said.decode(encoding)) == answer("measure", "--month", "2025-01", "--group", counted)
    code, _, refused = in_encoding(encoding, "measure", "--month", "2024-01", "--group", counted)
    assert code == 2
    assert ("->" if codecs.lookup(encoding).name != "utf-8" else "→") in refused.decode(encoding)
    # A query is read by an engine, in UTF-8 always.
    asked = ("contribute", "--print-sql", "spark", "--self-test")
    assert in_encoding(encoding, *asked)[1] == in_encoding("utf-8", *asked)[1]


def test_a_path_that_is_no_text_is_shown(tmp_path: Path) -> None:
    """The bytes of Latin-1 in a folder's name are no UTF-8, and a traceback would end the command."""
    code, _, refused = in_encoding("utf-8", "measure", "--month", "2025-01", "--group", tmp_path / "caf\udce9")
    assert (code, rb"caf\udce9: is not a group directory" in refused.replace(b"\n", b"")) == (2, True)


def test_a_narrow_terminal_cuts_nothing(counted: Path) -> None:
    """`undetermined` cut to `under` would be a wrong result."""
    shown = in_terminal(["licences", "--group", counted, "--licence", "llama-4"], columns=40)
    assert "not_measured" in shown
    assert "2025-03" in shown


def test_an_account_without_a_home_and_a_folder_that_cant_be_written(counted: Path) -> None:
    """A job's account often has neither."""
    no_home = os.environ | {"HOME": "/proc", "XDG_CONFIG_HOME": "/proc", "XDG_CACHE_HOME": "/proc"}
    run = [PROGRAM, "run", "--group", str(counted)]
    done = subprocess.run(run, cwd="/proc", env=no_home, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    refused = mauwatch("contribute", "--group", counted, "--month", "2025-01", cwd=Path("/proc"))
    assert refused.returncode == 2
    assert "can't be read or written" in refused.stderr


def test_windows_is_refused_at_once() -> None:
    """Half of it would work there, and leave files that others may read."""
    with patch.object(sys, "platform", "win32"):
        done = mauwatch("measure", "--month", "2025-01")
    assert (done.returncode, "doesn't run on Windows" in done.stderr) == (2, True)


def test_garbage_is_looked_for_as_before_once_a_run_has_failed() -> None:
    """A service that lives for months would keep what nobody needs any more."""
    tests_own = gc.get_threshold()
    before = (700, 10, 10)  # Python's own.
    gc.set_threshold(*before)
    try:
        with console.collecting_rarely():
            assert gc.get_threshold() > before
            assert gc.isenabled()
        assert gc.get_threshold() == before
        with suppress(RecursionError), console.collecting_rarely():
            raise RecursionError
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*tests_own)
