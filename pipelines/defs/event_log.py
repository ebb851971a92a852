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


class EventLog(SqliteEventLogStorage):
    """For one process that runs by itself; others may read and write the same files meanwhile."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._turn, self._engines, self._begun = RLock(), dict[str, sa.Engine](), dict[str, sa.Connection]()
        super().__init__(base_dir, inst_data)
        self._engine(INDEX_SHARD_NAME)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "EventLog":
        return cls(inst_data=inst_data, **config_value)

    def run_connection(self, run_id: str | None = None) -> Any:
        return self._kept(run_id or INDEX_SHARD_NAME)

    def index_connection(self) -> Any:
        return self._kept(INDEX_SHARD_NAME)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """In one transaction of each of the two databases."""
        if events:
            with self.run_connection(events[0].run_id), self.index_connection():
                super().store_event_batch(events)

    def dispose(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()

    @contextmanager
    def _kept(self, shard: str) -> Iterator[sa.Connection]:
        """A transaction; inside another one of the same database, that one."""
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
        if shard not in self._engines:
            with super()._connect(shard):  # Makes its tables.
                pass
            url = self.conn_string_for_shard(shard)
            threads = {"timeout": 30, "check_same_thread": False}
            engine = sa.create_engine(url, poolclass=sa.StaticPool, connect_args=threads)
            # With a write-ahead log this can lose the last events at a power cut, and nothing else.
            sa.event.listen(engine, "connect", lambda connection, _: connection.execute("pragma synchronous = normal"))
            self._engines[shard] = engine
        return self._engines[shard]
