"""The road of an affiliate that has the core install alone: from headquarters' packet to a figure there, command by command."""

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from affiliates.crosswalks import snapshot
from affiliates.errors import Code, RefusedError
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from dashboards.cli import packet_file, scaffold
from tests.support.command import ran
from tests.support.groups import KEY, entity, write_group
from tests.support.paths import ROOT

CORE = ROOT / ".venv-core" / "bin" / "python"
FINGERPRINT = GroupKey(KEY, "1").fingerprint
STORE = "postgresql://boss:s3cret@db.example.com/store"


@pytest.fixture
def headquarters(tmp_path: Path) -> Path:
    """A group with a crosswalk, an affiliate that counts for itself, and made-up events of the affiliate."""
    product = {
        "product": "app",
        "from": "2025-01-01",
        "active": {"id": "seen", "meaning": "was: seen # anywhere"},
        "namespaces": ["email", "device"],
        "settles_after": 5,
        "counts": [{"month": "2025-02", "users": 5, "unit": "people", "document": "a secret paper", "attested_by": "CFO"}],
    }
    directory = write_group(tmp_path / "centre", [entity("shop", [product])], crosswalk="crosswalk-{month}.parquet")
    links = pl.DataFrame({"key": ["00000000000000aa", "00000000000000bb"], "person_key": ["00000000000000cc"] * 2})
    for month in ("2024-12", "2025-01"):
        links.write_parquet(directory / f"crosswalk-{month}.parquet")
        links = links.head(1)
    return directory


def centre(*arguments: object, code: int = 0) -> str:
    """What headquarters' install says, or the refusal's text."""
    return ran(*map(str, arguments), code=code)


def say_where_the_events_lie(edge: Path) -> None:
    """What the affiliate writes into its manifest, and events of 40 people in January."""
    manifest = edge / "affiliates" / "shop.yaml"
    text = (
        manifest.read_text().replace("data/app-{day}.parquet", "data/app.csv").replace("# complete_through", "complete_through")
    )
    manifest.write_text(text)
    lines = [f"2025-01-{1 + i % 31:02}T10:00:00Z,u{i % 40}@example.com,d{i % 7}" for i in range(200)]
    (edge / "data").mkdir()
    (edge / "data" / "app.csv").write_text("\n".join(["at,email,device", *lines]) + "\n")


IN_ONE_PROCESS = """
import json, sys
from typer.testing import CliRunner
from dashboards.cli.main import app
done = [CliRunner().invoke(app, arguments) for arguments in json.load(sys.stdin)]
print(json.dumps([[one.exit_code, one.output + repr(one.exception)] for one in done]))
"""


def core(*commands: str, cwd: Path) -> list[str]:
    """What the core install says to each command; in one process, since each takes seconds to start."""
    told = subprocess.run(
        [CORE, "-c", IN_ONE_PROCESS], input=json.dumps([command.split() for command in commands]), cwd=cwd,
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    answers = json.loads(told.stdout)
    assert [code for code, _ in answers] == [0] * len(commands), answers
    return [text for _, text in answers]


def packet_of(headquarters: Path, *options: str) -> Path:
    """The packet of `shop`."""
    centre("packet", "shop", "--group", headquarters, "-o", headquarters.with_name("shop.packet"), *options)
    return headquarters.with_name("shop.packet")


def with_key(edge: Path, text: str = KEY) -> Path:
    """An affiliate's directory with a group key from a secret store."""
    (edge / ".mauwatch" / "group.key").write_text(text)
    (edge / ".mauwatch" / "group.key").chmod(0o600)
    return edge


@pytest.mark.skipif(not CORE.exists(), reason="needs the core's own environment: make .venv-core/ready")
def test_the_whole_road_in_the_core(tmp_path: Path) -> None:
    """Each command that docs/affiliates.md names, with the files that it names, and headquarters counts what comes out."""
    product = {"product": "app", "from": "2025-01-01", "active": {"id": "seen", "meaning": "was seen"}, "namespaces": ["email"]}
    headquarters = write_group(tmp_path / "centre", [entity("shop", [product])])
    packet_of(headquarters)
    core("init shop --packet shop.packet", cwd=tmp_path)
    edge = with_key(tmp_path / "shop")
    say_where_the_events_lie(edge)
    key, valid, examined, _ = core("key check", "validate", "doctor", "contribute --month 2025-01 -o january.parquet", cwd=edge)
    assert f"Epoch 1, fingerprint {FINGERPRINT}" in key
    assert "headquarters does that" in valid
    assert "shop/app" in examined
    receipts = json.loads(centre("receive", edge / "january.parquet", "--group", headquarters, "--sender", "shop", "--json"))
    assert receipts["files"][0]["outcome"] == "accepted"
    figures = json.loads(centre("measure", "--group", headquarters, "--month", "2025-01", "--json"))
    assert figures["products"]["shop/app"]["estimate"] == 40
    assert figures["products"]["shop/app"]["coverage"]["days_present"] == 31


def test_each_step_that_is_missing_is_said(headquarters: Path, tmp_path: Path) -> None:
    """Before the key is there, before the manifest says where the events lie, and without last month's crosswalk."""
    packet = packet_of(headquarters, "--month", "2025-01", "--send-to", "sftp.example.com, inbox")
    edge = tmp_path / "shop"
    assert "5. Hand in the file: sftp.example.com, inbox" in centre("init", edge, "--packet", packet)
    assert "can't be read from its file" in centre("key", "check", "--group", edge, code=2)
    with_key(edge)
    assert "no file is there" in centre("contribute", "--month", "2025-01", "--group", edge, code=2)
    assert "no file is there" in centre("doctor", "--group", edge, code=1)
    say_where_the_events_lie(edge)
    assert json.loads(centre("validate", "--json", "--group", edge))["ownership_checked"] is False
    checks = {check["what"]: check["fine"] for check in json.loads(centre("doctor", "--json", "--group", edge, code=1))}
    assert checks == {"machine": True, "sketches": True, "disk": True, "group key": True, "crosswalk": False, "shop/app": True}
    centre("contribute", "--month", "2025-01", "-o", edge / "january.parquet", "--group", edge)
    receipts = json.loads(centre("receive", edge / "january.parquet", "--group", headquarters, "--sender", "shop", "--json"))
    assert receipts["files"][0]["outcome"] == "accepted"
    (edge / "links.csv").write_text("email,device\nu1@example.com,d1\n")
    centre("crosswalk", edge / "links.csv", "--links-to", edge / "keyed.parquet", "--group", edge)
    assert pl.read_parquet(edge / "keyed.parquet").columns == ["key", "linked"]


def test_a_packet_says_all_but_the_key(headquarters: Path, tmp_path: Path) -> None:
    """And no address of a store, no identifier, nothing of other affiliates: it goes by mail."""
    with (headquarters / "group.yaml").open("a") as settings:
        settings.write(f"store: {STORE}\n")
    packet = tmp_path / "shop.packet"
    answer = json.loads(centre("packet", "shop", "--group", headquarters, "-o", packet, "--json"))
    assert answer["keys"] == [{"epoch": "1", "from": None, "fingerprint": FINGERPRINT, "destroyed": None}]
    assert [one["month"] for one in answer["snapshots"]] == ["2025-01-01"]
    assert answer["namespaces"] == ["device", "email"]
    assert packet.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(packet) as held:
        assert held.namelist() == ["packet.json", "crosswalk-2025-01.parquet"]
        content = held.read("packet.json").decode()
    for secret in (KEY, STORE, "s3cret", "a secret paper", "owned_by"):
        assert secret not in content


def test_what_the_packet_says_is_what_the_affiliate_reads(headquarters: Path, tmp_path: Path) -> None:
    """Another zone, precision, definition or snapshot would count other people, and be refused months later."""
    settings = yaml.safe_load((headquarters / "group.yaml").read_text())
    settings |= {"forms": "recognised", "names_nobody": ["ANON"], "namespaces": {"device": {"form": "uuid"}}}
    (headquarters / "group.yaml").write_text(yaml.safe_dump(settings))
    packet = packet_of(headquarters, "--month", "2024-12", "--month", "2025-01")
    centre("init", tmp_path / "edge", "--affiliate", "shop", "--packet", packet)
    whole = read_group(headquarters)
    edge = read_group(tmp_path / "edge", edge=None)
    assert edge.is_an_affiliates
    for name in ("group", "ultimate_parent", "time_zone", "lg_k", "forms", "names_nobody", "namespaces"):
        assert getattr(edge.settings, name) == getattr(whole.settings, name)
    (ours,), (theirs,) = whole.products.values(), edge.products.values()
    for name in ("product", "from_", "to", "grain", "settles_after", "active", "audiences"):
        assert getattr(theirs, name) == getattr(ours, name)
    assert theirs.sources[0].namespaces == ours.namespaces
    for month in ("2024-12", "2025-01"):
        digests = {snapshot.read(f"crosswalk-{month}.parquet", place).digest for place in (headquarters, tmp_path / "edge")}
        assert len(digests) == 1
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "edge").iterdir()}
    assert (modes["crosswalk-2025-01.parquet"], modes[".mauwatch"]) == (0o600, 0o700)
    assert not list((tmp_path / "edge").rglob("*.key"))


def test_another_key_than_headquarters_has_is_refused(headquarters: Path, tmp_path: Path) -> None:
    """By another key everybody is somebody else: headquarters would tell, a month later."""
    packet = packet_of(headquarters)
    centre("init", tmp_path / "edge", "--packet", packet)
    with_key(tmp_path / "edge", "e" * 64)
    say_where_the_events_lie(tmp_path / "edge")
    for command in (["key", "check"], ["contribute", "--month", "2025-01"]):
        assert f"group.yaml says {FINGERPRINT}" in centre(*command, "--group", tmp_path / "edge", code=2)


def _cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def _another_snapshot(file: Path) -> None:
    _rewritten(file, {"crosswalk-2025-01.parquet": snapshot.table_bytes(snapshot.from_keys(*_no_keys()))})


def _no_keys() -> tuple[Any, Any]:
    empty = pl.Series([], dtype=pl.UInt64).to_numpy()
    return empty, empty


def _another_version(file: Path) -> None:
    with zipfile.ZipFile(file) as held:
        content = json.loads(held.read("packet.json"))
    _rewritten(file, {"packet.json": json.dumps({**content, "protocol": "mauwatch-contribution-9"}).encode()})


def _no_list(file: Path) -> None:
    _rewritten(file, {"packet.json": b"{}"})


def _rewritten(file: Path, instead: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file) as held:
        contents = {name: held.read(name) for name in held.namelist()} | instead
    with zipfile.ZipFile(file, "w") as held:
        for name, content in contents.items():
            held.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_cut_off, "no whole packet"),
        (_another_snapshot, "no whole packet"),
        (_no_list, "no whole packet"),
        (lambda file: file.write_text("anything"), "no whole packet"),
        (_another_version, "another version"),
    ],
)
def test_a_packet_that_is_not_whole(headquarters: Path, tmp_path: Path, change: Any, rule: str) -> None:
    packet = packet_of(headquarters)
    change(packet)
    with pytest.raises(RefusedError, match=rule) as refused:
        packet_file.read(packet)
    assert refused.value.refusals[0].code == Code.PACKET_UNUSABLE


def test_without_a_packet_the_files_are_there_to_be_corrected(tmp_path: Path) -> None:
    said = centre("init", tmp_path / "edge", "--affiliate", "shop", "--name", "acme", "--time-zone", "Asia/Tokyo")
    assert "key check" in said
    edge = read_group(tmp_path / "edge", edge=None)
    assert (edge.settings.group, edge.settings.time_zone, list(edge.entities)) == ("acme", "Asia/Tokyo", ["shop"])
    centre("init", tmp_path / "other", "--affiliate", "../shop", code=2)
    centre("init", tmp_path / "other", "--affiliate", "no", "--time-zone", "Mars/Base", code=2)
    assert not (tmp_path / "other").exists()


def test_files_of_headquarters_are_checked_as_before(tmp_path: Path) -> None:
    """A group whose ultimate parent's file is lost mustn't pass for an affiliate's directory: nobody would be in it."""
    scaffold.write(tmp_path / "acme", "acme", "UTC")
    (tmp_path / "acme" / "affiliates" / "parent.yaml").unlink()
    assert "ultimate parent" in centre("validate", "--group", tmp_path / "acme", code=1)
    for name in ("readings.yaml", "alerts.yaml"):
        (tmp_path / "acme" / name).unlink()
    assert "headquarters does that" in centre("validate", "--group", tmp_path / "acme")
    for command in (["run"], ["measure", "--month", "2025-01"], ["licences"]):
        assert "the ultimate parent is no entity" in centre(*command, "--group", tmp_path / "acme", code=2)


@pytest.mark.parametrize("name", ["nobody", "parent"])
def test_a_packet_of_nobody(headquarters: Path, tmp_path: Path, name: str) -> None:
    assert "no affiliate with products" in centre("packet", name, "--group", headquarters, "-o", tmp_path / "x.packet", code=2)
    assert not (tmp_path / "x.packet").exists()
