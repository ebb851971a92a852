"""Scenarios in the store: kept as they were run, and seen by nobody whom the owner didn't let see them."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from affiliates.errors import Code, RefusedError
from pipelines.store import contributions, scenarios, schema
from pipelines.store.engine import Store
from pipelines.store.scenarios import KeptScenario, NewScenario, Reference
from tests.support.databases import both_databases, rows_of
from tests.support.groups import NOW

INPUTS = {"definition": "d1", "figure": "f1", "manifests": "m1", "contributions": {"target.parquet": "c1"}}
TABLES = ("scenarios", "scenario_access")


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
    with contributions.open_store(store_url, tmp_path, create=True) as opened:
        yield opened


def new(owner: str = "ann", name: str = "apple", answer: str = '{"headline": "up"}', **inputs: object) -> NewScenario:
    return NewScenario(owner, name, json.dumps({"scenario": name}), "/files", json.dumps(INPUTS | inputs), answer, "0.1.0")


def refused_with(error: pytest.ExceptionInfo[RefusedError]) -> tuple[Code, str]:
    return error.value.refusals[0].code, str(error.value)


def rows(store: Store) -> list[int]:
    with store.reading() as connection:
        return [connection.scalar(sa.select(sa.func.count()).select_from(schema.metadata.tables[name])) or 0 for name in TABLES]


@both_databases
def test_a_scenario_is_read_as_it_was_kept(store: Store) -> None:
    kept = scenarios.keep(store, new(), NOW)
    assert kept == scenarios.read(store, "ann", Reference("apple"))
    assert (kept.version, kept.known_at, kept.definition, kept.folder) == (1, NOW, '{"scenario": "apple"}', "/files")
    assert json.loads(kept.inputs) == INPUTS


@both_databases
def test_a_number_shows_what_its_asker_may_see(store: Store) -> None:
    """Addresses of pages have numbers that anybody can count up: another's says what an absent one says."""
    kept = scenarios.keep(store, new(), NOW)
    assert scenarios.read_number(store, "ann", kept.id) == kept
    refusals = []
    for number in (kept.id, kept.id + 1, 999_999_999_999_999_999):
        with pytest.raises(RefusedError) as error:
            scenarios.read_number(store, "bob", number)
        refusals.append(refused_with(error))
    assert len(set(refusals)) == 1
    scenarios.grant(store, "ann", Reference("apple"), "bob", NOW)
    assert scenarios.read_number(store, "bob", kept.id) == kept


@both_databases
def test_whoever_may_not_see_a_scenario_learns_nothing_of_it(store: Store) -> None:
    """A refusal that differs from that of a name nobody has would say that somebody plans a deal of this name."""
    scenarios.keep(store, new(), NOW)
    scenarios.grant(store, "ann", Reference("apple"), "cleo", NOW)
    attempts: list[Callable[[str], object]] = [
        lambda name: scenarios.read(store, "bob", Reference(name)),
        lambda name: scenarios.read(store, "bob", Reference(name, "ann")),
        lambda name: scenarios.read(store, "bob", Reference(name, "ann", 1)),
        lambda name: scenarios.grant(store, "bob", Reference(name), "bob", NOW),
        lambda name: scenarios.grant(store, "bob", Reference(name, "ann"), "bob", NOW),
        lambda name: scenarios.revoke(store, "bob", Reference(name, "ann"), "cleo", NOW),
    ]
    for attempt in attempts:
        with pytest.raises(RefusedError) as there:
            attempt("apple")
        with pytest.raises(RefusedError) as nowhere:
            attempt("pear")
        assert refused_with(there) == refused_with(nowhere)
        assert refused_with(there)[0] == Code.SCENARIO_UNKNOWN
    assert scenarios.listed(store, "bob") == []
    assert scenarios.newest_of(store, "bob", "apple") is None
    kept = scenarios.read(store, "ann", Reference("apple"))
    assert scenarios.shared_with(store, "bob", kept) == []
    assert scenarios.shared_with(store, "cleo", kept) == [], "whoever may see a scenario needn't know who else may"
    assert scenarios.shared_with(store, "ann", kept) == ["cleo"]


@both_databases
def test_people_see_what_they_are_let_see_and_no_more(store: Store) -> None:
    first = scenarios.keep(store, new(), NOW)
    second = scenarios.keep(store, new(figure="f2"), NOW, again=True)
    other = scenarios.keep(store, new(name="pear"), NOW)
    assert [kept.version for kept in (first, second, other)] == [1, 2, 1]
    scenarios.grant(store, "ann", Reference("apple", version=1), "bob", NOW)
    assert scenarios.listed(store, "bob") == [first]
    assert scenarios.read(store, "bob", Reference("apple")) == first, "the newest that bob may see"
    assert scenarios.read(store, "ann", Reference("apple")) == second
    with pytest.raises(RefusedError):
        scenarios.read(store, "bob", Reference("apple", version=2))
    scenarios.grant(store, "ann", Reference("apple"), "bob", NOW)
    assert scenarios.listed(store, "bob") == [second, first]
    third = scenarios.keep(store, new(figure="f3"), NOW, again=True)
    assert scenarios.listed(store, "bob") == [second, first], "what comes later isn't shared unasked"
    assert scenarios.listed(store, "ann") == [third, other, second, first]
    assert scenarios.revoke(store, "ann", Reference("apple"), "bob", NOW) == [first, second]
    assert scenarios.listed(store, "bob") == []
    assert scenarios.shared_with(store, "ann", first) == []
    scenarios.grant(store, "ann", Reference("apple", version=1), "bob", NOW)
    assert scenarios.listed(store, "bob") == [first], "granted again after it was revoked"


@both_databases
def test_only_the_owner_lets_others_see_a_scenario(store: Store) -> None:
    scenarios.keep(store, new(), NOW)
    scenarios.grant(store, "ann", Reference("apple"), "bob", NOW)
    before = rows(store)
    for wanted in (Reference("apple"), Reference("apple", "ann")):
        with pytest.raises(RefusedError) as error:
            scenarios.grant(store, "bob", wanted, "cleo", NOW)
        assert refused_with(error)[0] == Code.SCENARIO_NOT_YOURS
        with pytest.raises(RefusedError) as error:
            scenarios.revoke(store, "bob", wanted, "bob", NOW)
        assert refused_with(error)[0] == Code.SCENARIO_NOT_YOURS
    assert rows(store) == before
    assert scenarios.listed(store, "cleo") == []


@both_databases
def test_what_was_run_is_never_changed(store: Store) -> None:
    """Else two people would speak of two answers by one name."""
    first = scenarios.keep(store, new(), NOW)
    assert scenarios.keep(store, new(), NOW + timedelta(1)) == first, "the same again is the same"
    with pytest.raises(RefusedError) as error:
        scenarios.keep(store, new(definition="d2"), NOW)
    assert refused_with(error)[0] == Code.SCENARIO_KEPT
    with pytest.raises(RefusedError) as error:
        scenarios.keep(store, new(figure="f2", contributions={"target.parquet": "c2"}), NOW)
    code, text = refused_with(error)
    assert code == Code.SCENARIO_INPUTS_CHANGED
    assert "the group's figures of the base month, a contribution of a target" in text
    assert "apple" not in text
    assert rows(store) == [1, 0]
    second = scenarios.keep(store, new(definition="d2"), NOW, again=True)
    assert scenarios.keep(store, new(definition="d2"), NOW, again=True) == second, "said again, it is kept once"
    assert scenarios.read(store, "ann", Reference("apple", version=1)) == first
    assert rows(store) == [2, 0]


@both_databases
def test_names_are_each_persons_own(store: Store) -> None:
    """A name that is refused because somebody else has it would say that somebody has it."""
    hers = scenarios.keep(store, new("ann"), NOW)
    his = scenarios.keep(store, new("bob", answer='{"headline": "down"}'), NOW)
    scenarios.grant(store, "ann", Reference("apple"), "bob", NOW)
    assert scenarios.read(store, "bob", Reference("apple")) == his
    assert scenarios.read(store, "bob", Reference("apple", "ann")) == hers
    assert {kept.reference("bob") for kept in scenarios.listed(store, "bob")} == {"apple@1", "ann/apple@1"}
    for kept in scenarios.listed(store, "bob"):
        assert scenarios.read(store, "bob", Reference.parse(kept.reference("bob"))) == kept
    scenarios.grant(store, "ann", Reference("apple"), "cleo", NOW)
    scenarios.grant(store, "bob", Reference("apple"), "cleo", NOW)
    with pytest.raises(RefusedError, match=r"several people let you see one of this name \(ann, bob\)"):
        scenarios.read(store, "cleo", Reference("apple"))
    assert scenarios.read(store, "cleo", Reference("apple", "bob")) == his


@both_databases
def test_an_answer_that_was_changed_in_the_database_is_refused(store: Store) -> None:
    scenarios.keep(store, new(), NOW)
    with store.writing() as connection:
        connection.execute(schema.scenarios.update().values(answer='{"headline": "all is well"}'))
    for attempt in (lambda: scenarios.listed(store, "ann"), lambda: scenarios.read(store, "ann", Reference("apple"))):
        with pytest.raises(RefusedError) as error:
            attempt()
        assert refused_with(error)[0] == Code.STORE_DAMAGED


@pytest.mark.parametrize("text", ["", "/", "A", "a@", "a@x", "@1", "ann/", "a@1234567", "a\n"])
def test_what_names_no_scenario_is_refused_as_an_unknown_one(text: str) -> None:
    with pytest.raises(RefusedError) as error:
        Reference.parse(text)
    assert refused_with(error)[0] == Code.SCENARIO_UNKNOWN


def test_a_reference_names_owner_and_version() -> None:
    assert Reference.parse("apple") == Reference("apple", None, None)
    assert Reference.parse("example.com/ann/apple") == Reference("apple", "example.com/ann")
    assert Reference.parse("ann/apple@12") == Reference("apple", "ann", 12)


@both_databases
def test_nothing_else_of_the_store_changes(store: Store, store_url: str, tmp_path: Path) -> None:
    """A ledger entry of a scenario would be in every month's evidence."""
    before = rows_of(store_url, tmp_path)
    scenarios.keep(store, new(), NOW)
    scenarios.grant(store, "ann", Reference("apple"), "bob", NOW)
    after = rows_of(store_url, tmp_path)
    assert {name for name in after if after[name] != before[name]} == set(TABLES)


def test_a_program_of_another_version_is_an_input() -> None:
    kept = KeptScenario(1, "ann", "apple", 1, "", "", json.dumps(INPUTS), "{}", "", "0.1.0", NOW)
    assert scenarios.changed_inputs(kept, json.dumps(INPUTS), "0.1.0") == []
    assert scenarios.changed_inputs(kept, json.dumps(INPUTS), "0.2.0") == ["mauwatch (0.1.0, now 0.2.0)"]
    assert scenarios.changed_inputs(kept, json.dumps(INPUTS | {"weather": 1}), "0.2.0") == ["weather"]
