"""A machine's clock that was, or is, wrong. What would silently go wrong: what was computed while the clock was ahead counts as
settled and keeps out what is computed later, so that a month is signed with a part of its people."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from affiliates.errors import Code, RefusedError
from affiliates.manifests.loader import read_group
from affiliates.periods import DAY, LONGEST_RUN, midnight
from dashboards.cli import doctor
from pipelines.defs.in_process import run as run_in_dagster
from pipelines.figures import query
from pipelines.ingestion import clock_check
from pipelines.records import StoredContribution, believed
from pipelines.runbook import Finding, Page
from pipelines.serving.health import HealthMonitor
from pipelines.store import contributions, erasure, moments, outbox, publications
from pipelines.store.outbox import Message
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.quiet_run import quiet_run
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.brought import _PLAIN
from tests.support.command import mauwatch
from tests.support.databases import both_databases
from tests.support.groups import ATTESTED, entity, product, source, write_group
from tests.support.receipts import outcomes, take, why
from tests.support.receivers import web_server
from tests.support.runs import go
from tests.support.wrong_contributions import FIRST, row, write

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
LAST = date(2025, 1, 31)
BEGUN = datetime(2025, 2, 1, 0, 30, tzinfo=UTC)
"""In truth, when the export of the month's last day has just begun."""
AHEAD = BEGUN + 10 * DAY
"""What the clock shows then."""
LATER = datetime(2025, 2, 5, 6, tzinfo=UTC)
"""In truth, when the export is whole."""


def bring(directory: Path, day: date, users: range) -> None:
    rows = "".join(f"{day}T10:00:00Z,u{number}@example.org\n" for number in users)
    (directory / "data").mkdir(exist_ok=True)
    (directory / f"data/{day}.csv").write_text(f"at,user\n{rows}")


def manifest(**changes: object) -> dict[str, object]:
    """A product of January 2025 with a file a day, which settles three days later."""
    own = source(files="data/{day}.csv", complete_through=None)
    return entity("a", [product("app", to="2025-02-01", sources=[own], **changes)])


@pytest.fixture
def directory(make: Make) -> Path:
    """Ten people a day, and one on the last day, whose export has just begun."""
    directory = make([manifest()], lg_k=18)
    for number in range(30):
        bring(directory, JANUARY + number * DAY, range(number * 10, number * 10 + 10))
    bring(directory, LAST, range(300, 301))
    return directory


def shown(directory: Path) -> tuple[int | None, bool, str]:
    """The month's estimate, whether it is complete, and its state."""
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        measured, _ = query.figures_of_month(store, group, JANUARY, group.readings.readings[0])
    return measured.group.estimate, measured.group.complete, measured.group.state


def close(directory: Path, now: datetime, **why: str) -> None:
    with Workspace(directory, read_group(directory), now) as workspace:
        close_month(workspace, JANUARY, Signature("Head of Finance", **why))


def of_clock(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.page == Page.CLOCK]


@both_databases
def test_what_was_computed_while_the_clock_was_ahead_is_computed_anew(directory: Path) -> None:
    """The day would stay at the one user whose event had come, complete and signed."""
    assert go(directory, AHEAD).clean
    assert shown(directory) == (301, True, "preliminary")
    bring(directory, LAST, range(300, 310))
    report = go(directory, LATER)
    assert not report.clean
    assert "2025-02-11 00:30 UTC" in str(of_clock(report.findings)[0])
    assert shown(directory) == (310, True, "preliminary")
    again = go(directory, LATER + DAY)
    assert again.clean, again.findings
    close(directory, LATER + 2 * DAY)
    assert shown(directory) == (310, True, "closed")


def test_the_runbooks_cure_through_dagster(directory: Path) -> None:
    """`Clock wrong` in the runbook: set the clock, `mauwatch run`, and the next run is clean."""
    run_in_dagster(directory, read_group(directory), AHEAD)
    bring(directory, LAST, range(300, 310))
    assert quiet_run(directory, read_group(directory), LATER) is None
    report = run_in_dagster(directory, read_group(directory), LATER)
    assert len(of_clock(report.findings)) == 1
    assert shown(directory) == (310, True, "preliminary")
    quiet = quiet_run(directory, read_group(directory), LATER + timedelta(hours=1))
    assert quiet is not None
    assert quiet.clean, quiet.findings


def test_a_published_month_doesnt_stay_of_a_moment_to_come(directory: Path) -> None:
    """Nothing but the clock was wrong: the same figures are published again, with the moment at which that was in truth."""
    bring(directory, LAST, range(300, 310))
    go(directory, AHEAD)
    go(directory, LATER)
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        assert {entry.known_at for entry in publications.in_force(store).values()} == {LATER}
        assert moments.coming(store, LATER).is_empty
    assert go(directory, LATER + DAY).clean


@both_databases
def test_what_nobody_can_compute_anew_is_not_settled_for_good(directory: Path) -> None:
    """The source is gone. Once the false moment has come, the day would count as settled without a word."""
    go(directory, AHEAD)
    (directory / f"data/{LAST}.csv").unlink()
    go(directory, LATER)
    assert shown(directory) == (301, False, "preliminary")
    go(directory, AHEAD + 30 * DAY)
    assert shown(directory) == (301, False, "preliminary")
    with pytest.raises(RefusedError) as refused:
        close(directory, AHEAD + 30 * DAY)
    assert refused.value.refusals[0].code == Code.MONTH_CHECKS_RED


def test_what_was_handed_in_while_the_clock_was_ahead_has_to_be_computed_again(make: Make) -> None:
    """Nobody here can compute it anew; the affiliate's next file settles the day, though its users are the same."""
    directory = make([entity("a", [product("app", to="2025-01-02", sources=[])])], lg_k=14)
    ahead = datetime(2025, 3, 1, tzinfo=UTC)
    take(directory, write(directory / "ahead.parquet", row(FIRST, computed_at=ahead)), now=ahead)
    users = shown(directory)[0]
    assert shown(directory) == (users, True, "preliminary")
    assert "in the future" in why(take(directory, directory / "ahead.parquet", now=LATER))
    go(directory, LATER)
    assert shown(directory)[1] is False
    again = take(directory, write(directory / "again.parquet", row(FIRST, computed_at=LATER)), now=LATER)
    assert outcomes(again) == ["the same"]
    assert shown(directory) == (users, True, "preliminary")
    older = write(directory / "older.parquet", row(FIRST, computed_at=LATER - DAY, number=3))
    (taken,) = take(directory, older, now=LATER + DAY).files
    assert "1 of 1 contributions aren't stored" in "".join(taken.warnings)
    assert shown(directory) == (users, True, "preliminary")


def test_a_month_that_was_signed_in_the_future_is_told_and_can_be_signed_again(directory: Path) -> None:
    """A signature of a day that hasn't come proves nothing; with the same figures a restatement would be refused."""
    bring(directory, LAST, range(300, 310))
    go(directory, AHEAD)
    close(directory, AHEAD)
    report = go(directory, LATER)
    assert [str(f) for f in report.findings if "was signed at a moment that is still to come" in str(f)]
    assert shown(directory) == (310, True, "closed")
    close(directory, LATER + timedelta(hours=1), restates="the clock was ahead")
    assert shown(directory) == (310, True, "restated")
    assert go(directory, LATER + DAY).clean


@pytest.mark.parametrize(
    "now",
    [
        datetime(1970, 1, 1, 5, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2023, 7, 17, 23, 59, tzinfo=UTC),
        datetime(2031, 2, 12, tzinfo=UTC),
        datetime(2060, 1, 1, tzinfo=UTC),
    ],
)
def test_with_an_impossible_clock_nothing_is_done_and_no_heartbeat_beats(directory: Path, now: datetime) -> None:
    """A dead clock's run is clean, since nothing is due; whoever waits for the heartbeat is told that all is well."""
    with web_server() as hooks:
        (directory / "alerts.yaml").write_text(yaml.safe_dump({"heartbeat": {"url_file": "beat"}}))
        (directory / "beat").write_text(f"http://127.0.0.1:{hooks.port}/beat")
        assert go(directory, AHEAD).clean
        beats = len(hooks.taken)
        assert beats == 1
        before = shown(directory)
        for report in (
            go(directory, now),
            quiet_run(directory, read_group(directory), now),
            run_in_dagster(directory, read_group(directory), now),
        ):
            assert report is not None
            assert [finding.page for finding in report.findings] == [Page.CLOCK]
            assert not report.products
        assert len(hooks.taken) == beats
        assert shown(directory) == before
        with pytest.raises(RefusedError) as refused:
            close(directory, now)
        assert refused.value.refusals[0].code == Code.CLOCK_WRONG


def test_a_clock_that_is_behind_what_the_store_has_has_no_heartbeat(directory: Path) -> None:
    """People can't have been active on days that haven't begun: then the clock is behind, and each run says so."""
    go(directory, LATER)
    behind = datetime(2025, 1, 15, 6, tzinfo=UTC)
    with web_server() as hooks:
        (directory / "alerts.yaml").write_text(yaml.safe_dump({"heartbeat": {"url_file": "beat"}}))
        (directory / "beat").write_text(f"http://127.0.0.1:{hooks.port}/beat")
        for hours in range(2):
            report = go(directory, behind + timedelta(hours=hours))
            assert "the store has users of 2025-01-31" in str(of_clock(report.findings)[0])
        assert not hooks.taken
        # Once the clock is set, all is as it was.
        assert not of_clock(go(directory, LATER + DAY).findings)
        assert len(hooks.taken) == 1
    assert shown(directory) == (301, True, "preliminary")


def test_a_run_that_began_earlier_says_that_its_results_are_older(directory: Path) -> None:
    """Two runs at once: what the slower one has computed isn't stored. Said by nobody, it would look as if it were."""
    go(directory, LATER)
    group = read_group(directory)
    with Workspace(directory, group, LATER - timedelta(minutes=2)) as slower:
        bring(directory, LAST, range(300, 310))
    report = run(slower.directory, group, LATER - timedelta(minutes=2), LAST, LAST)
    assert report.products[0].received.older == 1
    assert not report.clean
    assert "1 result is not stored" in "".join(map(str, report.findings))


def test_messages_of_a_clock_that_was_ahead_are_sent(directory: Path) -> None:
    """An attempt that failed while the clock was a year ahead would be tried again in a year."""
    failed = Message(1, "key", "mail", 0, {}, LATER, 1, "raised", "over", 1, outbox.FAILED, "gone", LATER + 365 * DAY)
    assert list(outbox.due([failed], LATER, lambda _: False)) == [failed]


@both_databases
def test_what_was_erased_stays_so_whatever_the_clock_showed(directory: Path) -> None:
    """Erasures and permissions are compared by their order: by their moments, an erasure in the future could never be taken back,
    and a permission in the future would undo each later erasure."""
    go(directory, LATER)
    group = read_group(directory)
    scope = erasure.Scope("a", "app", LAST, LAST)
    order = erasure.Order("the officer", "asked for")
    bring(directory, LAST, range(300, 310))

    def run_again(now: datetime) -> int | None:
        run(directory, group, now, LAST, LAST)
        return shown(directory)[0]

    with contributions.open_store(group.settings.store, directory) as store:
        erasure.erase(store, scope, order, LATER + 300 * DAY)
    assert run_again(LATER + DAY) == 300
    with contributions.open_store(group.settings.store, directory) as store:
        erasure.allow_again(store, scope, order, LATER + DAY)
    assert run_again(LATER + 2 * DAY) == 310


@pytest.mark.parametrize("key", ["attestations", "reconciliation"])
def test_an_attestation_of_a_day_to_come_is_refused(directory: Path, key: str) -> None:
    """Whoever signs would vouch for what nobody can have vouched for yet."""
    go(directory, LATER)
    (directory / "attested").mkdir()
    entries = [{**ATTESTED[key][0], "on": "2025-02-11"}]
    (directory / "attested/2025-01.yaml").write_text(yaml.safe_dump({key: entries}))
    with pytest.raises(RefusedError, match="a day that is still to come"):
        close(directory, datetime(2025, 2, 10, 23, tzinfo=UTC), despite="one user on the last day")
    close(directory, datetime(2025, 2, 11, 1, tzinfo=UTC), despite="one user on the last day")


def test_whoever_looks_is_told_of_the_clock(directory: Path) -> None:
    """Between the wrong moment and the next run the figure stands as it was published: who reads it has to know."""
    group = read_group(directory)
    go(directory, AHEAD)
    with contributions.open_store(group.settings.store, directory) as store:
        assert clock_check.look(store, AHEAD).is_fine
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    for now, said in (
        (LATER, "of a moment that is still to come, 2025-02-11 00:30 UTC"),
        (long_ago, "lies before mauwatch was made"),
    ):
        told = [text for what, is_fine, text in doctor.examine(directory, group, now) if what == "clock" and not is_fine]
        assert any(said in text for text in told), told
    assert clock_check.look(None, long_ago).fault
    assert clock_check.look(None, datetime(2077, 1, 1, tzinfo=UTC)).fault
    # `measure` and /health have this machine's clock.
    bring(directory, LAST, range(300, 310))
    go(directory, datetime.now(UTC) + 20 * DAY)
    printed = " ".join(mauwatch("measure", "--month", "2025-01", "--group", directory).stdout.split())
    assert "Contributions computed at a moment that is still to come: 1" in printed
    with dg.DagsterInstance.ephemeral() as dagster:
        monitor = HealthMonitor(directory, lambda: group, dagster, ("127.0.0.1", 9), lambda: 0.0, lambda: "")
        clock = monitor.report()[1]["checks"]["clock"]
    assert not clock["fine"]
    assert clock["runbook"].endswith(f"#{Page.CLOCK}")


@given(
    day=st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    computed=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    now=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"]),
)
def test_no_believed_moment_lies_in_the_future(day: date, computed: datetime, now: datetime, zone: str) -> None:
    """A moment of the past is believed as it is; any other counts as before the period was over, and never as still to come."""
    version = StoredContribution(
        **{**vars(_PLAIN), "grain": "day", "activity_date": day, "day_zone": zone, "computed_at": computed}
    )
    moment = believed(version, now).computed_at
    if computed <= now + LONGEST_RUN:
        assert moment == computed
    else:
        assert moment <= now
        assert moment <= midnight(day, zone)


@settings(max_examples=6, phases=[Phase.generate])
@given(data=st.data())
def test_whatever_a_clock_has_shown_a_complete_figure_is_of_all_people(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Random clocks, files that grow, and runs; whenever the clock is right at last, the figure is that of the files, or says why
    not. The oracle: the people in the files."""
    directory = write_group(tmp_path_factory.mktemp("clock"), [manifest()], lg_k=18)
    edit = yaml.safe_load((directory / "affiliates/a.yaml").read_text())
    edit["products"][0]["from"] = str(LAST)
    (directory / "affiliates/a.yaml").write_text(yaml.safe_dump(edit))
    truth, users = BEGUN, 1
    for _ in range(data.draw(st.integers(1, 3))):
        users += data.draw(st.sampled_from([0, 7, 20]))
        bring(directory, LAST, range(users))
        truth += timedelta(hours=data.draw(st.sampled_from([1, 26, 80])))
        wrong_by = timedelta(hours=data.draw(st.sampled_from([0, 0, 3, 30, 240, -30, -5000, 20000])))
        go(directory, truth + wrong_by)
    users += data.draw(st.sampled_from([0, 9]))
    bring(directory, LAST, range(users))
    truth += timedelta(hours=data.draw(st.sampled_from([1, 90])))
    report = go(directory, truth)
    estimate, is_complete, _ = shown(directory)
    assert estimate == users or not is_complete or of_clock(report.findings)
    truth += 4 * DAY
    go(directory, truth)
    assert shown(directory)[:2] == (users, True)
    assert not of_clock(go(directory, truth + DAY).findings)
