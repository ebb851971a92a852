"""The adoption check's answer: a product that is called cleared and isn't would be used without a licence."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from dashboards.cli.main import app
from pipelines.figures.months import Months
from pipelines.licences import adoption, dependencies, grants
from pipelines.licences.adoption import AdoptionCheck
from pipelines.licences.registry import from_directory
from pipelines.store import contributions
from pipelines.workflows.run import run
from tests.support.groups import Manifests, entity, product

LINE = 700_000_000
TODAY = date(2025, 6, 1)
Make = Callable[..., Path]
RECORD = "of_record: [{reading: people, adopted_by: Counsel, from: 2025-01-01}]\n"
GRANT = {"id": "meta-1", "licences": ["llama-4"], "licensee": "parent", "from": "2025-05-10", "document": {"name": "letter 9"}}


def counted(name: str, users: int, *models: Manifests, **more: Any) -> Manifests:
    """A product with these users in March and May 2025, by count."""
    counts = [
        {"month": month, "users": users, "unit": "people", "document": "report", "attested_by": "CFO"}
        for month in ("2025-03", "2025-05")
    ]
    return product(name, sources=[], counts=counts, models=list(models), **{"from": "2023-01-01"}, **more)


def use(**changes: Any) -> Manifests:
    return {"model": "llama-4", "from": "2025-04-10", "hosted_by": "self", **changes}


def prepared(make: Make, products: list[Manifests], record: str = RECORD, **more: Any) -> Path:
    directory = make([entity("a", products)], lg_k=14)
    readings = "readings: [{name: people, counts: unique_people}, {name: sum, counts: summed_products}]\n"
    (directory / "readings.yaml").write_text(readings + record)
    (directory / "grants.yaml").write_text(yaml.safe_dump(more))
    (directory / "alerts.yaml").write_text("owners: {a/chat: Head of Chat}\nlead_times: {licence_request: 90, migration: 180}\n")
    run(directory, read_group(directory), datetime(2025, 6, 1, 12, tzinfo=UTC))
    return directory


def checked(directory: Path, name: str, version: str = "llama-4", today: date = TODAY) -> AdoptionCheck:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return adoption.check(Months(store, group), from_directory(directory), version, name, today)


META = "Meta Platforms, Inc. (Meta Platforms Ireland Ltd for EEA/Switzerland)"


@pytest.mark.parametrize(
    ("users", "record", "cleared", "answer"),
    [
        ((400_000_000, 364_000_000), RECORD, False,
         f"Not cleared under the reading of record, people: ask {META} before use, or bring the upper bound down by 64,000,000 "
         "to 700,000,000 (mau, 2025-03)."),
        ((400_000_000, 300_000_000), RECORD, True,
         "Cleared under the reading of record, people: mau finds at most 700,000,000 people in 2025-03, 0 below the threshold."),
        ((LINE + 5, 1), RECORD, False,
         f"Not cleared under the reading of record, people: ask {META} before use: at least 700,000,005 people in 2025-03, "
         "5 above the 700,000,000 of mau."),
        ((400_000_000, 364_000_000), "", False,
         f"Not cleared under all readings (people and sum), for none is of record: ask {META} before use, or bring the upper "
         f"bound down by 64,000,000 to 700,000,000 (mau, 2025-03); ask {META} before use: at least 764,000,000 people in "
         "2025-03, 64,000,000 above the 700,000,000 of mau."),
    ],
)  # fmt: skip
def test_the_answer_is_a_sentence(make: Make, users: tuple[int, int], record: str, cleared: bool, answer: str) -> None:
    directory = prepared(make, [counted("chat", users[0]), counted("maps", users[1])], record)
    check = checked(directory, "a/chat")
    assert (check.clearance.cleared, check.clearance.answer) == (cleared, answer)


def test_no_upper_bound_is_said_and_never_cleared(make: Make) -> None:
    """While a product is missing there is nothing to bring down: what is missing has to come first."""
    directory = prepared(make, [counted("chat", 5), product("new", sources=[], **{"from": "2023-01-01"})])
    check = checked(directory, "a/chat")
    assert check.clearance.cleared is False
    assert "or get the upper bound that is missing, of 700,000,000 or less (mau, 2025-03)" in check.clearance.answer
    assert any(item.what.startswith("or bring a/new: 31 of 31 days") for item in check.clearance.to_do)


def test_what_is_to_do_names_whom_and_by_when(make: Make) -> None:
    products = [counted("chat", 400_000_000), counted("maps", 364_000_000, use(**{"from": "2025-12-01"}))]
    directory = prepared(make, products)
    planned = {item.what.partition(" ")[0]: item for item in checked(directory, "a/maps").clearance.to_do}
    assert planned["ask"].whom == f"{META}; no address of it is known here"
    assert planned["ask"].by == "2025-09-02, 90 days before the first use"
    assert planned["have"].what == "have llama-4 accepted for a, and note it in grants.yaml: `accepted`"
    todo = checked(directory, "a/chat").clearance.to_do
    assert {item.by for item in todo if item.what.startswith("ask")} == {"90 days before the first use"}
    assert [item.whom for item in todo if "`models`" in item.what] == ["Head of Chat"]
    assert any(
        "Head of Chat" in item.whom for item in todo if item.what.startswith("or bring ") and "sketches of a/chat" in item.what
    )
    baichuan = checked(directory, "a/chat", "baichuan2").clearance.to_do
    assert any(item.whom == "Baichuan: by e-mail, as its README says (github.com/baichuan-inc/Baichuan2)" for item in baichuan)


@pytest.mark.parametrize(
    ("uses", "granted", "days"),
    [
        ([use()], [GRANT], [("2025-04-10", "2025-05-09")]),
        ([use()], [], [("2025-04-10", "2025-06-01")]),
        ([use()], [GRANT | {"from": "2025-04-10"}], []),
        ([use()], [GRANT | {"from": "2025-04-01", "to": "2025-05-01"}, GRANT | {"id": "meta-2"}], [("2025-05-01", "2025-05-09")]),
        ([use(to="2025-04-20"), use(**{"from": "2025-05-20"})], [], [("2025-04-10", "2025-04-19"), ("2025-05-20", "2025-06-01")]),
        ([use(to="2025-04-20"), use(**{"from": "2025-04-20", "to": "2025-05-01"})], [], [("2025-04-10", "2025-04-30")]),
        ([use(**{"from": "2025-06-02"})], [], []),
        ([use()], [GRANT | {"licences": ["llama-3"], "from": "2025-04-01"}], [("2025-04-10", "2025-06-01")]),
    ],
)
def test_days_of_use_without_a_grant(
    make: Make, uses: list[Manifests], granted: list[Manifests], days: list[tuple[str, str]]
) -> None:
    """A month of use before the grant began is what the licensor will ask about, though all is granted today."""
    directory = prepared(make, [counted("chat", LINE + 1, *uses)], grants=granted)
    group = read_group(directory)
    ungranted = grants.days_without_grant(group, "llama-4", next(iter(group.products)), TODAY)
    assert [(f"{first}", f"{last}") for first, last in ungranted] == days
    todo = checked(directory, "a/chat").clearance.to_do
    said = [item.what for item in todo if "without a grant" in item.what]
    assert len(said) == len(days)
    assert all(day in what for (day, _), what in zip(days, said, strict=True))
    with contributions.open_store(group.settings.store, directory) as store:
        found = dependencies.find_dependencies(Months(store, group), from_directory(directory), TODAY)
    assert [len(dependency.without_grant) for dependency in found.uses] in ([len(days)], [])


def test_a_use_that_the_text_allows_needs_no_grant(make: Make) -> None:
    directory = prepared(make, [counted("chat", 5, use())])
    check = checked(directory, "a/chat")
    assert check.clearance.cleared
    assert not any("grant" in item.what and "without" in item.what for item in check.clearance.to_do)


def test_the_command_says_it_and_drafts_the_letter(make: Make, tmp_path: Path) -> None:
    """The sentence stands first; the letter has the clause, the request and nobody's signature, and is never written over."""
    directory = prepared(make, [counted("chat", 400_000_000), counted("maps", 364_000_000)])
    path = tmp_path / "letter.txt"
    command = ["licences", "--adopt", "llama-4", "--product", "a/chat", "--group", str(directory)]
    done = CliRunner().invoke(app, [*command, "--letter", str(path)], catch_exceptions=False)
    assert done.output.startswith("Not cleared under the reading of record, people: ask Meta Platforms")
    assert f"{path}: a draft" in " ".join(done.output.split())
    letter = " ".join(path.read_text().split())
    for text in (
        "DRAFT, not sent.",
        f"To: {META}",
        "Request for a licence under section 2 (Additional Commercial Terms) of the Llama 4 Community License ",
        "“If, on the Llama 4 version release date,",
        "we count at least 400,000,000 monthly active users, and at most 764,000,000. The clause names 700,000,000.",
        "a, of our group, intends to use llama-4 in its product chat (a/chat) from [day] on, hosted by [whom].",
    ):
        assert text in letter, text
    assert path.stat().st_mode & 0o077 == 0, "a draft of counsel's is nobody else's"
    with pytest.raises(RefusedError, match="is there already"):
        CliRunner().invoke(app, [*command, "--letter", str(path)], catch_exceptions=False)
    answer = json.loads(CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False).output)
    assert answer["cleared"] is False
    assert answer["answer"].startswith("Not cleared")
    assert set(answer["to_do"][0]) == {"what", "whom", "by"}
    assert CliRunner().invoke(app, ["licences", "--letter", str(path), "--group", str(directory)]).exit_code == 2


def test_each_reading_says_what_would_settle_it(make: Make) -> None:
    """Two readings that are open for different causes: a line without its reading would be read as said of both."""
    card = {"users": 900_000_000, "unit": "cards", "document": "register", "attested_by": "COO", "from": "2023-01-01"}
    products = [counted("chat", 400_000_000), counted("maps", 10_000_000), product("kiosk", sources=[], ceilings=[card])]
    directory = prepared(make, products)
    done = CliRunner().invoke(app, ["licences", "--licence", "llama-4", "--group", str(directory)], catch_exceptions=False)
    text = " ".join(done.output.split())
    for reading, rise in (("people", 300_000_001), ("sum", 290_000_001)):
        fall = "for `under` the upper bound must come down by 610,000,000, to 700,000,000"
        assert f"llama-4 by {reading}: {fall}; for `over` the lower bound must rise by {rise:,}" in text
