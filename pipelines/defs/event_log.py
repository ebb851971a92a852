"""Dagster's SQLite event log, written many events at a time.

Dagster opens, commits and closes a database up to four times for each event, and each time waits for the disk: 20 to 45 ms
an event here, so that a day of 20 products (250 events) took 7 to 12 s beside a second of counting. This class writes
the same files, readable by Dagster's own; it keeps its connections, and a batch of events is one transaction. Events of one
step wait for each other: what is asked is answered after they are written, and a process that is killed loses those of a step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from threading import RLock
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.events import DagsterEventType
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

from pipelines.defs.sqlite_files import quoted_url

_SAYS_NOTHING = frozenset({DagsterEventType.STEP_OUTPUT, DagsterEventType.HANDLED_OUTPUT, DagsterEventType.LOADED_INPUT})
"""Events that aren't stored. Each product has four outputs without a value: for its contributions, and for each of its checks.
What became of them is in other events."""
_STAYS_IN_STEP = frozenset(
    {
        DagsterEventType.STEP_START,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.STEP_SUCCESS,
    }
)
"""Events that may wait for the next ones."""
_MOST_WAITING = 200


class EventLog(SqliteEventLogStorage):
    """Dagster's event log for one process that runs by itself; others may read and write the same files meanwhile.

    `run.yaml` names this class. Methods without an underscore replace Dagster's own of the same name.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._turn = RLock()
        self._engines = dict[str, sa.Engine]()
        self._begun = dict[str, sa.Connection]()
        """By shard, the transaction under way."""
        self._waiting = list[dg.EventLogEntry]()
        """Events that aren't written yet."""
        self._tables = set[str]()
        """Tables that are there: nobody takes them away."""
        self._columns = set[str]()
        """Columns of the assets' table that are there."""
        super().__init__(base_dir, inst_data)
        self._engine(INDEX_SHARD_NAME)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "EventLog":
        """The event log that `run.yaml` describes."""
        return cls(inst_data=inst_data, **config_value)

    def conn_string_for_shard(self, shard_name: str) -> str:
        """The URL of one database."""
        return quoted_url(self._base_dir, shard_name)

    def run_connection(self, run_id: str | None = None) -> Any:
        """A context with a connection to one run's database."""
        return self._transaction(run_id or INDEX_SHARD_NAME)

    def index_connection(self) -> Any:
        """A context with a connection to the database over all runs."""
        return self._transaction(INDEX_SHARD_NAME)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table: looked up until it has. Dagster asks with each check's result."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event, soon: with the events that follow."""
        if event.dagster_event_type in _SAYS_NOTHING:
            return
        with self._turn:
            self._waiting.append(event)
            if event.dagster_event_type not in _STAYS_IN_STEP or len(self._waiting) >= _MOST_WAITING:
                self._write_waiting()

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events at once."""
        with self._turn:
            self._waiting += events
            self._write_waiting()

    def dispose(self) -> None:
        """Write what waits, and close all connections."""
        with self._turn:
            self._write_waiting()
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()

    def _write_waiting(self) -> None:
        """Write the events that wait, those of one run in one transaction of each of the two databases."""
        waiting, self._waiting = self._waiting, []
        for run_id, events in groupby(waiting, key=lambda event: event.run_id):
            with self.run_connection(run_id), self.index_connection():
                for event in events:
                    super().store_event(event)

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        """Whether the assets' table has a column: looked up until it has. Dagster asks with each event of an asset."""
        if column_name not in self._columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._columns.add(column_name)
        return column_name in self._columns

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[sa.Connection]:
        """A transaction of one database, after all events so far; inside another one of the same database, that one."""
        with self._turn:
            if self._waiting:
                self._write_waiting()
            if shard in self._begun:
                yield self._begun[shard]
                return
            with self._engine(shard).begin() as connection:
                self._begun[shard] = connection
                try:
                    yield connection
                finally:
                    del self._begun[shard]

    def _engine(self, shard: str) -> sa.Engine:
        """An engine with one connection, which stays open; the lock keeps threads apart."""
        if shard not in self._engines:
            with super()._connect(shard):  # Makes its tables.
                pass
            url = self.conn_string_for_shard(shard)
            threads = {"timeout": 30, "check_same_thread": False}
            engine = sa.create_engine(url, poolclass=sa.StaticPool, connect_args=threads, hide_parameters=True)
            # With a write-ahead log this can lose the last events at a power cut, and nothing else.
            sa.event.listen(engine, "connect", lambda connection, _: connection.execute("pragma synchronous = normal"))
            self._engines[shard] = engine
        return self._engines[shard]
