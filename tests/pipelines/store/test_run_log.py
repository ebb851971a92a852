"""When a run has looked: kept in the store, or beside it where the store has to stay as it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.store import contributions, run_log
from pipelines.store.run_log import LoggedRun
from tests.support.databases import both_databases

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def one(minutes: int, kind: str = "unchanged") -> LoggedRun:
    return LoggedRun(NOW + timedelta(minutes=minutes), kind, "clean", 0, 0, "1.0")


@both_databases
def test_no_run_is_lost_and_none_is_there_twice(store_url: str, tmp_path: Path) -> None:
    """Also where a run was killed between taking the file and storing it, and where a line was cut off."""
    (tmp_path / ".mauwatch").mkdir(exist_ok=True)
    with contributions.open_store(store_url, tmp_path, create=True) as store:
        run_log.to_file(tmp_path, one(1))
        run_log.to_file(tmp_path, one(2))
        assert run_log.latest(store, tmp_path, 9) == [one(2), one(1)]
        assert run_log.latest(store, None, 9) == [], "whoever has the store alone doesn't see the file"
        run_log.append(store, tmp_path, one(3, "whole"))
        assert run_log.latest(store, None, 9) == [one(3, "whole"), one(2), one(1)]
        (tmp_path / run_log._TAKEN).write_text(f'{(tmp_path / run_log.FILE).name}\n{{"at": "2025-06')
        run_log.to_file(tmp_path, one(4))
        run_log.append(store, tmp_path, one(3, "whole"), one(5, "whole"))
        assert run_log.latest(store, tmp_path, 2) == [one(5, "whole"), one(4)]
        assert len(run_log.latest(store, None, 9)) == 4, "the taken file comes first; the other is the next run's"
        run_log.append(store, tmp_path, one(6, "whole"))
        assert len(run_log.latest(store, None, 9)) == 6


def test_a_run_that_cant_be_noted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of runs that made a run fail would be worse than none."""
    run_log.to_file(tmp_path / "nowhere", one(1))
    assert not run_log.has_many(tmp_path)
    (tmp_path / ".mauwatch").mkdir()
    monkeypatch.setattr(run_log, "MANY", 2)
    run_log.to_file(tmp_path, one(1))
    assert not run_log.has_many(tmp_path)
    run_log.to_file(tmp_path, one(2))
    assert run_log.has_many(tmp_path)
