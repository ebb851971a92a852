"""The views that a BI tool reads (sql/views): made anew with each upgrade of the schema.

A file is one view of the file's name. Its first comment says what the view means, the others what
each column does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa


@dataclass(frozen=True)
class View:
    """A view, what it and its columns mean, and its query."""

    name: str
    comment: str
    columns: dict[str, str]
    query: str


def views(folder: Path) -> list[View]:
    """The views of a folder, by name."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        lines = path.read_text(encoding="utf-8").splitlines()
        first, *others = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        columns = dict(line.split(": ", 1) for line in others)
        found.append(View(path.stem, first, columns, "\n".join(line for line in lines if not line.startswith("--"))))
    return found


def drop(connection: sa.Connection, folder: Path) -> None:
    """Drop them: SQLite changes no table that a view reads."""
    for view in views(folder):
        connection.exec_driver_sql(f"drop view if exists {view.name}")


def create(connection: sa.Connection, folder: Path) -> None:
    """Create them, in PostgreSQL with their comments."""
    for view in views(folder):
        _run(connection, f"create view {view.name} as {view.query}")
        if connection.dialect.supports_comments:
            _run(connection, f"comment on view {view.name} is {_quoted(view.comment)}")
            for name, said in view.columns.items():
                _run(connection, f"comment on column {view.name}.{name} is {_quoted(said)}")


def _run(connection: sa.Connection, statement: str) -> None:
    connection.execute(sa.text(statement.replace(":", r"\:")))


def _quoted(text: str) -> str:
    """A comment can't be a parameter."""
    return "'" + text.replace("'", "''") + "'"


def comments(folder: Path) -> Iterator[dict[str, str]]:
    """Rows of `column_comments` for the views."""
    for view in views(folder):
        yield {"table_name": view.name, "column_name": "", "comment": view.comment}
        for name, said in view.columns.items():
            yield {"table_name": view.name, "column_name": name, "comment": said}
