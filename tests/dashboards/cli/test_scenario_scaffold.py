"""The scenario that `whatif new` writes: it is read as it is, and so is each change and line that it offers."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from affiliates.manifests.product import ProductRef
from dashboards.cli import scenario_scaffold
from dashboards.cli.scenario_scaffold import Facts
from pipelines.scenarios.changes import KINDS, Acquire
from pipelines.scenarios.definition import Definition, read_definition

FACTS = Facts(
    "Acme", date(2026, 10, 1), 612_345_678, "broad", ["narrow"], [ProductRef("shop", "app")], ("shop", "parent")
)  # fmt: skip


def read(text: str, folder: Path) -> Definition:
    file = folder / "deal.yaml"
    file.write_text(text, encoding="utf-8")
    return read_definition(file)


@pytest.mark.parametrize("people", [0, 1, 7, 99, 612_345_678, 99_999_999_999])
@pytest.mark.parametrize("holder", [None, ("shop", "parent")])
def test_it_is_read_as_it_is(people: int, holder: tuple[str, str] | None, tmp_path: Path) -> None:
    """Of a small group, a tenth is nobody, and nobody can't be bought."""
    definition = read(scenario_scaffold.scenario(replace(FACTS, people=people, holder=holder)), tmp_path)
    (change,) = definition.changes
    assert isinstance(change, Acquire)
    assert change.users is not None
    assert change.users.low is not None
    assert change.users.low >= 1
    assert (definition.month, definition.reading) == (date(2026, 10, 1), "broad")


def test_every_change_that_it_offers_is_read(tmp_path: Path) -> None:
    """An example that is refused teaches somebody that the file can't say this."""
    text = scenario_scaffold.scenario(FACTS)
    offered = re.sub(r"^#(?=  [- ] )", "", text, flags=re.MULTILINE)
    kinds = {change.kind for change in read(offered, tmp_path).changes}
    assert kinds == set(KINDS) - {"reading", "threshold", "clause"}


def test_every_other_line_that_it_offers_is_read(tmp_path: Path) -> None:
    text = scenario_scaffold.scenario(FACTS)
    offered = re.findall(r"^( *)# ((?:overlap|people_per_unit|models|threshold|note): .*)$", text, re.MULTILINE)
    assert len(offered) == 7
    for indent, line in offered:
        key = line.partition(":")[0]
        # In the place of the line with the same key, where there is one.
        without = re.sub(rf"^{indent}{key}: .*\n", "", text, flags=re.MULTILINE)
        changed = without.replace(f"{indent}# {line}", f"{indent}{line}")
        if key == "people_per_unit":
            changed = changed.replace("unit: people", "unit: accounts")
        assert read(changed, tmp_path)


def test_other_readings_are_named() -> None:
    assert "# readings.yaml also has narrow" in scenario_scaffold.scenario(FACTS)
    assert "also has" not in scenario_scaffold.scenario(replace(FACTS, other_readings=[]))
