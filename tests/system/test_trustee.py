"""Small asks end to end: a trustee in the centre's place, whole months, outsiders only, a number alone."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from affiliates.contributions import contract
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from dashboards.cli.commands.key import USUAL
from dashboards.cli.main import app
from pipelines.workflows.run import run
from tests.support.command import answer, asked, installed
from tests.support.groups import KEY, NOW, entity, events, product, source, write_group

FINGERPRINT = GroupKey(KEY, "1").fingerprint
OTHER = "abcdef0123456789" * 4
OUTSIDERS, STAFF, CARDS = 40, 5, 7
PLANTED = "planted.person@example.com"


def january() -> pl.DataFrame:
    """On each day some of the outsiders and of the staff, by e-mail; and people who are known by a card alone."""
    days = [f"2025-01-{d + 1:02}T12:00:00Z" for d in range(31)]
    rows = [(days[n % 31], PLANTED if n == 0 else f"u{n}@example.com") for n in range(OUTSIDERS)] * 2
    rows += [(days[n + 3], f"s{n}@staff.example.com") for n in range(STAFF)]
    cards = [(days[n], None) for n in range(CARDS)]
    card: list[str | None] = [None] * len(rows) + [f"card-{n}" for n in range(CARDS)]
    return events([*rows, *cards], card=card)


SOURCE = source(
    identifiers=[{"column": "user", "namespace": "email"}, {"column": "card", "namespace": "loyalty-card"}],
    internal_when="user like '%@staff.example.com'",
)


def places(tmp_path: Path, **of_product: Any) -> tuple[Path, Path, Path]:
    """The affiliate's directory with its events and the key, the trustee's with the key, the centre's with canaries."""
    offered = product("app", to="2025-02-01", sources=[SOURCE], **of_product)
    affiliate = write_group(tmp_path / "affiliate", [entity("shop", [offered])], {"events.parquet": january()}, lg_k=16)
    trustee = write_group(tmp_path / "trustee", [entity("shop", [offered])])
    workspace = write_group(
        tmp_path / "centre", [entity("shop", [{**offered, "sources": []}])], key={"canaries": "canaries.json"}, lg_k=16
    )
    (workspace / "group.key").unlink()
    return affiliate, trustee, workspace


def done(*arguments: object, code: int = 0) -> str:
    """In this process, which costs a tenth of one of its own."""
    found = CliRunner().invoke(app, [str(a) for a in arguments])
    assert found.exit_code == code, found.output
    return found.output


def test_a_trustee_an_affiliate_and_a_centre_without_the_key(tmp_path: Path) -> None:
    """With the key in one more place, headquarters could test who was there; without its canaries, check nothing."""
    affiliate, trustee, workspace = places(tmp_path)
    made = answer("key", "canaries", workspace / "canaries.json", "--group", trustee)
    assert (made["fingerprint"], made["namespaces"]) == (FINGERPRINT, ["device", "email", "loyalty-card", "person", "phone"])
    assert FINGERPRINT in done("key", "check", "--group", workspace)
    out = tmp_path / "january.parquet"
    handed = installed("contribute", "shop/app", "--group", affiliate, "--month", "2025-01", "-o", out)
    assert handed.returncode == 0, handed.stderr
    assert installed("receive", out, "--group", workspace, "--sender", "shop").returncode == 0
    figure = answer("measure", "--group", workspace, "--month", "2025-01")["group"]
    assert (figure["identity_low"], figure["identity_high"]) == (OUTSIDERS + STAFF, OUTSIDERS + STAFF + CARDS)
    assert figure["complete"]
    # An affiliate with another key is refused by the centre all the same.
    (affiliate / "group.key").write_text(OTHER)
    done("contribute", "shop/app", "--group", affiliate, "--month", "2025-01", "-o", out, "--yes")
    assert "another key, or another hash" in re.sub(r"\s+", " ", done("receive", out, "--group", workspace, code=1))
    for path in (p for p in workspace.rglob("*") if p.is_file()):
        held = path.read_bytes()
        for secret in (KEY, bytes.fromhex(KEY), OTHER, PLANTED):
            assert (secret.encode() if isinstance(secret, str) else secret) not in held, path
    assert KEY not in (trustee / "group.yaml").read_text()


def test_the_centres_file_is_the_newest_epochs_or_the_one_asked_for(tmp_path: Path) -> None:
    """Another epoch's would refuse every contribution; one that was destroyed has none."""
    keys = [
        {"epoch": "0", "destroyed": "2024-06-01"}, {"epoch": "1", "file": "group.key", "from": "2024-06"},
        {"epoch": "2", "file": "2.key", "from": "2025-01"},
    ]  # fmt: skip
    trustee = write_group(tmp_path, [], {"2.key": OTHER.encode()}, key=None, keys=keys)
    out = tmp_path / "canaries.json"
    assert "Epoch 2, fingerprint" in asked("canaries", out, "--group", trustee)
    assert canaries.from_file(out).fingerprint == GroupKey(OTHER, "2").fingerprint
    told = json.loads(asked("canaries", out, "--group", trustee, "--epoch", "1", "--namespace", "games.id", "--json"))
    found = canaries.from_file(out)
    assert (found.epoch, found.fingerprint) == ("1", FINGERPRINT)
    assert told["namespaces"] == sorted([*USUAL, "games.id"])
    for name in told["namespaces"]:
        known, mine = found.by_namespace(name), canaries.from_key(GroupKey(KEY, "1")).by_namespace(name)
        assert known is not None
        assert mine is not None
        assert [known.expected(n) for n in (canaries.UNICODE, canaries.ASCII)] == [
            mine.expected(n) for n in (canaries.UNICODE, canaries.ASCII)
        ]
    line = yaml.safe_load(told["group_yaml"])
    assert line == {"key": {"canaries": "canaries.json", "epoch": "1"}}
    with pytest.raises(RefusedError, match="was destroyed"):
        asked("canaries", out, "--group", trustee, "--epoch", "0")
    with pytest.raises(RefusedError, match="has no such epoch"):
        asked("canaries", out, "--group", trustee, "--epoch", "7")
    assert "a namespace is" in asked("canaries", out, "--group", trustee, "--namespace", "No Name", code=2)


def test_no_key_is_written_over(tmp_path: Path) -> None:
    """FILE is what is written, not what is read: whoever names the key's file there would lose the key."""
    trustee = write_group(tmp_path, [])
    with pytest.raises(RefusedError, match="is there already"):
        asked("canaries", trustee / "group.key", "--group", trustee)
    assert (trustee / "group.key").read_text() == KEY
    workspace = write_group(tmp_path / "centre", [], key={"canaries": "c.json"})
    asked("canaries", workspace / "c.json", "--group", trustee)
    with pytest.raises(RefusedError, match="a trustee keeps it"):
        asked("canaries", tmp_path / "new.json", "--group", workspace)
    assert not (tmp_path / "new.json").exists()


def test_a_hub_hands_over_whole_months_of_outsiders_only(tmp_path: Path) -> None:
    """Days and staff stay in the country: neither may leave by the file, and the month's number is exact all the same."""
    affiliate, trustee, workspace = places(tmp_path, grain="month")
    done("key", "canaries", workspace / "canaries.json", "--group", trustee)
    out = tmp_path / "january.parquet"
    asks = ("--month", "2025-01", "--external-only", "-o", out, "--json")
    told = json.loads(done("contribute", "shop/app", "--group", affiliate, *asks))
    assert {(row["audience"], row["namespace"], row["people"]) for row in told["holds"]} == {
        ("external", "email", OUTSIDERS), ("external", "loyalty-card", CARDS),
    }  # fmt: skip
    (month,) = contract.read(out)
    assert (month.grain, f"{month.activity_date}", {p.audience for p in month.parts}) == ("month", "2025-01-01", {"external"})
    done("receive", out, "--group", workspace, "--sender", "shop")
    figure = json.loads(done("measure", "--group", workspace, "--month", "2025-01", "--json"))["group"]
    assert (figure["identity_low"], figure["estimate"]) == (OUTSIDERS, OUTSIDERS + CARDS)
    assert figure["coverage"] == {"days_expected": 0, "days_present": 0, "months_expected": 1, "months_present": 1}
    assert (figure["upper"], figure["complete"]) == (None, False), "staff is counted by this reading, and isn't in the file"
    said = "shop/app: 1 of 1 periods are of external users alone, and external and internal count"
    assert figure["reasons"] == [said]
    outsiders = {"name": "outsiders", "counts": "unique_people", "audiences": ["external"]}
    (workspace / "readings.yaml").write_text(yaml.safe_dump({"readings": [outsiders]}))
    done("run", "--group", workspace)
    figure = json.loads(done("measure", "--group", workspace, "--month", "2025-01", "--json"))["group"]
    assert (figure["complete"], figure["reasons"]) == (True, [])
    assert OUTSIDERS + CARDS <= figure["upper"] <= OUTSIDERS + CARDS + 1


def test_a_number_alone(tmp_path: Path) -> None:
    """An affiliate that may give no sketch gives a count, or a ceiling: the group is bounded, and no key is needed for it."""
    stated = {"document": "call records", "attested_by": "head of billing"}
    counted = product(
        "calls", sources=[], to="2025-02-01", counts=[{"month": "2025-01", "users": 900, "unit": "people", **stated}]
    )
    roof = {"users": 5000, "unit": "registered cards", "sha256": "ab" * 32, **stated}
    roofed = product("cards", sources=[], to="2025-02-01", ceilings=[roof])
    directory = write_group(tmp_path / "group", [entity("phones", [counted, roofed])])
    done("key", "canaries", directory / "canaries.json", "--group", directory)
    (directory / "group.key").unlink()
    settings = yaml.safe_load((directory / "group.yaml").read_text())
    (directory / "group.yaml").write_text(yaml.safe_dump(settings | {"key": {"canaries": "canaries.json"}}))
    assert run(directory, read_group(directory), NOW).clean
    found = json.loads(done("measure", "--group", directory, "--month", "2025-01", "--json"))
    assert (found["group"]["lower"], found["group"]["upper"], found["group"]["complete"]) == (900, 5900, False)
    assert found["products"]["phones/cards"]["upper"] == 5000
    assert "a count of 900 people stands in (call records)" in str(found["group"]["reasons"])
    assert f"(call records, SHA-256 {'ab' * 32})" in str(found["group"]["reasons"])
