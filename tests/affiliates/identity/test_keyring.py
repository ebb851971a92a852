"""Keys of two epochs are two different people: united, a month would count everybody twice."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from pydantic import ValidationError

from affiliates.aggregation.availability import periods_present
from affiliates.aggregation.contribute import EdgeContext as Place
from affiliates.aggregation.contribute import contribute
from affiliates.contributions.contract import Contribution, write
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.settings import Settings
from affiliates.sources.resolve import find
from pipelines.counting import measure
from pipelines.counting.inputs import gather
from pipelines.ingestion import acceptance
from pipelines.store import contributions
from pipelines.workflows.run import run
from tests.support.groups import KEY, NOW, entity, product, source

Make = Callable[..., Path]
OTHER = "abcdef0123456789" * 4
TWO = [{"epoch": 1, "file": "group.key"}, {"epoch": 2, "file": "second.key", "from": "2025-02"}]
JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)


def events() -> pl.DataFrame:
    """Thirty people in January, and the same with ten more in February."""
    days = [datetime(2025, 1, 1 + i % 31, 12, tzinfo=UTC) for i in range(90)]
    days += [datetime(2025, 2, 1 + i % 28, 12, tzinfo=UTC) for i in range(120)]
    users = [f"u{i % 30}@example.com" for i in range(90)] + [f"u{i % 40}@example.com" for i in range(120)]
    return pl.DataFrame({"at": days, "user": users})


def group_of(make: Make, **settings: Any) -> Path:
    app = product(sources=[source(complete_through="2025-02-28")], to="2025-03-01")
    directory = make([entity("a", [app])], {"events.parquet": events(), "second.key": OTHER.encode()}, **settings)
    if "keys" in settings:
        manifest = yaml.safe_load((directory / "group.yaml").read_text())
        del manifest["key"]
        (directory / "group.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    return directory


def estimates(directory: Path) -> list[int | None]:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        inputs = [gather(store, group, month, group.readings.readings[0]) for month in (JANUARY, FEBRUARY)]
        return [measure.measure(store, group, i).group.estimate for i in inputs]


def handed_in(directory: Path, key: GroupKey, first: date, last: date) -> list[Contribution]:
    """What an affiliate with this key makes of the same events."""
    group = read_group(directory)
    place = Place(directory, group.settings, Keyring.from_key(group.settings, key), lambda month: None, NOW)
    ((ref, app),) = group.products.items()
    sources = find(str(ref), app, directory, "UTC")
    days = pl.date_range(first, last, eager=True).to_list()
    periods = periods_present(sources, app, days, "UTC", NOW)
    return [contribution for batch in contribute(ref, app, sources, periods, place) for contribution in batch]


def test_each_month_is_hashed_by_its_epochs_key(make: Make) -> None:
    """One file of events over the change: were a pass to go on with the first key, February would match nobody's."""
    directory = group_of(make, keys=TWO)
    assert run(directory, read_group(directory), NOW).clean
    assert estimates(directory) == [30, 40]
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        stored = store.read_versions(ProductRef("a", "app"))
    assert {(version.activity_date.month, version.key_epoch, version.key_fingerprint) for version in stored} == {
        (1, "1", GroupKey(KEY, "1").fingerprint),
        (2, "2", GroupKey(OTHER, "2").fingerprint),
    }
    assert run(directory, group, NOW).products[0].periods == 0


def test_the_other_epochs_key_is_refused_by_name(make: Make, tmp_path: Path) -> None:
    """An affiliate that goes on with the old key would add all of its people a second time."""
    directory = group_of(make, keys=TWO)
    group = read_group(directory)
    old = handed_in(directory, GroupKey(KEY, "1"), FEBRUARY, FEBRUARY)
    keys = Keyring(group.settings, directory)
    for epoch, rule in (("1", "another key epoch (1, the month's is 2)"), ("2", "the key of epoch 1: use that of 2")):
        write(tmp_path / "c.parquet", [replace(contribution, key_epoch=epoch) for contribution in old])
        with pytest.raises(RefusedError) as refused:
            acceptance.accept([tmp_path / "c.parquet"], group, keys.canaries, lambda month: "", NOW)
        assert rule in str(refused.value)


def test_a_destroyed_epoch_keeps_its_figures_and_takes_nothing_more(make: Make, tmp_path: Path) -> None:
    """Destroying a key answers an erasure: months counted by it must neither vanish nor be counted by another."""
    directory = group_of(make, keys=TWO)
    assert run(directory, read_group(directory), NOW).clean
    (directory / "group.key").unlink()
    (directory / "events.parquet").unlink()
    events().head(150).write_parquet(directory / "events.parquet")
    manifest = yaml.safe_load((directory / "group.yaml").read_text())
    manifest["keys"][0] = {"epoch": 1, "destroyed": "2025-05-30"}
    (directory / "group.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    group = read_group(directory)
    run(directory, group, NOW)
    assert estimates(directory)[0] == 30
    write(tmp_path / "c.parquet", handed_in(directory, GroupKey(KEY, "1"), JANUARY, JANUARY))
    with pytest.raises(RefusedError, match=r"the key of its epoch was destroyed \(epoch 1, on 2025-05-30\)"):
        acceptance.accept([tmp_path / "c.parquet"], group, Keyring(group.settings, directory).canaries, lambda month: "", NOW)


def test_a_centre_without_the_key_checks_all_the_same(make: Make, tmp_path: Path) -> None:
    """With a trustee's file the centre refuses another key's contributions, and can itself hash nobody."""
    directory = group_of(make)
    canaries.to_file(canaries.from_key(GroupKey(KEY, "1")), ["email"], directory / "canaries.json")
    (directory / "group.key").unlink()
    manifest = yaml.safe_load((directory / "group.yaml").read_text())
    (directory / "group.yaml").write_text(yaml.safe_dump({**manifest, "key": {"canaries": "canaries.json"}}, sort_keys=False))
    group = read_group(directory)
    keys = Keyring(group.settings, directory)
    assert keys.fingerprint(JANUARY) == GroupKey(KEY, "1").fingerprint
    write(tmp_path / "c.parquet", handed_in(directory, GroupKey(KEY, "1"), JANUARY, FEBRUARY))
    assert len(acceptance.accept([tmp_path / "c.parquet"], group, keys.canaries, lambda month: "", NOW)) == 32
    write(tmp_path / "c.parquet", handed_in(directory, GroupKey(OTHER, "1"), JANUARY, FEBRUARY))
    with pytest.raises(RefusedError, match="another key, or another hash"):
        acceptance.accept([tmp_path / "c.parquet"], group, keys.canaries, lambda month: "", NOW)
    with pytest.raises(RefusedError, match="isn't here: a trustee keeps it"):
        keys.key(JANUARY)
    report = run(directory, group, NOW)
    assert "a trustee keeps it" in str(report.products[0].refusals[0])


def test_a_trustees_file_of_another_epoch_is_refused(make: Make) -> None:
    """Its canaries would refuse every right contribution of the month, and let the other epoch's in."""
    directory = group_of(make)
    canaries.to_file(canaries.from_key(GroupKey(KEY, "9")), ["email"], directory / "c.json")
    settings = read_group(directory).settings.model_copy(update={"key": None, "keys": ()})
    settings = Settings.model_validate({**settings.model_dump(exclude={"key", "keys"}), "key": {"canaries": "c.json"}})
    with pytest.raises(RefusedError, match="are of another epoch"):
        Keyring(settings, directory).canaries(JANUARY)


FILE = {"epoch": 1, "file": "a"}


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({}, "needs either `key`, or `keys`"),
        ({"key": {"file": "a"}, "keys": [FILE]}, "needs either `key`, or `keys`"),
        ({"keys": [FILE, {"epoch": 1, "file": "b", "from": "2025-02"}]}, "name each `epoch` once"),
        ({"keys": [FILE, {"epoch": 2, "file": "b"}]}, "must have a `from`"),
        ({"keys": [{**FILE, "from": "2025-01"}, {"epoch": 2, "file": "b", "from": "2025-02"}]}, "must have a `from`"),
        (
            {"keys": [FILE, {"epoch": 2, "file": "b", "from": "2025-03"}, {"epoch": 3, "file": "c", "from": "2025-02"}]},
            "in order",
        ),
        ({"keys": [FILE, {"epoch": 2, "file": "b", "from": "2025-02-02"}]}, "is written YYYY-MM"),
        ({"key": {"file": "a", "destroyed": "2025-01-01"}}, "needs one of"),
        ({"key": {}}, "needs one of"),
    ],
)
def test_epochs_that_leave_a_month_without_a_key_or_with_two(keys: dict[str, Any], rule: str) -> None:
    """A month of two keys counts everybody twice; a month of none is found out when it is due."""
    with pytest.raises(ValidationError, match=rule):
        Settings.model_validate({"group": "g", "ultimate_parent": "p", **keys})
