"""Said wrongly, `run` tells: statements on identifiers per person beside the events of made-up people."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from affiliates.aggregation.per_person import PerPersonSample
from affiliates.errors import Code, RefusedError
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.manifests.settings import Settings
from affiliates.manifests.source import Identifier
from dashboards.cli import doctor
from tests.support.crosswalks import from_people
from tests.support.groups import KEY, NOW, Manifests, entity, events, product, source
from tests.support.runs import go

Make = Callable[..., Path]
DEVICE_TOO = [{"column": "user", "namespace": "email"}, {"column": "device", "namespace": "device"}]


def people(
    number: int = 400, devices: int = 3, emails: int = 2, together: bool = True, shared: bool = False, months: int = 2
) -> pl.DataFrame:
    """Events of people with 1 to `devices` devices and 1 to `emails` addresses, in each of the months.

    `together`: an event has both; else the one or the other. `shared`: two people have their first device together.
    """
    rng = np.random.default_rng(6)
    rows: list[tuple[str, str | None]] = []
    used: list[str | None] = []
    for person in range(number):
        its_devices = [f"d{person // 2 * 2 if shared and not d else person}-{d}" for d in range(1 + person % devices)]
        its_emails = [f"U{person}.{e}@example.com " for e in range(1 + person // 3 % emails)]
        for month in range(months):
            for visit in range(6):
                day = date(2025, 1 + month, 1) + timedelta(int(rng.integers(28)))
                device, email = (str(rng.choice(those)) for those in (its_devices, its_emails))
                rows.append((f"{day}T12:00:00Z", email.lower() if visit % 2 else email))
                used.append(device)
    if not together:
        rows = [(at, email if n % 2 else "n/a") for n, (at, email) in enumerate(rows)]
        used = [None if n % 2 else device for n, device in enumerate(used)]
    return events(rows, device=used)


def settings_of(said: dict[str, Any]) -> Settings:
    """group.yaml with these identifiers per person."""
    namespaces = {name: {"identifiers_per_person": per_person} for name, per_person in said.items()}
    return Settings.model_validate({"group": "test", "ultimate_parent": "parent", "key": {"file": "k"}, "namespaces": namespaces})


def group_of(make: Make, said: dict[str, Any], frame: pl.DataFrame, key: GroupKey | None = None, **changes: Any) -> Path:
    """A group of one product with these events; with `key` a crosswalk that has every second person."""
    sources: list[Manifests] = [source(identifiers=DEVICE_TOO, complete_through="2025-02-28", **changes)]
    files: dict[str, pl.DataFrame] = {"events.parquet": frame}
    crosswalk = {}
    if key:
        identifiers = [i for i in {*frame["user"], *frame["device"]} if i and i != "n/a"]
        known = pl.DataFrame({"identifier": identifiers}).with_columns(
            person=pl.col("identifier").str.to_lowercase().str.extract(r"^[ud](\d+)")
        )
        known = known.filter(pl.col("person").cast(pl.Int64) % 2 == 0)
        tables = [
            from_people(known.filter(pl.col("identifier").str.to_lowercase().str.starts_with(letter)), namespace, key)
            for letter, namespace in (("u", "email"), ("d", "device"))
        ]
        files["crosswalk.parquet"] = pl.concat(tables)
        crosswalk = {"crosswalk": "crosswalk.parquet"}
    namespaces = {name: {"identifiers_per_person": per_person} for name, per_person in said.items()}
    return make([entity("a", [product(sources=sources, to="2025-03-01")])], files, namespaces=namespaces, **crosswalk)


TRUTHFUL: list[dict[str, Any]] = [
    {}, {"email": [1, 2], "device": [1, 3]}, {"email": [1, 2]}, {"email": "several", "device": [1, 3], "person": 1},
]  # fmt: skip
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"email": 1}, "email"), ({"device": 1}, "device"), ({"email": [1, 2], "device": [1, 2]}, "device"),
    ({"email": 1, "device": "several"}, "email"), ({"email": 1, "device": [1, 3], "person": 1}, "email"),
]  # fmt: skip


@pytest.mark.parametrize("joined", [False, True], ids=["no crosswalk", "crosswalk"])
@pytest.mark.parametrize("said", TRUTHFUL, ids=str)
def test_a_truthful_statement_passes(make: Make, key: GroupKey, said: dict[str, Any], joined: bool) -> None:
    """Refused in spite of being true, a product would be missing."""
    report = go(group_of(make, said, people(), key if joined else None))
    assert [str(refusal) for p in report.products for refusal in p.refusals] == []
    assert report.clean


@pytest.mark.parametrize("how", ["together", "crosswalk"])
@pytest.mark.parametrize(("said", "namespace"), WRONG, ids=str)
def test_said_wrongly_a_run_tells(make: Make, key: GroupKey, said: dict[str, Any], namespace: str, how: str) -> None:
    """A lower bound above the people says `over` of a group that is under."""
    directory = group_of(make, said, people(together=how == "together"), key if how == "crosswalk" else None)
    report = go(directory)
    ((refusal,),) = (p.refusals for p in report.products)
    assert refusal.code == Code.NAMESPACE_CONTRADICTED
    assert f"{namespace}: " in refusal.values
    assert f"namespaces: {{{namespace}: " in refusal.next_step
    assert not report.clean
    assert "example.com" not in str(refusal)


def test_a_device_of_two_people_is_said_or_told(make: Make) -> None:
    """An upper bound that takes each device for one person would be too low: silently, and so `under`."""
    frame = people(devices=2, emails=1, shared=True)
    report = go(group_of(make, {"email": 1}, frame))
    ((refusal,),) = (p.refusals for p in report.products)
    assert "of device: `identifiers_per_person: [0.5, …]`" in refusal.next_step
    assert go(group_of(make, {"email": 1, "device": [0.5, 2]}, frame)).clean


def test_one_value_of_nobody_is_a_cause_too(make: Make) -> None:
    """To say nine devices a person would hide nine people behind one value, where the value names nobody."""
    frame = people(devices=1, emails=1)
    nobody = frame.gather_every(12).head(9).with_columns(user=pl.lit("signed out"))
    report = go(group_of(make, {"device": 1}, pl.concat([frame.head(40), nobody])))
    ((refusal,),) = (p.refusals for p in report.products)
    assert refusal.code == Code.NAMESPACE_CONTRADICTED
    assert "where that value of email names nobody, write it under `names_nobody`" in refusal.next_step


def test_a_statement_that_changes_is_compared_once_more(make: Make) -> None:
    """Nothing is computed again for it, and the published figures move all the same."""
    assert go(group_of(make, {"email": [1, 2]}, people())).clean
    report = go(group_of(make, {"email": 1}, people()))
    assert report.published
    assert [finding.page for finding in report.findings] == ["namespace-contradicted"]


def test_doctor_looks_as_far(make: Make) -> None:
    """Whoever has just written a statement wants to know before a run does."""
    for said, fine in (({"email": [1, 2]}, True), ({"email": 1}, False)):
        directory = group_of(make, said, people())
        (looked,) = (found for found in doctor.examine(directory, read_group(directory), NOW) if found[0] == "a/app")
        assert looked[1] == fine
        assert ("more identifiers" in looked[2]) != fine


def test_few_who_differ_stop_nobody(make: Make) -> None:
    """A borrowed telephone would else stop a product of millions."""
    frame = people(devices=1, emails=1)
    borrowed = frame.head(1).with_columns(device=pl.lit("d1-0"))
    assert go(group_of(make, {"email": 1, "device": 1}, pl.concat([frame, borrowed]))).clean


def test_a_new_telephone_in_another_month_is_no_second_one() -> None:
    """What is said is of a month: over a year most people have two devices."""
    said = settings_of({"device": 1})
    identifiers = [Identifier(column=name, namespace=name) for name in ("email", "device")]
    sample = PerPersonSample(identifiers, said, None, date(2025, 1, 1))
    emails = pl.Series([f"u{n % 50}@example.com" for n in range(100)])
    devices = pl.Series([f"d{n}" for n in range(100)])
    nobody = np.zeros(100, np.uint8)
    for last_day in (30, 31):
        days = np.array([0] * 50 + [last_day] * 50, np.int32)
        sample = PerPersonSample(identifiers, said, None, date(2025, 1, 1))
        sample.add([emails, devices], nobody.astype(np.uint64), nobody, days)
        if last_day == 31:
            sample.check("a/app")
        else:
            with pytest.raises(RefusedError, match=r"50 of 50 identifiers of email stand beside more than 1"):
                sample.check("a/app")


def test_the_sample_stays_small_and_still_tells() -> None:
    """Memory that grows with the people would end a run of a hundred million."""
    said = settings_of({"email": 1})
    identifiers = [Identifier(column=name, namespace=name) for name in ("device", "email")]
    sample = PerPersonSample(identifiers, said, None, date(2025, 1, 1))
    for batch in range(3):
        numbers = np.arange(batch * 150_000, (batch + 1) * 150_000)
        devices = pl.Series([f"d{n // 2}" for n in numbers.tolist()])
        # Of 30 devices one has two people's addresses.
        emails = pl.Series([f"u{n if n // 2 % 30 == 0 else n // 2}@example.com" for n in numbers.tolist()])
        nobody = np.zeros(len(numbers), np.uint8)
        sample.add([devices, emails], nobody.astype(np.uint64), nobody, nobody.astype(np.int32))
    (seen,) = sample._seen.values()
    assert 5_000 < seen.beside["anchor"].n_unique() <= 20_000
    with pytest.raises(RefusedError, match="stand beside more than 1"):
        sample.check("a/app")
    assert KEY not in str(sample)
