"""Identifiers as other systems write them, from files and tables of links to the month's figure and to what a run says."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from affiliates.identity.normalisation import rules_of
from affiliates.manifests.loader import read_group
from affiliates.manifests.namespaces import Namespace
from affiliates.manifests.packet import spellings_of
from affiliates.manifests.settings import Settings
from dashboards.cli import affiliate_scaffold
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from tests.support.groups import NOW, entity, product, source

Make = Callable[..., Path]
DAYS = ("2025-01-01", "2025-01-02", "2025-01-03")
UUIDS = [f"d6674ae5-bcb9-5b2d-aa9b-247d630fad{i:02x}" for i in range(10)]


def shop(make: Make, identifiers: Sequence[tuple[str, str]], *products: Sequence[pl.DataFrame], **settings: Any) -> Path:
    """A group whose products have these days of events; `identifiers`: columns with their namespaces."""
    columns = [{"column": column, "namespace": namespace} for column, namespace in identifiers]
    manifests = []
    files: dict[str, bytes | pl.DataFrame] = {}
    for number, frames in enumerate(products):
        name = f"p{number}"
        of_files = source(files=f"{name}-{{day}}.csv", time=None, complete_through=None, identifiers=columns)
        manifests.append(product(name, **{"from": DAYS[0], "to": "2025-01-04", "settles_after": 0}, sources=[of_files]))
        files |= {f"{name}-{day}.csv": frame.write_csv().encode() for day, frame in zip(DAYS, frames, strict=True)}
    return make([entity("shop", manifests)], files, **settings)


def go(directory: Path) -> tuple[int | None, Report]:
    """The month's estimate, and the run's report."""
    report = run(directory, read_group(directory), NOW)
    return report.measured[date(2025, 1, 1), "unique_people"].group.estimate, report


def signed_out(value: str | None) -> pl.DataFrame:
    """Five who signed in, and twenty devices of nobody who did."""
    users = [f"u{i}@example.com" for i in range(5)] + [value] * 20
    return pl.DataFrame({"user": users, "device": [*(f"own{i}" for i in range(5)), *(f"device{i}" for i in range(20))]})


@pytest.mark.parametrize(
    "value", [r"\N", r"\\N", "(null)", "<NA>", "#N/A", "NaT", "'null'", "000-000", "--", "d41d8cd98f00b204e9800998ecf8427e"]
)
def test_what_names_nobody_hides_nobody(make: Make, value: str) -> None:
    """Counted as a person, it would stand for all twenty, and the figure would be six."""
    estimate, report = go(shop(make, [("user", "account"), ("device", "device")], [signed_out(value)] * 3))
    assert estimate == 25
    assert report.clean


def test_a_value_that_no_list_knows_is_refused_and_then_named(make: Make) -> None:
    columns = [("user", "account"), ("device", "device")]
    directory = shop(make, columns, [signed_out("gast")] * 3)
    report = run(directory, read_group(directory), NOW)
    (refusal,) = report.products[0].refusals
    assert refusal.code == "events-of-one-value"
    assert "gast" not in str(refusal)
    assert not report.clean
    estimate, report = go(shop(make, columns, [signed_out("Gast")] * 3, names_nobody=["gast"]))
    assert estimate == 25
    assert report.clean


def spelt(*texts: Sequence[str]) -> list[pl.DataFrame]:
    return [pl.DataFrame({"user": list(day)}) for day in texts]


ACCOUNTS = [f"{i}" for i in range(1000, 1010)]
WITH_POINT = [f"{account}.0" for account in ACCOUNTS]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"forms": "recognised"}, 10), ({"namespaces": {"account": {"form": "integer"}}}, 10), ({}, 20)],
)
def test_one_account_as_a_whole_number_and_as_a_float(make: Make, settings: dict[str, Any], expected: int) -> None:
    """Where the group says nothing the figure stays as it was, and the run tells that it is too high."""
    estimate, report = go(shop(make, [("user", "account")], spelt(ACCOUNTS, WITH_POINT, ACCOUNTS), **settings))
    assert estimate == expected
    assert report.clean == bool(settings)
    told = [] if settings else ["shop/p0: identifiers of `account` come in two spellings, 10 of 20 that were looked at"]
    assert [str(finding).split(": alike")[0] for finding in report.findings] == told


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"forms": "recognised"}, 10), ({"namespaces": {"account": {"form": "uuid"}}}, 10), ({}, 20)],
)
def test_two_products_write_one_uuid_in_two_cases(make: Make, settings: dict[str, Any], expected: int) -> None:
    capitals = [text.upper() for text in UUIDS]
    products = spelt(capitals, capitals, capitals), spelt(UUIDS, UUIDS, UUIDS)
    estimate, report = go(shop(make, [("user", "account")], *products, **settings))
    assert estimate == expected
    assert report.clean == bool(settings)
    assert all("shop/p0 and shop/p1" in str(finding) for finding in report.findings)


def test_a_spreadsheets_numbers_are_refused(make: Make) -> None:
    """Thousands of accounts in one: no later step could tell them apart."""
    directory = shop(make, [("user", "account")], spelt(ACCOUNTS, ["1.2E+18"] * 10, ACCOUNTS))
    report = run(directory, read_group(directory), NOW)
    assert [refusal.code for refusal in report.products[0].refusals] == ["source-identifiers-unusable"]
    assert "lost digits" in str(report.products[0].refusals[0])


def test_an_affiliate_is_told_how_identifiers_are_spelt() -> None:
    """Without it, an affiliate that counts elsewhere would write each person in its own spelling."""
    spellings = {"account": Namespace(form="uuid"), "device": Namespace(names_nobody=("x",)), "other": Namespace()}
    packet = affiliate_scaffold.without_packet("shop", "acme", "UTC").model_copy(
        update={"forms": "recognised", "names_nobody": ("kein Wert", "-99"), "spellings": spellings_of(spellings)}
    )
    told = yaml.safe_load(affiliate_scaffold._group_yaml(packet, "headquarters"))
    settings = Settings.model_validate(told)
    ours = Settings.model_validate(
        {"group": "acme", "ultimate_parent": "parent", "key": {"file": "k"}, "forms": "recognised"}
        | {"names_nobody": ["kein Wert", -99], "namespaces": {name: said.model_dump() for name, said in spellings.items()}}
    )
    assert [rules_of(settings, name) for name in (*spellings, "email")] == [
        rules_of(ours, name) for name in (*spellings, "email")
    ]
