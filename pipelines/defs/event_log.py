"""Dagster's SQLite event log, written many events at a time.

Dagster opens, commits and closes a database up to four times for each event, and each time waits for the disk: 20 to 45 ms
an event here, so that a day of 20 products (250 events) took 7 to 12 s beside a second of counting. This class writes
the same files, readable by Dagster's own; it keeps its connections, and a batch of events is one transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

from pipelines.defs.sqlite_files import quoted_url


class EventLog(SqliteEventLogStorage):
    """Dagster's event log for one process that runs by itself; others may read and write the same files meanwhile.

    `run.yaml` names this class. Methods without an underscore replace Dagster's own of the same name.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._turn = RLock()
        self._engines = dict[str, sa.Engine]()
        self._begun = dict[str, sa.Connection]()
        """By shard, the transaction under way."""
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

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events of one run, in one transaction of each of the two databases."""
        if events:
            with self.run_connection(events[0].run_id), self.index_connection():
                super().store_event_batch(events)

    def dispose(self) -> None:
        """Close all connections."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[sa.Connection]:
        """A transaction of one database; inside another one of the same database, that one."""
        with self._turn:
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
