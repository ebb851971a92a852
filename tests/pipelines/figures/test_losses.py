"""Losses on replacement: a version that holds a part of the one before is told, and never becomes the usual number."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.errors import RefusedError
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from pipelines.alerts import responses
from pipelines.alerts.responses import Closing
from pipelines.figures import losses
from pipelines.figures.quality_checks import check_product
from pipelines.licences import registry
from pipelines.store import alert_log, contributions, erasure
from pipelines.store.erasure import Order, Scope
from pipelines.store.product_days import ProductDay, Version
from pipelines.workflows import close
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.crosswalks import from_people
from tests.support.databases import both_databases, rows_of
from tests.support.groups import NOW, entity, events, product, source
from tests.support.runs import go

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
DAYS = [JANUARY + timedelta(number) for number in range(31)]
BY_DAY = source(files="data/{day}.csv", complete_through=None)
A_DAY = 10
LABEL = "seen/1"


def write_days(directory: Path, days: Sequence[date], users: int = A_DAY) -> None:
    """So many users on each of these days, others on each day; with none, the header stays."""
    for day in days:
        rows = [f"{day}T10:00:00Z,u{day.day}-{number}@example.com" for number in range(users)]
        path = directory / f"data/{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["at,user", *rows, ""]))


def told(directory: Path, hours: int) -> list[str]:
    """What a run, so many hours later, finds in the data."""
    return [finding["text"] for finding in go(directory, now=NOW + timedelta(hours=hours)).to_dict()["data_findings"]]


def refused_close(directory: Path) -> str:
    with Workspace(directory, read_group(directory), NOW) as workspace, pytest.raises(RefusedError) as error:
        close.close_month(workspace, JANUARY, close.Signature("CFO"))
    return str(error.value)


@pytest.mark.parametrize(
    ("rewritten", "users", "span"),
    [
        (DAYS[:20], 0, "0 users from 2025-01-01 to 2025-01-20, 200 by"),
        (DAYS[4:5], 0, "0 users on 2025-01-05, 10 by"),
        (DAYS[4:5], 5, "5 users on 2025-01-05, 10 by"),
        (DAYS[::2], 0, "0 users on 16 days from 2025-01-01 to 2025-01-31, 160 by"),
        (DAYS[:3], 8, "24 users from 2025-01-01 to 2025-01-03, 30 by"),
        (DAYS[:3], 9, ""),
    ],
    ids=["20 days of a header alone", "one day of it", "half of one day", "every other day", "a fifth", "a tenth"],
)
def test_days_written_again_in_part(make: Make, rewritten: list[date], users: int, span: str) -> None:
    """20 of 31 stored days were replaced by ones of nobody: 310 people became 110, clean, complete, and signed."""
    directory = make([entity("a", [product(to="2025-02-01", sources=[BY_DAY])])])
    write_days(directory, DAYS)
    assert go(directory).clean
    write_days(directory, rewritten, users)
    expected = [f"a/app: {span} an earlier version: is a part of the source gone?"] if span else []
    for hours in (1, 2):  # The next run has nothing new, and says it again.
        assert [text for text in told(directory, hours) if "earlier version" in text] == expected
    if expected:
        assert "no_loss, a/app" in refused_close(directory)
        write_days(directory, rewritten)
        assert told(directory, 3) == [], "mended"


def accept(directory: Path) -> None:
    """`mauwatch alerts close`: what the data show is known, and stays as it is."""
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        (alert,) = [known for known in alert_log.current(store).values() if known.kind == "unusual_data"]
        known = registry.from_directory(directory)
        responses.close(store, group, known, alert.opened, Closing("CFO", "accepted", "2025/1"), NOW)


@pytest.mark.parametrize(("days", "users"), [(DAYS[:3], 2), (DAYS[:9], 5)], ids=["more of a day", "more days"])
def test_an_accepted_loss_that_grows_is_news(make: Make, days: list[date], users: int) -> None:
    """Half of three days was accepted as known; with that word, a whole month could go without another one."""
    directory = make([entity("a", [product(to="2025-02-01", sources=[BY_DAY])])])
    write_days(directory, DAYS)
    go(directory)
    write_days(directory, DAYS[:3], 5)
    assert len(told(directory, 1)) == 1
    accept(directory)
    assert told(directory, 2) == []
    write_days(directory, DAYS[:3], 6)
    assert told(directory, 3) == [], "less than was accepted"
    write_days(directory, days, users)
    for hours in (4, 5):
        assert [text for text in told(directory, hours) if "earlier version" in text] != []
    accept(directory)
    assert told(directory, 6) == []


def test_as_many_users_and_none_of_those_before(make: Make) -> None:
    """Another product's file of the same size took the place of a day's: no number showed it, and 120 people were others."""
    directory = make([entity("a", [product(to="2025-02-01", sources=[BY_DAY])])])
    write_days(directory, DAYS, 120)
    assert go(directory).clean
    day = directory / "data/2025-01-05.csv"
    right = day.read_text()
    day.write_text(right.replace("u5-", "other-"))
    assert told(directory, 1) == [
        "a/app: about 120 users of an earlier version of 2025-01-05 are gone: are they exchanged for others?"
    ]
    assert told(directory, 2) != [], "until the day is computed again"
    assert "about 120 users of an earlier version of 2025-01-05 are gone" in refused_close(directory)
    day.write_text(right + "2025-01-05T11:00:00Z,late@example.com\n")
    assert told(directory, 3) == [], "mended, with a late event"
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close.close_month(workspace, JANUARY, close.Signature("CFO"))


@both_databases
@pytest.mark.parametrize("way", ["a new version", "the same version", "erased", "joined", "joined and halved"])
def test_a_loss_is_none_where_it_is_said_why(make: Make, way: str, key: GroupKey) -> None:
    """A narrower definition, an erasure and a crosswalk are no export that has lost its users; without a word, they may be."""
    emails = [f"u{number}@example.com" for number in range(40)]
    rows = [(f"{day}T12:00:00Z", email) for day in DAYS for email in emails]
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": events(rows)})
    assert go(directory).clean
    manifest = product(to="2025-02-01")
    settings: dict[str, Any] = {}
    if way.endswith("version"):
        active = {"id": "seen", "meaning": "was seen", "version": 2 if way == "a new version" else 1}
        manifest = product(to="2025-02-01", active=active, sources=[source(counts_when="length(user) > 14")])
    if way == "erased":
        group = read_group(directory)
        with contributions.open_store(group.settings.store, directory) as store:
            scope = Scope("a", "app", DAYS[0], DAYS[-1])
            erasure.erase(store, scope, Order("A. Officer", "asked for"), NOW)
            erasure.allow_again(store, scope, Order("A. Officer", "half are left"), NOW + timedelta(minutes=1))
    if way.startswith("joined"):
        pairs = pl.DataFrame({"identifier": emails, "person": [f"p{number // 2}" for number in range(40)]})
        from_people(pairs, "email", key).write_parquet(directory / "crosswalk.parquet")
        settings = {"crosswalk": "crosswalk.parquet", "namespaces": {"email": {"identifiers_per_person": [1, 3]}}}
    if way in ("erased", "joined and halved"):
        events([row for row in rows if int(row[1][1:].partition("@")[0]) < 20]).write_parquet(directory / "events.parquet")
    make([entity("a", [manifest])], **settings)
    if way == "erased":  # Only a range that is named brings erased days back.
        run(directory, read_group(directory), NOW + timedelta(hours=1), DAYS[0], DAYS[-1])
    is_told = way in ("the same version", "joined and halved")
    assert bool(told(directory, 2)) == is_told
    assert _versions(directory) > 31, "the days were computed again"
    assert ("no_loss" in refused_close(directory)) if is_told else True


@pytest.mark.parametrize("sharing", [1, 3])
def test_another_crosswalk_that_joins_several_people_is_told(make: Make, key: GroupKey, sharing: int) -> None:
    """A join by a wrong column makes one person of several, within all bounds for a person's keys, and leaves all events."""
    emails = [f"u{number}@example.com" for number in range(60)]
    pairs = pl.DataFrame({"identifier": emails, "person": [f"p{number}" for number in range(60)]})
    settings: dict[str, Any] = {"crosswalk": "crosswalk.parquet", "namespaces": {"email": {"identifiers_per_person": [1, 3]}}}
    rows = [(f"{day}T12:00:00Z", email) for day in DAYS for email in emails]
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": events(rows)}, **settings)
    from_people(pairs, "email", key).write_parquet(directory / "crosswalk.parquet")
    assert go(directory).clean
    others = pairs.with_columns(person=pl.Series([f"q{number // sharing}" for number in range(60)]))
    from_people(others, "email", key).write_parquet(directory / "crosswalk.parquet")
    text = "a/app: 620 users from 2025-01-01 to 2025-01-31, 1,860 by an earlier version: is a part of the source gone, or does "
    expected = [f"{text}the other crosswalk join several people?"] if sharing > 1 else []
    assert told(directory, 2) == expected
    assert _versions(directory) == 2 * 31, "the days were computed again"
    if expected:
        assert "no_loss" in refused_close(directory)


def _versions(directory: Path) -> int:
    return len(rows_of(read_group(directory).settings.store, directory)["contributions"])


def period(number: int, users: int, *earlier: int, label: str = LABEL) -> ProductDay:
    """A day with earlier versions of so many users, which were seen twice each."""
    versions = [Version(1, LABEL, (None, ""), "key", None, before, 2 * before) for before in earlier]
    versions.append(Version(2, label, (None, ""), "key", None, users, 2 * users))
    day = JANUARY + timedelta(number)
    return ProductDay(ProductRef("a", "app"), "day", day, users, 2 * users, 0, 21, tuple(versions) if earlier else ())


def test_neither_zeros_nor_halves_become_the_usual_number() -> None:
    """After eight weeks of halved days, the first whole one was called unusual, and the halves were what nobody looked at."""
    for users in (0, 500):
        days = [period(number, 1000) for number in range(56)] + [period(number, users, 1000) for number in range(56, 112)]
        whole = [*days, *(period(number, 1000) for number in range(112, 119))]
        checks = {check.name: check for check in check_product(whole, since=whole[112].day, label=LABEL)}
        assert checks["usual_change"].passed, checks["usual_change"].explanation
        assert checks["no_loss"].passed, "the days that are looked at have lost nobody"
        halved = [*days, period(112, users)]
        checks = {check.name: check for check in check_product(halved, since=halved[112].day, label=LABEL)}
        assert [name for name in ("no_fall", "usual_change") if not checks[name].passed] == (["no_fall"] if not users else [])


users_ = st.integers(min_value=0, max_value=100_000)


@given(st.lists(users_, min_size=1, max_size=6).map(sorted))
def test_late_events_are_no_loss(grown: list[int]) -> None:
    """Late events only add users: whatever comes late, nothing is told."""
    assert losses.find([period(0, grown[-1], *grown[:-1])], LABEL) == []


@given(st.lists(users_, min_size=1, max_size=5), st.data())
def test_whatever_the_order_of_versions_a_loss_from_the_largest_is_told(earlier: list[int], data: st.DataObject) -> None:
    """A loss in two steps of less than a tenth each is one loss; nobody after somebody is one at any size."""
    most = max(earlier)
    users = data.draw(st.integers(min_value=0, max_value=most))
    (loss, *_) = [*losses.find([period(0, users, *earlier)], LABEL), None]
    lost = most - users
    if most > 0 == users:
        assert loss is not None
        assert (loss.users, loss.before) == (0, most)
    elif lost > max(2, 0.2 * most):  # Far from where the sketches' own error begins.
        assert loss is not None
    elif lost <= max(1, 0.1 * most):
        assert loss is None
    redefined = losses.find([period(0, users, *earlier, label="seen/2")], "seen/2")
    assert bool(redefined) == (most > 0 == users), "the manifest says why there are fewer, and not why nobody is left"
    other = losses.find([period(0, users, *earlier, label="seen/2")], LABEL)
    assert bool(other) == (loss is not None), "a sender's label isn't the manifest's word"
