"""Opening the store by its URL (SQLite or PostgreSQL), upgrading its schema, reading and writing it.

Writers take turns. So rows become visible in the order of their numbers, and "all rows up to number N" means the same for
ever. Readers never wait: they see what was committed when they began.

Over 300 lines: two databases, and what each of their errors means to a user.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from affiliates.concurrency import private_folder
from affiliates.errors import Code, RefusedError, refused
from pipelines.store import mark, upgrade

_WAITS = {"connect_timeout": 10, "keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}
"""PostgreSQL's seconds to connect, and after which a server that has gone without a word is given up; for the URL to change."""
_LONGEST_LOCK = 600_000
"""Milliseconds that a writer waits for the one before, on PostgreSQL: one that hangs holds up no other for ever."""
_MOST_IDLE = 4
_idle: dict[tuple[sa.URL, str, int], sa.Engine] = {}
"""Engines of stores that are closed, without a connection, for whoever opens the same store next: an engine has asked already
what kind of server there is. Each is taken by one at a time. By URL, the URL as it is shown, and the process's number."""
_MOST_COMPILED = 2000
WRITERS = 0x6D617577
"""The number of PostgreSQL's advisory lock that one writer holds at a time: `mauw` in ASCII, so that no other program has it."""


class _Compiled(dict[Any, Any]):
    """What SQLAlchemy has compiled of our statements, for all engines of this process.

    SQLAlchemy keeps that for each engine, since engines may have other dialects. Ours differ in nothing but the kind of database
    and the server's version, and a process that opens many stores would compile each statement again for each store.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_kind(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self) >= _MOST_COMPILED:
            self.clear()
        super().__setitem__(_of_kind(key), compiled)


def _of_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """SQLAlchemy's key of a compiled statement with the kind of database in the place of the engine's own dialect."""
    dialect, *statement = key
    return dialect.name, dialect.driver, dialect.server_version_info, *statement


_compiled = _Compiled()


class Store:
    """An open store.

    With a `connection`, all reads happen in that connection's transaction: a snapshot. With a connection that `writes`, all
    writes belong to that transaction, too, and are committed with it.
    """

    def __init__(self, engine: sa.Engine, connection: sa.Connection | None = None, writes: bool = False) -> None:
        self.engine = engine
        self._connection = connection
        self._writes = writes

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """The store as it is now: all answers are of one moment, whatever others write meanwhile."""
        if self._connection is not None:
            yield self
            return
        # SQLite's transactions are snapshots anyway; PostgreSQL's see what others commit, unless told so.
        level = {} if self.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect().execution_options(**level) as connection:
            yield type(self)(self.engine, connection)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for reading: the snapshot's, else a new one."""
        if self._connection is not None:
            yield self._connection
            return
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction of the one writer whose turn it is: committed at the end of the block, or not at all.

        A writer inside another one's block shares the transaction.
        """
        if self._writes and self._connection is not None:
            yield self._connection
            return
        assert self._connection is None, "a snapshot is for reading"
        with self.engine.connect().execution_options(mauwatch_writes=True) as connection, connection.begin():
            if self.engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"set local lock_timeout = {_LONGEST_LOCK}")
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITERS)))
            yield connection


def exists(url: str, directory: Path) -> bool:
    """Whether there is a store to open: SQLite's file, or PostgreSQL's tables.

    Raises `RefusedError` for a database that can't be reached, and where there was a store and is none any more (`mark`).
    """
    parsed = _parsed(url, directory)
    if parsed.get_backend_name() == "sqlite":
        path = Path(parsed.database or ":memory:")
        # A file of zero bytes is what is left of a store, or was never one.
        is_there = path.is_file() and path.stat().st_size > 0
    else:
        with _reached(url, directory) as engine, engine.connect() as connection:
            is_there = upgrade.revision(connection) is not None
    if not is_there and _is_kept(parsed) and mark.read(directory) is not None:
        raise mark.gone(_shown(url))
    return is_there


def files_of(url: str, directory: Path) -> tuple[Path, ...]:
    """The files that hold the whole store, with those that SQLite has beside it while something isn't in it yet; none where it
    isn't one file of this machine, such as PostgreSQL."""
    parsed = _parsed(url, directory)
    if parsed.get_backend_name() != "sqlite" or parsed.query or not _is_kept(parsed):
        return ()
    path = Path(str(parsed.database))
    # SQLite follows a link, and puts its own files beside what the link leads to.
    return (path, *(Path(f"{place}-{ending}") for place in {path, path.resolve()} for ending in ("wal", "journal")))


def _is_kept(parsed: sa.URL) -> bool:
    """Whether the store outlives this process."""
    return parsed.get_backend_name() != "sqlite" or parsed.database not in (None, "", ":memory:")


def _shown(url: str) -> str:
    """The store's URL, without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


@contextmanager
def connected(url: str, directory: Path, create: bool = False) -> Iterator[sa.Engine]:
    """The database of the store, open; `create` makes the store where there is none, and upgrades an older schema.

    Raises `RefusedError` where there is no store, where there was one (`mark`), where the database can't be reached, or where the
    schema isn't this program's.
    """
    parsed = _parsed(url, directory)
    missing = refused(Code.STORE_MISSING, "the store", "isn't there yet", _shown(url), "make it with `mauwatch run`")
    is_file = parsed.get_backend_name() == "sqlite"
    if is_file and not exists(url, directory) and not create:  # Before a connection makes the file.
        raise missing
    with _reached(url, directory) as engine:
        with engine.connect() as connection:
            present = upgrade.revision(connection)
        if present is None:
            # A file with no table in it is no store, nor is another program's database.
            if _is_kept(parsed) and mark.read(directory) is not None:
                raise mark.gone(_shown(url))
            if not is_file and not create:
                raise missing
        if present != upgrade.newest_revision():
            _migrate(engine, present, create)
        yield engine
        if create and _is_kept(parsed):
            with engine.connect() as connection:
                mark.note(connection, directory)


@contextmanager
def _reached(url: str, directory: Path) -> Iterator[sa.Engine]:
    """The database, whatever its schema is. A database's error becomes a `RefusedError` that quotes no values."""
    absolute = _parsed(url, directory)
    shown = _shown(url)
    try:
        if absolute.get_backend_name() == "sqlite" and absolute.database not in (None, "", ":memory:"):
            _private_file(Path(str(absolute.database)))
        key = absolute, shown, os.getpid()  # No child goes on with its parent's engine.
        engine = _idle.pop(key, None) or _new_engine(absolute, shown)
    except (sa.exc.ArgumentError, ModuleNotFoundError):
        raise refused(
            Code.STORE_UNUSABLE,
            "the store",
            "its URL has no driver here",
            shown,
            "correct `store` in group.yaml, or install the driver: pip install 'mauwatch[postgres]'",
        ) from None
    except OSError as error:
        raise refused(
            Code.STORE_UNUSABLE,
            "the store",
            "its folder can't be made",
            f"{shown}: {error.strerror}",
            "correct `store` in group.yaml",
        ) from None

    try:
        yield engine
    except RefusedError as error:
        raise error from None  # A traceback would show what the database says.
    finally:
        engine.dispose()
        if _is_kept(absolute):
            _idle[key] = engine
            for oldest in list(_idle)[:-_MOST_IDLE]:
                _idle.pop(oldest, None)


def _new_engine(absolute: sa.URL, shown: str) -> sa.Engine:
    """An engine whose errors are refusals; `shown`: the URL as a refusal shows it. Raises what SQLAlchemy raises of a URL."""
    options: dict[str, Any] = {}
    if absolute.drivername == "postgresql+psycopg":
        waits = {name: seconds for name, seconds in _WAITS.items() if name not in absolute.query}
        # Else each connection asks PostgreSQL for a type that no column has.
        options = {"connect_args": waits, "use_native_hstore": False}
    # Without parameters in an error's text: they hold sketches and settings.
    engine = sa.create_engine(absolute, hide_parameters=True, execution_options={"compiled_cache": _compiled}, **options)

    def refuse(context: sa.engine.ExceptionContext) -> RefusedError | None:
        """The refusal in the place of a database's error, where the error arises: whoever contains what nobody foresaw lets it
        pass."""
        error = context.sqlalchemy_exception
        return _unusable(shown, error) if isinstance(error, sa.exc.DBAPIError) else None

    sa.event.listen(engine, "handle_error", refuse)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private_file(path: Path) -> None:
    """Make an SQLite file for its owner alone where there is none: SQLite would make it by the umask, and its log beside it.

    An empty file is an empty database. Raises `OSError`.
    """
    if path.exists():
        return
    private_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # Another process has just made it.
        return
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)


def _parsed(url: str, directory: Path) -> sa.URL:
    """The URL, with an SQLite file's path made absolute. Raises `RefusedError` for what is no URL."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise refused(
            Code.STORE_UNUSABLE,
            "the store",
            "its URL isn't one",
            "",
            "write one such as sqlite:///.mauwatch/store.sqlite into group.yaml",
        ) from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return parsed
    # Whole: a process that changes its folder and opens a group there by `.` would be given the one before.
    return parsed.set(database=os.path.abspath(directory / parsed.database))


def _unusable(shown: str, error: sa.exc.DBAPIError) -> RefusedError:
    """The refusal for a database's error, without the error's text: a statement's parameters hold sketches and settings."""
    return refused(
        Code.STORE_UNUSABLE,
        "the store",
        "can't be used",
        f"{shown}: {type(error.orig).__name__}",
        "see that it runs, has room, and is a store of mauwatch",
    )


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin a transaction; a writer waits for the others here.

    A transaction that has read and writes later can't wait any more: SQLite refuses it at once where another has written.
    """
    writes = connection.get_execution_options().get("mauwatch_writes")
    connection.exec_driver_sql("begin immediate" if writes else "begin")


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # Else Python's driver begins transactions by itself, and only before it writes.
    for pragma in (
        "foreign_keys = on",
        "journal_mode = wal",  # Readers go on while somebody writes.
        "synchronous = normal",
        "busy_timeout = 30000",  # Milliseconds that a writer waits for the one before.
        "secure_delete = on",  # Zeros in the place of an erased sketch: see `vacuum`.
    ):
        connection.execute(f"pragma {pragma}")


def _migrate(engine: sa.Engine, present: str | None, create: bool) -> None:
    """Make the schema where there is none, or upgrade the `present` one to the newest.

    Raises `RefusedError` for an older schema without `create`, and for a newer one.
    """
    newest = upgrade.newest_revision()
    if present is not None and not upgrade.is_known(present):
        raise refused(
            Code.STORE_SCHEMA,
            "the store",
            "was made by a newer mauwatch",
            f"its schema is {present}, ours {newest}",
            "upgrade mauwatch",
        )
    if not create:
        raise refused(
            Code.STORE_SCHEMA,
            "the store",
            "has an older schema",
            f"{present or 'none'}, ours is {newest}",
            "bring it up to date with `mauwatch run`",
        )
    with Store(engine).writing() as connection:
        now = upgrade.revision(connection)  # Another process may have made or upgraded it in the meantime.
        if now is None:
            upgrade.create(connection)
        elif now != newest:
            upgrade.upgrade(connection)
