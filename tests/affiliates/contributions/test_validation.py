"""A contribution is comparable or refused: one accepted wrongly is silently wrong by all its users."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from affiliates.contributions import completeness, contract, validation
from affiliates.contributions.contract import SCHEMA, Contribution
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import Product
from affiliates.sketches.registers import Registers
from tests.support.contract import made, part, registers
from tests.support.groups import NOW, entity, product


@pytest.fixture
def group(make: Callable[..., Path]) -> Group:
    return read_group(make([entity("a", [product(sources=[], to="2025-04-01")])]))


def reasons(contribution: Contribution, group: Group, key: GroupKey, crosswalk: str = "") -> list[str]:
    known = canaries.from_key(key)
    return [str(r) for r in validation.refusals(contribution, group, lambda month: known, lambda month: crosswalk, NOW)]


def test_what_is_written_is_read(tmp_path: Path, key: GroupKey) -> None:
    """A digest that differs after a file's way would make a new version of the same users, each time it is handed in."""
    contributions = [
        made(key),
        made(
            key,
            activity_date=date(2025, 1, 6),
            parts=(part(key, 0), part(key, 300_000, "device"), part(key, 9, audience="internal")),
        ),
        made(key, grain="month", activity_date=date(2025, 2, 1), definition_digest="d" * 64),
    ]
    contract.write(tmp_path / "c.parquet", contributions)
    assert pl.read_parquet_schema(tmp_path / "c.parquet") == SCHEMA
    assert [c.digest for c in contract.read(tmp_path / "c.parquet")] == [c.digest for c in contributions]


def test_identity_is_registers_and_key_columns(key: GroupKey) -> None:
    """Too much in it, and the same users replace themselves; too little, and another key's users pass for the same."""
    same = replace(part(key), registers=Registers(21, None, registers(100).dense()))
    later = made(key, parts=(same,), computed_at=datetime(2025, 7, 1, tzinfo=UTC), producer="other")
    assert later.digest == made(key).digest
    for changes in ({"day_zone": "Asia/Tokyo"}, {"key_epoch": "2"}, {"crosswalk_digest": "x"}, {"parts": (part(key, 101),)}):
        assert made(key, **changes).digest != made(key).digest


def test_a_good_one_is_accepted(group: Group, key: GroupKey) -> None:
    assert reasons(made(key), group, key) == []
    assert reasons(made(key, parts=(part(key, 5000, lg_k=12),)), group, key) == []
    assert reasons(made(key, parts=(part(key, distinct_users=None, events=None),)), group, key) == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"affiliate": "b"}, "product of nobody"),
        ({"product": "other"}, "product of nobody"),
        ({"grain": "week"}, "neither a day nor a month"),
        ({"grain": "month"}, "neither a day nor a month"),
        ({"activity_date": date(2025, 6, 1)}, "before the period was over"),
        ({"activity_date": date(1970, 1, 1)}, "before 1971"),
        ({"activity_date": date(2024, 12, 31)}, "outside the product's life"),
        ({"activity_date": date(2025, 4, 1)}, "outside the product's life"),
        ({"key_epoch": "2"}, "another key epoch"),
        ({"computed_at": datetime(2999, 1, 1, tzinfo=UTC)}, "in the future"),
        ({"computed_at": datetime(2025, 1, 5, 23, tzinfo=UTC)}, "before the period was over"),
        ({"activity_date": date(9999, 12, 31)}, "in the future"),
        ({"day_zone": ""}, "no time zone"),
        ({"crosswalk_digest": "abc"}, "another crosswalk"),
        ({"normalisation": "v0"}, "unknown normalisation"),
        ({"day_zone": "Mars/Olympus"}, "no time zone"),
    ],
)
def test_key_columns(group: Group, key: GroupKey, changes: dict[str, Any], rule: str) -> None:
    assert any(rule in r for r in reasons(made(key, **changes), group, key))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"audience": "everybody"}, "unknown audience"),
        ({"events": 99}, "more users than events"),
        ({"events": -1}, "negative"),
        ({"canary": b""}, "canary differs"),
        ({"namespace": "e" * 200}, "is no name"),
        ({"distinct_users": 50}, "fewer distinct users"),
        ({"registers": registers(0), "distinct_users": None, "events": 1}, "events, and nobody in the sketch"),
        ({"registers": registers(0), "distinct_users": 3, "events": None}, "more distinct users than the sketch can hold"),
        ({"canary": b"\x00" * 40}, "canary differs"),
    ],
)
def test_rows(group: Group, key: GroupKey, changes: dict[str, Any], rule: str) -> None:
    assert any(rule in r for r in reasons(made(key, parts=(part(key, **changes),)), group, key))


def test_another_key_or_namespace_or_lg_k_makes_another_canary(group: Group, key: GroupKey) -> None:
    """Accepted, the keys of such a file would match nobody's, and everybody would count twice."""
    for wrong in (
        canaries.image("email", GroupKey("f" * 64, "1"), 21),
        canaries.image("device", key, 21),
        canaries.image("email", key, 12),
    ):
        assert any("canary differs" in r for r in reasons(made(key, parts=(part(key, canary=wrong),)), group, key))


def refused(path: Path) -> str:
    """The text of the refusal when a file is read."""
    with pytest.raises(RefusedError) as error:
        contract.read(path)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (pl.lit("mauwatch-contribution-9").alias("protocol"), "another protocol version"),
        (pl.lit(b"\x02\x01\x07").alias("sketch"), "fewer than a preamble"),
        (pl.lit(12).alias("lg_k"), "12 against 21"),
        (pl.lit(None, pl.Binary).alias("sketch"), "values are missing"),
        (pl.lit("yesterday").alias("activity_date"), "wrong type"),
        (pl.lit("planted@example.com").alias("lg_k"), "wrong type"),
    ],
)
def test_bad_files(tmp_path: Path, key: GroupKey, change: pl.Expr, rule: str) -> None:
    path = tmp_path / "c.parquet"
    contract.write(path, [made(key)])
    pl.read_parquet(path).with_columns(change).write_parquet(path)
    assert rule in refused(path)
    assert "planted" not in refused(path)


def test_broken_files(tmp_path: Path, key: GroupKey) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(b"")
    assert "zero bytes" in refused(path)
    contract.write(path, [made(key)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert "not a readable Parquet file" in refused(path)
    path.write_bytes(whole)
    pl.read_parquet(path).drop("canary").write_parquet(path)
    assert "columns are missing (canary)" in refused(path)


def test_rows_of_one_contribution_must_agree(tmp_path: Path, key: GroupKey) -> None:
    """Of two zones, the first row's would be taken for all; of two rows for one cell, one would be lost."""
    path = tmp_path / "c.parquet"
    two = made(key, parts=(part(key), part(key, namespace="device")))
    contract.write(path, [two])
    frame = pl.read_parquet(path)
    frame.with_columns(pl.Series("day_zone", ["UTC", "Asia/Tokyo"])).write_parquet(path)
    assert "rows of one contribution differ (day_zone)" in refused(path)
    frame.with_columns(namespace=pl.lit("email")).write_parquet(path)
    assert "two rows for one audience and namespace" in refused(path)


def test_damaged_files_are_read_or_refused(tmp_path: Path, key: GroupKey) -> None:
    """Bytes from another company: nothing but a list of contributions or a refusal comes out."""
    path = tmp_path / "c.parquet"
    rng = random.Random(7)
    contract.write(path, [made(key, activity_date=date(2025, 1, d)) for d in range(1, 6)])
    whole = path.read_bytes()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 3, 20))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            contract.read(path)
            outcomes["read"] += 1
        except RefusedError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 50


def product_of(**changes: Any) -> Product:
    manifest = {"product": "app", "from": "2025-01-01", "active": {"id": "seen", "meaning": "was seen"}, **changes}
    return Product.model_validate(manifest)


def reasons_of_the_whole(contribution: Contribution, **changes: Any) -> list[str]:
    return [str(r) for r in completeness.refusals(contribution, product_of(**changes))]


@pytest.mark.parametrize(
    ("number", "counted", "share"),
    [
        (99, 0, None),
        (100, 0, "100 of 100; the limit is 25%"),
        (25, 75, None),
        (26, 75, "26 of 101; the limit is 25%"),
        (0, 0, None),
    ],
)
def test_the_share_of_events_without_a_user_has_a_limit(number: int, counted: int, share: str | None) -> None:
    """Of few events the share says nothing; at the limit itself it is allowed."""
    assert completeness.share_over_limit(number, counted, product_of(unidentified_limit=0.25)) == share


@pytest.mark.parametrize(
    ("changes", "manifest", "rule"),
    [
        ({"unidentified_events": 2**63 - 1}, {}, "a number that can't be"),
        ({"undecided_events": -1}, {}, "a number that can't be"),
        ({"unidentified_events": 1000}, {}, "without a usable identifier (1,000 of 1,100; the limit is 50%)"),
        ({"undecided_events": 1000}, {}, "leaves undecided, or without a time (1,000 of 1,100"),
        ({}, {"namespaces": ["email", "device"]}, "namespaces are missing (device, which the manifest names)"),
    ],
)
def test_a_part_of_a_contribution_does_not_pass_for_the_whole(
    key: GroupKey, changes: dict[str, Any], manifest: dict[str, Any], rule: str
) -> None:
    """A canary proves how keys were made: not that the events were all there, or any."""
    assert reasons_of_the_whole(made(key)) == []
    assert any(rule in r for r in reasons_of_the_whole(made(key, **changes), **manifest))


def test_a_contribution_has_external_users(key: GroupKey) -> None:
    """Only robots, or only staff: a file of a part, which would be a day of nobody."""
    (reason,) = reasons_of_the_whole(made(key, parts=(part(key, audience="automated"),)))
    assert "no row of external users" in reason
    limit = {"unidentified_limit": 1.0}
    assert reasons_of_the_whole(made(key, unidentified_events=10**6), **limit) == []


def test_a_file_of_many_namespaces_is_refused_before_they_are_judged(tmp_path: Path, key: GroupKey) -> None:
    """Telling what is wrong with a canary takes 50 ms: 100,000 of them would keep everybody else's files waiting for an hour."""
    frame = pl.concat([pl.DataFrame({"namespace": [f"n{i}" for i in range(100)]})])
    contract.write(tmp_path / "c.parquet", [made(key)])
    one = pl.read_parquet(tmp_path / "c.parquet").drop("namespace")
    one.join(frame, how="cross").select(SCHEMA.names()).write_parquet(tmp_path / "c.parquet")
    assert "too many namespaces (100, at most 64)" in refused(tmp_path / "c.parquet")
