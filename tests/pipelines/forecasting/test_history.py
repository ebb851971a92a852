"""The group's own months as a series: what isn't a whole month, and what changed but people."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from pipelines.figures.comparability import Basis, breaks
from pipelines.forecasting import history
from pipelines.forecasting.series import Series
from pipelines.store import contributions, schema
from pipelines.workflows import close
from pipelines.workflows.close import Signature
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.groups import entity, events, product, source

Make = Callable[..., Path]
NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
MONTHS = [date(2025, m, 1) for m in range(1, 7)]


def write_events(directory: Path, users: Sequence[int]) -> None:
    """So many users in each month, all on its 10th."""
    seen = [
        (f"{month:%Y-%m}-10T12:00:00Z", f"u{n}@example.com")
        for month, some in zip(MONTHS, users, strict=True)
        for n in range(some)
    ]
    events(seen).write_parquet(directory / "events.parquet")


def half_a_year(**changes: Any) -> dict[str, Any]:
    files = source(complete_through="2025-06-30")
    return product(**{"to": "2025-07-01", "grain": "month", "sources": [files], **changes})


USERS = [100, 120, 140, 160, 180, 200]


@pytest.fixture
def directory(make: Make) -> Path:
    """Half a year of one product: 20 people more each month."""
    group_directory = make([entity("a", [half_a_year()])])
    write_events(group_directory, USERS)
    return group_directory


def series(directory: Path, now: datetime = NOW, number: int = 0) -> Series:
    group = read_group(directory)
    run(directory, group, now)
    with contributions.open_store(group.settings.store, directory) as store:
        return history.read_series(store, group, group.readings.readings[number])


def broken(months: Series) -> dict[str, str]:
    return {months.label(p.number): p.break_ for p in months.points if p.break_}


def test_months_as_they_were_published(directory: Path) -> None:
    """Each published month is a point with its bounds; none is taken for a break, or left out."""
    months = series(directory)
    assert [p.value for p in months.points] == USERS
    assert months.label(months.newest.number) == "2025-06"
    assert all(p.lower is not None and p.upper is not None and p.lower <= (p.value or 0) <= p.upper for p in months.points)
    assert (broken(months), months.left_out, months.months) == ({}, (), 1)


def test_a_month_with_a_gap_is_left_out_by_name(directory: Path) -> None:
    """Days that never came would be a fall; taken with a smaller number the month would hide a crossing. Half a month isn't
    the newest figure either."""
    path = directory / "affiliates" / "a.yaml"
    path.write_text(path.read_text().replace("2025-06-30", "2025-05-19").replace("grain: month", "grain: day"))
    months = series(directory)
    assert [p.value for p in months.points] == USERS[:4]
    assert [label.partition(":")[0] for label in months.left_out] == ["2025-05"]
    assert months.left_out[0].startswith("2025-05: a/app: 12 of 31 days (2025-05-20 to 2025-05-31) missing")


def test_a_month_of_nobody_or_of_nothing_is_said(directory: Path) -> None:
    """From zero there is no growth, and a month that nobody published isn't one without people."""
    write_events(directory, [100, 0, 140, 160, 180, 200])
    months = series(directory)
    assert [p.value for p in months.points] == [100, None, *USERS[2:]]
    assert months.left_out == ("2025-02: nobody was counted",)


def test_one_month_is_no_series(make: Make) -> None:
    """A forecast from one month would be a guess with an interval."""
    group_directory = make([entity("a", [half_a_year(to="2025-02-01")])])
    write_events(group_directory, [9, 0, 0, 0, 0, 0])
    with pytest.raises(RefusedError, match="at least two published months"):
        series(group_directory)


def test_another_definition_is_no_growth(directory: Path) -> None:
    """Who counts was changed in May, and from then on fewer do."""
    series(directory)
    path = directory / "affiliates" / "a.yaml"
    path.write_text(path.read_text().replace("id: seen", "id: opened"))
    group = read_group(directory)
    run(directory, group, NOW, date(2025, 5, 1), date(2025, 6, 30))
    with contributions.open_store(group.settings.store, directory) as store:
        months = history.read_series(store, group, group.readings.readings[0])
    assert broken(months) == {"2025-05": "2025-05: another definition of a/app"}


def test_an_affiliate_that_joins_or_leaves_is_no_growth(directory: Path) -> None:
    """Bought people are the group's, and say nothing of how it grows."""
    owned = [{"owner": "parent", "share": 1, "from": "2025-03-10", "to": "2025-06-01"}]
    bought = entity("b", [half_a_year(sources=None, counts=[
        {"month": f"{m:%Y-%m}", "users": 50, "unit": "people", "document": "report", "attested_by": "CFO"} for m in MONTHS
    ])], owned_by=owned)  # fmt: skip
    group_of_two = {"parent": {"entity": "parent"}, "b": bought}
    for name, manifest in group_of_two.items():
        (directory / "affiliates" / f"{name}.yaml").write_text(str(manifest).replace("None", "null"))
    months = series(directory)
    counted = "counts stand in for others than before (b/app)"
    assert broken(months) == {
        "2025-03": f"2025-03: b joined the group; {counted}",
        "2025-06": f"2025-06: b left the group; {counted}",
    }
    assert months.notes == ("from 2025-03: counts or ceilings stand in for b/app",)


def test_a_restated_month_is_a_step_on_both_sides(directory: Path) -> None:
    """Its neighbours are as they were first measured."""
    series(directory)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close.close_month(workspace, MONTHS[2], Signature("Head of Finance", "as it is"))
    write_events(directory, [100, 120, 150, 160, 180, 200])
    run(directory, read_group(directory), NOW + timedelta(1), MONTHS[2], date(2025, 3, 31))
    with Workspace(directory, read_group(directory), NOW + timedelta(1)) as workspace:
        close.close_month(workspace, MONTHS[2], Signature("Head of Finance", "as it is", "events came late"))
    months = series(directory, NOW + timedelta(2))
    assert months.points[2].value == 150
    assert broken(months) == {"2025-03": "2025-03: restated", "2025-04": "2025-04: the month before is restated"}


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, []),
        ({"joined": True}, ["from here on a crosswalk joins people"]),
        ({"definitions": {"a/x": frozenset({("seen/1", "d2")})}}, ["another definition of a/x"]),
        ({"definitions": {"a/x": frozenset({("seen/2", "d1")})}}, []),  # The same settings under another name.
        ({"definitions": {"a/x": frozenset({("seen/1", None)})}}, []),
        ({"definitions": {"a/x": frozenset({("seen/2", None)})}}, ["another definition of a/x"]),
        ({"definitions": {"a/y": frozenset({("seen/1", "d9")})}}, []),  # A product that began isn't one that changed.
        ({"method": 3}, ["counted by method 3"]),
        ({"restated": True, "affiliates": frozenset({"b"})}, ["b joined the group", "a left the group", "restated"]),
    ],
)
def test_what_is_no_growth(change: dict[str, Any], reasons: list[str]) -> None:
    """A crosswalk that begins takes a tenth of the people away in a month, and none of them has gone."""
    before = Basis(frozenset({"a"}), {"a/x": frozenset({("seen/1", "d1")})}, frozenset(), False, False, 2)
    assert list(breaks(before, replace(before, **change))) == reasons


def test_the_sum_of_products_by_its_reading(directory: Path) -> None:
    assert [p.value for p in series(directory, number=1).points] == USERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lead_times: {licence_request: 30}\n", {"licence_request": 30, "migration": 180}),
        ("", {"licence_request": 90, "migration": 180}),
        (None, {"licence_request": 90, "migration": 180}),
    ],
)
def test_lead_times_are_the_groups(directory: Path, text: str | None, expected: dict[str, int]) -> None:
    if text is not None:
        (directory / "alerts.yaml").write_text(text)
    assert read_group(directory).alerting.lead_times.model_dump() == expected


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("lead_time: {migration: 9}\n", 1, "unknown key `lead_time`"),
        ("lead_times:\n  migrations: 9\n", 2, "unknown key `migrations`"),
        ("lead_times:\n  migration: 6 months\n", 2, "`migration`"),
        ("lead_times:\n  licence_request: -1\n", 2, "`licence_request`"),
        ("lead_times: 90\n", 1, "`lead_times` must hold keys"),
    ],
)
def test_a_wrong_lead_time_is_refused_by_its_line(directory: Path, text: str, line: int, rule: str) -> None:
    """Misspelt and passed over, a day to decide by would be that of the default."""
    (directory / "alerts.yaml").write_text(text)
    with pytest.raises(RefusedError) as refused:
        read_group(directory)
    (only,) = refused.value.refusals
    assert only.subject == f"alerts.yaml:{line}"
    assert rule in only.rule


def test_the_month_to_date_and_its_share(make: Make) -> None:
    """Ten of thirty days are a third of the days and more of the people; taken for the month they would look like a fall."""
    days = [date(2025, 1, 1) + timedelta(n) for n in range(160)]
    seen = [
        (f"{day}T12:00:00Z", f"{day:%Y-%m}-{n}@example.com")
        for day in days
        for n in range(100)
        if n % 2 == 0 or n % 25 == day.day % 25
    ]
    files = source(complete_through="2025-06-09")
    directory = make(
        [entity("shop", [product(**{"from": "2025-01-01", "grain": "day", "settles_after": 3, "sources": [files]})])]
    )
    events(seen).write_parquet(directory / "events.parquet")
    group = read_group(directory)
    run(directory, group, datetime(2025, 6, 10, 12, tzinfo=UTC))
    with contributions.open_store(group.settings.store, directory) as store:
        reading = group.readings.readings[0]
        so_far = history.month_to_date(store, group, reading, date(2025, 6, 10))
        assert so_far is not None

        def people(month: int, last: int) -> int:
            return len({who for at, who in seen if at.startswith(f"2025-{month:02}") and int(at[8:10]) <= last})

        assert (so_far.month, so_far.estimate) == (date(2025, 6, 1), people(6, 6)), "to the last day that has settled"
        shares = [people(m, 6) / people(m, 31) for m in (3, 4, 5)]
        assert so_far.share_low == pytest.approx(min(shares), abs=0.01)
        assert so_far.share_high == pytest.approx(max(shares), abs=0.01)
        assert history.month_to_date(store, group, reading, date(2025, 6, 3)) is None, "nothing has settled yet"
        assert history.month_to_date(store, group, reading, date(2025, 2, 20)) is None, "one month is no comparison"
        with store.writing() as connection:
            connection.execute(schema.publications.update().values(method=2))
        assert history.month_to_date(store, group, reading, date(2025, 6, 10)) is None, "the step is the method's, and no growth"
