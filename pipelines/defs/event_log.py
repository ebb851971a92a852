"""Dagster's SQLite event log, written many events at a time.

Dagster opens, commits and closes a database up to four times for each event, and each time waits for the disk: 20 to 45 ms
an event here, so that a day of 20 products (250 events) took 7 to 12 s beside a second of counting. This class writes
the same files, readable by Dagster's own; it keeps its connections, and a batch of events is one transaction with a statement for
each table. Events of one step wait for each other: what is asked is answered after they are written, and a process that is killed
loses those of a step.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from threading import RLock
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as sa
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterEventType,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable
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
_MOST_WAITING = 500
"""Events that are written together."""
_SHARED = ASSET_EVENTS | ASSET_CHECK_EVENTS | EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys()
"""Events that the database over all runs has, too."""
_EVALUATED = (
    AssetCheckExecutionsTable.update()
    .where(
        *(AssetCheckExecutionsTable.c[name] == sa.bindparam(f"its_{name}") for name in ("asset_key", "check_name", "run_id")),
        AssetCheckExecutionsTable.c.partition.is_(None),
    )
    .values(
        {
            name: sa.bindparam(f"its_{name}")
            for name in (
                "execution_status",
                "evaluation_event",
                "evaluation_event_timestamp",
                "evaluation_event_storage_id",
                "materialization_event_storage_id",
            )
        }
    )
)
"""What a check has found, in the row of the planned check."""


class _Written(NamedTuple):
    """An event that was written into the database over all runs."""

    event: dg.EventLogEntry
    text: str
    """The event as it was written."""
    number: int


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
            with self.run_connection(run_id) as of_run, self.index_connection() as index:
                self._write(list(events), of_run, index)

    def _write(self, events: Sequence[dg.EventLogEntry], of_run: sa.Connection, index: sa.Connection) -> None:
        """What `SqliteEventLogStorage.store_event` does with each event, by a few statements for all of them."""
        rows = [self._event_to_row(event) for event in events]
        of_run.execute(SqlEventLogStorageTable.insert(), rows)
        shared = [(event, row) for event, row in zip(events, rows, strict=True) if event.dagster_event_type in _SHARED]
        if not shared:
            return
        index.execute(SqlEventLogStorageTable.insert(), [row for _, row in shared])
        # The numbers of one transaction's rows have no gap: nobody else writes meanwhile.
        last = index.scalar(sa.select(sa.func.max(SqlEventLogStorageTable.c.id)))
        written = [_Written(event, row["event"], last - len(shared) + n) for n, (event, row) in enumerate(shared, 1)]
        of_assets = [entry for entry in written if entry.event.dagster_event_type in ASSET_EVENTS]
        self._store_asset_event_tags(index, [entry.event for entry in of_assets], [entry.number for entry in of_assets])
        self._note_assets(index, of_assets)
        self._note_checks(index, [entry for entry in written if entry.event.dagster_event_type in ASSET_CHECK_EVENTS])

    def _note_assets(self, index: sa.Connection, written: Sequence["_Written"]) -> None:
        """Put what is last known of each asset into Dagster's table of assets."""
        values = defaultdict[str, dict[str, Any]](dict)
        for entry in written:
            key = entry.event.get_dagster_event().asset_key
            noted = self._get_asset_entry_values(entry.event, entry.number, self._has_asset_key_index_cols_on_connection(index))
            if key is not None and noted:
                values[key.to_string()] |= noted
        keys = list(values)
        of_key = AssetKeyTable.c.asset_key
        known = set[str]()
        for begin in range(0, len(keys), _MOST_WAITING):
            known |= set(index.scalars(sa.select(of_key).where(of_key.in_(keys[begin : begin + _MOST_WAITING]))))
        for columns in {tuple(of_asset) for of_asset in values.values()}:
            update = AssetKeyTable.update().where(of_key == sa.bindparam("its_key"))
            update = update.values({name: sa.bindparam(f"new_{name}") for name in columns})
            same = {key: of_asset for key, of_asset in values.items() if tuple(of_asset) == columns}
            before = [
                {"its_key": key} | {f"new_{name}": value for name, value in same[key].items()} for key in same if key in known
            ]
            new = [{"asset_key": key} | same[key] for key in same if key not in known]
            if before:
                index.execute(update, before)
            if new:
                index.execute(AssetKeyTable.insert(), new)

    def _note_checks(self, index: sa.Connection, written: Sequence["_Written"]) -> None:
        """Put planned checks into Dagster's table of checks, and what they found."""
        planned = list[dict[str, Any]]()
        evaluated = dict[int, dict[str, Any]]()
        others = list[_Written]()
        for entry in written:
            data = entry.event.get_dagster_event().event_specific_data
            if isinstance(data, AssetCheckEvaluationPlanned):
                row = self._check_row(entry, data, AssetCheckExecutionRecordStatus.PLANNED)
                partitions = data.partitions_subset.get_partition_keys() if data.partitions_subset else [None]
                planned += [row | {"partition": partition} for partition in partitions]
            elif isinstance(data, dg.AssetCheckEvaluation) and data.partition is None:
                status = AssetCheckExecutionRecordStatus
                row = self._check_row(entry, data, status.SUCCEEDED if data.passed else status.FAILED)
                of = data.target_materialization_data
                evaluated[entry.number] = row | {"materialization_event_storage_id": of.storage_id if of else None}
            else:
                others.append(entry)
        if planned:
            index.execute(AssetCheckExecutionsTable.insert(), planned)
        if evaluated:
            new = [{f"its_{name}": value for name, value in row.items()} for row in evaluated.values()]
            n_planned = index.execute(_EVALUATED, new).rowcount
            if n_planned == 0:  # As ever where the run is of partitions: those are planned, and the check isn't of one.
                index.execute(AssetCheckExecutionsTable.insert(), list(evaluated.values()))
            elif n_planned != len(evaluated):
                others += [entry for entry in written if entry.number in evaluated]
        for entry in others:
            self.store_asset_check_event(entry.event, entry.number)

    def _check_row(
        self,
        entry: "_Written",
        data: AssetCheckEvaluationPlanned | dg.AssetCheckEvaluation,
        status: AssetCheckExecutionRecordStatus,
    ) -> dict[str, Any]:
        """What Dagster's table of checks has of a check without partitions."""
        return {
            "asset_key": data.asset_key.to_string(),
            "check_name": data.check_name,
            "run_id": entry.event.run_id,
            "execution_status": status.value,
            "evaluation_event": entry.text,
            "evaluation_event_timestamp": datetime.fromtimestamp(entry.event.timestamp, UTC).replace(tzinfo=None),
            "evaluation_event_storage_id": entry.number,
        }

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
