"""The command line, as a person and as a program meets it: answers, exit codes, and no word of an identifier."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import answer, installed, mauwatch
from tests.support.groups import KEY, PLANTED, entity, events, product, source

FIGURE = [
    "estimate", "lower", "upper", "standard_error", "identity_low", "identity_high", "summed_products",
    "coverage", "complete", "state", "lg_k",
]  # fmt: skip


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group as `init` makes it, run."""
    directory = tmp_path_factory.mktemp("cli") / "group"
    done = installed("init", directory, "--name", "acme", "--time-zone", "Europe/Berlin")
    assert done.returncode == 0, done.stderr
    done = installed("run", "--group", directory, "--from", "2025-01-01", "--to", "2025-01-31")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Months published: 1, 2025-01 to 2025-01." in done.stdout
    return directory


def test_help_is_there_for_every_command() -> None:
    done = installed("--help")
    for command in ("init", "validate", "doctor", "run", "measure", "licences", "forecast", "crosswalk", "demo"):
        assert command in done.stdout
        assert "Usage" in mauwatch(command, "--help").stdout


def test_init_makes_a_directory_that_runs_as_it_is(started: Path) -> None:
    assert (started / ".mauwatch" / "group.key").stat().st_mode & 0o077 == 0
    again = mauwatch("init", started)
    assert again.returncode == 2
    assert "is not an empty folder" in again.stderr
    wrong = mauwatch("init", started.parent / "other", "--time-zone", "Europe/Atlantis")
    assert (wrong.returncode, (started.parent / "other").exists()) == (2, False)
    assert "is not a time zone" in wrong.stderr


def test_validate_shows_the_path_of_each_affiliate(started: Path) -> None:
    found = answer("validate", "--group", started)
    assert found["affiliates"] == {"parent": [], "example": ["parent 60 % → example"]}
    assert "parent 60 % → example" in mauwatch("validate", "--group", started).stdout


def test_validate_says_why_an_entity_is_outside(make: Callable[..., Path]) -> None:
    found = answer("validate", "--group", make([entity("a", [product()], owned_by=[{"owner": "parent", "share": 0.5}])]))
    assert found["outside"] == {"a": "not under control: members hold 50 %"}


def test_measure_says_who_is_left_out_and_what_awaits_a_run(make: Callable[..., Path]) -> None:
    """A share of 7 % for 70 %, a deleted file, a changed condition: each would silently move the number."""
    files = {"events.parquet": events([(f"2025-01-{i:02}T00:00:00Z", f"u{i}@example.com") for i in range(1, 32)])}
    directory = make([entity(n, [product(to="2025-02-01")]) for n in ("a", "b", "c")], files)
    assert mauwatch("run", "--group", directory).returncode == 0
    make([entity("a", [product(to="2025-02-01")], owned_by=[{"owner": "parent", "share": 0.07}])])
    make([entity("b", [product(to="2025-02-01", sources=[source(counts_when="user <> 'x'")])])])
    (directory / "affiliates" / "c.yaml").unlink()
    found = answer("measure", "--group", directory, "--month", "2025-01", "--anew")
    assert found["not_counted"] == [
        "a: not under control: members hold 7 %",
        "c/app: has contributions, and no manifest names it",
        "b/app: 31 periods were computed under earlier settings; compute them with mauwatch run",
    ]
    assert "members hold 7 %" in mauwatch("measure", "--group", directory, "--month", "2025-01", "--anew").stdout
    published = answer("measure", "--group", directory, "--month", "2025-01")
    assert (published["group"]["estimate"], published["not_counted"]) == (31, [])
    gone, stale = published["changed_since_published"]
    assert gone.startswith("settings have changed: counted then, and not due any more: a/app, c/app")
    assert "b/app: 31 periods were computed under earlier settings" in stale


def test_doctor_looks_at_everything(started: Path) -> None:
    found = answer("doctor", "--group", started)
    assert {c["what"] for c in found} == {
        "machine",
        "sketches",
        "disk",
        "group key",
        "store",
        "crosswalk",
        "alerts",
        "example/app",
        "registry",
    }
    assert all(c["fine"] for c in found)
    assert KEY not in str(found)


def test_measure_in_json_has_the_stable_shape(started: Path) -> None:
    found = answer("measure", "--group", started, "--month", "2025-01")
    assert found["month"] == "2025-01"
    assert list(found["affiliates"]) == ["example"]
    assert list(found["products"]) == ["example/app"]
    assert list(found["group"])[: len(FIGURE)] == FIGURE
    assert found["group"]["coverage"] == {"days_expected": 31, "days_present": 31, "months_expected": 0, "months_present": 0}
    assert (found["group"]["complete"], found["group"]["state"], found["group"]["lg_k"]) == (True, "preliminary", 21)
    # 90 people and one employee signed in, and 15 devices signed out: nobody can tell whose.
    assert (found["group"]["identity_low"], found["group"]["identity_high"]) == (91, 106)
    assert (found["group"]["lower"], found["group"]["estimate"]) == (91, 106)


def test_measure_for_a_person(started: Path) -> None:
    done = mauwatch("measure", "--group", started, "--month", "2025-01")
    assert done.returncode == 0
    assert "People in 2025-01 (Europe/Berlin), preliminary, by the reading unique_people" in done.stdout
    assert "    app" in done.stdout
    summed = mauwatch("measure", "--group", started, "--month", "2025-01", "--reading", "summed_products")
    assert "by the reading summed_products" in summed.stdout
    assert "Sum of products, each person once in each: 106 (91 to 107)." in summed.stdout


def test_licences_in_json(started: Path) -> None:
    found = answer("licences", "--group", started)
    first = [t for t in found if t["licence"].startswith("llama")]
    assert [t["licence"] for t in first] == ["llama-2", "llama-3", "llama-3.1", "llama-3.2", "llama-3.3", "llama-4"]
    assert found[: len(first)] == first
    assert {r["result"] for t in found for r in t["readings"].values()} == {"not_measured"}
    assert first[-1]["readings"]["unique_people"]["settled_by"] == ["contributions or counts for 2025-03"]


def test_a_month_without_data(started: Path) -> None:
    done = mauwatch("measure", "--group", started, "--month", "1999-12")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no data: nothing was contributed for this month" in done.stderr
    assert "there are 2025-01 to 2025-01" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["measure", "--month", "2025-13"], "write a month as YYYY-MM"),
        (["measure", "--month", "January"], "write a month as YYYY-MM"),
        (["measure", "--month", "2025-01", "--reading", "mine"], "no reading mine"),
        (["measure"], "say which days: --month YYYY-MM"),
        (["run", "--from", "2025-02-30"], "write a day as YYYY-MM-DD"),
        (["run", "--from", "2025-02-02", "--to", "2025-02-01"], "lies after"),
        (["validate", "--group", "/nowhere"], ""),
        (["nothing"], "No such command"),
    ],
)
def test_usage(started: Path, arguments: list[str], said: str) -> None:
    group = [] if "--group" in arguments or arguments == ["nothing"] else ["--group", str(started)]
    done = mauwatch(*arguments, *group)
    assert done.returncode == (1 if arguments[0] == "validate" else 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_to_measure_before_the_first_run(tmp_path: Path) -> None:
    mauwatch("init", tmp_path / "g")
    for command in (["measure", "--month", "2025-01"], ["licences"]):
        done = mauwatch(*command, "--group", tmp_path / "g")
        assert done.returncode == 2
        assert "make it with `mauwatch run`" in done.stderr


def test_a_broken_directory_is_a_finding_of_validate_and_bad_input_elsewhere(make: Callable[..., Path]) -> None:
    directory = make([entity("a", [product()], colour="red")])
    found = answer("validate", "--group", directory, code=1)
    assert found["valid"] is False
    assert found["mistakes"][0]["subject"].startswith("affiliates/a.yaml:")
    for command in (["run"], ["doctor"], ["licences"], ["measure", "--month", "2025-01"]):
        done = mauwatch(*command, "--group", directory)
        assert (done.returncode, done.stdout) == (2, "")
        assert "unknown key `colour`" in done.stderr
    assert not (directory / ".mauwatch").exists()


def test_refused_sources_are_findings_and_show_nobody(make: Callable[..., Path]) -> None:
    bad = f"at,user\n2025-01-05T00:00:00Z,{PLANTED}\n{PLANTED}\n"
    directory = make([entity("a", [product(sources=[source(files="e.csv")], to="2025-02-01")])], {"e.csv": bad.encode()})
    # What libraries print is the same with --json.
    for call, arguments in (
        (installed, ["run"]),
        (mauwatch, ["run", "--json"]),
        (installed, ["doctor"]),
        (mauwatch, ["doctor", "--json"]),
    ):
        done = call(*arguments, "--group", directory)
        assert done.returncode == 1, done.stdout
        assert "planted" not in done.stdout + done.stderr
    assert "line 3: 1 fields" in mauwatch("run", "--group", directory).stdout
    kept = [path for path in (directory / ".mauwatch").rglob("*") if path.is_file()]
    assert kept, "Dagster's history"
    assert not [path for path in kept if b"planted" in path.read_bytes()]


def test_doctor_finds_what_is_wrong(make: Callable[..., Path]) -> None:
    sources = (
        [source(files="gone.csv")],
        [source(counts_when="kind = 1")],
        [source(time="when")],
        [source(counts_when="kind = 'y'")],
    )
    directory = make(
        [entity("a", [product(f"p{i}", sources=s) for i, s in enumerate(sources)])],
        {"events.parquet": events([("2025-01-05T00:00:00Z", PLANTED)], kind=["x"])},
        crosswalk="gone.parquet",
    )
    (directory / "group.key").chmod(0o644)
    found = {c["what"]: (c["fine"], c["found"]) for c in answer("doctor", "--group", directory, code=1)}
    assert not any(found[w][0] for w in ("crosswalk", "a/p0", "a/p1", "a/p2", "a/p3", "group key"))
    assert "others may read its file (mode 644)" in found["group key"][1]
    assert "planted" not in str(found)


def test_the_edges_commands_run_where_only_the_core_is_installed(tmp_path: Path) -> None:
    """An affiliate's machine has no SQLAlchemy and no Alembic."""
    block = "import sys; sys.modules.update(dict.fromkeys(('sqlalchemy', 'alembic')))"
    blocked = f"{block}; from dashboards.cli.main import main; main()"
    links = ["crosswalk", str(tmp_path / "g/data/app.csv"), "--group", str(tmp_path / "g"), "--links-to", str(tmp_path / "k")]
    links += [f"--column={column}" for column in ("user=email", "at=", "kind=", "agent=")]
    for arguments in (["init", str(tmp_path / "g")], ["validate", "--group", str(tmp_path / "g")], ["--help"], links):
        done = subprocess.run(
            [sys.executable, "-c", blocked, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-c", blocked, "run", "--group", str(tmp_path / "g")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'mauwatch[group]'" in done.stderr


def test_demo_refuses_to_write_over_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = mauwatch("demo", tmp_path)
    assert done.returncode == 2
    assert "holds something else than this demo" in done.stderr


def test_licences_are_short_by_default(started: Path) -> None:
    """A row for each result, not for each reading; a month without data is one line; nothing that `--long` says is lost there."""
    brief = mauwatch("licences", "--group", started, "--licensor", "meta").stdout
    assert "Not measured, since nothing was contributed for the month that they test: llama-2 (2023-06)" in brief.replace(
        "\n", " "
    )
    long = mauwatch("licences", "--group", started, "--licensor", "meta", "--long").stdout
    assert long.count("summed_products") == 7
    assert len(brief.splitlines()) < len(long.splitlines()) / 2
