"""Why a file can't be read: a refusal that names another cause has somebody mend what isn't broken."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import zstandard

from affiliates.contributions import contract
from affiliates.errors import Code, RefusedError
from affiliates.sources import file_contents
from tests.support.event_files import contributions, encoded, users
from tests.support.groups import PLANTED, entity, events, product, source
from tests.support.tables import group_of, whole_text

Make = Callable[..., Path]
OTHER_WRITERS = Path(__file__).parents[2] / "data/other-writers"

DAY = date(2025, 1, 5)
HEAD = "at,user,note\n"
LINE = f"{DAY}T10:00:00Z,{PLANTED},x\n"
CSV = HEAD + LINE
UMLAUT = f"{DAY}T10:00:00Z,jürgen.{PLANTED},x\n"
JSONL = json.dumps({"at": f"{DAY}T10:00:00Z", "user": PLANTED}) + "\n"
PARQUET = encoded("parquet", events([(f"{DAY}T10:00:00Z", PLANTED)]))


def _zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("e.csv", text)
    return out.getvalue()


LATIN = (HEAD + LINE * 2 + UMLAUT).encode("latin-1")
FAR = (HEAD + LINE * 60_000 + UMLAUT).encode("latin-1")
"""Its bad line lies in another chunk of the file than the first."""
ENCODING = Code.SOURCE_ENCODING_WRONG
LINES = Code.SOURCE_LINES_INVALID
OTHER_KIND = Code.SOURCE_FORMAT_OTHER
UNREADABLE = Code.SOURCE_UNREADABLE
OTHER: dict[str, tuple[str, bytes, Code, str]] = {
    "Latin-1": ("e.csv", LATIN, ENCODING, r"e.csv: is no UTF-8 text \(line 4\)"),
    "Latin-1, far behind": ("e.csv", FAR, ENCODING, r"is no UTF-8 text \(line 60002\)"),
    "Latin-1, packed": ("e.csv.gz", gzip.compress(LATIN), ENCODING, r"is no UTF-8 text \(line 4\)"),
    "Latin-1, by zstd": ("e.csv.zst", zstandard.compress(LATIN), ENCODING, r"is no UTF-8 text \(line 4\)"),
    "Latin-1 in the header": ("e.csv", "at,user,größe\n".encode("latin-1"), ENCODING, r"UTF-8 text \(line 1\)"),
    "Latin-1 in JSON": ("e.jsonl", (JSONL + '{"user": "jürgen"}\n').encode("latin-1"), ENCODING, r"\(line 2\)"),
    "UTF-16": ("e.csv", CSV.encode("utf-16"), ENCODING, r"is no UTF-8 text \(it is UTF-16\)"),
    "UTF-16, big": ("e.csv", b"\xfe\xff" + CSV.encode("utf-16-be"), ENCODING, r"\(it is UTF-16\)"),
    "UTF-16 without mark": ("e.csv", CSV.encode("utf-16-le"), ENCODING, r"\(it is UTF-16 without its mark\)"),
    "UTF-16 in JSON": ("e.jsonl", JSONL.encode("utf-16"), ENCODING, r"\(it is UTF-16\)"),
    "UTF-32": ("e.csv", CSV.encode("utf-32"), ENCODING, r"\(it is UTF-32\)"),
    "CR alone": ("e.csv", CSV.replace("\n", "\r").encode(), ENCODING, "its lines end with CR alone"),
    "cut in a character": (
        "e.csv", (HEAD + UMLAUT).encode().partition("ü".encode())[0] + b"\xc3", UNREADABLE, r"is cut off \(line 2 ends in",
    ),
    "semicolons": (
        "e.csv", CSV.replace(",", ";").encode(), Code.SOURCE_COLUMNS_MISSING,
        r"parted by another separator \(';', and not ','\). Next: say `separator: \";\"`",
    ),
    "cut in a line": ("e.csv", CSV.encode()[:-4], LINES, r"line 2: 2 fields, and no end: the file may be cut off"),
    "a mark before JSON": ("e.jsonl", b"\xef\xbb\xbf" + JSONL.encode(), ENCODING, "begins with a byte order mark"),
    "NULs": ("e.csv", (CSV + "\0" * 99).encode(), UNREADABLE, r"holds NUL characters, which no text has \(line 3\)"),
    "NULs in a field": ("e.csv", (CSV + LINE.replace("x", "\0\0")).encode(), UNREADABLE, r"NUL characters.*\(line 3\)"),
    "NULs in JSON": ("e.jsonl", (JSONL + "\0" * 99).encode(), UNREADABLE, r"holds NUL characters.*\(line 2\)"),
    "cut gzip": ("e.csv.gz", gzip.compress(FAR)[:-200], UNREADABLE, "can't be unpacked to its end .*cut off or damaged"),
    "gzip as Parquet": ("e.parquet", gzip.compress(PARQUET), OTHER_KIND, r"holds no parquet \(it is gzip\)"),
    "gzip of gzip": ("e.csv.gz", gzip.compress(gzip.compress(CSV.encode())), OTHER_KIND, r"packed twice\). Next: unpack it once"),
    "gzip of a page": ("e.csv.gz", gzip.compress(b"<html>404</html>"), OTHER_KIND, r"holds no csv \(it is a page in HTML\)"),
    "gzip of Parquet": ("e.jsonl.gz", gzip.compress(PARQUET), OTHER_KIND, r"holds no jsonl \(it is Parquet\)"),
    "CR twice": ("e.csv", CSV.replace("\n", "\r\r\n").encode(), ENCODING, "its lines end with CR twice"),
    "NaN in JSON": (
        "e.jsonl", (JSONL + '{"at": "", "user": "", "x": NaN}\n' + JSONL).encode(), LINES, r"line 2 isn't .*NaN and Inf",
    ),
    "zip": ("e.csv", _zipped(CSV), OTHER_KIND, r"holds no csv \(it is a ZIP archive, as an Excel workbook is\)"),
    "a page": ("e.csv", b"<!DOCTYPE html>\n<html>404</html>", OTHER_KIND, r"\(it is a page in HTML\)\. Next: look into"),
    "a page, indented": ("e.csv", b"\xef\xbb\xbf\n <html>,</html>", OTHER_KIND, r"\(it is a page in HTML\)"),
    "a page as Parquet": ("e.parquet", b"<html>403</html>", OTHER_KIND, r"holds no parquet \(it is a page in HTML\)"),
    "a page as JSON": ("e.jsonl", b"<html>403</html>", OTHER_KIND, r"holds no jsonl \(it is a page in HTML\)"),
    "a store's error": ("e.csv", b'<?xml version="1.0"?><Error/>', OTHER_KIND, r"\(it is XML\)"),
    "a pointer": (
        "e.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", OTHER_KIND,
        r"holds no parquet \(it is a pointer of Git LFS, in the place of the file itself\)",
    ),
    "Parquet as CSV": ("e.csv", PARQUET, OTHER_KIND, r"holds no csv \(it is Parquet\)"),
    "CSV as Parquet": ("e.parquet", CSV.encode(), UNREADABLE, r"readable Parquet file .*doesn't begin as Parquet does"),
    "cut Parquet": ("e.parquet", PARQUET[:-20], UNREADABLE, r"its footer, which is at the end, is missing.*cut off"),
    "a list of JSON": ("e.jsonl", f"[{JSONL.strip()}]".encode(), LINES, r"line 1 isn't .*the file is one list"),
    "Avro": ("e.parquet", b"Obj\x01" + b"\0" * 40, OTHER_KIND, r"\(it is Avro\)"),
    "encrypted": ("e.parquet", b"PARE" + b"\0" * 40 + b"PARE", OTHER_KIND, "Parquet whose footer is encrypted"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHER)
def test_the_cause_is_the_cause(make: Make, what: str) -> None:
    """Case 15: a whole file in Latin-1 was `cut off`; nobody finds the cut."""
    name, content, code, expected = OTHER[what]
    directory = make([entity("a", [product(sources=[source(files=name)])])], {name: content})
    with pytest.raises(RefusedError, match=expected) as refused:
        contributions(directory, [DAY])
    assert refused.value.refusals[0].code is code
    if not what.startswith("cut"):
        assert "cut off" not in str(refused.value).replace("cut off or", "")
    assert "planted" not in whole_text(refused.value)


READ_ALL_THE_SAME = {
    "a mark before UTF-8": ("e.csv", b"\xef\xbb\xbf" + CSV.encode()),
    "CR and LF": ("e.csv", CSV.replace("\n", "\r\n").encode()),
    "CR and LF, in JSON": ("e.jsonl", JSONL.replace("\n", "\r\n").encode()),
    "gzip without its ending": ("e.csv", gzip.compress(CSV.encode())),
    "zstd without its ending": ("e.csv", zstandard.compress(CSV.encode())),
    "a header that sounds like ORC": ("e.csv", f"ORC_ID,{HEAD}1,{LINE}".encode()),
    "no end of the last line": ("e.csv", CSV.strip().encode()),
}  # fmt: skip


@pytest.mark.parametrize("what", READ_ALL_THE_SAME)
def test_other_writers_text_is_read(make: Make, what: str) -> None:
    """What is text in UTF-8 counts, whoever wrote it: refused, it would be people left out."""
    name, content = READ_ALL_THE_SAME[what]
    directory = make([entity("a", [product(sources=[source(files=name)])])], {name: content})
    assert users(contributions(directory, [DAY])[DAY]) == {"email": 1}


@pytest.mark.parametrize("place", ["disk", "store"])
def test_parquet_whose_text_is_in_another_encoding(tmp_path: Path, request: pytest.FixtureRequest, place: str) -> None:
    """No part of the file is damaged: its writer took bytes for text."""
    whole = {"d/e.parquet": (OTHER_WRITERS / "latin.parquet").read_bytes()}
    where = ""
    if place == "store":
        where, whole = request.getfixturevalue("put")(whole) + "/", {}
    with pytest.raises(RefusedError, match="a column's text isn't UTF-8") as refused:
        contributions(group_of(tmp_path, source(files=f"{where}d"), whole), [DAY])
    assert refused.value.refusals[0].code is ENCODING
    assert "rgen" not in whole_text(refused.value)


def test_parquet_with_one_name_twice(make: Make) -> None:
    """Not a broken footer: two columns of one name, of which nobody can tell which is meant."""
    whole = (OTHER_WRITERS / "twice.parquet").read_bytes()
    directory = make([entity("a", [product(sources=[source()])])], {"events.parquet": whole})
    with pytest.raises(RefusedError, match="two columns have one name"):
        contributions(directory, [DAY])


@pytest.mark.parametrize(
    ("content", "expected"),
    [("2025-01-31", None), ("\ufeff2025-01-31\r\n", None), ("soon", "doesn't hold a day")],
)
def test_the_day_in_a_file_as_editors_write_it(make: Make, content: str, expected: str | None) -> None:
    """Notepad puts a mark before the day; a shell on Windows writes UTF-16."""
    declared = source(complete_through="done.txt")
    directory = make([entity("a", [product(sources=[declared])])], {"events.parquet": PARQUET, "done.txt": content.encode()})
    if expected is None:
        assert users(contributions(directory, [DAY])[DAY]) == {"email": 1}
        (directory / "done.txt").write_bytes(content.encode("utf-16"))
        expected = "isn't UTF-8 text"
    with pytest.raises(RefusedError, match=expected):
        contributions(directory, [DAY])
    (directory / "done.txt").unlink()
    with pytest.raises(RefusedError, match="names a file that isn't there"):
        contributions(directory, [DAY])


HANDED_IN = {
    "page.parquet": (b"<html>" + b"x" * 99, "Parquet file .it is a page in HTML"),
    "page.csv": (b"<html>" + b"x" * 99, "CSV file .it is a page in HTML"),
    "wide.csv": ("protocol,affiliate\n".encode("utf-16"), "CSV file .it is UTF-16"),
    "latin.csv": ("protocol,affiliate\nä,b\n".encode("latin-1"), "CSV file .is no UTF-8 text: line 2"),
    "book.csv": (_zipped("x"), "it is a ZIP archive"),
}


@pytest.mark.parametrize("name", HANDED_IN)
def test_the_cause_is_the_cause_of_a_file_handed_in(tmp_path: Path, name: str) -> None:
    """A receipt that says `cut off` of a page in HTML has an affiliate send the same page again."""
    content, expected = HANDED_IN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RefusedError, match=expected) as refused:
        contract.read(tmp_path / name)
    assert refused.value.refusals[0].code is Code.CONTRIBUTION_UNREADABLE


def test_text_is_judged_whatever_its_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A character that lies across two chunks is no fault, and lines are counted over all of them."""
    path = tmp_path / "e.csv"
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(file_contents, "_CHUNK_BYTES", size)
        path.write_bytes("at,user\nä,ö\n漢,字".encode())
        assert file_contents.text_fault(path) is None
        path.write_bytes("at,user\nä,ö\n".encode() + b"\xe4,\n")
        fault = file_contents.text_fault(path)
        assert fault is not None
        assert (fault.values, fault.is_damage) == ("line 3", False)


def test_an_unread_column_in_another_encoding(make: Make) -> None:
    """Text is whole or it isn't: which bytes of a broken line belong to which column, nobody knows."""
    frame = pl.DataFrame({"at": [f"{DAY}T10:00:00Z"], "user": ["a@example.com"], "note": ["x"]})
    content = frame.write_csv().encode().replace(b",x", b",\xe4")
    with pytest.raises(RefusedError, match=r"is no UTF-8 text \(line 2\)"):
        contributions(make([entity("a", [product(sources=[source(files="e.csv")])])], {"e.csv": content}), [DAY])
