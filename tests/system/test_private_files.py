"""What mauwatch writes is its owner's alone, and nothing of it stays behind when a command is killed.

What would silently go wrong: everybody on the machine may read how many people use a product, and whose sketch holds whom; a
killed command leaves sketches and fetched events among the temporary files for good.
"""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from affiliates import concurrency
from affiliates.concurrency import atomic_write, private_folder, temporary_folder
from dashboards.cli import doctor
from pipelines.evidence import leftovers
from tests.support.command import mauwatch
from tests.support.groups import entity, events, product, source, write_group
from tests.support.paths import ROOT


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(*places: Path) -> list[str]:
    """Files and folders, and all below them, that anybody but their owner may read, write or enter."""
    all_paths = [path for place in places for path in [place, *place.rglob("*")]]
    return sorted(f"{path.name} {stat.S_IMODE(path.lstat().st_mode):o}" for path in all_paths if path.lstat().st_mode & 0o077)


def group_in(folder: Path) -> Path:
    rows = events([("2025-01-05T00:00:00Z", f"u{i}@example.com") for i in range(10)])
    return write_group(folder, [entity("a", [product(to="2025-02-01")])], {"events.parquet": rows})


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_what_commands_write_is_their_owners_alone(tmp_path: Path, mask: int) -> None:
    """The state, the store and Dagster's files, a contribution, a key pair, a bundle: whatever the umask is."""
    with umask(mask):
        directory = group_in(tmp_path / "group")
        days = ("--from", "2025-01-01", "--to", "2025-01-31")
        commands = [
            ("run", "--group", directory), ("contribute", "--group", directory, *days, "-o", tmp_path / "c.parquet"),
            ("key", "pair", tmp_path / "k.pem"), ("key", "new", tmp_path / "g.key"),
        ]  # fmt: skip
        for command in commands:
            done = mauwatch(*command)
            assert done.returncode in (0, 1), done.stderr
        assert os.umask(mask) == mask
    assert (directory / ".mauwatch" / "store.sqlite").is_file()
    assert open_to_others(directory / ".mauwatch", *(tmp_path / name for name in ("c.parquet", "k.pem", "g.key"))) == []


def test_a_store_is_its_owners_alone_without_the_command(tmp_path: Path) -> None:
    """Somebody's own Dagster opens it, too; so do readers, by SQLite's log beside the file."""
    from pipelines.store.contributions import open_store

    with umask(0), open_store("sqlite:///deep/er/store.sqlite", tmp_path, create=True) as store, store.writing():
        files = {path.name for path in (tmp_path / "deep" / "er").iterdir()}
        assert {"store.sqlite", "store.sqlite-wal"} <= files
        assert open_to_others(tmp_path / "deep" / "er") == []


def test_doctor_tells_of_what_is_open_to_others(tmp_path: Path) -> None:
    """What an older version has made stays as it is: only its owner knows who reads it."""
    from affiliates.manifests.loader import read_group

    directory = group_in(tmp_path / "group")
    (directory / ".mauwatch").mkdir(mode=0o755)
    (directory / ".mauwatch" / "store.sqlite").touch()
    for path in (directory / ".mauwatch", directory / ".mauwatch" / "store.sqlite"):
        path.chmod(0o755)
    told = [text for name, fine, text in doctor._open_to_others(directory, read_group(directory)) if not fine]
    assert told == [
        "others may read or change .mauwatch (mode 755): chmod 700 .mauwatch",
        "others may read or change .mauwatch/store.sqlite (mode 755): chmod 600 .mauwatch/store.sqlite",
    ]
    assert (directory / ".mauwatch").stat().st_mode & 0o777 == 0o755


def killed(code: str, directory: Path) -> None:
    """Run Python until it says that it has got there, and kill it with SIGKILL."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(directory), "HERE": str(directory)},
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "there\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


HOLDING = """
    import os, sys, time
    from pathlib import Path
    from affiliates.concurrency import atomic_write, temporary_folder
    here = Path(os.environ["HERE"])
    with temporary_folder() as folder, atomic_write(here / "c.parquet", 0o600) as unfinished:
        (folder / "sketches").mkdir()
        (folder / "sketches" / "a.parquet").write_bytes(b"sketch")
        unfinished.write_bytes(b"sketch")
        print("there", flush=True)
        time.sleep(60)
"""


def test_the_next_command_removes_what_a_killed_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketches among the temporary files, and half a contribution beside the file it was to be."""
    killed(HOLDING, tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".part"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as folder:
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == [folder]
    with atomic_write(tmp_path / "another.parquet") as unfinished:
        assert list(tmp_path.iterdir()) == [unfinished]
    assert [path.name for path in tmp_path.iterdir()] == ["another.parquet"]


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    """A second command at the same time must not take the first one's files away."""
    with temporary_folder(tmp_path) as folder, atomic_write(tmp_path / "a") as unfinished:
        (folder / "x").write_bytes(b"1")
        concurrency._looked_through.discard(tmp_path)
        with temporary_folder(tmp_path) as other, atomic_write(tmp_path / "b"):
            assert other != folder
        assert (folder / "x").read_bytes() == b"1"
        assert unfinished.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_many_ask_for_folders_at_once(tmp_path: Path) -> None:
    """A folder that has no lock yet looks like one that was left: whoever made it must get another one, and no error."""

    def used(_: int) -> bool:
        with temporary_folder(tmp_path) as folder:
            return folder.is_dir()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(used, range(600)))
    assert list(tmp_path.iterdir()) == []


def test_others_files_stay(tmp_path: Path) -> None:
    """Names of other programs, links, and folders that look alike."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("x")
    (tmp_path / "mauwatch-work-link").symlink_to(tmp_path / "elsewhere")
    for name in (".c.parquet.12345678.part", "c.parquet.part", ".c.part", "mauwatch-1000-abc"):
        (tmp_path / name).write_text("x")
    with temporary_folder(tmp_path), atomic_write(tmp_path / "new"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [".c.parquet.12345678.part", "c.parquet.part", ".c.part", "mauwatch-1000-abc", "mauwatch-work-link", "elsewhere", "new"]
    )
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_a_run_that_is_killed_leaves_no_sketch(tmp_path: Path) -> None:
    """`mauwatch run`, killed where its contributions lie in files, and the run after it."""
    directory = group_in(tmp_path / "group")
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    code = f"""
        import os, signal, sys
        from dashboards.cli import main
        from pipelines.ingestion import acceptance
        def there(*arguments):
            print("there", flush=True)
            signal.pause()
        acceptance.accept = there
        sys.argv = ["mauwatch", "run", "--group", {str(directory)!r}]
        main.main()
    """
    killed(code, rooms)
    assert [path.name for path in rooms.rglob("*.parquet")] == ["a-app-0.parquet"]
    again(["run", "--group", directory], rooms)
    assert list(rooms.rglob("*.parquet")) == []


def killed_after(module: str, name: str, arguments: list[object], rooms: Path) -> None:
    """Run a command whose function NAME does its work, and kill the command just then."""
    code = f"""
        import signal, sys
        from dashboards.cli import main
        import {module} as its_module
        does = its_module.{name}
        def there(*arguments, **options):
            does(*arguments, **options)
            print("there", flush=True)
            signal.pause()
        its_module.{name} = there
        sys.argv = {["mauwatch", *map(str, arguments)]!r}
        main.main()
    """
    killed(code, rooms)


def sketches_in(*places: Path) -> list[str]:
    """What a command was writing: sketches, and documents that stand beside them."""
    return sorted(path.name for place in places for path in place.rglob("*") if path.is_file() and path.name[0] != "_")


def again(arguments: list[object], rooms: Path) -> None:
    """Carry out a command whose temporary files lie where a killed one's lay."""
    concurrency._looked_through.clear()  # As of a process that has only begun.
    with patch.object(tempfile, "tempdir", str(rooms)):
        done = mauwatch(*arguments)
    assert done.returncode in (0, 1), done.stderr


def test_contribute_that_is_killed_leaves_no_sketch(tmp_path: Path) -> None:
    """The whole contribution lay there under another name, readable by whoever was its owner, for good."""
    directory = group_in(tmp_path / "group")
    rooms, out = tmp_path / "rooms", tmp_path / "out"
    rooms.mkdir()
    out.mkdir()
    days = ["--group", directory, "--from", "2025-01-01", "--to", "2025-01-31"]
    killed_after("affiliates.contributions.contract", "write", ["contribute", *days, "-o", out / "c.parquet"], rooms)
    (half,) = out.iterdir()
    assert (half.suffix, stat.S_IMODE(half.stat().st_mode)) == (".part", 0o600)
    assert half.read_bytes().endswith(b"PAR1"), "the sketches are in it"
    again(["contribute", *days, "-o", out / "another.parquet"], rooms)
    assert (sketches_in(out), sketches_in(rooms)) == (["another.parquet"], [])


def test_evidence_that_is_killed_leaves_no_sketch(tmp_path: Path) -> None:
    """Its folder may be anywhere, and is named by no later command: the expert bundle's sketches lay there for good."""
    rows = events([("2025-03-05T00:00:00Z", f"u{i}@example.com") for i in range(10)])
    life = {"from": "2025-03-01", "to": "2025-04-01"}
    march = source(complete_through="2025-03-31")
    directory = write_group(tmp_path / "group", [entity("a", [product(**life, sources=[march])])], {"events.parquet": rows})
    rooms, out = tmp_path / "rooms", tmp_path / "out"
    rooms.mkdir()
    again(["run", "--group", directory], rooms)
    evidence = ["evidence", "llama-4", "--expert", "--group", directory]
    killed_after("pipelines.evidence.write", "_write_sketches", [*evidence, "-o", out], rooms)
    assert "outside.zip" in sketches_in(out)
    assert [name for name in sketches_in(out) if name.endswith(".parquet")] != []
    assert not (out / "outside.zip").exists(), "nothing is in its place before all is checked"
    again(["run", "--group", directory], rooms)
    assert (sketches_in(out), sketches_in(rooms)) == ([], [])
    assert list((directory / ".mauwatch" / "evidence").iterdir()) == []


def test_evidence_elsewhere_removes_what_was_left(tmp_path: Path) -> None:
    """And leaves no folder of its own where nothing came of it."""
    note, left = tmp_path / leftovers.NOTES / "mauwatch-work-1", tmp_path / "out" / "mauwatch-work-2"
    for folder in (note, left):
        folder.mkdir(parents=True)
    (note / "where").write_text(str(left.parent))
    (left / "sketches.parquet").write_bytes(b"sketch")
    with leftovers.room_in(tmp_path, tmp_path / "another") as room:
        assert room.parent == tmp_path / "another"
        assert sketches_in(tmp_path / "out") == []
    assert not (tmp_path / "another").exists()
    assert list((tmp_path / leftovers.NOTES).iterdir()) == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    with umask(0):
        assert stat.S_IMODE(private_folder(tmp_path / "a" / "b").stat().st_mode) == 0o700
        (tmp_path / "c").mkdir(mode=0o755)
        assert stat.S_IMODE(private_folder(tmp_path / "c").stat().st_mode) == 0o755
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "file")
