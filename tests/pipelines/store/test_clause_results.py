"""Results of clauses: the last one of a test is in force, the same again adds none, and a test that is gone doesn't stand."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.store import clause_results, contributions
from pipelines.store.clause_results import KEY
from tests.support.databases import both_databases, rows_of

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def row(**changes: Any) -> dict[str, Any]:
    about = dict(zip(KEY, ("kimi-k2", "mau", "a", "a/app", "unique_people"), strict=True))
    numbers = {"month": date(2025, 5, 1), "threshold": 100, "comparator": "gt", "estimate": 90, "lower": 80, "upper": 95}
    texts = {"settled_by": "", "settling": None, "why": "", "by_month": "{}"}
    result = {"result": "under", "without_grants": None, "of_record": True, "complete": True, "known_at": NOW}
    return about | numbers | texts | result | changes


@both_databases
def test_the_last_result_is_in_force(store_url: str, tmp_path: Path) -> None:
    with contributions.open_store(store_url, tmp_path, create=True) as store:
        assert clause_results.append(store, [row(), row(product="a/other")], whole=True) == 2
        later = NOW + timedelta(hours=1)
        assert clause_results.append(store, [row(known_at=later), row(product="a/other", known_at=later)], whole=True) == 0
        assert clause_results.append(store, [row(result="over", lower=101, known_at=later)]) == 1
        in_force = {found["product"]: found["result"] for found in clause_results.current(store)}
        assert in_force == {"a/app": "over", "a/other": "under"}
        key = [row()[name] for name in KEY]
        assert [found["result"] for found in clause_results.history(store, key)] == ["over", "under"]


def test_a_test_that_isnt_made_any_more_doesnt_stand(tmp_path: Path) -> None:
    """A product that uses the model no more would stand as `over` for good."""
    with contributions.open_store("sqlite:///store.sqlite", tmp_path, create=True) as store:
        clause_results.append(store, [row(), row(product="a/other")], whole=True)
        later = NOW + timedelta(hours=1)
        clause_results.append(store, [row(known_at=later)], whole=True)
        assert [found["product"] for found in clause_results.current(store)] == ["a/app"]
        clause_results.append(store, [row(known_at=later), row(product="a/other", known_at=later)], whole=True)
        assert len(clause_results.current(store)) == 2
    gone = [found for found in rows_of("sqlite:///store.sqlite", tmp_path)["clause_results"] if found["result"] is None]
    assert [(found["product"], found["upper"], found["month"]) for found in gone] == [("a/other", None, date(2025, 5, 1))]


@pytest.mark.parametrize(("hours", "stored"), [(-48, 1), (0, 0)])
def test_a_result_of_a_moment_to_come_is_stored_again(tmp_path: Path, hours: int, stored: int) -> None:
    """A clock that was ahead would else say for good since when a result stands."""
    with contributions.open_store("sqlite:///store.sqlite", tmp_path, create=True) as store:
        clause_results.append(store, [row()])
        assert clause_results.append(store, [row(known_at=NOW + timedelta(hours=hours))]) == stored
