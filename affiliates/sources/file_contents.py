"""What a file's bytes are: another format than its name says, or text in another encoding. So a refusal names the true cause.

A file of another kind fails with whatever a reader stumbles on first: a page of an error in the place of an export would be a CSV
that lacks a column, and a file in Latin-1 one that is cut off. Nothing of a file's content is shown.
"""

import glob
import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import polars as pl

from affiliates.errors import Code, RefusedError, refused

HEAD_BYTES = 1 << 12
"""How much of a file's beginning tells what the file is."""
_CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BY_FIRST_BYTES = (
    (b"PAR1", "Parquet"),
    (b"PARE", "Parquet whose footer is encrypted"),
    (_GZIP, "gzip"),
    (_ZSTD, "Zstandard"),
    (b"PK\x03\x04", "a ZIP archive, as an Excel workbook is"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
    (b"ARROW1", "Arrow IPC (Feather)"),
    (b"FEA1", "Feather"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\xff\x06\x00\x00sNaPpY", "Snappy"),
    (b"Rar!", "a RAR archive"),
    (b"\x89HDF", "HDF5"),
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, in the place of the file itself"),
    (b"/annex/objects/", "a pointer of git-annex, in the place of the file itself"),
)
_BY_FIRST_TEXT = ((b"<!doctype html", "a page in HTML"), (b"<html", "a page in HTML"), (b"<?xml", "XML"), (b"<error", "XML"))
_UTF_16_OR_32 = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_PACKED = ("gzip", "Zstandard")


class TextFault(NamedTuple):
    """What keeps a file from being text that can be read."""

    rule: str
    values: str
    next_step: str
    is_damage: bool
    """Whether the file is damaged or cut off, and not written otherwise."""


def other_kind(head: bytes, file_format: str) -> str | None:
    """What a file is, by its first bytes, if it is no file of the format; None for all that may be one.

    Packed text is text: polars unpacks gzip and Zstandard, whatever the file is called.
    """
    kind = next((kind for first, kind in _BY_FIRST_BYTES if head.startswith(first)), None)
    if kind is None:
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
        kind = next((kind for first, kind in _BY_FIRST_TEXT if text.startswith(first)), None)
    expected = ("Parquet",) if file_format == "parquet" else _PACKED
    # A CSV may begin with any text that isn't too odd, such as a column ORC_ID.
    if kind in ("ORC", "bzip2", "a RAR archive", "Avro", "Feather") and file_format != "parquet" and b"\x00" not in head:
        return None
    return None if kind in expected else kind


def head_of(path: Path) -> bytes:
    """The first `HEAD_BYTES` of a file. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def check_kind(head: bytes, file_format: str, where: str) -> None:
    """Raise `RefusedError` for a file that begins as one of another format, or as text in another encoding."""
    kind = other_kind(head, file_format)
    if kind is None and head.startswith(_GZIP):
        unpacked = _beginning_unpacked(head)
        kind = "gzip that is packed twice" if is_packed(unpacked) else other_kind(unpacked, file_format)
    if kind:
        next_step = f"write it as {file_format}, or name its `format` if that is one that is read"
        if "pointer" in kind:
            next_step = "bring the file itself, by git lfs pull or git annex get"
        elif kind == "gzip that is packed twice":
            next_step = "unpack it once; an upload or a server may have packed it again"
        elif kind in ("a page in HTML", "XML"):
            next_step = "look into it: it may be a server's error, kept in the place of the export; then export again"
        raise refused(
            Code.SOURCE_FORMAT_OTHER,
            where,
            f"holds no {file_format}",
            f"it is {kind}",
            next_step,
        )
    if file_format != "parquet" and (encoding := wide_encoding(head)):
        raise not_text(where, TextFault("is no UTF-8 text", f"it is {encoding}", "write it as UTF-8", is_damage=False))


def _beginning_unpacked(head: bytes) -> bytes:
    """What the beginning of a gzip file holds, unpacked; nothing where that is damaged."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def is_of_encoding(error: BaseException) -> bool:
    """Whether an error of polars is about text that isn't UTF-8; the error's words are looked at, and shown nowhere."""
    return "utf-8" in str(error).lower()


def unreadable(path: Path, file_format: str, where: str, error: BaseException | None = None) -> RefusedError:
    """The refusal of a file that can't be read to its end, with the cause as far as another look, or polars' error, shows one."""
    if error is not None and file_format == "parquet" and is_of_encoding(error):
        return not_text(where, TextFault("a column's text isn't UTF-8", "read as parquet", "write it as UTF-8", is_damage=False))
    try:
        if file_format != "parquet" and (fault := text_fault(path)):
            return not_text(where, fault)
    except OSError:  # Gone, or its disk fails.
        return refused(
            Code.SOURCE_UNREADABLE, where, "can't be read to its end", "the disk fails, or the file is gone", "look there"
        )
    return refused(
        Code.SOURCE_UNREADABLE,
        where,
        "can't be read to its end",
        f"read as {file_format}",
        "write it again; a part of it is damaged" if file_format == "parquet" else "see that it is what its name says",
    )


def not_text(where: str, fault: TextFault) -> RefusedError:
    """The refusal of a file that isn't text as it should be."""
    code = Code.SOURCE_UNREADABLE if fault.is_damage else Code.SOURCE_ENCODING_WRONG
    return refused(code, where, fault.rule, fault.values, fault.next_step)


def is_packed(head: bytes) -> bool:
    """Whether a file is packed by gzip or Zstandard, by its first bytes."""
    return head.startswith((_GZIP, _ZSTD))


def parquet_fault(path: Path) -> tuple[str, str]:
    """What of a file that polars can't read as Parquet is wrong, and what to do. Raises `OSError`."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(-min(4, path.stat().st_size), io.SEEK_END)
        tail = file.read()
    if head != b"PAR1":
        return "it doesn't begin as Parquet does", "name its `format`, or write it as Parquet"
    if tail != b"PAR1":
        return "its footer, which is at the end, is missing", "write it again; it is cut off"
    return "its footer is broken, or has a type that can't be read", "write it again, with plain types"


def ends_with_line_end(path: Path) -> bool:
    """Whether a file's last byte ends a line; true of a packed file, which its packing proves whole. Raises `OSError`."""
    with path.open("rb") as file:
        packed = is_packed(file.read(4))
        file.seek(-1, io.SEEK_END)
        return packed or file.read() in (b"\n", b"\r")


def text_fault(path: Path) -> TextFault | None:
    """What is wrong with a file of text, plain or packed, as text; None where it is UTF-8 to its end. Raises `OSError`."""
    head = head_of(path)
    try:
        if head.startswith(_ZSTD):
            return _fault_of_zstd(path)
        with path.open("rb") as file:
            return _fault_of(gzip.GzipFile(fileobj=file) if head.startswith(_GZIP) else file)
    except (EOFError, zlib.error, gzip.BadGzipFile, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        size = f"{path.stat().st_size:,} bytes"
        return TextFault("can't be unpacked to its end", size, "write it again; it is cut off or damaged", is_damage=True)


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, by a mark at the beginning or by a NUL in nearly every second place; None for other text."""
    for mark, encoding in _UTF_16_OR_32:
        if head.startswith(mark):
            return encoding
    nulls = [head[place::2].count(0) for place in (0, 1)]
    most = max(nulls)
    return "UTF-16 without its mark" if most > len(head) // 4 and most > 4 * min(nulls) else None


def _fault_of_zstd(path: Path) -> TextFault | None:
    """As `_fault_of`, by polars: Python's own library doesn't unpack Zstandard before 3.14."""
    lines = pl.scan_csv(
        glob.escape(str(path)),
        has_header=False,
        new_columns=["line"],
        separator="\x01",
        quote_char=None,
        infer_schema=False,
        encoding="utf8-lossy",
        row_index_name="row",
        truncate_ragged_lines=True,
    )
    # Whatever isn't UTF-8 becomes U+FFFD.
    faults = lines.filter(pl.col("line").str.contains_any(["\ufffd", "\x00"])).head(1).collect().to_dicts()
    if not faults:
        return None
    return _fault_in([b"\x00" if "\x00" in faults[0]["line"] else b"\xff"], faults[0]["row"] + 1)


def _fault_of(file: BinaryIO | gzip.GzipFile) -> TextFault | None:
    number = 1
    rest = b""
    is_first = True
    for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
        if is_first and (encoding := wide_encoding(chunk[:HEAD_BYTES])):
            return TextFault("is no UTF-8 text", f"it is {encoding}", "write it as UTF-8", is_damage=False)
        if is_first and b"\r" in chunk and b"\n" not in chunk:
            return TextFault(
                "its lines end with CR alone", "read as one line", "end them with LF, or with CR and LF", is_damage=False
            )
        if is_first and b"\r\r\n" in chunk:
            return TextFault(
                "its lines end with CR twice", "CR, CR and LF", "end them with LF, or with CR and LF", is_damage=False
            )
        is_first = False
        *lines, rest = (rest + chunk).split(b"\n")
        if fault := _fault_in(lines, number):
            return fault
        number += len(lines)
    try:
        rest.decode()
    except UnicodeDecodeError as error:
        # A character of several bytes whose last ones are missing: the file ends in the middle of it.
        if error.end == len(rest) and error.reason == "unexpected end of data":
            return TextFault(
                "is cut off",
                f"line {number} ends in the middle of a character",
                "write it again",
                is_damage=True,
            )
    return _fault_in([rest], number)


def _fault_in(lines: list[bytes], first_number: int) -> TextFault | None:
    """The first line that isn't UTF-8, or that holds a NUL character; lines are counted from `first_number`."""
    try:
        whole = b"\n".join(lines)
        whole.decode()
        if b"\x00" not in whole:
            return None
    except UnicodeDecodeError:
        pass
    for number, line in enumerate(lines, first_number):
        if b"\x00" in line:
            return TextFault(
                "holds NUL characters, which no text has",
                f"line {number}",
                "write it again; a crash or a copy may have left a hole in it",
                is_damage=True,
            )
        try:
            line.decode()
        except UnicodeDecodeError:
            return TextFault(
                "is no UTF-8 text",
                f"line {number}",
                "write it as UTF-8; programs on Windows often write Windows-1252 instead (Excel: save as CSV UTF-8)",
                is_damage=False,
            )
    return None
