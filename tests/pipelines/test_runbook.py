"""Every error that an operator sees points to a section that is there."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from affiliates.errors import Code, Refusal
from pipelines import runbook
from pipelines.defs import checks
from pipelines.runbook import Page
from tests.support.command import installed, mauwatch
from tests.support.groups import KEY, PLANTED, entity, events, product, source
from tests.support.paths import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"


def test_each_page_has_its_section_and_each_section_its_page() -> None:
    """A line that points nowhere leaves somebody alone at night; a section that nothing points to is out of date."""
    titles = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == [*(page.heading for page in Page), "Codes"]


def test_each_section_says_all_four_things() -> None:
    """A section without one of them leaves an operator alone at night."""
    for section in RUNBOOK.read_text(encoding="utf-8").split("\n## ")[1:-1]:
        assert re.findall(r"^\*\*(.+?)\*\*", section, re.MULTILINE) == ["You see", "For the number", "Do", "Call"], section[:30]


def test_the_table_of_codes_is_current() -> None:
    """A code that nobody can look up is no help to whoever reads it in a log."""
    assert RUNBOOK.read_text(encoding="utf-8").rpartition("\n## Codes\n")[2].endswith(f"\n\n{runbook.code_table()}")


def test_codes_are_plain_and_mean_one_thing_each() -> None:
    """They stay as they are, so what is wrong with a name stays wrong."""
    assert all(re.fullmatch("[a-z]+(-[a-z]+)+", code) for code in Code)
    assert len({code.meaning for code in Code}) == len(Code)
    assert all(code.meaning.endswith(".") for code in Code)


def test_each_check_has_its_section() -> None:
    """A red check without a section would end in an error in the place of its line."""
    names = {*checks.of_product("day"), *checks.of_product("month"), *checks.OF_FIGURES}
    assert {runbook.of_check(name) for name in names} == {page for page in Page if page.startswith("check-")}


@pytest.mark.parametrize(
    ("code", "page"),
    [
        (Code.SOURCE_LINES_INVALID, Page.SOURCE_REFUSED),
        (Code.SOURCE_UNREADABLE, Page.SOURCE_REFUSED),
        (Code.EVENTS_UNIDENTIFIED, Page.SOURCE_REFUSED),
        (Code.KEY_MISSING, Page.SOURCE_REFUSED),
        (Code.CONTRIBUTION_EPOCH_WRONG, Page.CONTRIBUTION_REFUSED),
        (Code.CONTRIBUTION_CANARY_WRONG, Page.CONTRIBUTION_REFUSED),
        (Code.CONTRIBUTION_COLUMNS_WRONG, Page.CONTRIBUTION_REFUSED),
        (Code.CONTRIBUTION_SKETCH_INVALID, Page.CONTRIBUTION_REFUSED),
        (Code.CONTRIBUTION_ERASED, Page.ERASED),
        (Code.CONTRIBUTION_COMPUTED_EARLY, Page.CLOCK),
    ],
)
def test_what_a_product_is_refused_for(code: Code, page: Page) -> None:
    """The affiliate mends its export, or compares its key: two people, who mustn't be sent to each other's section."""
    assert runbook.of_product(Refusal(code, "a/app, 2025-01-05", "a rule", "", "a step")) == page


@pytest.mark.parametrize(
    ("code", "page"),
    [
        (Code.SENDER_OTHER, Page.SENDER),
        (Code.SENDER_SIGNATURE_WRONG, Page.SENDER),
        (Code.CONTRIBUTION_ERASED, Page.ERASED),
        (Code.CONTRIBUTION_COMPUTED_EARLY, Page.CONTRIBUTION_REFUSED),
        (Code.EVENTS_UNDECIDED, Page.CONTRIBUTION_REFUSED),
    ],
)
def test_what_a_file_is_refused_for(code: Code, page: Page) -> None:
    """Another affiliate's file is a matter of security, and a wrong export isn't."""
    assert runbook.of_file(Refusal(code, "handed-in.parquet", "a rule", "", "a step")) == page


@pytest.mark.parametrize(
    ("code", "page"),
    [
        (Code.STORE_SCHEMA, Page.SCHEMA),
        (Code.STORE_DAMAGED, Page.STORE),
        (Code.CONTRIBUTIONS_NOT_UNITED, Page.NOT_UNITED),
        (Code.PORT_TAKEN, Page.PORT),
        (Code.SERVE_RUNNING, Page.SECOND),
        (Code.MANIFEST_KEY_INVALID, None),
        (Code.SOURCE_MISSING, None),
        (Code.USAGE_INVALID, None),
    ],
)
def test_what_a_command_is_refused_for(code: Code, page: Page | None) -> None:
    """Whoever asked for it has just read what to do; of the store and the service somebody else has to be called."""
    assert runbook.of_refusal(Refusal(code, "the store", "a rule", "", "a step")) == page


@pytest.fixture
def troubled(make: Callable[..., Path]) -> Path:
    """Two products that are refused, for a line with an e-mail address in it, and one without its last days."""
    bad = f"at,user\n2025-01-05T00:00:00Z,{PLANTED}\n{PLANTED}\n".encode()
    refused = [product(name, sources=[source(files="e.csv")], to="2025-02-01") for name in ("one", "two")]
    gap = product("gap", sources=[source(complete_through="2025-01-20")], to="2025-02-01")
    good = events([("2025-01-05T00:00:00Z", "u@example.com")])
    return make([entity("a", [*refused, gap])], {"e.csv": bad, "events.parquet": good})


def test_a_report_has_a_line_for_each_kind_of_trouble_and_shows_nobody(troubled: Path) -> None:
    """Two refusals share one line; in a long report a line for each would hide the rest."""
    done = installed("run", "--group", troubled)
    assert done.returncode == 1
    assert re.findall(r"Runbook: (\S+)", done.stdout) == ["docs/runbook.md#source-refused", "docs/runbook.md#days-missing"]
    answer = json.loads(mauwatch("run", "--group", troubled, "--json").stdout)
    assert answer["runbook"] == ["Runbook: docs/runbook.md#source-refused", "Runbook: docs/runbook.md#days-missing"]
    kept = b"".join(path.read_bytes() for path in (troubled / ".mauwatch").rglob("*") if path.is_file())
    assert b"docs/runbook.md#source-refused" in kept, "the failed step's description"
    assert b"docs/runbook.md#check-coverage" in kept, "the red check's description"


def test_json_logs_say_what_the_report_says_and_show_nobody(troubled: Path) -> None:
    """A machine alerts by level: a refusal that comes as an info, or a line that isn't JSON, is never read."""
    done = installed("run", "--group", troubled, "--log-json")
    assert (done.returncode, done.stdout) == (1, "")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "event", "process"} <= set(line) for line in lines)
    outcomes = {line["product"]: (line["level"], line["outcome"]) for line in lines if line["event"] == "product"}
    assert outcomes == {"a/one": ("error", "refused"), "a/two": ("error", "refused"), "a/gap": ("warning", "incomplete")}
    assert [line["month"] for line in lines if line["event"] == "published"] == ["2025-01"]
    refusals = [line for line in lines if "a bad line" in line["event"]]
    assert {line["runbook"] for line in refusals} == {"Runbook: docs/runbook.md#source-refused"}
    gap = next(line for line in lines if line.get("product") == "a/gap")
    assert (gap["missing_days"], gap["first_missing_day"]) == (11, "2025-01-21")
    kept = [path.read_bytes() for path in (troubled / ".mauwatch").rglob("*") if path.is_file()]
    assert not [text for text in [done.stderr.encode(), *kept] if b"planted" in text or KEY.encode() in text]


def test_a_closed_month_that_changes_points_to_its_section(make: Callable[..., Path]) -> None:
    """Signed figures stay as they are, so the line is all that tells a signer."""
    good = events([("2025-01-05T00:00:00Z", "u@example.com")])
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": good})
    assert mauwatch("run", "--group", directory).returncode == 0
    assert mauwatch("close", "2025-01", "--by", "Head of Finance", "--group", directory).returncode == 0
    make([], {"events.parquet": events([("2025-01-05T00:00:00Z", f"u{i}@example.com") for i in range(9)])})
    done = mauwatch("run", "--group", directory, "--from", "2025-01-01", "--to", "2025-01-31", "--log-json")
    findings = [line for line in map(json.loads, done.stderr.splitlines()) if line["level"] == "warning"]
    assert [line["runbook"] for line in findings] == ["Runbook: docs/runbook.md#closed-month-changed"]


def test_a_store_that_cant_be_used_points_to_its_section(make: Callable[..., Path]) -> None:
    """The refusal is the centre's own: no product's section may be named."""
    directory = make([entity("a", [product()])], {".mauwatch/store.sqlite": b"not a database, but long enough to be read" * 99})
    done = mauwatch("run", "--group", directory)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Runbook: docs/runbook.md#store-unusable")
