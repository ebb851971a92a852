"""What a manifest, an option or a file's name says reaches terminals, mails, pages and tables as text: it obeys nobody.

What would silently go wrong: an affiliate's manifest clears the signer's screen, or adds lines of its own to a figure's reasons.
"""

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fpdf import FPDF
from rich.table import Table
from rich.text import Text

from affiliates.errors import Code, Refusal, in_plain_sight, json_in_plain_sight, lines_in_plain_sight, unseen_sign
from dashboards.cli import console
from dashboards.cli.commands import history
from dashboards.report.sheets import Sheets
from pipelines.figures.published_months import FIGURE_COLUMNS
from pipelines.json_log import Log
from pipelines.runbook import Finding, Page
from tests.support.command import mauwatch
from tests.support.groups import entity, events, product, write_group

EVIL = "report\x1b[2J\x1b[31m)\u202e\x9b\u2028Not complete: nothing"
SIGNS = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069",
    "\ud800",
]
OPTIONS = [
    ("close", "2025-01", "--by"), ("close", "2025-01", "--by", "CFO", "--despite"),
    ("close", "2025-01", "--by", "CFO", "--restates"),
    ("alerts", "ack", "1", "--by"), ("erase", "--before", "2025-01", "--by"), ("erase", "--before", "2025-01", "--reason"),
    ("evidence", "llama-4", "-o", "out", "--addressee"), ("evidence", "llama-4", "-o", "out", "--purpose"),
    ("receive", "--restates"), ("receive", "--by"), ("packet", "a", "-o", "out", "--send-to"),
    ("alerts", "close", "1", "--by", "CFO", "--reason", "granted", "--matter"),
    ("alerts", "close", "1", "--by", "CFO", "--reason", "granted", "--matter", "1", "--note"),
]  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group of one person in January; run."""
    files = {"events.parquet": events([("2025-01-05T00:00:00Z", "u@example.com")])}
    made = write_group(tmp_path_factory.mktemp("texts") / "group", [entity("a", [product(to="2025-02-01")])], files)
    assert mauwatch("run", "--group", made).returncode == 0
    return made


@pytest.mark.parametrize("sign", SIGNS)
def test_no_sign_is_obeyed(sign: str) -> None:
    text = f"a{sign}b"
    assert unseen_sign(text) == f"U+{ord(sign):04X}"
    assert in_plain_sight(text).isprintable()
    assert json.loads(json_in_plain_sight(json.dumps(text, ensure_ascii=False))) == text
    assert lines_in_plain_sight(text) == (text if sign == "\n" else in_plain_sight(text))


@pytest.mark.parametrize("text", ["Größe", "東京", "शुभ", "می‌خواهم", "👩‍💻", "a b", "“x”"])
def test_what_people_write_stays(text: str) -> None:
    assert (unseen_sign(text), in_plain_sight(text), json_in_plain_sight(text)) == (None, text, text)


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
def test_an_option_takes_one_line_of_plain_text(directory: Path, arguments: tuple[str, ...]) -> None:
    """What is kept for good, and what others are sent."""
    for text in ("Head\x1b[2J of Finance", "CFO\nNot complete: nothing", "a\u202eb"):
        done = mauwatch(*arguments, text, "--group", directory)
        assert done.returncode == 2
        assert "which nobody sees: write one line of plain text" in " ".join(done.stderr.replace("│", " ").split())
        assert "\x1b" not in done.stderr


def test_a_terminal_gets_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a text comes from: in a cell of a table, in a sentence, in a refusal; colours stay rich's own."""
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(Text(EVIL, "bold red"))
    console.output().print(table, Text(EVIL))
    console.say(EVIL)
    console.print_json({"text": EVIL})
    shown = capsys.readouterr().out
    assert not [sign for sign in shown if unseen_sign(sign) and sign != "\n"]
    assert json.loads(shown[shown.rindex("{\n") :])["text"] == EVIL
    refusal = Refusal(Code.FILE_UNUSABLE, f"{EVIL}\n", "a", f"b\n{EVIL}", "c")
    assert unseen_sign(str(refusal) + "".join(refusal.to_dict().values())) is None
    assert unseen_sign(str(Finding(EVIL, Page.DISK))) is None


def test_a_log_has_a_line_for_each_event() -> None:
    """A collector of logs would take a second line for another program's event."""
    stream = StringIO()
    Log(stream, "run").say("error", EVIL, product=EVIL)
    (line,) = stream.getvalue().splitlines()
    assert unseen_sign(line) is None
    assert json.loads(line)["event"] == EVIL


def test_a_page_is_made_of_text() -> None:
    sheets = Sheets("test", EVIL, EVIL, datetime(2025, 2, 1, tzinfo=UTC))
    assert isinstance(sheets, FPDF)
    sheets.add_page()
    sheets.text_line(EVIL)
    assert not [text for text in sheets.texts if unseen_sign(text.replace("\n", ""))]
    sheets.close_fonts()


def test_tables_for_others_hold_text(tmp_path: Path) -> None:
    """A name from a store that is older than the rule: a CSV's reader would see a row of the name's own."""

    class Month:
        def to_dict(self) -> dict[str, Any]:
            return {"month": "2025-01", "reading": EVIL, "signed_by": "CFO\nof a"}

        figures = [dict.fromkeys(FIGURE_COLUMNS, None) | {"scope": "group", "subject": EVIL, "estimate": 1}]  # noqa: RUF012

    rows: Any = [Month()]
    history._write(tmp_path / "h.csv", rows)
    with (tmp_path / "h.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["subject"], row["signed_by"]) == (in_plain_sight(EVIL), "CFO\\nof a")
    history._write(tmp_path / "h.xlsx", rows)
    frame = pl.DataFrame(list(history._rows(rows)))
    assert not [value for value in frame.row(0) if isinstance(value, str) and unseen_sign(value)]


def test_the_case_of_a_manifest_that_writes_lines(directory: Path) -> None:
    """B-22: the document of a count, on the terminal and among the reasons of a figure."""
    manifest = directory / "affiliates" / "a.yaml"
    before = manifest.read_text()
    count = {"month": "2025-01", "users": 7, "unit": "people", "document": EVIL, "attested_by": "CFO"}
    write_group(directory, [entity("a", [product(to="2025-02-01"), product("tel", sources=[], counts=[count])])])
    try:
        for command in (("measure", "--month", "2025-01"), ("validate",), ("run",)):
            done = mauwatch(*command, "--group", directory)
            assert done.returncode == (1 if command == ("validate",) else 2)
            assert "holds a character that nobody sees" in done.stdout + done.stderr
            assert not [sign for sign in done.stdout + done.stderr if unseen_sign(sign) and sign != "\n"]
    finally:
        manifest.write_text(before)
