"""A crosswalk's snapshot that another program has made: checked as one made here, at both edges.

What would silently go wrong: a join on an empty person id makes 5,000 people one, complete and ready to be signed; a snapshot of
another month or another key joins the wrong people, or nobody.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from affiliates.crosswalks import snapshot, statements
from affiliates.crosswalks.snapshot import Snapshots
from affiliates.errors import Code, RefusedError
from affiliates.identity import canaries
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import PERSON, GroupKey, person_key
from affiliates.identity.normalisation import normalise
from affiliates.manifests.loader import read_group
from affiliates.sketches.registers import Registers
from dashboards.cli import doctor, packet_file
from pipelines.workflows.run import run
from tests.support.command import answer, mauwatch
from tests.support.groups import KEY, NOW, entity, events, product, source
from tests.support.paths import ROOT
from tests.support.receipts import take, why
from tests.support.wrong_contributions import row, write

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
IN_FEBRUARY = datetime(2025, 2, 10, 12, tzinfo=UTC)
FINGERPRINT = GroupKey(KEY, "1").fingerprint
PEOPLE = 600
FILE = "crosswalk-2025-01.parquet"


def keys(number: int = PEOPLE, epoch_key: str = KEY) -> list[str]:
    """The keys of e-mail addresses, as a snapshot has them."""
    identifiers = pl.DataFrame({"i": [f"u{i}@example.org" for i in range(number)]})
    hashed = identifiers.select(k=person_key(normalise(pl.col("i"), "email"), "email", GroupKey(epoch_key, "1")))["k"]
    return snapshot.as_text(hashed).to_list()


def made_elsewhere(path: Path, each: int, number: int = PEOPLE, epoch_key: str = KEY, **columns: Any) -> pl.DataFrame:
    """A snapshot of so many keys of each person, without any statement."""
    persons = [f"{i // each:016x}" for i in range(number)]
    table = pl.DataFrame({"key": keys(number, epoch_key), "person_key": persons, **columns})
    table.write_parquet(path)
    return table


@pytest.fixture
def group(make: Make) -> Path:
    rows = [(f"2025-01-{1 + i % 31:02d}T10:00:00Z", f"u{i}@example.org") for i in range(PEOPLE)]
    app = product(sources=[source()], **{"from": "2025-01-01", "to": "2025-02-01"})
    handed_in = product("web", sources=[], **{"from": "2025-01-01", "to": "2025-02-01"})
    directory = make([entity("a", [app, handed_in])], crosswalk="crosswalk-{month}.parquet", namespaces={})
    events(rows).write_parquet(directory / "events.parquet")
    return directory


def snapshots(directory: Path) -> Snapshots:
    settings = read_group(directory).settings
    return Snapshots(settings, directory, Keyring(settings, directory))


@pytest.mark.parametrize(
    ("each", "said"),
    [
        (PEOPLE, "1 with more than 100, the largest with 600"),
        (101, "5 with more than 100"),
        (100, "600 keys of 6 people, 100.0 each"),
        (6, "600 keys of 100 people, 6.0 each"),
    ],
)
def test_many_people_are_never_made_one(group: Path, each: int, said: str) -> None:
    """At both edges, and before a packet carries the snapshot to a third: each of these was signed as it stood."""
    made_elsewhere(group / FILE, each)
    with pytest.raises(RefusedError, match="more keys than") as refused:
        snapshots(group)(JANUARY)
    assert (said in str(refused.value), refused.value.refusals[0].code) == (True, Code.CROSSWALK_INVALID)
    report = run(group, read_group(group), NOW)
    assert [str(refusal) for refusal in report.products[0].refusals] == [str(refused.value)]
    for command in (["contribute", "--month", "2025-01", "-o", group / "c.parquet"], ["packet", "a", "-o", group / "p.zip"]):
        done = mauwatch(*command, "--group", group)
        assert (done.returncode, "more keys than" in " ".join(done.stderr.split())) == (2, True), done.stderr
    assert ("crosswalk", False, str(refused.value)) in list(doctor.examine(group, read_group(group), IN_FEBRUARY))


@pytest.mark.parametrize(("largest", "each", "is_read"), [(100, 5, True), (99, 100, False), (240, 12, True), (240, 13, False)])
def test_the_group_says_how_many_identifiers_people_have(largest: int, each: int, is_read: bool) -> None:
    """Whose people have more says so in group.yaml, and is believed."""
    people = pl.Series(np.arange(1200, dtype=np.uint64) // each)
    if is_read:
        statements.check_people(people, largest, "it")
    else:
        with pytest.raises(RefusedError, match="more keys than"):
            statements.check_people(people, largest, "it")


def stated(path: Path, beside: bool, **metadata: str) -> None:
    said = {f"mauwatch.{name}": value for name, value in metadata.items()}
    if beside:
        path.with_name(f"{path.name}.json").write_text(json.dumps(said))
    else:
        pl.read_parquet(path).write_parquet(path, metadata=said)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("metadata", "why_not"),
    [
        ({"month": "2025-01", "key_fingerprint": FINGERPRINT}, ""),
        ({"month": "2024-12"}, "is of another month (it says 2024-12, and is read for 2025-01)"),
        ({"month": "January"}, "its month is none"),
        ({"key_fingerprint": "0" * 12}, f"was made under another key (fingerprint {'0' * 12}, the month's is {FINGERPRINT})"),
        ({"key_fingerprint": KEY}, f"was made under another key (fingerprint …, the month's is {FINGERPRINT})"),
    ],
)
def test_its_month_and_its_key_are_compared(group: Path, beside: bool, metadata: dict[str, str], why_not: str) -> None:
    """In the file's metadata, or beside the file for programs that can't write any."""
    made_elsewhere(group / FILE, 2)
    stated(group / FILE, beside, **metadata)
    read = snapshots(group)
    if not why_not:
        assert read(JANUARY) is not None
        assert read.unsaid == {}
        return
    with pytest.raises(RefusedError) as refused:
        read(JANUARY)
    assert why_not in str(refused.value)


def test_two_statements_must_agree(group: Path) -> None:
    """Else the one that is read would depend on who asks."""
    made_elsewhere(group / FILE, 2)
    stated(group / FILE, False, month="2025-01")
    stated(group / FILE, True, month="2025-02")
    with pytest.raises(RefusedError, match="says two things of itself"):
        snapshots(group)(JANUARY)
    (group / f"{FILE}.json").write_text("[]")
    with pytest.raises(RefusedError, match="is no statement"):
        snapshots(group)(JANUARY)


def test_names_of_a_later_month_show_another_snapshot(group: Path) -> None:
    """Of a file that states nothing, the months in which names were given tell at least that."""
    made_elsewhere(group / FILE, 2, named=pl.Series([date(2025, 2, 1)] * PEOPLE))
    with pytest.raises(RefusedError, match="is of a later month"):
        snapshots(group)(JANUARY)


def test_what_is_not_said_is_said_to_be_so(group: Path) -> None:
    """A snapshot of nobody knows which month and key counts; that nothing was compared mustn't look like a comparison."""
    made_elsewhere(group / FILE, 2)
    unsaid = f"{FILE} doesn't say its month and its key's fingerprint"
    report = run(group, read_group(group), NOW)
    assert report.to_dict()["notes"][0].partition(",")[0] == unsaid
    (looked_at,) = [found for name, _, found in doctor.examine(group, read_group(group), IN_FEBRUARY) if name == "crosswalk"]
    assert looked_at.startswith("600 keys of 300 people, digest ")
    assert unsaid in looked_at


@pytest.mark.parametrize("said", [{}, {"key_fingerprint": FINGERPRINT}], ids=["nothing", "its key"])
def test_one_snapshot_of_all_months_has_no_month_to_say(make: Make, said: dict[str, str]) -> None:
    """Asked for what it can't say, a group reads the same line in each run, and no line any more."""
    rows = [("2025-01-05T10:00:00Z", f"u{i}@example.org") for i in range(PEOPLE)]
    app = product(sources=[source()], **{"from": "2025-01-01", "to": "2025-02-01"})
    several = {"email": {"identifiers_per_person": [1, 3]}}
    directory = make([entity("a", [app])], crosswalk="crosswalk.parquet", namespaces=several)
    events(rows).write_parquet(directory / "events.parquet")
    made_elsewhere(directory / "crosswalk.parquet", 2)
    stated(directory / "crosswalk.parquet", False, **said)
    notes = run(directory, read_group(directory), NOW).notes
    assert [note.partition(",")[0] for note in notes] == ([] if said else ["crosswalk.parquet doesn't say its key's fingerprint"])


@pytest.mark.parametrize(
    ("said", "each", "is_refused", "is_told"),
    [
        (1, 2, True, False),
        ([1, 3], 5, True, False),
        ([1, 3], 3, False, False),
        ("several", 3, False, True),
        (None, 3, False, True),
    ],
)
def test_a_first_snapshot_that_makes_one_of_a_few(make: Make, said: object, each: int, is_refused: bool, is_told: bool) -> None:
    """Nothing but the group's word contradicts it. Where that gives no limit, each run says so; within it nobody can tell."""
    rows = [(f"2025-01-{1 + i % 31:02d}T10:00:00Z", f"u{i}@example.org") for i in range(PEOPLE)]
    app = product(sources=[source()], **{"from": "2025-01-01", "to": "2025-02-01"})
    namespaces = {"email": {"identifiers_per_person": said}} if said else {}
    directory = make([entity("a", [app])], {"events.parquet": events(rows)}, crosswalk=FILE, namespaces=namespaces)
    made_elsewhere(directory / FILE, each)
    report = run(directory, read_group(directory), NOW)
    assert [refusal.code for refusal in report.products[0].refusals] == [Code.NAMESPACE_CONTRADICTED] * is_refused
    assert any("one person of several can't be seen in identifiers of email" in note for note in report.notes) == is_told
    people = [figures.group.estimate for figures in report.measured.values()]
    assert all(abs((estimate or 0) - PEOPLE / each) < 3 for estimate in people), "that is what the figure says then"
    assert bool(people) != is_refused


def test_the_demos_crosswalk_can_be_compared() -> None:
    read = snapshots(ROOT / "demo" / "git-activity")
    assert read(JANUARY) is not None
    assert read.unsaid == {}


def test_one_made_here_says_its_month_and_key(group: Path, tmp_path: Path) -> None:
    """Through keyed links and a packet, too: what headquarters compares, an affiliate compares."""
    lines = [f"u{i}@example.org,v{i}@example.org" for i in range(PEOPLE)]
    (tmp_path / "links.csv").write_text("\n".join(["email,other", *lines, ""]))
    links = ["crosswalk", tmp_path / "links.csv", "--group", group, "--column", "other=email"]
    answer(*links, "--links-to", tmp_path / "keyed.parquet")
    answer("crosswalk", tmp_path / "keyed.parquet", "--keyed", "--group", group, "--month", "2025-01")
    said = statements.Statement("2025-01", FINGERPRINT)
    assert statements.read(group / FILE) == said
    answer(*links, "--month", "2025-01")
    assert statements.read(group / FILE) == said
    mauwatch("packet", "a", "-o", tmp_path / "p.zip", "--group", group)
    _, packed = packet_file.read(tmp_path / "p.zip")
    assert [crosswalk.statement for crosswalk in packed.values()] == [said]
    mauwatch("init", tmp_path / "edge", "--packet", tmp_path / "p.zip")
    assert statements.read(tmp_path / "edge" / FILE) == said


def test_a_packet_carries_the_largest_person(make: Make, tmp_path: Path) -> None:
    """Else an affiliate would refuse the snapshot that headquarters counts by."""
    directory = make([entity("a", [product("web", sources=[])])], largest_person=700, crosswalk="crosswalk-{month}.parquet")
    made_elsewhere(directory / FILE, 20)
    assert mauwatch("packet", "a", "-o", tmp_path / "p.zip", "--group", directory).returncode == 0
    mauwatch("init", tmp_path / "edge", "--packet", tmp_path / "p.zip")
    assert read_group(tmp_path / "edge", edge=True).settings.largest_person == 700


def test_a_crosswalk_that_joins_nobody_is_a_finding(group: Path) -> None:
    """Made under another key, it knows none of the month's identifiers: everybody is counted once for each of theirs."""
    made_elsewhere(group / FILE, 2, epoch_key="f00d" * 16)
    report = run(group, read_group(group), NOW)
    assert [str(finding) for finding in report.findings if "joins nobody" in str(finding)] == [
        "2025-01: the crosswalk joins nobody of the month: is it of another month, or of another key?"
    ]
    made_elsewhere(group / FILE, 2)
    assert not [finding for finding in run(group, read_group(group), NOW).findings if "joins nobody" in str(finding)]


def sketch_of(persons: Sequence[str]) -> bytes:
    return Registers.from_keys(21, np.array([int(person, 16) for person in persons], np.uint64)).to_image()


@pytest.mark.parametrize("joined_wrongly", [False, True])
def test_people_of_a_contribution_are_the_snapshots(group: Path, joined_wrongly: bool) -> None:
    """An engine's own join can go wrong, too: all its people would be one that the snapshot doesn't have."""
    persons = made_elsewhere(group / FILE, 2)["person_key"].unique().to_list()
    digest = snapshots(group)(JANUARY).digest  # type: ignore[union-attr]
    sketch = sketch_of(["ffffffff000000aa"] if joined_wrongly else persons)
    changes: dict[str, Any] = {"product": "web", "crosswalk_digest": digest}
    canary = canaries.image(PERSON, GroupKey(KEY, "1"), 21)
    people = row(JANUARY, **changes) | {"namespace": PERSON, "sketch": sketch, "events": 600, "canary": canary}
    session = take(group, write(group / "f.parquet", row(JANUARY, number=1, **changes), people), sender="a")
    assert ("people whom the month's crosswalk doesn't have" in why(session)) == joined_wrongly
