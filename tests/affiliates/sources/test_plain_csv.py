"""Small plain CSV files are judged without polars: a file judged whole that readers read in two ways counts wrongly."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from affiliates.sources.plain_csv import MOST_BYTES, are_whole, plain_lines

BEGINNING = b"at,user\n2026-01-01,a@example.com\n"


@pytest.mark.parametrize(
    "content",
    [
        BEGINNING + b'2026-01-01,"a"\n',
        BEGINNING.replace(b"\n", b"\r\n"),
        BEGINNING.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + BEGINNING,
        BEGINNING + "2026-01-01,ä\n".encode(),
        BEGINNING + "2026-01-01,ä\n".encode("latin-1"),
        BEGINNING + b"2026-01-01,\x00\n",
        BEGINNING + b"2026-01-01,\x0b\n",
        BEGINNING + b"2026-01-01,\x7f\n",
        BEGINNING.ljust(MOST_BYTES + 1, b"a"),
        b"",
    ],
)
def test_what_readers_may_read_in_two_ways_is_looked_at_in_full(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert plain_lines(tmp_path / "a.csv") is None


@pytest.mark.parametrize(
    ("more", "is_whole"),
    [
        (b"", True),
        (b"2026-01-01,b", True),  # Without an end.
        (b"2026-01-01,b\n", True),
        (b"2026-01-01\n", False),
        (b"2026-01-01", False),
        (b"2026-01-01,b,c\n", False),
        (b"2026-01-01;b\n", False),
        (b"\n", False),
        (b"\n2026-01-01,b\n", False),
        (b" \n", False),
    ],
)
def test_each_line_has_the_fields_of_the_header(tmp_path: Path, more: bytes, is_whole: bool) -> None:
    (tmp_path / "a.csv").write_bytes(BEGINNING + more)
    lines = plain_lines(tmp_path / "a.csv")
    assert lines is not None
    assert are_whole(lines, ",", 2) is is_whole


@given(st.text("ab1 ,,;\t\n\n\r\"#'\\\x00ä", max_size=40), st.sampled_from([",", ";", "\t"]))
@example("a,b\n1,2\n#3,4", ",")
@example("a,b\n1,\n ,2\n,", ",")
def test_a_file_judged_whole_is_read_alike_by_python_and_polars(
    tmp_path_factory: pytest.TempPathFactory, text: str, separator: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.csv"
    path.write_bytes(f"x{separator}y\n{text}".encode())
    lines = plain_lines(path)
    if lines is None or not are_whole(lines, separator, 2):
        return
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")), delimiter=separator, strict=True))
    frame = pl.read_csv(path, separator=separator, infer_schema=False)
    assert [line.split(separator) for line in lines] == rows
    assert [frame.columns, *map(list, frame.fill_null("").iter_rows())] == rows
