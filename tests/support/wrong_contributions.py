"""Contributions that are wrong, each in one way, made as a warehouse would make them: by Apache DataSketches and plain HMAC.

`python -m tests.support.wrong_contributions` prints the table of docs/affiliates.md.
"""

import os
import time as clock
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import datasketches
import polars as pl

from affiliates import signing
from affiliates.contributions.contract import PROTOCOL, SCHEMA
from affiliates.identity.canaries import identifiers
from tests.support.plain_keys import item, keyed, normalised, signed, users

PLANTED = "planted.person@example.com"
PHONE = "4930901820"
PEOPLE = 300

Item = Callable[[str], str | int]


def people(number: int = PEOPLE, first: int = 0) -> list[str]:
    """Identifiers as a source has them."""
    return [f" Person.{i}@Example.com" for i in range(first, first + number)]


def image(items: Iterable[str | int], lg_k: int = 21) -> bytes:
    """By Apache DataSketches itself."""
    sketch = datasketches.hll_sketch(lg_k)
    for text in items:
        sketch.update(text)
    return bytes(sketch.serialize_compact())


@lru_cache(1 << 17)
def right(text: str) -> str:
    """The item of an identifier as the contract wants it."""
    return item(normalised(text) or "")


@lru_cache(256)
def images(way: Item, number: int, lg_k: int) -> tuple[bytes, bytes]:
    """Of so many people, and of the canary that goes their way."""
    fixed = users() if way is right else [t for t in identifiers("email") if normalised(t) is not None]
    return image(map(way, people(number)), lg_k), image(map(way, fixed), lg_k)


def row(day: date, way: Item = right, number: int = PEOPLE, lg_k: int = 21, **changes: Any) -> dict[str, Any]:
    """One row of a contribution whose users and canary went the same way to their items."""
    sketch, canaries = images(way, number, lg_k)
    return {
        "protocol": PROTOCOL, "affiliate": "a", "product": "app", "grain": "day", "activity_date": day,
        "audience": "external", "namespace": "email", "key_epoch": "1", "crosswalk_digest": "", "normalisation": "v1 unicode",
        "lg_k": lg_k, "sketch": sketch, "events": 2 * number, "distinct_users": None,
        "unidentified_events": 0, "undecided_events": 0, "definition": "seen/1", "definition_digest": None, "day_zone": "UTC",
        "computed_at": datetime.combine(day + timedelta(2), time(), UTC), "producer": "a warehouse 1",
        "canary": canaries, **changes,
    }  # fmt: skip


def write(path: Path, *rows: dict[str, Any]) -> Path:
    """With the columns that the first row has: an older version's file has no optional ones."""
    schema = {name: dtype for name, dtype in SCHEMA.items() if name in rows[0]}
    pl.DataFrame([{name: row_[name] for name in schema} for row_ in rows], schema=schema).write_parquet(path)
    return path


def folder(path: Path, *parts: dict[str, Any]) -> Path:
    """As Spark writes it."""
    path.mkdir()
    for number, part in enumerate(parts):
        write(path / f"part-{number:05}-c000.snappy.parquet", part)
        (path / f".part-{number:05}-c000.snappy.parquet.crc").write_bytes(b"crc")
    (path / "_SUCCESS").touch()
    return path


def other_namespace(day: date, lg_k: int = 21, **changes: Any) -> dict[str, Any]:
    """The same contribution's second row."""
    ids = [f"device-{i}" for i in range(PEOPLE)]
    fixed = [text for t in identifiers("device") if (text := normalised(t, "device")) is not None]
    sketch, canaries = (image((keyed(text, "device")[:16] for text in texts), lg_k) for texts in (ids, fixed))
    return row(day) | {"namespace": "device", "lg_k": lg_k, "sketch": sketch, "canary": canaries} | changes


def by_key(key: bytes) -> Item:
    """The way to an item by another key."""
    return lambda text: keyed(normalised(text) or "", key=key)[:16]


def utf_16(text: str) -> str:
    """The item of UTF-16 text."""
    return keyed(normalised(text) or "", encoding="utf-16-le")[:16]


def united_by_the_library(day: date) -> dict[str, Any]:
    """Partial sketches of lgK 12 and 10, as an engine's own union makes one of them: it loses two thirds of the users."""
    union = datasketches.hll_union(21)
    for number, lg_k in enumerate((12, 10, 12)):
        part = image(map(right, people(2_000, 2_000 * number)), lg_k)
        union.update(datasketches.hll_sketch.deserialize(part))
    united = union.get_result()
    canaries = image(map(item, users()), united.lg_config_k)
    sketch = bytes(united.serialize_compact())
    return row(day, lg_k=united.lg_config_k, sketch=sketch, canary=canaries, events=9_000, distinct_users=6_000)


def theta() -> bytes:
    """The right keys in a sketch of another kind."""
    sketch = datasketches.update_theta_sketch(12)
    for text in people():
        sketch.update(right(text))
    return bytes(sketch.compact().serialize())


def truncated(path: Path, day: date) -> None:
    """Write a file and cut a third of it off."""
    whole = write(path, row(day)).read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def linked(path: Path, day: date) -> None:
    """Put a link to a good file."""
    path.symlink_to(write(path.with_name(f".{path.name}.elsewhere"), row(day)))


def sign_another(path: Path, day: date, private: Path) -> None:
    """Put the signature of another file beside a file."""
    write(path, row(day, affiliate="c", product="web"))
    text = signing.sign(path, private)
    write(path, row(day, affiliate="c", product="web", number=PEOPLE + 1))
    path.with_name(f"{path.name}.sig").write_text(text)


def sign_by_another(path: Path, day: date, private: Path) -> None:
    """Put a signature by another key beside a file."""
    other = private.with_name("other.pem")
    signing.new_pair(other)
    write(path, row(day, affiliate="c", product="web"))
    path.with_name(f"{path.name}.sig").write_text(signing.sign(path, other))


@dataclass(frozen=True)
class Case:
    """One way to be wrong."""

    what: str
    make: Callable[[Path, date], object]
    """Writes the file, or the folder, of a day."""
    reason: str
    """In the reason why it is refused."""
    sender: str = "a"

    @property
    def file(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.what)


def _row(what: str, reason: str, **changes: Any) -> Case:
    return Case(what, lambda path, day: write(path, row(day, **changes)), reason)


FUTURE = datetime.now(UTC).date() + timedelta(3)


def cases(private: Path) -> list[Case]:
    """All of them; `private` is a key of affiliate c, which has to sign."""
    return [
        _row("another key", "another key, or another hash", way=by_key(b"e" * 64)),
        _row("the key of another epoch", "the key of epoch 2: use that of 1", way=by_key(b"f" * 64)),
        _row("another epoch's name", "another key epoch (2, the month's is 1)", key_epoch="2"),
        _row("UTF-16 text", "UTF-16 text is hashed by HMAC", way=utf_16),
        _row("hex in capitals", "hex in capitals", way=lambda t: right(t).upper()),
        _row("integers for text", "items are integers", way=lambda t: signed(normalised(t) or "")),
        _row("no normalisation", "white space isn't stripped", way=item),
        Case("another lg_k than its own", lambda p, d: write(p, row(d, lg_k=12) | {"lg_k": 21}), "lg_k and the sketch disagree"),
        Case(
            "sketches of lgK 21 with canaries of lgK 10",
            lambda p, d: write(p, row(d, canary=image(map(item, users()), 10))),
            "its lgK is 10 and its sketch's 21",
        ),
        Case(
            "lgK 10 and 12 mixed by an engine's own union",
            lambda p, d: write(p, united_by_the_library(d)),
            "more distinct users than the sketch can hold",
        ),
        _row("another crosswalk than the month's", "another crosswalk than the month's", crosswalk_digest="ab" * 32),
        _row("events fewer than users", "more users than events", events=PEOPLE - 1),
        _row("fewer distinct users than in the sketch", "fewer distinct users", distinct_users=PEOPLE // 2),
        Case("a day in the future", lambda p, d: write(p, row(FUTURE)), "in the future"),
        Case(
            "staff in a file of external users alone",
            lambda p, d: write(p, *(row(d, audience=a, audiences="external") for a in ("external", "internal"))),
            "users of an audience that it isn't of",
        ),
        _row("a product of nobody", "product of nobody", product="other"),
        _row("another affiliate's contribution", "another affiliate's", affiliate="b", product="chat"),
        Case("a truncated file", truncated, "is not a readable Parquet file"),
        Case("zero bytes", lambda p, d: p.touch(), "zero bytes"),
        _row("bytes that are no sketch", "the sketch is no HLL image", sketch=b"\x02\x01\x07"),
        _row("a theta sketch", "it is a theta sketch of Apache DataSketches", sketch=theta()),
        _row("a key of Redis", "it is a HyperLogLog of Redis", sketch=b"HYLL\x00" + bytes(11 + 12_288)),
        _row("a sketch of HLL_COUNT", "it is a sketch of BigQuery's HLL_COUNT", sketch=b"\x08\x70\x10\x03\x18\x02\x20\x0b"),
        _row("a sketch of the extension hll", "it is a sketch of PostgreSQL's extension hll", sketch=b"\x11\x8b\x7f"),
        _row("identifiers in the place of names", "values that are no name", product=PLANTED),
        _row("a number in the place of a name", "product of nobody", product=PHONE),
        Case(
            "a folder with a part missing", lambda p, d: folder(p, row(FIRST, number=PEOPLE + 9, computed_at=LATER)),
            "a part of it is gone (external users of device)",
        ),
        Case("a folder with a part twice", lambda p, d: folder(p, row(d), row(d)), "two rows for one audience and namespace"),
        Case("a folder without parts", lambda p, d: folder(p), "the folder holds no part-file"),
        Case("half a contribution in a file", lambda p, d: write(p, row(SPLIT)), "is in another file too"),
        Case("its other half in another", lambda p, d: write(p, other_namespace(SPLIT)), "is in another file too"),
        Case("a link to another file", linked, "is no plain file"),
        Case("no signature", lambda p, d: write(p, row(d, affiliate="c", product="web")), "it isn't signed", "c"),
        Case("another file's signature", lambda p, d: sign_another(p, d, private), "its signature is no key's", "c"),
        Case("another key's signature", lambda p, d: sign_by_another(p, d, private), "its signature is no key's", "c"),
    ]  # fmt: skip


FIRST, SPLIT = date(2025, 1, 1), date(2025, 1, 31)
"""The day of which the store has a whole contribution, and the one that comes in two files."""
LATER = datetime(2025, 3, 1, tzinfo=UTC)


def table() -> str:
    """The table of docs/affiliates.md: what is wrong, and what the receipt says of it."""
    lines = [f"| {case.what} | {case.reason.partition(' (')[0]} |" for case in cases(Path("key.pem"))]
    return "\n".join(["| what is wrong | refused, since |", "|---|---|", *lines])


def old(path: Path, seconds: int) -> None:
    """Make a file or folder, and all beside it of its name, look as if it was written so long ago."""
    then = clock.time() - seconds
    for entry in [path, *path.rglob("*"), path.with_name(f"{path.name}.sig")]:
        if entry.exists() or entry.is_symlink():
            os.utime(entry, (then, then), follow_symlinks=False)


if __name__ == "__main__":
    print(table())
