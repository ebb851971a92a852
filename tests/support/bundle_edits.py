"""Every single edit of a bundle: each scalar another value, each list item and each key dropped, doubled or moved. Deterministic.

An edit is of the bundle's files and of what its list says besides them; `signed_bundles.Forger` packs and signs it anew.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipelines import hash_chain

Change = Callable[[Path, dict[str, Any]], None]
Place = tuple[str | int, ...]


class Edit(NamedTuple):
    """A change of one place, and what it is called."""

    name: str
    change: Change


def of_bundle(folder: Path, about: dict[str, Any]) -> Iterator[Edit]:
    """All single edits of a bundle that lies unpacked in a folder."""
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        for what, text in of_json(content):
            yield Edit(f"{path.name}: {what}", _written(path.name, text))
    for what, text in of_json(about, twice=False):
        yield Edit(f"bundle.json: {what}", _listed(text))
    yield from _of_ledger(folder)
    yield from _of_texts(folder)
    for path in sorted(folder.rglob("*.parquet")):
        yield from _of_sketches(path.relative_to(folder).as_posix(), pl.read_parquet(path))


def of_json(content: Any, twice: bool = True) -> Iterator[tuple[str, str]]:
    """All single edits of a JSON value: what is edited, and the text that comes of it; `twice`: also a key that stands twice."""
    for place, value in _places(content):
        at = ".".join(map(str, place)) or "all of it"
        if isinstance(value, dict):
            yield f"{at}: another key", json.dumps(_with(content, place, value | {"another": 1}))
            for key in value:
                yield f"{at}: without {key}", json.dumps(_with(content, place, {k: v for k, v in value.items() if k != key}))
                yield (
                    f"{at}: {key} renamed",
                    json.dumps(_with(content, place, {f"{k}_" if k == key else k: v for k, v in value.items()})),
                )
                if twice:
                    yield f"{at}: {key} twice", _key_twice(content, place, key)
        elif isinstance(value, list):
            yield f"{at}: another item", json.dumps(_with(content, place, [*value, value[0] if value else 1]))
            for number, item in enumerate(value):
                yield f"{at}: without item {number}", json.dumps(_with(content, place, value[:number] + value[number + 1 :]))
                yield f"{at}: item {number} twice", json.dumps(_with(content, place, [*value[:number], item, *value[number:]]))
            if len(value) > 1 and value != value[::-1]:
                yield f"{at}: turned round", json.dumps(_with(content, place, value[::-1]))
        else:
            for other in others(value):
                yield f"{at}: {json.dumps(value)[:30]} as {json.dumps(other)[:40]}", json.dumps(_with(content, place, other))


def others(value: Any) -> list[Any]:
    """Other values in the place of a scalar, by its type and by what a text looks like."""
    if value is None:
        return [0, "x"]
    if isinstance(value, dict | list):
        return [None]
    if isinstance(value, bool):
        return [not value, int(value)]
    if isinstance(value, int | float):
        return [value + 1, -value - 1, None, f"{value}"]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return [f"{date.fromisoformat(value) + timedelta(1)}", None]
    if re.match(r"\d{4}-\d\d-\d\dT", value):
        return [(datetime.fromisoformat(value) + timedelta(seconds=1)).isoformat(timespec="microseconds"), None]
    if re.fullmatch(r"[0-9a-f]{64}", value):
        return [("1" if value[0] == "0" else "0") + value[1:], ""]
    if re.fullmatch(r"0\.\d+", value):
        return [f"{value}1", value + "0"]
    return [f"{value}x", "" if value else " ", None]


def _places(content: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value in a JSON value, with its place."""
    yield at, content
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield from _places(value, (*at, key))


def _with(content: Any, place: Place, value: Any) -> Any:
    """The content with another value at a place."""
    if not place:
        return value
    inner = content.copy()
    inner[place[0]] = _with(content[place[0]], place[1:], value)
    return inner


def _key_twice(content: Any, place: Place, key: str) -> str:
    """The JSON text in which a key stands twice in one object, first with another value: no object in memory has that."""
    value: Any = content
    for step in place:
        value = value[step]
    mark = "\x00mark"
    text = json.dumps(_with(content, place, {mark: None} | value))
    other = others(value[key])[0] if not isinstance(value[key], dict | list) else None
    return text.replace(f"{json.dumps(mark)}: null", f"{json.dumps(key)}: {json.dumps(other)}")


def _written(name: str, text: str) -> Change:
    def change(folder: Path, about: dict[str, Any]) -> None:
        (folder / name).write_text(text)

    return change


def _listed(text: str) -> Change:
    def change(folder: Path, about: dict[str, Any]) -> None:
        about.clear()
        about.update(json.loads(text))

    return change


def rechained(entries: list[dict[str, Any]]) -> str:
    """A ledger's file of these entries, with numbers and digests that fit: what somebody writes who forges the chain."""
    new: list[hash_chain.LedgerEntry] = []
    for entry in entries:
        at = datetime.fromisoformat(entry["at"])
        new.append(hash_chain.next_entry(new[-1] if new else None, entry["kind"], entry["body"], at))
    return "".join(f"{entry.to_line()}\n" for entry in new)


def _of_ledger(folder: Path) -> Iterator[Edit]:
    """Each value of each entry, and each entry dropped, doubled and moved, in a chain that fits again."""
    entries = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    for number, entry in enumerate(entries):
        for key, value in entry["body"].items():
            other = entry | {"body": entry["body"] | {key: others(value)[0]}}
            yield _ledger_edit(f"entry {number + 1}: {key}", [*entries[:number], other, *entries[number + 1 :]])
        later = entry | {"at": f"{datetime.fromisoformat(entry['at']) + timedelta(1)}"}
        yield _ledger_edit(f"entry {number + 1}: at", [*entries[:number], later, *entries[number + 1 :]])
        yield _ledger_edit(f"without entry {number + 1}", entries[:number] + entries[number + 1 :])
        yield _ledger_edit(f"entry {number + 1} twice", [*entries[: number + 1], *entries[number:]])
    yield _ledger_edit("turned round", entries[::-1])


def _ledger_edit(what: str, entries: list[dict[str, Any]]) -> Edit:
    return Edit(f"ledger.jsonl: {what}", _written("ledger.jsonl", rechained(entries)))


def _of_texts(folder: Path) -> Iterator[Edit]:
    method = (folder / "method.txt").read_text()
    yield Edit("method.txt: a word", _written("method.txt", method.replace("people", "accounts", 1)))
    yield Edit("method.txt: empty", _written("method.txt", ""))
    page = (folder / "evidence.pdf").read_bytes()
    for at in (20, len(page) // 2, len(page) - 20):
        other = page[:at] + bytes([page[at] ^ 1]) + page[at + 1 :]
        yield Edit(f"evidence.pdf: byte {at}", _replaced("evidence.pdf", other))
    for name in ("evidence.pdf", "method.txt", "ledger.jsonl"):
        yield Edit(f"{name}: gone", _replaced(name, None))
    yield Edit("another file", _replaced("more.json", b"{}"))


def _replaced(name: str, content: bytes | None) -> Change:
    """A file with other bytes, or, with none, gone."""

    def change(folder: Path, about: dict[str, Any]) -> None:
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / name).write_bytes(content)

    return change


def _of_sketches(name: str, rows: pl.DataFrame) -> Iterator[Edit]:
    """Rows of a file of sketches dropped, doubled, of another contribution, audience or namespace, and with another sketch."""
    frames = {
        "without its first row": rows[1:],
        "its first row twice": pl.concat([rows[:1], rows]),
        "a row of no contribution": pl.concat([rows, rows[:1].with_columns(contribution=pl.lit(10_000, pl.Int64))]),
        "another audience": rows.with_columns(audience=pl.lit("automated")),
        "another namespace": rows.with_columns(namespace=pl.lit("other")),
        "sketches turned round": rows.with_columns(sketch=pl.col("sketch").reverse()),
        "a sketch erased": rows.with_columns(
            sketch=pl.when(pl.int_range(pl.len()) == 0).then(None).otherwise(pl.col("sketch")),
        ),
        "an erasure that none was": rows.with_columns(erased_at=pl.lit(datetime(2025, 5, 1), pl.Datetime("us", "UTC"))),
        "no rows": rows[:0],
    }
    for what, frame in frames.items():
        if not frame.equals(rows):
            file = io.BytesIO()
            frame.write_parquet(file)
            yield Edit(f"{name}: {what}", _replaced(name, file.getvalue()))
