"""What a source's answer rests on: whatever changes the answer has to change what its places look like.

The judge is `files.find` itself: the files it names, what it leaves out, what it refuses, and the files' fingerprints.
"""

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiliates.errors import RefusedError
from affiliates.manifests.source import Source
from affiliates.sources import files, places

DAYS = [date(2025, 3, 1), date(2025, 3, 2)]
IDENTIFIERS = [{"column": "user", "namespace": "email"}]
FORMS = {
    "a file": "all.csv",
    "a folder": "data",
    "a pattern": "data/*.csv",
    "folders by a pattern": "data/*/part-*.csv",
    "a day in the name": "data/seen-{day}.csv",
    "a day's folder": "data/{day}/*.csv",
    "a folder, then a day": "data/*/{day}.csv",
    "a day of three folders": "data/{day}/part-1.csv",
}
TREE = (
    *("all.csv", "data/one.csv", "data/first/part-1.csv", "data/seen-2025-03-01.csv", "data/2025-03-01/a.csv"),
    *("data/first/2025-03-01.csv", "data/2025/03/01/part-1.csv", "data/none/other/x.txt"),
)
NEW = (
    *("data/two.csv", "data/second/part-1.csv", "data/none/part-1.csv", "data/first/part-2.csv", "data/seen-2025-03-02.csv"),
    *("data/2025-03-02/a.csv", "data/2025-03-01/b.csv", "data/none/2025-03-02.csv", "data/none/other/part-1.csv"),
    *("data/2025/03/02/part-1.csv", "data/_delta_log/0.json", "_delta_log/0.json", "data/first/_delta_log/0.json"),
    *("data/part.tmp", "data/first/_started_7", "data/.hidden.csv", "data/first/x-tid-7-1.csv", "elsewhere/part-1.csv"),
)
"""Files of which each is some form's business, and no business of others."""


def make(directory: Path) -> None:
    for name in TREE:
        put(directory / name)
    (directory / "through").write_text("2025-03-01")


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("user,at\nx@example.com,2025-03-01T10:00:00Z\n")


def source_of(form: str) -> Source:
    by_day = "{day}" in FORMS[form]
    return Source.model_validate(
        {"files": FORMS[form], "time": "at", "identifiers": IDENTIFIERS} | ({} if by_day else {"complete_through": "through"})
    )


def answer(directory: Path, source: Source) -> object:
    """What a run learns of the source without opening a file of events."""
    try:
        found = files.find(source, directory, "a/app")
    except (RefusedError, OSError) as error:
        return str(error)
    return found.paths, found.parts_by_day, found.complete_through, found.left_out, found.fingerprints({d: [d] for d in DAYS})


def look(directory: Path, source: Source) -> object:
    try:
        where = places.of_source(source, directory)
    except OSError as error:
        return str(error)
    assert where is not None
    return where


OPERATIONS: dict[str, Callable[[Path], object]] = {
    **{f"add {name}": lambda d, name=name: put(d / name) for name in NEW},  # type: ignore[misc]
    **{f"remove {name}": lambda d, name=name: (d / name).unlink(missing_ok=True) for name in TREE},  # type: ignore[misc]
    "write in place": lambda d: (d / "all.csv").write_text("user,at\ny@example.com,2025-03-01T10:00:00Z\n"),
    "touch": lambda d: os.utime(d / "data" / "one.csv", (1, 1)),
    "an earlier day": lambda d: (d / "through").write_text("2025-02-28"),
    "a link to a file": lambda d: again(d / "data" / "linked.csv", d / "elsewhere.csv"),
    "a link to a folder": lambda d: again(d / "data" / "linked", d / "data" / "first"),
    "a link to nowhere": lambda d: again(d / "data" / "gone.csv", d / "nowhere"),
    "a folder in a file's place": lambda d: swap(d),
    "the folder renamed": lambda d: shutil.move(d / "data", d / "moved"),
}  # fmt: skip


def again(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".csv" and not target.exists():
        put(target)
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def swap(directory: Path) -> None:
    (directory / "all.csv").unlink(missing_ok=True)
    put(directory / "all.csv" / "part.csv")


@pytest.mark.parametrize("form", FORMS)
def test_no_answer_changes_unseen(tmp_path: Path, form: str) -> None:
    """Each change by itself, and for each form of `files` some change is seen and some is another's business."""
    seen = set[bool]()
    for number, operation in enumerate(OPERATIONS.values()):
        directory = tmp_path / str(number)
        make(directory)
        source = source_of(form)
        before, where = answer(directory, source), places.of_source(source, directory)
        assert where is not None
        looked = places.state_of(where).digest
        operation(directory)
        is_other = answer(directory, source) != before
        assert not is_other or places.state_of(where).digest != looked, list(OPERATIONS)[number]
        seen.add(is_other)
    assert seen == {True, False}


@given(form=st.sampled_from(sorted(FORMS)), names=st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=2, max_size=5))
@settings(max_examples=60)
def test_no_answer_changes_unseen_after_others(tmp_path_factory: pytest.TempPathFactory, form: str, names: list[str]) -> None:
    """The last of several changes, by the places as they were before that one."""
    directory = tmp_path_factory.mktemp("places")
    make(directory)
    source = source_of(form)
    *earlier, last = names
    for name in earlier:
        try:
            OPERATIONS[name](directory)
        except OSError:
            return
    before, where = answer(directory, source), look(directory, source)
    if not isinstance(where, places.Places):
        return
    looked = places.state_of(where).digest
    try:
        OPERATIONS[last](directory)
    except OSError:
        return
    if answer(directory, source) != before:
        assert places.state_of(where).digest != looked


def test_a_database_and_an_object_store_have_no_places(tmp_path: Path) -> None:
    table = {"table": "seen", "database": {"env": "URL"}, "complete_through": "2025-03-01"}
    for place in ({"files": "s3://bucket/{day}.csv"}, table):
        source = Source.model_validate({**place, "time": "at", "identifiers": IDENTIFIERS})
        assert places.of_source(source, tmp_path) is None
