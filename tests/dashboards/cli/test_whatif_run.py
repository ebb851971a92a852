"""`mauwatch whatif FILE.yaml`, from the file to the kept answer; and the same answer once more, or why not."""

import json
import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import Code
from tests.support.command import Done, answer, mauwatch
from tests.support.databases import SQLITE, rows_of
from tests.support.groups import NOW, entity, events, product, source, write_group
from tests.support.runs import go
from tests.support.wrong_contributions import by_key, row, write

PEOPLE = 120
APRIL, MAY = (datetime(2025, month, 10, tzinfo=UTC) for month in (4, 5))
MARCH_TARGET: dict[str, Any] = {
    "day": date(2025, 3, 1), "affiliate": "target", "product": "social", "grain": "month", "computed_at": NOW, "lg_k": 12,
}  # fmt: skip
"""A month's contribution of a company that isn't the group's."""


def seen(months: int, people: int = PEOPLE) -> Any:
    """Events of so many people, one in three of whom uses both products, in each month from January 2025 on."""
    times = [f"2025-{month:02}-{1 + i % 28:02}T10:00:00Z" for month in range(1, months + 1) for i in range(people)]
    return events([(time, f"u{i % people}@example.com") for i, time in enumerate(times)])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group of two affiliates whose months to March 2025 are published."""
    to_march = source(complete_through="2025-03-31")
    made = write_group(
        tmp_path_factory.mktemp("whatif") / "group",
        [
            entity("a", [product("app", sources=[to_march])]),
            entity("b", [product("web", sources=[to_march | {"counts_when": "user < 'u2'"}])]),
        ],
        {"events.parquet": seen(3)},
        lg_k=12,
    )
    go(made, APRIL)
    return made


@pytest.fixture(scope="module")
def stored(published: Path) -> dict[str, Any]:
    """What the store holds before any scenario."""
    return rows_of(SQLITE, published)


@pytest.fixture
def group(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "group"))


@pytest.fixture
def deal(group: Path, tmp_path: Path) -> Path:
    """The scenario that `new` writes, outside of the group directory."""
    file = tmp_path / "deals" / "deal.yaml"
    file.parent.mkdir()
    assert mauwatch("whatif", "new", file, "--group", group).returncode == 0
    return file


def kept(directory: Path) -> list[int]:
    rows = rows_of(SQLITE, directory)
    return [len(rows["scenarios"]), len(rows["scenario_access"])]


def run(group: Path, *arguments: object) -> Done:
    return mauwatch("whatif", *arguments, "--group", group)


def said(done: Done) -> str:
    """The refusal in words, whatever lines it has."""
    return " ".join(done.stderr.split())


def code(done: Done) -> str:
    """The code of the refusal that a command asked for JSON has answered."""
    assert done.returncode == 2, done.stdout
    return str(json.loads(done.stdout)["errors"][0]["code"])


def test_what_new_writes_runs_as_it_is(group: Path, deal: Path) -> None:
    assert deal.stat().st_mode & 0o777 == 0o600
    done = run(group, deal)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Buying Example Social takes the group from ")
    assert "Kept as example-deal@1, seen by you alone" in done.stdout
    assert len(done.stdout.splitlines()) <= 39
    assert max(map(len, done.stdout.splitlines())) <= 80
    shown = answer("whatif", deal, "--group", group)
    assert shown["base_month"] == "2025-03"
    assert shown["months"][-1]["after"]["p50"] > shown["months"][-1]["before"]["p50"]
    assert {entry["basis"] for entry in shown["assumptions"]} <= {"measured", "stated", "assumed"}
    assert shown["kept"]["reference"] == "example-deal@1"
    assert mauwatch("whatif", "new", deal, "--group", group).returncode == 2, "a file that is there stays"
    assert mauwatch("whatif", "new", "--group", group).stdout == deal.read_text()


@pytest.mark.parametrize("kind", ["launch", "divest", "retire", "grow", "exclude", "ownership"])
def test_every_change_that_new_offers_runs(group: Path, deal: Path, kind: str) -> None:
    text = deal.read_text()
    block = re.search(rf"^#  - {kind}: .*\n(?:^#    .*\n)*", text, re.MULTILINE)
    assert block is not None
    deal.write_text(text + block[0].replace("#  ", "  ").replace("\n#", "\n"))
    shown = answer("whatif", deal, "--no-keep", "--group", group)
    assert len(shown["months"][-1]["in_force"]) == 2


def test_the_same_scenario_is_kept_once_and_answers_the_same(group: Path, deal: Path) -> None:
    first = run(group, deal, "--json")
    assert run(group, deal, "--json").stdout == first.stdout
    assert run(group, deal, "--again", "--json").stdout == first.stdout
    assert kept(group) == [1, 0]
    assert run(group, "verify", "example-deal").stdout.startswith("example-deal@1: the same answer as at ")
    # Its comments and the order of its keys say nothing.
    lines = [line for line in deal.read_text().splitlines() if not line.lstrip().startswith("#")]
    deal.write_text("\n".join(lines))
    assert run(group, deal, "--json").stdout == first.stdout


def test_another_scenario_of_the_name_is_refused_or_a_version(group: Path, deal: Path) -> None:
    run(group, deal)
    deal.write_text(deal.read_text().replace("high: 60 %", "high: 61 %"))
    assert code(run(group, deal, "--json")) == Code.SCENARIO_KEPT
    assert kept(group) == [1, 0]
    assert answer("whatif", deal, "--no-keep", "--group", group)["kept"] is None
    assert kept(group) == [1, 0]
    assert answer("whatif", deal, "--again", "--group", group)["kept"]["reference"] == "example-deal@2"
    assert "Not kept." in run(group, deal, "--no-keep").stdout
    first, second = answer("whatif", "compare", "example-deal@1", "example-deal@2", "--group", group)["scenarios"]
    assert first["months"] != second["months"]


def test_another_figure_of_the_base_month_is_said(group: Path, deal: Path) -> None:
    """A scenario of an older group whose inputs have changed."""
    first = answer("whatif", deal, "--group", group)["before"]["estimate"]
    seen(3, PEOPLE + 30).write_parquet(group / "events.parquet")
    go(group, APRIL)
    before = rows_of(SQLITE, group)
    for arguments in (("verify", "example-deal", "--json"), (deal, "--json")):
        done = run(group, *arguments)
        assert code(done) == Code.SCENARIO_INPUTS_CHANGED
        assert "the group's figures of the base month, the group's published months" in said(done)
    assert "the numbers are others" in said(run(group, "verify", "example-deal"))
    assert rows_of(SQLITE, group) == before
    assert answer("whatif", "show", "example-deal", "--group", group)["before"]["estimate"] == first
    assert answer("whatif", deal, "--again", "--group", group)["before"]["estimate"] > first
    assert run(group, "verify", "example-deal@2").returncode == 0


def test_another_owner_in_the_manifests_is_said(group: Path, deal: Path) -> None:
    run(group, deal)
    file = group / "affiliates" / "b.yaml"
    file.write_text(file.read_text().replace("share: 1", "share: 0.9"))
    done = run(group, "verify", "example-deal", "--json")
    assert code(done) == Code.SCENARIO_INPUTS_CHANGED
    assert "the group's manifests" in said(done)


def test_a_month_that_comes_later_changes_no_kept_scenario(group: Path, deal: Path) -> None:
    """A scenario that names no month starts from the newest, and is checked from the month of then; sources decide nothing."""
    text = re.sub(r"^(month|reading): .*\n", "", deal.read_text(), flags=re.MULTILINE)
    deal.write_text(text)
    assert answer("whatif", deal, "--group", group)["base_month"] == "2025-03"
    for file in ("a", "b"):
        manifest = group / "affiliates" / f"{file}.yaml"
        manifest.write_text(manifest.read_text().replace("2025-03-31", "2025-04-30"))
    seen(4).write_parquet(group / "events.parquet")
    go(group, MAY)
    assert run(group, "verify", "example-deal").returncode == 0
    assert kept(group) == [1, 0]
    # The same file again starts from the newest month by now: another scenario.
    assert code(run(group, deal, "--json")) == Code.SCENARIO_INPUTS_CHANGED


def test_what_a_scenario_doesnt_rest_on_may_change(group: Path, deal: Path) -> None:
    """A company that doesn't count, a name, how long sketches are kept: refusals for those teach to ignore refusals."""
    run(group, deal)
    (group / "affiliates" / "c.yaml").write_text("entity: c\nowned_by: [{owner: parent, share: 0.2}]\nproducts: []\n")
    file = group / "affiliates" / "b.yaml"
    file.write_text(f"name: B Incorporated\n{file.read_text()}")
    settings = group / "group.yaml"
    settings.write_text(f"{settings.read_text()}keep_sketches: 30\n")
    assert run(group, "verify", "example-deal").returncode == 0
    assert run(group, deal, "--json").returncode == 0
    assert kept(group) == [1, 0]


def test_a_contribution_is_a_part_of_the_inputs(group: Path, deal: Path) -> None:
    file = deal.with_name("target.parquet")
    write(file, row(**MARCH_TARGET, number=20))
    deal.write_text(
        "scenario: counted\nmonth: 2025-03\nchanges:\n  - acquire: Example Social\n    on: 2025-05-01\n"
        "    contribution: target.parquet\n"
    )
    shown = answer("whatif", deal, "--group", group)
    assert list(shown["inputs"]["contributions"]) == ["target.parquet"]
    assert run(group, "verify", "counted").returncode == 0
    write(file, row(**MARCH_TARGET, number=21))
    done = run(group, "verify", "counted", "--json")
    assert code(done) == Code.SCENARIO_INPUTS_CHANGED
    assert "a contribution of a target" in said(done)
    write(file, row(**MARCH_TARGET, way=by_key(b"1" * 64), number=20))
    assert code(run(group, "verify", "counted", "--json")) == Code.SCENARIO_CONTRIBUTION_WRONG
    assert code(run(group, deal, "--again", "--json")) == Code.SCENARIO_CONTRIBUTION_WRONG
    file.unlink()
    assert code(run(group, "verify", "counted", "--json")) == Code.SCENARIO_CONTRIBUTION_WRONG
    assert kept(group) == [1, 0]


BESIDE = (Code.FIGURE_MISSING, Code.LICENCE_UNKNOWN)
LINE = "scenario.yaml:4: "
BASE = "scenario: x\nmonth: 2025-03\nchanges:\n  - "
TARGET = "acquire: T\n    on: 2025-05-01\n    users: {likely: 50, unit: people, month: 2025-03}\n    overlap: unknown\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BASE + TARGET.replace("unknown", "{of: target, low: 20 %, high: 120 %}"), "over 100 %"),
        (BASE + TARGET.replace("unknown", "{of: group, low: 90 %, high: 95 %}"), f"{LINE}acquire T: there would be more shared"),
        (BASE + TARGET.replace("unknown", "{independent_in: 20}"), f"{LINE}acquire T: the population is smaller"),
        (BASE + TARGET.replace("unknown", "{target: {low: 10 %, high: 20 %}, group: {low: 80 %, high: 90 %}}"), LINE),
        (BASE + TARGET.replace("likely: 50", "likely: -50"), "is no number of people over 0"),
        (BASE + TARGET.replace("unit: people", "unit: accounts"), "accounts aren't people"),
        (BASE + TARGET.replace("acquire: T", "acquire: b"), f"{LINE}change 1 (acquire b): is a member of the group already"),
        (BASE + TARGET.replace("2025-05-01", "2025-01-01"), f"{LINE}change 1 (acquire T): its day lies before"),
        (BASE + TARGET + "  - divest: nobody\n    on: 2025-05-01\n", "scenario.yaml:8: change 2 (divest nobody)"),
        (BASE + "retire: a/nothing\n    on: 2025-05-01\n", f"{LINE}change 1 (retire a/nothing)"),
        (BASE + "reading: nothing\n", f"{LINE}change 1 (reading nothing)"),
        (BASE + "clause: llama-99\n", f"{LINE}clause llama-99"),
        (BASE + "ownership: {entity: b, owner: c, share: 60 %}\n    on: 2025-05-01\n", f"{LINE}change 1 (ownership c"),
        (BASE + "acquire: T\n    on: 2025-05-01\n    contribution: gone.parquet\n", f"{LINE}acquire T: there is no such file"),
        (BASE.replace("2025-03", "2024-03") + TARGET, ""),
        (BASE.replace("month: 2025-03", "reading: nothing") + TARGET, "scenario.yaml:2: scenario x, `reading`"),
        (BASE.replace("month: 2025-03", "releases: [2020-01-01]") + TARGET, "scenario.yaml:2: scenario x, `releases`"),
        (BASE.replace("month: 2025-03", "clause: llama-99") + TARGET, "scenario.yaml:2: scenario x, `clause`"),
        ("scenario: x\nchanges: []\n", "changes"),
        ("scenario: [", "scenario.yaml"),
        ("", "scenario.yaml"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_and_nothing_is_stored(
    published: Path, stored: dict[str, Any], tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    done = run(published, file, "--json")
    assert done.returncode == 2, done.stdout
    errors = json.loads(done.stdout)["errors"]
    assert all(error["code"].startswith("scenario-") or error["code"] in BESIDE for error in errors), errors
    assert all(error["next_step"] for error in errors)
    assert words in said(done)
    assert rows_of(SQLITE, published) == stored


def test_a_deals_file_in_the_group_directory_is_told_of(group: Path) -> None:
    """Whoever keeps the manifests in git would keep the deal there, too."""
    file = group / "deal.yaml"
    assert "lies in the group directory" in run(group, "new", file).stderr
    done = run(group, file, "--json")
    assert done.returncode == 0
    assert "lies in the group directory" in said(done)
    json.loads(done.stdout)


def test_nothing_but_the_store_changes_in_the_group_directory(group: Path, deal: Path) -> None:
    def contents() -> dict[str, bytes]:
        files = (path for path in group.rglob("*") if path.is_file() and not path.name.startswith("store.sqlite"))
        return {str(path): path.read_bytes() for path in files}

    before = contents()
    for arguments in ((deal,), ("verify", "example-deal"), ("list",), ("grant", "example-deal", "--to", "bob")):
        assert run(group, *arguments).returncode == 0
    assert contents() == before
