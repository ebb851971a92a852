"""Dagster's SQLite files below a folder of any name.

Dagster joins a file's path to a URL as it stands. SQLAlchemy takes a `?` in it for the begin of options, and `%2F` for a slash:
the files would be made in other folders, or not at all. Whoever names a storage of this module has the paths quoted.
"""

import os
from typing import Any
from urllib.parse import quote

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

__all__ = ["SqliteFiles", "SqliteRunStorage", "SqliteScheduleStorage", "quoted_url", "url_differs"]


def quoted_url(base_dir: str, db_name: str) -> str:
    """The URL of the file `db_name`.db in a folder."""
    return f"sqlite:///{quote(os.path.join(os.path.abspath(base_dir), f'{db_name}.db'))}"


def url_differs(base_dir: str) -> bool:
    """Whether a folder's path has a sign that means something else in a URL."""
    path = os.path.abspath(base_dir)
    return quote(path) != path


# Two of the storages open their file in a class method, which takes the URL from this function alone.
for _module in (sqlite_run_storage, sqlite_schedule_storage, sqlite_event_log):
    _module.create_db_conn_string = quoted_url  # type: ignore[attr-defined]


class SqliteFiles(DagsterSqliteStorage):
    """All three of Dagster's storages; `dagster.yaml` names this class where the folder's path has to be quoted."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "SqliteFiles":
        """The storage that `dagster.yaml` describes."""
        return cls.from_local(inst_data=inst_data, **config_value)
