"""The views that BI tools read: one file of `sql/views` for each view, named as the view.

A file begins with comments. The first says what the view means, each other one what a column means (`-- column: meaning`).
The comments go to the table `column_comments`, and to PostgreSQL's own comments; the database's text of the view has none.

To add a column to a view:
1. Add it to the `select` of the view's file in `sql/views`, and its comment to the comments at the file's head.
2. Add a migration in `sql/migrations/versions`, empty where no table changes: an upgrade of the schema drops all views and
   creates them anew, and nothing else does. Migrations that are there are never rewritten.
3. Run `tests/pipelines/store/test_views.py`: a column without a comment, or a comment without a column, is red there.

Columns keep their names and meanings: other people's queries and dashboards rest on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlalchemy as sa


@dataclass(frozen=True)
class View:
    """A view as its file says it."""

    name: str
    comment: str
    """What the view means."""
    columns: dict[str, str]
    """What each column means, by name."""
    query: str
    """The select, without the comments at the file's head."""


@cache
def read(folder: Path) -> tuple[View, ...]:
    """The views of a folder, in the order of their names, read once. Raises `ValueError` for a comment that isn't
    `-- column: meaning`."""
    views = []
    for path in sorted(folder.glob("*.sql")):
        lines = path.read_text(encoding="utf-8").splitlines()
        first, *others = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        columns = dict(line.split(": ", 1) for line in others)
        views.append(View(path.stem, first, columns, "\n".join(line for line in lines if not line.startswith("--"))))
    return tuple(views)


def drop(connection: sa.Connection, folder: Path) -> None:
    """Drop the folder's views: SQLite changes no table that a view reads."""
    for view in read(folder):
        connection.exec_driver_sql(f"drop view if exists {view.name}")


def statements(folder: Path, with_comments: bool) -> Iterator[str]:
    """What creates the folder's views; `with_comments`: for PostgreSQL, since SQLite has none."""
    for view in read(folder):
        yield f"create view {view.name} as {view.query}"
        if with_comments:
            yield f"comment on view {view.name} is {_quoted(view.comment)}"
            for name, meaning in view.columns.items():
                yield f"comment on column {view.name}.{name} is {_quoted(meaning)}"


def _quoted(text: str) -> str:
    """A text in SQL's quotes: PostgreSQL takes no parameter for a comment."""
    return "'" + text.replace("'", "''") + "'"


def comments(folder: Path) -> Iterator[dict[str, str]]:
    """The rows of `column_comments` for all views."""
    for view in read(folder):
        yield {"table_name": view.name, "column_name": "", "comment": view.comment}
        for name, meaning in view.columns.items():
            yield {"table_name": view.name, "column_name": name, "comment": meaning}
