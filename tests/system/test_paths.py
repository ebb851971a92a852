"""A group directory of any name: the same figure as in any other folder, and nothing is written beside it."""

from pathlib import Path

import pytest

from affiliates.errors import Code, RefusedError
from affiliates.manifests.loader import read_group
from pipelines.defs import instance
from pipelines.defs.sqlite_files import quoted_url
from tests.support.command import answer, mauwatch
from tests.support.groups import entity, product, source, write_group

# Jenkins names a branch's folder by %2F; a question mark begins the options of a URL, and brackets a pattern's set of signs.
NAMES = ["feature%2Fmau", "mau?a#b", "[x] it's *.@host:1;a&b=ü"]


def all_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", NAMES)
def test_a_group_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    """Dagster's files were made in another folder, or not at all; and a traceback ended the run."""
    group = tmp_path / name / "acme"
    (tmp_path / name).mkdir()
    assert mauwatch("init", group, "--name", "acme").returncode == 0
    done = mauwatch("run", "--group", group, "--from", "2025-01-01", "--to", "2025-01-31")
    assert done.returncode == 0, done.stderr
    assert answer("measure", "--group", group, "--month", "2025-01")["group"]["estimate"] == 106
    assert set(tmp_path.iterdir()) == {tmp_path / name}
    assert set((tmp_path / name).iterdir()) == {group}
    home = group / ".mauwatch" / "dagster"
    assert {Path("history/runs.db"), Path("history/runs/index.db"), Path("schedules/schedules.db")} <= all_below(home)
    # What `serve` opens is what the run wrote.
    with instance.open_daemon_instance(group, read_group(group)) as daemon:
        assert {run.status.value for run in daemon.get_runs()} == {"SUCCESS"}
    assert set(tmp_path.iterdir()) == {tmp_path / name}


@pytest.mark.parametrize("pattern", ["ex[p]orts/app-{day}.csv", "what?/app-{day}.csv", "a*/*-{day}.csv", "[1].csv", "ex[p]orts"])
def test_only_a_star_and_the_day_stand_for_other_signs(tmp_path: Path, pattern: str) -> None:
    """A bracket in a folder's name is a bracket: else no file is there, or another folder's file."""
    by_day = "{day}" in pattern
    text = b"at,user\n2025-01-05T00:00:00Z,a@example.com\n"
    file = pattern.replace("{day}", "2025-01-05").replace("a*/*", "a[b]/x") + ("" if "." in pattern else "/part.csv")
    decoys = ["exports/app-2025-01-05.csv", "whats/app-2025-01-05.csv", "1.csv", "exports/part.csv"]
    files = {name: text.replace(b"a@", b"decoy@") + b"2025-01-05T00:00:00Z,decoy2@example.com\n" for name in decoys} | {
        file: text
    }
    made = source(files=pattern, complete_through=None if by_day else "2025-01-05")
    directory = write_group(tmp_path / "g", [entity("a", [product(sources=[made], to="2025-02-01")])], files)
    out = tmp_path / "c.parquet"
    asked = ("contribute", "--group", directory, "--from", "2025-01-05", "--to", "2025-01-05", "-o", out)
    assert mauwatch(*asked).returncode == 0
    assert sum(row["events"] for row in answer("inspect", out)["holds"]) == 1


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """The bytes of Latin-1 in a name can't stand in a URL; the refusal can be printed."""
    group = tmp_path / "caf\udce9"
    write_group(group, [entity("a", [product()])])
    with pytest.raises(RefusedError, match="its path is no UTF-8 text") as refused:
        instance.home(group, read_group(group))
    assert refused.value.refusals[0].code == Code.FILE_UNUSABLE
    str(refused.value).encode()


def test_the_url_of_a_plain_path_is_the_path() -> None:
    """Else the history of runs would be another file after an upgrade."""
    assert quoted_url("/srv/a-b_c.d/mau", "runs") == "sqlite:////srv/a-b_c.d/mau/runs.db"
