"""Events in tables, and what is contributed of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from traceback import format_exception
from typing import Any

import polars as pl
import sqlalchemy as sa

from affiliates.contributions.contract import Contribution
from affiliates.manifests.loader import read_group
from affiliates.sources import resolve
from affiliates.sources.protocol import EventSource
from tests.support.groups import Manifests, entity, product, source, write_group

ROWS: list[tuple[str, str | None]] = [
    ("2024-12-31T23:59:59+00:00", "early@example.com"),
    ("2025-01-01T00:00:00+00:00", "a@example.com"),
    ("2025-01-01T14:59:59+00:00", "A@example.com "),
    ("2025-01-01T15:00:00+00:00", "b@example.com"),
    ("2025-01-02T12:00:01+00:00", None),
    *((f"2025-01-{1 + i % 31:02}T{i % 24:02}:{i % 60:02}:00+00:00", f"u{i % 97}@example.com") for i in range(500)),
    ("2025-02-01T00:00:00+00:00", "late@example.com"),
]


KINDS = ["open" if i % 9 else "push" for i in range(len(ROWS))]


@contextmanager
def opened(url: str) -> Iterator[sa.Connection]:
    """A connection to a database in one transaction."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg") if url.startswith("postgresql") else url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def execute(url: str, *statements: str) -> None:
    """Run statements in one transaction."""
    with opened(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def fill(url: str, columns: dict[str, str], rows: list[tuple[Any, ...]], name: str = "events") -> None:
    """A new table of these columns, by their types, and these rows; in the place of one of another test."""
    execute(url, f"drop table if exists {name} {'cascade' if url.startswith('postgresql') else ''}")
    execute(url, f"create table {name} ({', '.join(f'{chr(34)}{c}{chr(34)} {t}' for c, t in columns.items())})")
    schema, _, table = name.rpartition(".")
    insert = sa.insert(sa.table(table, *map(sa.column, columns), schema=schema or None))
    with opened(url) as connection:
        if rows:
            connection.execute(insert, [dict(zip(columns, row, strict=True)) for row in rows])


def table(url: str, **changes: Any) -> Manifests:
    """A source in a database's table `events`."""
    return source(**{"files": None, "table": "events", "database": {"url": url}, **changes})


def group_of(
    directory: Path, source_: Manifests, files: Mapping[str, pl.DataFrame | bytes] | None = None, **settings: Any
) -> Path:
    """A group directory of one product with one source."""
    return write_group(directory, [entity("a", [product(sources=[source_])])], files, **settings)


def digests(contributions: dict[date, Contribution]) -> dict[date, tuple[str, int, int | None]]:
    """What was contributed, whatever the manifest calls the place that it came from."""
    return {
        d: (replace(c, definition_digest=None).digest, sum(p.events or 0 for p in c.parts), c.unidentified_events)
        for d, c in contributions.items()
    }


def found_in(directory: Path) -> EventSource:
    """The one source of that product, found."""
    group = read_group(directory)
    (product_,) = group.entities["a"].products
    (source_,) = resolve.find("a/app", product_, directory, group.settings.time_zone)
    return source_


def whole_text(error: BaseException) -> str:
    """All that a log would show of an error, with what it came from."""
    return "".join(format_exception(error))
