"""Files that are written in one step: who reads one never reads half of it, whatever happens to the writer."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from affiliates.concurrency import atomic_write, write_secret

KILLED = """
import os, signal, sys
from pathlib import Path
from affiliates.concurrency import atomic_write

with atomic_write(Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half of the ne")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_old_file_is_read_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with atomic_write(path) as unfinished:
        unfinished.write_text("half of the ne")
        assert path.read_text() == "old"
        unfinished.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", ["old", None])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, interruption: type[BaseException], old: str | None
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_text(old)
    with pytest.raises(interruption), atomic_write(path) as unfinished:  # noqa: PT012
        unfinished.write_text("half of the ne")
        raise interruption
    assert [(name, (tmp_path / name).read_text()) for name in os.listdir(tmp_path)] == ([] if old is None else [("file", old)])


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    """What is left of the new one is told by its name."""
    path = tmp_path / "file"
    path.write_text("old")
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    path.unlink()
    [left] = os.listdir(tmp_path)
    assert left.startswith(".file.")
    assert left.endswith(".part")


@pytest.mark.parametrize(("mode", "kept"), [(0o600, 0o600), (0o666, 0o640), (0o644, 0o640)])
def test_permissions_are_those_asked_for_less_the_umask(tmp_path: Path, mode: int, kept: int) -> None:
    """From the first byte on, and whatever the old file's were."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    before = os.umask(0o027)
    try:
        with atomic_write(path, mode) as unfinished:
            assert stat.S_IMODE(unfinished.stat().st_mode) == kept
            unfinished.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == kept


def test_errors_name_the_file_that_was_to_be(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing, atomic_write(tmp_path / "no folder" / "file"):
        pass
    assert missing.value.filename == str(tmp_path / "no folder" / "file")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"), atomic_write(tmp_path / "folder"):
        pass
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_be_written_but_not_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o300)
    with atomic_write(tmp_path / "file") as unfinished:
        unfinished.write_text("new")
    tmp_path.chmod(0o700)
    assert (tmp_path / "file").read_text() == "new"


def test_a_secret_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    write_secret(tmp_path / "key", b"secret")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_secret(tmp_path / "key", b"another")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert os.listdir(tmp_path) == ["key"]
