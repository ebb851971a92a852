"""A change of the group key: trailing windows across it, and months that must not notice.

What would silently go wrong: everybody counted twice in a window, somebody not at all; a day's second contribution taken for its
own, so that a month loses or doubles its people; erased people who come back under the other key.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing as closed
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution, Part
from affiliates.crosswalks.snapshot import read
from affiliates.identity import canaries, epochs
from affiliates.identity.keys import GroupKey
from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.settings import KeySource, Settings
from affiliates.periods import DAY, days_between, month_days, month_end
from affiliates.sketches.registers import Registers
from pipelines.counting import inputs, measure
from pipelines.counting.window import Days
from pipelines.ingestion.inbox import offer_of
from pipelines.records import AcceptedContribution, Restatement
from pipelines.store import erasure, product_days
from pipelines.store.contributions import ContributionStore, open_store
from pipelines.store.erasure import Order, Scope
from pipelines.workflows import close, receive
from pipelines.workflows.close import Signature
from pipelines.workflows.receive import Session
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.command import ran
from tests.support.crosswalks import from_people
from tests.support.databases import SQLITE, rows_of
from tests.support.events_by_hand import DAILY, FIRST_KEY, LG_K, OTHER, SECOND_KEY, TWO_KEYS, at, made, some, unknown, write_day
from tests.support.groups import NOW, entity, events, product, source, write_group
from tests.support.receipts import outcomes, receipt, take, why
from tests.support.sketches import READING, contributed, keys

Make = Callable[..., Path]
JANUARY, FEBRUARY, MARCH = (date(2025, m, 1) for m in (1, 2, 3))
LAST = date(2025, 1, 31)
BOTH = days_between(FEBRUARY - 29 * DAY, LAST)
"""The days that are contributed under both keys."""
ORDER = Order("A. Officer", "asked for by the controller")


def of_two_keys(make: Make, entities: list[dict[str, Any]], **settings: Any) -> Path:
    directory = make(entities, {"second.key": OTHER.encode()}, key=None, keys=TWO_KEYS, **{"lg_k": LG_K, **settings})
    (directory / "second.key").chmod(0o600)
    return directory


def window(directory: Path, days_: Days) -> measure.Measured:
    group = read_group(directory)
    with open_store(group.settings.store, directory) as store:
        return measure.measure(store, group, inputs.gather_window(store, group, days_, READING))


def second_versions(directory: Path, name: str = "app") -> dict[date, Any]:
    group = read_group(directory)
    with open_store(group.settings.store, directory) as store:
        return {v.activity_date: v for v in store.read_versions(ProductRef("a", name), next_epoch=True)}


def months(directory: Path) -> dict[str, Any]:
    """All that is published and all that it rests on, but for when."""
    rows = rows_of(read_group(directory).settings.store, directory)
    left_out = {"id", "known_at", "publication", "contributions_to", "counts_to"}
    return {t: [{k: v for k, v in row.items() if k not in left_out} for row in rows[t]] for t in ("publications", "figures")}


# Which days.


@given(st.dates(date(2024, 12, 1), date(2025, 4, 30)), st.sampled_from(["2025-02", "2025-03"]))
def test_the_29_days_before_an_epoch_are_contributed_twice(day: date, third: str) -> None:
    """A day too few: a window of 30 days has a day whose people nobody can find in the others."""
    each: list[dict[str, Any]] = [*TWO_KEYS]
    each += [{"epoch": 3, "file": "third.key", "from": "2025-03"}] if third == "2025-03" else []
    settings = Settings.model_validate({"group": "g", "ultimate_parent": "p", "keys": each})
    days = epochs.next_epoch(settings, day)
    begins = {e["epoch"]: date.fromisoformat(f"{e['from']}-01") for e in each[1:]}  # By hand.
    own = max((e for e, begin in begins.items() if begin <= day), default=1)
    begin = begins.get(own + 1)
    is_near = begin is not None and any(begin == day + n * DAY for n in range(1, 30))
    assert (days.epoch if days else None) == (str(own + 1) if is_near else None)
    for name in ("1", "2", "3"):
        is_next_epoch = epochs.is_next_epoch(settings, "day", day, name)
        assert is_next_epoch == (is_near and name == str(own + 1))
        assert not epochs.is_next_epoch(settings, "month", day, name)


# The replay.


RUNS = [LAST - 2 * DAY, LAST, FEBRUARY, date(2025, 2, 14), MARCH]
SEEN = {n: some(n, days_between(JANUARY, MARCH), people=60) for n in ("x", "y")}


def replayed(make: Make) -> Iterator[tuple[Path, date]]:
    """Runs on mornings before and after the change."""
    life = {"settles_after": 0, "to": "2025-04-01"}
    apps = [product(n, sources=[DAILY | {"files": f"{n}/days-{{day}}.parquet"}], **life) for n in SEEN]
    directory = of_two_keys(make, [entity("a", apps)])
    for name in SEEN:
        (directory / name).mkdir()
    group = read_group(directory)
    for day in days_between(JANUARY, MARCH):
        for name, each in SEEN.items():
            write_day(directory / name, day, each)
        if day in RUNS:
            assert run(directory, group, at(day + DAY, 6)).clean
            yield directory, day


def test_every_day_across_the_change_is_right_and_no_month_moves(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trailing windows by the newest key alone; what is published of each month by each run is what it would be without."""
    last = LAST - 4 * DAY
    for directory, day in replayed(make):
        for days_ in [Days.trailing(28, d) for d in days_between(last + DAY, day)] + [Days.trailing(30, day)]:
            if days_.first < JANUARY:
                continue
            across = window(directory, days_)
            for name, figure in (("x", across.products["a/x"]), ("y", across.products["a/y"]), ("xy", across.group)):
                truth = {who for n in name for moment, who in SEEN[n] if days_.first <= moment.date() <= days_.last}
                assert (figure.estimate, figure.complete, figure.reasons) == (len(truth), True, ()), (name, days_)
                assert figure.upper is not None
                assert figure.lower <= len(truth) <= figure.upper
        last = max(last, day)
    with_both = months(directory)
    assert set(second_versions(directory, "x")) == set(second_versions(directory, "y")) == set(BOTH)
    monkeypatch.setattr(epochs, "REACH", 0)
    without = tmp_path / "without"
    for _ in replayed(lambda *args, **options: write_group(without, *args, **options)):
        pass
    assert second_versions(without, "x") == {}
    assert months(without) == with_both
    across = window(without, Days.trailing(28, date(2025, 2, 14)))  # Not refused, and not too low.
    truth = {who for each in SEEN.values() for m, who in each if date(2025, 1, 18) <= m.date() <= date(2025, 2, 14)}
    assert across.group.upper is not None
    assert across.group.lower <= len(truth) <= across.group.upper
    assert "are under the key of epoch 1, not of 2" in across.group.reasons[0]


# Missing ones.

NAMES = ("a/x", "b/z")


def under(name: str, day: date, who: Sequence[int], epoch: str, **changes: Any) -> Contribution:
    """A day's people under an epoch's key; under another they are others."""
    of_epoch = keys(0, 3000)[[w + 1000 * (int(epoch) - 1) for w in sorted(set(who))]]
    return contributed(name, day, {"email": Registers.from_keys(LG_K, of_epoch)}, key_epoch=epoch, **changes)


def store_them(store: ContributionStore, group: Group, each: Sequence[Contribution], is_next_epoch: bool = False) -> None:
    settled = [settles_at(group, c.ref, c.grain, c.activity_date, c.day_zone) for c in each]
    fingerprint = {"1": "first", "2": "second", "3": "third"}
    store.append_contributions(
        [AcceptedContribution(c, s, fingerprint[c.key_epoch], is_next_epoch) for c, s in zip(each, settled, strict=True)], NOW
    )


CHANCE = random.Random("came")
CAME = {n: {d: CHANCE.choices(range(100), k=6) for d in days_between(JANUARY, month_end(FEBRUARY))} for n in NAMES}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Days' own contributions of two products."""
    entities = [entity("a", [unknown("x")]), entity("b", [unknown("z")])]
    directory = write_group(tmp_path_factory.mktemp("own"), entities, key=None, keys=TWO_KEYS, store="sqlite:///own.sqlite")
    group = read_group(directory)
    with open_store(group.settings.store, directory, create=True) as store:
        for name, each in CAME.items():
            store_them(store, group, [under(name, d, who, "1" if d < FEBRUARY else "2") for d, who in each.items()])
    return directory


@settings(max_examples=15)
@given(
    missing=st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(BOTH))),
    last=st.dates(FEBRUARY, date(2025, 2, 28)),
    number=st.sampled_from([28, 30]),
)
def test_what_isnt_there_under_both_widens_and_misses_nobody(
    own: Path, missing: dict[str, set[date]], last: date, number: int
) -> None:
    days_, group = Days.trailing(28 if number == 28 else 30, last), read_group(own)
    shutil.copy(own / "own.sqlite", own / "copy.sqlite")
    with open_store("sqlite:///copy.sqlite", own) as store:
        for name, each in CAME.items():
            second = [under(name, d, each[d], "2") for d in BOTH if d not in missing.get(name, ())]
            store_them(store, group, second, is_next_epoch=True)
        measured_window = measure.measure(store, group, inputs.gather_window(store, group, days_, READING))
        january = measure.measure(store, group, inputs.gather(store, group, JANUARY, READING))
    assert january.group.estimate == len({w for n in NAMES for d in month_days(JANUARY) for w in CAME[n][d]})
    for names, figure in [*(((n,), f) for n, f in measured_window.products.items()), (NAMES, measured_window.group)]:
        seen = [(d, w, n) for n in names for d in days_between(days_.first, last) for w in CAME[n][d]]
        truth = {w for _, w, _ in seen}
        without = {d for n in names for d in missing.get(n, ()) if d >= days_.first}
        assert figure.upper is not None
        assert figure.lower <= len(truth) <= figure.upper
        assert figure.complete == (not without)
        older = {w for d, w, n in seen if d in missing.get(n, ())}
        newer = {w for d, w, n in seen if d not in missing.get(n, ())}
        assert (figure.estimate, figure.identity_low) == (len(older) + len(newer), max(len(older), len(newer)))


def test_a_change_in_each_of_two_months(own: Path) -> None:
    """The day before both changes has a second contribution under the next key, not the one after it: it is apart."""
    group, days_ = read_group(own), Days.trailing(30, MARCH)
    keys_ = (*group.settings.keys, KeySource(file="third.key", epoch="3", **{"from": MARCH}))
    group = group.model_copy(update={"settings": group.settings.model_copy(update={"keys": keys_})})
    shutil.copy(own / "own.sqlite", own / "third.sqlite")
    with open_store("sqlite:///third.sqlite", own) as store:
        for name, each in CAME.items():
            store_them(store, group, [under(name, LAST, each[LAST], "2")], is_next_epoch=True)
            store_them(store, group, [under(name, d, each[d], "3") for d in month_days(FEBRUARY)], is_next_epoch=True)
            store_them(store, group, [under(name, MARCH, each[LAST], "3")])
        figure = measure.measure(store, group, inputs.gather_window(store, group, days_, READING)).products["a/x"]
    later = {w for d in month_days(FEBRUARY) for w in CAME["a/x"][d]} | set(CAME["a/x"][LAST])
    assert figure.estimate == len(set(CAME["a/x"][LAST])) + len(later)
    assert figure.reasons[0].startswith("a/x: 1 period (2025-01-31) is under the key of epoch 1, not of 3")


# Handed in.


@pytest.fixture(scope="module")
def closed_january(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product that is handed in, with January and February under their own keys and January closed."""
    made_at = tmp_path_factory.mktemp("handed") / "in"
    directory = of_two_keys(
        lambda *args, **options: write_group(made_at, *args, **options), [entity("a", [unknown("app", to="2025-03-01")])]
    )
    each = [made("a/app", d, PEOPLE[d], key=FIRST_KEY if d < FEBRUARY else SECOND_KEY) for d in PEOPLE]
    assert set(outcomes(handed_in(directory, each))) == {"new"}
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close.close_month(workspace, JANUARY, Signature("Head of Finance"))
    return directory


@pytest.fixture
def directory(closed_january: Path, tmp_path: Path) -> Path:
    return shutil.copytree(closed_january, tmp_path / "group")


PEOPLE = {d: [f"u{(7 * n + i) % 97}" for i in range(5)] for n, d in enumerate(days_between(JANUARY, month_end(FEBRUARY)))}
TRAILING = Days.trailing(28, date(2025, 2, 14))


def handed_in(directory: Path, each: Sequence[Contribution], name: str = "f.parquet") -> Session:
    contract.write(directory / name, each)
    return take(directory, directory / name)


def second(day: date, who: Sequence[str] = (), **changes: Any) -> Contribution:
    return made("a/app", day, who or PEOPLE[day], **{"key": SECOND_KEY, **changes})


def test_a_second_contribution_is_taken_and_no_month_notices(directory: Path, store_url: str) -> None:
    """A closed month's too: its figures don't rest on it, so nobody has to approve it; and nobody reads a day twice."""
    before = months(directory)
    truth = {w for d, who in PEOPLE.items() if TRAILING.first <= d <= TRAILING.last for w in who}
    assert not window(directory, TRAILING).group.complete
    session = handed_in(directory, [second(day) for day in BOTH])
    assert (outcomes(session), session.report.published, session.report.findings) == (["new"] * 29, [], [])
    assert {entry["key_epoch"] for entry in receipt(directory / "f.parquet")["contributions"]} == {"2"}
    figure = window(directory, TRAILING).group
    assert (figure.estimate, figure.complete) == (len(truth), True)
    assert months(directory) == before
    rows = [r for r in rows_of(store_url, directory)["contributions"] if r["ahead"]]
    assert {(r["key_epoch"], r["reason"], r["supersedes"]) for r in rows} == {("2", None, None)}
    assert outcomes(handed_in(directory, [second(day) for day in BOTH])) == ["the same"] * 29
    with closed(sqlite3.connect(directory / ".mauwatch" / "store.sqlite")) as connection:
        shown = connection.execute("select count(*), sum(events) from product_days where activity_date < '2025-02-01'").fetchone()
    assert shown == (31, 31 * 5)
    with open_store(SQLITE, directory) as store:
        assert len(product_days.read(store, ProductRef("a", "app"), "day", JANUARY, LAST)) == 31
        assert {v.key_epoch for v in store.read_versions(ProductRef("a", "app")) if v.activity_date < FEBRUARY} == {"1"}


def test_each_replaces_its_own_kind(directory: Path) -> None:
    """A day's second contribution in the place of its own, or the other way round, and a month is hashed by two keys."""
    handed_in(directory, [second(LAST)])
    others = [f"v{i}" for i in range(6)]
    again = second(LAST, others, computed_at=NOW - DAY / 2)
    assert outcomes(handed_in(directory, [again])) == ["replaced"]
    assert outcomes(handed_in(directory, [second(LAST, others[:1])])) == ["older"]
    with open_store(SQLITE, directory) as store:
        group = read_group(directory)
        january = measure.measure(store, group, inputs.gather(store, group, JANUARY, READING))
    assert january.group.estimate == len({w for d in month_days(JANUARY) for w in PEOPLE[d]})
    restated = made("a/app", LAST, others, key=FIRST_KEY, computed_at=NOW - DAY / 2)
    assert "its month is closed" in why(handed_in(directory, [restated]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (second(BOTH[0] - DAY), "another key epoch (2, the month's is 1)"),
        (second(FEBRUARY, key=FIRST_KEY), "another key epoch (1, the month's is 2)"),
        (replace(second(LAST, key=FIRST_KEY), key_epoch="2"), "the key of epoch 1: use that of 2"),
        (replace(second(LAST), key_epoch="1"), "the key of epoch 2: use that of 1"),
        (second(JANUARY, grain="month"), "another key epoch (2, the month's is 1)"),
        (second(LAST, key=GroupKey("9" * 64, "3")), "another key epoch (3, the month's is 1)"),
    ],
)
def test_nothing_else_is_taken_for_a_second_one(directory: Path, store_url: str, wrong: Contribution, message: str) -> None:
    before = rows_of(store_url, directory)["contributions"]
    session = handed_in(directory, [second(date(2025, 1, 20)), wrong])
    assert (outcomes(session), message in why(session)) == ([], True), why(session)
    assert rows_of(store_url, directory)["contributions"] == before


def test_both_come_in_one_file_and_halves_of_one_are_none(directory: Path, store_url: str) -> None:
    """One query's rows with the wrong epoch in half of them: each half would pass for a whole day under its key."""
    day = date(2025, 2, 28)
    keys_ = yaml.safe_load((directory / "group.yaml").read_text())
    keys_["keys"].append({"epoch": 3, "file": "third.key", "from": "2025-03"})
    (directory / "group.yaml").write_text(yaml.safe_dump(keys_))
    (directory / "third.key").write_text("ab" * 32)
    third = GroupKey("ab" * 32, "3")
    assert outcomes(handed_in(directory, [second(day), second(day, key=third)])) == ["the same", "new"]
    apart = {directory / epoch: second(day - 2 * DAY, key=key) for epoch, key in (("2", SECOND_KEY), ("3", third))}
    for path, each in apart.items():
        contract.write(path, [each])
    assert outcomes(take(directory, *apart)) == ["the same", "new"]  # No pieces of each other.
    phone = Part("external", "device", Registers.from_keys(LG_K, keys(0, 5)), 5, None, canaries.image("device", third, LG_K))
    torn = handed_in(directory, [second(day - DAY), replace(second(day - DAY, key=third), parts=(phone,))])
    assert "rows of one contribution differ (key_epoch)" in why(torn)
    assert len([r for r in rows_of(store_url, directory)["contributions"] if r["ahead"]]) == 2


def test_a_second_contribution_of_fewer_events_is_left_alone(directory: Path) -> None:
    """Late events came under the month's own key alone: by the other one the window would be silently low."""
    handed_in(directory, [second(day) for day in BOTH])
    day = date(2025, 2, 1) - DAY
    late = made("a/app", day, [*PEOPLE[day], "late"], key=FIRST_KEY, computed_at=NOW - DAY / 2)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        contract.write(directory / "late.parquet", [late])
        receive.receive_files(
            workspace, [offer_of(directory / "late.parquet", directory)], restatement=Restatement("late", "CFO")
        )
    figure = window(directory, TRAILING).group
    assert figure.reasons[0].startswith("a/app: 1 period (2025-01-31) is under the key of epoch 1, not of 2")
    truth = {w for d, who in PEOPLE.items() if TRAILING.first <= d <= TRAILING.last for w in who} | {"late"}
    assert figure.upper is not None
    assert figure.lower <= len(truth) <= figure.upper
    handed_in(directory, [second(day, [*PEOPLE[day], "late"], computed_at=NOW - DAY / 2)])
    assert (window(directory, TRAILING).group.estimate, window(directory, TRAILING).group.complete) == (len(truth), True)


@pytest.mark.parametrize(("epoch", "day"), [(0, LAST), (1, LAST)])
def test_a_destroyed_epoch_takes_no_second_ones(directory: Path, epoch: int, day: date) -> None:
    """Neither of its own days, under whichever key, nor under its own key."""
    manifest = yaml.safe_load((directory / "group.yaml").read_text())
    manifest["keys"][epoch] = {**manifest["keys"][epoch], "file": None, "destroyed": "2025-05-30"}
    manifest["keys"][epoch] = {k: v for k, v in manifest["keys"][epoch].items() if v}
    (directory / "group.yaml").write_text(yaml.safe_dump(manifest))
    assert f"the key of its epoch was destroyed (epoch {epoch + 1}, on 2025-05-30)" in why(handed_in(directory, [second(day)]))


# Erased.


def test_erasing_reaches_second_ones(directory: Path, store_url: str) -> None:
    """A day's people erased under one key, and still there under the other; or an epoch's, but for these."""
    handed_in(directory, [second(day) for day in BOTH])
    with open_store(SQLITE, directory) as store:
        plan = erasure.plan(store, Scope(key_epoch="2"))
        assert {day for going in plan.products for day in going.days} == set(BOTH) | set(month_days(FEBRUARY))
        assert set(plan.months) == {FEBRUARY}  # January's figures rest on none of it.
        plan = erasure.plan(store, Scope(key_epoch="1"))  # With what its days have under the coming key.
        assert (len(plan.digests), set(plan.months)) == (31 + 29, {JANUARY})
        days_ = Scope("a", "app", LAST - DAY, LAST)
        assert len(erasure.plan(store, days_).digests) == 4
        erasure.erase(store, days_, ORDER, NOW)
    gone = {(r["activity_date"], r["ahead"]) for r in erased_rows(store_url, directory)}
    assert gone == {(d, is_next_epoch) for d in (LAST - DAY, LAST) for is_next_epoch in (False, True)}
    assert "was erased, so it isn't stored again" in why(handed_in(directory, [second(LAST, ["new"])]))
    figure = window(directory, TRAILING).group
    assert (figure.upper, figure.complete) == (None, False)
    assert "2 sketches are erased" in " ".join(figure.reasons)


def test_an_erased_second_one_keeps_out_no_days_own(directory: Path, store_url: str) -> None:
    """The newer key's epoch is erased: late events of January, under its own key, are no part of that."""
    handed_in(directory, [second(day) for day in BOTH])
    with open_store(SQLITE, directory) as store:
        erasure.erase(store, Scope(key_epoch="2"), ORDER, NOW)
        group = read_group(directory)
        own = made("a/app", LAST, ["late"], key=FIRST_KEY, computed_at=NOW - DAY / 2)
        settled = settles_at(group, ProductRef("a", "app"), "day", LAST, "UTC")
        for is_next_epoch, each, what in ((True, second(LAST, ["late"]), "erased"), (False, own, "replaced")):
            done = store.append_contributions([AcceptedContribution(each, settled, "f", is_next_epoch)], NOW + DAY)
            assert getattr(done, what) == 1
    figure = window(directory, TRAILING).group
    assert figure.upper is None
    assert "erased" in " ".join(figure.reasons)


def erased_rows(url: str, directory: Path) -> list[dict[str, Any]]:
    rows = rows_of(url, directory)
    gone = {r["digest"] for r in rows["sketches"] if r["erased_at"]}
    ids = {p["contribution_id"] for p in rows["parts"] if p["sketch"] in gone}
    return [r for r in rows["contributions"] if r["id"] in ids]


# Counted here.


def counted(make: Make, **settings_: Any) -> Path:
    app = product(sources=[source(complete_through="through")], to="2025-03-01")
    directory = of_two_keys(make, [entity("a", [app])], **settings_)
    write_events(directory)
    return directory


OVER = days_between(JANUARY, month_end(FEBRUARY))


def write_events(directory: Path, until: Sequence[date] = OVER) -> None:
    """Three events a day."""
    seen = [(f"{d}T12:00:00Z", f"u{i % 40}@example.com") for i, d in enumerate(OVER * 3) if d in until]
    events(seen).write_parquet(directory / "events.parquet")
    (directory / "through").write_text(f"{until[-1]}")


def test_late_events_and_another_snapshot_come_under_both(make: Make) -> None:
    """The day's own computed again, and its second one left as it was; or never made, where the next crosswalk was late."""
    several = {"email": {"identifiers_per_person": "several"}}
    directory = counted(make, crosswalk="joined-{month}.parquet", namespaces=several)
    links = pl.DataFrame({"identifier": [f"u{i}@example.com" for i in range(20)], "person": [f"p{i // 2}" for i in range(20)]})

    def snapshot(month: str, key: GroupKey, people: int) -> None:
        from_people(links.head(people), "email", key).write_parquet(directory / f"joined-{month}.parquet")

    snapshot("2025-01", FIRST_KEY, 20)
    now = datetime(2025, 2, 1, 6, tzinfo=UTC)
    write_events(directory, month_days(JANUARY))
    assert run(directory, read_group(directory), now).products[0].received.new == 31
    assert second_versions(directory) == {}  # The next month's crosswalk isn't there yet.
    write_events(directory)
    snapshot("2025-02", SECOND_KEY, 10)
    group = read_group(directory)
    assert run(directory, group, NOW).products[0].received.new == 29 + 28
    assert {v.crosswalk_digest for v in second_versions(directory).values()} == {read("joined-2025-02.parquet", directory).digest}
    truth = {f"p{i // 2}" if i < 10 else f"u{i}" for n, d in enumerate(OVER * 3)
             if TRAILING.first <= d <= TRAILING.last for i in [n % 40]}  # fmt: skip
    figure = window(directory, TRAILING).group
    assert (figure.estimate, figure.complete) == (len(truth), True)
    assert run(directory, group, NOW + DAY).products[0].periods == 0
    snapshot("2025-02", SECOND_KEY, 12)
    done = run(directory, read_group(directory), NOW + DAY).products[0].received
    assert (done.replaced, done.unchanged) == (29 + 28, 29)
    late = events([("2025-01-31T13:00:00Z", "late@example.com")])
    pl.concat([pl.read_parquet(directory / "events.parquet"), late]).write_parquet(directory / "events.parquet")
    assert run(directory, read_group(directory), NOW + 2 * DAY).products[0].received.replaced == 2
    assert run(directory, read_group(directory), NOW + 3 * DAY).products[0].periods == 0
    assert window(directory, TRAILING).group.complete


def test_without_the_coming_key_nothing_is_refused(make: Make, tmp_path: Path) -> None:
    """On an affiliate's machine the new key may come late: its days under their own key are due all the same."""
    directory = counted(make)
    asked = ["contribute", "a/app", "--group", str(directory), "--month", "2025-01"]
    output = ran(*asked, "-o", str(tmp_path / "both.parquet"))
    assert "60 contributions, 2025-01-01 to 2025-01-31" in output
    assert "email, key 1" in output
    assert "email, key 2" in output
    assert ran("inspect", str(tmp_path / "both.parquet")).count("email, key") == 2
    (directory / "second.key").unlink()
    assert "31 contributions" in ran(*asked, "-o", str(tmp_path / "one.parquet"))
    (directory / "second.key").write_text(OTHER)
    (directory / "second.key").chmod(0o600)
    now = datetime.now(UTC)
    session = take(directory, tmp_path / "both.parquet", now=now)
    assert outcomes(session) == ["new"] * 60
    assert set(second_versions(directory)) == set(BOTH)
    assert run(directory, read_group(directory), now).products[0].received.new == 28
    assert window(directory, TRAILING).group.complete


def test_a_warehouses_query_is_asked_for_the_coming_key(make: Make) -> None:
    app = product(sources=[{"table": "events", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}])
    directory = of_two_keys(make, [entity("a", [app])])
    asked = ["contribute", "a/app", "--group", str(directory), "--print-sql", "spark", "--from", f"{BOTH[0]}", "--to", f"{LAST}"]
    own, coming = ran(*asked), ran(*asked, "--next-key")
    assert own != coming
    assert own.replace("'1'", "'2'").replace("epoch 1", "epoch 2") == coming
    early = [*asked[:-3], f"{BOTH[0] - DAY}", *asked[-2:], "--next-key"]
    assert "no day before a change of the key" in ran(*early, code=2)
    assert "--next-key goes with --print-sql" in ran("contribute", "--next-key", "--group", str(directory), code=2)
