"""Published is published: what is shown stands until a run, whatever lies in the directory, and what has changed is said."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from pipelines.evidence import write as evidence
from pipelines.figures import changes, query
from pipelines.figures.months import Months
from pipelines.forecasting import history
from pipelines.ingestion.collect import collect
from pipelines.licences import release_tests
from pipelines.licences.registry import from_directory
from pipelines.store import contributions, publications
from pipelines.store.contributions import ContributionStore
from pipelines.workflows.close import Signature, close_month
from pipelines.workspace import Workspace
from tests.support.command import answer, mauwatch
from tests.support.groups import NOW, entity, events, product
from tests.support.runs import go

Make = Callable[..., Path]
Change = Callable[[Path], object]
FEBRUARY = date(2025, 2, 1)
MARCH = date(2025, 3, 1)
"""Which Llama 4 tests."""
SOURCE = {"files": "seen-{day}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}
DRAFT = """entity: draft
owned_by: [{owner: parent, share: 1}]
products:
  - product: idea
    from: 2024-01-01
    active: {id: seen, meaning: was seen}
    sources: [{files: "none-{day}.parquet", time: at, identifiers: [{column: user, namespace: email}]}]
"""


def write_day(directory: Path, day: date, users: int) -> None:
    people = [(f"{day}T12:00:00Z", f"u{i}@example.com") for i in range(users)]
    events(people).write_parquet(directory / f"seen-{day}.parquet")


@pytest.fixture
def directory(make: Make) -> Path:
    """February and March 2025 of one product with 40 people, published by a run."""
    directory = make([entity("a", [product("app", **{"from": "2025-02-01", "to": "2025-04-01", "sources": [SOURCE]})])])
    for number in range(59):
        write_day(directory, FEBRUARY + timedelta(number), 40)
    go(directory)
    return directory


def look(directory: Path, question: Callable[[ContributionStore, Any], Any]) -> Any:
    """An answer from the store, with the group's manifests as they are now."""
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return question(store, group)


def changed(directory: Path) -> list[str]:
    """What has changed since March was published, under the first reading."""

    def ask(store: ContributionStore, group: Any) -> list[str]:
        reading = group.readings.readings[0]
        return changes.since_published(store, group, reading, publications.in_force(store, MARCH)[MARCH, reading.name])

    found: list[str] = look(directory, ask)
    return found


def edit(directory: Path, before: str, after: str) -> None:
    path = directory / "affiliates" / "a.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def add_draft(directory: Path) -> None:
    (directory / "affiliates" / "draft.yaml").write_text(DRAFT)


def add_a_day_that_no_run_published(directory: Path) -> None:
    write_day(directory, date(2025, 3, 31), 500)
    group = read_group(directory)
    with Workspace(directory, group, NOW) as workspace:
        for ref, of_group in group.products.items():
            collect(workspace, ref, of_group)


def count_internal_only(directory: Path) -> None:
    reading = "name: {0}, counts: {0}, audiences: [internal]"
    named = ", ".join(f"{{{reading.format(name)}}}" for name in ("unique_people", "summed_products"))
    (directory / "readings.yaml").write_text(f"readings: [{named}]\n")


CHANGES: dict[str, tuple[Change, str]] = {
    "a draft": (add_draft, "settings have changed: due now, and not counted then: draft/idea"),
    "a product that is gone": (lambda d: edit(d, "product: app", "product: other"), "counted then, and not due any more: a/app"),
    "settles_after": (lambda d: edit(d, "settles_after: 3", "settles_after: 5"), changes.OTHER_SETTINGS),
    "who counts": (lambda d: edit(d, "id: seen", "id: opened"), "a/app: 31 periods were computed under earlier settings"),
    "audiences": (count_internal_only, changes.OTHER_SETTINGS),
    "a contribution": (add_a_day_that_no_run_published, "1 contribution has come, of a/app"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_published_figures_stand_and_the_change_is_said(directory: Path, name: str) -> None:
    """A draft in the directory changed the published month's figures and licence tests without any run."""
    change, words = CHANGES[name]
    assert changed(directory) == []
    before = answer("measure", "--group", directory, "--month", "2025-03")
    licences = answer("licences", "--group", directory, "--licence", "llama-4")
    assert before["published"]["state"] == "preliminary"
    assert before["changed_since_published"] == []
    change(directory)
    after = answer("measure", "--group", directory, "--month", "2025-03")
    shown = {"changed_since_published": [], "data_findings": before["data_findings"]}  # What the data show is of today.
    assert {**after, **shown} == before
    assert any(words in text for text in after["changed_since_published"]), after["changed_since_published"]
    (tested,) = answer("licences", "--group", directory, "--licence", "llama-4")
    assert any(words in text for text in tested["changed_since_published"]), tested["changed_since_published"]
    assert {**tested, "changed_since_published": []} == licences[0]
    text = " ".join(mauwatch("measure", "--group", directory, "--month", "2025-03").stdout.split())
    assert "2025-03 is shown as it was published on" in text
    # Of what has to be computed again `--anew` shows nothing: the store has the contributions of before.
    anew = "`mauwatch measure --month 2025-03 --anew` measures with that, and `mauwatch run` publishes the month with it."
    assert (anew in text) == (name != "who counts")
    assert ("`mauwatch run` computes that, and publishes the month with it." in text) == (name == "who counts")


def test_the_namespaces_of_today_arent_said_of_yesterdays_figure(directory: Path) -> None:
    """Beside a signed lower bound stood a range that somebody wrote into group.yaml afterwards."""
    settings = directory / "group.yaml"
    text = settings.read_text()
    assert "identifiers_per_person: 1\n" in text
    settings.write_text(text.replace("identifiers_per_person: 1\n", "identifiers_per_person: [1, 4]\n", 1))
    for asked, words in (
        ((), "as group.yaml says now, and perhaps not when the figure was made: email [1, 4]."),
        (("--as-known-on", f"{NOW:%Y-%m-%d}"), "says now, and perhaps not when"),
        (("--anew",), "as group.yaml says: email [1, 4]."),
    ):
        done = mauwatch("measure", "--group", directory, "--month", "2025-03", *asked)
        assert words in " ".join(done.stdout.split()), done.stdout + done.stderr


def test_only_what_has_changed_is_said(directory: Path) -> None:
    """A list of all that may have changed would be read by nobody: with a draft alone, the draft alone is named."""
    add_draft(directory)
    assert changed(directory) == ["settings have changed: due now, and not counted then: draft/idea"]
    edit(directory, "settles_after: 3", "settles_after: 5")
    assert changed(directory) == [
        f"settings have changed: due now, and not counted then: draft/idea; another value of {changes.OTHER_SETTINGS}"
    ]


@pytest.mark.parametrize("name", ["a draft", "settles_after", "who counts", "a contribution"])
def test_a_run_takes_the_change_in(directory: Path, name: str) -> None:
    """What is said to have changed has to be gone after the run that it names."""
    CHANGES[name][0](directory)
    assert changed(directory)
    go(directory, NOW + timedelta(1))
    assert changed(directory) == []


def test_anew_is_by_what_is_there_now(directory: Path) -> None:
    """And says that nothing of it is published."""
    add_draft(directory)
    anew = answer("measure", "--group", directory, "--month", "2025-03", "--anew")
    assert anew["published"] is None
    assert anew["group"]["upper"] is None
    assert (
        "Not published: measured by what the store and the manifests have now."
        in mauwatch("measure", "--group", directory, "--month", "2025-03", "--anew").stdout
    )


def test_a_signed_month_stands_too(directory: Path) -> None:
    """Under a signature a draft's effect would be worse: licences were tested by other figures than the signed ones."""
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close_month(workspace, MARCH, Signature("Head of Finance"))
    add_draft(directory)
    (tested,) = answer("licences", "--group", directory, "--licence", "llama-4")
    assert tested["readings"]["unique_people"]["upper"] is not None
    (text,) = tested["changed_since_published"]
    assert text.startswith("2025-03 is shown as it was closed on")
    assert "`mauwatch close 2025-03 --by NAME --restates REASON` signs the month with it" in text


def test_a_month_that_no_run_published_is_measured_and_said(directory: Path) -> None:
    """Figures that nobody published would else look like those of a run."""
    write_day(directory, date(2025, 4, 1), 7)
    edit(directory, "2025-04-01", "2025-04-02")
    add_a_day_that_no_run_published(directory)
    found = answer("measure", "--group", directory, "--month", "2025-04")
    assert found["published"] is None
    april = date(2025, 4, 1)

    def texts(store: ContributionStore, group: Any) -> dict[date, list[str]]:
        months = Months(store, group)
        months.figures_of(april, group.readings.readings[0])
        return months.changed_since_published()

    (text,) = look(directory, texts)[april]
    assert text.startswith("2025-04 isn't published: ")


def test_dependencies_and_adoption_say_it(directory: Path) -> None:
    """They rest on the same months."""
    add_draft(directory)
    adoption = answer("licences", "--group", directory, "--adopt", "llama-4", "--product", "a/app")
    assert any("draft/idea" in text for text in adoption["changed_since_published"])
    assert adoption["findings"][0]["readings"]["unique_people"]["upper"] is not None


def test_evidence_is_of_what_is_published(directory: Path, tmp_path: Path) -> None:
    """A bundle under other settings than its figures' would fail whoever makes the figures anew: it is refused."""
    add_draft(directory)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        licence = next(known for known in release_tests.releases(from_directory(directory)) if known.id == "llama-4")
        with pytest.raises(RefusedError, match="has changed since") as refused:
            evidence.write(workspace, licence, tmp_path / "evidence", evidence.Filing(("outside",)), lambda contents, now: b"")
    assert "draft/idea" in refused.value.refusals[0].values


def test_a_forecast_rests_on_what_is_published(directory: Path) -> None:
    """A draft from March on would be an affiliate that joins: a step that is no growth, in figures without that affiliate."""

    def series(store: ContributionStore, group: Any) -> Any:
        return history.read_series(store, group, group.readings.readings[0])

    before = look(directory, series)
    add_draft(directory)
    path = directory / "affiliates" / "draft.yaml"
    path.write_text(path.read_text().replace("2024-01-01", "2025-03-01"))
    after = look(directory, series)
    assert after.points == before.points
    assert (before.notes, [note[:50] for note in after.notes]) == ((), ["settings have changed since 1 of the months were p"])


def test_another_days_group_is_measured_by_what_was_there(directory: Path) -> None:
    """An affiliate that joins between the month's end and the release: no figure of that group is published."""
    (directory / "readings.yaml").write_text(
        "readings: [{name: unique_people, counts: unique_people, membership: release_date}]\n"
    )
    go(directory, NOW + timedelta(1))
    (directory / "affiliates" / "b.yaml").write_text(
        DRAFT.replace("draft", "b").replace("share: 1", "share: 1, from: 2025-04-03").replace("none-", "seen-")
    )
    (tested,) = answer("licences", "--group", directory, "--licence", "llama-4")
    assert tested["readings"]["unique_people"]["upper"] is None  # The joined product has contributed nothing.


def test_the_rows_of_a_publication_are_shown_digit_by_digit(directory: Path) -> None:
    """Read and not measured again: another build's arithmetic mustn't move what was published."""

    def ask(store: ContributionStore, group: Any) -> tuple[Any, Any]:
        reading = group.readings.readings[0]
        shown, publication = query.figures_of_month(store, group, MARCH, reading)
        assert publication is not None
        return shown.group.to_dict(), publications.figures_of(store, publication.id)[0]

    shown, row = look(directory, ask)
    assert [shown[name] for name in ("estimate", "lower", "upper")] == [row[name] for name in ("estimate", "lower", "upper")]
    assert json.dumps(shown)
    assert pl.read_parquet(directory / "seen-2025-03-31.parquet").height == shown["estimate"]
