"""Opening our own store by its URL: SQLite or PostgreSQL, with its schema up to date (Alembic)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from affiliates.refusal import Refusal
from pipelines import schema


def sql_folder() -> Path:
    """Migrations and views: in the wheel beside this module, in a checkout at the top."""
    inside = Path(__file__).parent / "sql"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "sql"


def exists(url: str, directory: Path) -> bool:
    """Whether there is a store to open: a database server is taken to have one."""
    parsed = _parsed(url, directory)
    return parsed.get_backend_name() != "sqlite" or bool(parsed.database and Path(parsed.database).is_file())


@contextmanager
def connected(url: str, directory: Path, create: bool = False) -> Iterator[sa.Engine]:
    """Open the store; `create` makes it where there is none and migrates an older one.

    Raises `Refusal` when there is none, it can't be reached, or its schema isn't this program's.
    """
    absolute = _parsed(url, directory)
    shown = sa.make_url(url).render_as_string(hide_password=True)
    if not create and not exists(url, directory):
        raise Refusal("the store", "isn't there yet", shown, "make it with `mauwatch run`")
    try:
        if absolute.get_backend_name() == "sqlite" and absolute.database:
            Path(absolute.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(absolute)
    except (sa.exc.ArgumentError, ModuleNotFoundError):
        raise Refusal(
            "the store", "its URL has no driver here", shown, "correct `store` in group.yaml, or install the driver"
        ) from None
    except OSError as error:
        raise Refusal(
            "the store", "its folder can't be made", f"{shown}: {error.strerror}", "correct `store` in group.yaml"
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    try:
        _migrate(engine, create)
        yield engine
    except sa.exc.DBAPIError as error:
        raise _unusable(shown, error) from None
    finally:
        engine.dispose()


def _parsed(url: str, directory: Path) -> sa.URL:
    """The URL, with an SQLite file's path made absolute."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise Refusal(
            "the store", "its URL isn't one", "", "write one such as sqlite:///.mauwatch/store.sqlite into group.yaml"
        ) from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return parsed
    return parsed.set(database=str(directory / parsed.database))


def _unusable(shown: str, error: sa.exc.DBAPIError) -> Refusal:
    """Without the error's text: a statement's parameters hold sketches and settings."""
    said = f"{shown}: {type(error.orig).__name__}"
    return Refusal("the store", "can't be used", said, "see that it runs, has room, and is a store of mauwatch")


def _prepare_sqlite(connection: Any, _: object) -> None:
    for pragma in ("foreign_keys = on", "journal_mode = wal", "synchronous = normal", "busy_timeout = 30000"):
        connection.execute(f"pragma {pragma}")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(sql_folder() / "migrations").replace("%", "%%"))
    return config


def _migrate(engine: sa.Engine, create: bool) -> None:
    config = _config()
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        if present == newest:
            return
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if present is not None and present not in known:
            raise Refusal(
                "the store", "was made by a newer mauwatch", f"its schema is {present}, ours {newest}", "upgrade mauwatch"
            )
        if not create:
            raise Refusal(
                "the store",
                "has an older schema",
                f"{present or 'none'}, ours is {newest}",
                "bring it up to date with `mauwatch run`",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(schema.column_comments.delete())
        connection.execute(schema.column_comments.insert(), schema.comments())
        connection.commit()
