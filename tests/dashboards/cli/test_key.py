"""`mauwatch key`: a key that is shown is a secret no more, and two that differ count everybody twice."""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keys import TEST_KEY, GroupKey, read_key
from affiliates.manifests.settings import KeySource
from dashboards.cli import scaffold
from dashboards.cli.commands import key
from tests.support.command import asked, mauwatch
from tests.support.groups import KEY, write_group

FINGERPRINT = GroupKey(KEY, "1").fingerprint


def answer(*arguments: object) -> Any:
    return json.loads(asked(*arguments, "--json"))


def kept(path: Path, content: bytes = f"{KEY}\n".encode(), mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_new_key_is_its_owners_alone_and_never_shown(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        said = asked("new", tmp_path / "group.key", "--epoch", "2")
    finally:
        os.umask(old)
    text = (tmp_path / "group.key").read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", text)
    assert (tmp_path / "group.key").stat().st_mode & 0o777 == 0o600
    assert text not in said
    assert f"Epoch 2, fingerprint {GroupKey(text, '2').fingerprint}" in said
    assert "by telephone" in said
    found = answer("new", tmp_path / "other.key")
    assert (tmp_path / "other.key").read_text() not in {f"{text}\n", ""}
    assert list(found) == ["schema_version", "file", "epoch", "fingerprint", "group_yaml"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """With it all contributions of its epoch would be lost; through a link to nowhere, another place's file."""
    with pytest.raises(RefusedError, match="is there already"):
        asked("new", kept(tmp_path / "group.key"))
    assert (tmp_path / "group.key").read_text() == f"{KEY}\n"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="is there already"):
        asked("new", tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()
    asked("new", tmp_path / "third", "--epoch", "Not A Name", code=2)
    assert not (tmp_path / "third").exists()


def test_the_line_for_group_yaml_is_what_the_group_reads(tmp_path: Path) -> None:
    """From the group directory, wherever the command runs."""
    directory = tmp_path / "group"
    scaffold.write(directory, "acme", "UTC")
    made = answer("new", directory / ".mauwatch" / "it's 2.key", "--epoch", "2")
    assert made["group_yaml"] == 'key: {file: ".mauwatch/it\'s 2.key", epoch: "2"}'
    text = (directory / "group.yaml").read_text()
    changed = re.sub(r"key: .*?epoch: .*?\n", f"{made['group_yaml']}\n", text, flags=re.DOTALL)
    (directory / "group.yaml").write_text(changed)
    (found,) = answer("check", "--group", directory)["keys"]
    assert (found["epoch"], found["fingerprint"], found["findings"]) == ("2", made["fingerprint"], [])
    outside = answer("new", tmp_path / "outside.key")
    assert outside["group_yaml"] == f'key: {{file: "{tmp_path.resolve()}/outside.key", epoch: "1"}}'


def test_check_shows_what_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAUWATCH_KEY", KEY)
    assert answer("check", "--env", "MAUWATCH_KEY") == {
        "schema_version": 1,
        "keys": [{"epoch": None, "source": {"env": "MAUWATCH_KEY"}, "fingerprint": FINGERPRINT, "findings": []}],
    }
    path = kept(tmp_path / "k")
    assert asked("check", "--file", path) == f"File: {path}\nFingerprint {FINGERPRINT}\n"
    scaffold.write(tmp_path / "group", "acme", "UTC")
    said = asked("check", "--group", tmp_path / "group")
    assert re.search(r"File: .*\.mauwatch/group\.key\nEpoch 1, fingerprint [0-9a-f]{12}\n$", said)
    assert "two places" in asked("check", "--file", path, "--env", "X", code=2)


@pytest.mark.parametrize(
    ("content", "mode", "finding"),
    [
        (f"{KEY}\n".encode(), 0o640, "others may read or change its file (mode 640)"),
        (f"{KEY}\n".encode(), 0o602, "others may read or change its file (mode 602)"),
        (f"{KEY} \n".encode(), 0o600, "white space around it"),
        (f" {KEY}".encode(), 0o600, "white space around it"),
        (f"{KEY}\r\n".encode(), 0o600, "white space around it"),
        (f"{KEY}\n\n".encode(), 0o600, "white space around it"),
    ],
)
def test_what_to_mend_about_a_key_that_works(tmp_path: Path, content: bytes, mode: int, finding: str) -> None:
    path = kept(tmp_path / "k", content, mode)
    (found,) = answer("check", "--file", path)["keys"]
    assert found["fingerprint"] == FINGERPRINT
    assert [f.startswith(finding) for f in found["findings"]] == [True]
    assert f"To mend: {finding}" in asked("check", "--file", path)


def test_a_variable_holds_the_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAUWATCH_KEY", f"{KEY}\n")
    assert "white space around it" in answer("check", "--env", "MAUWATCH_KEY")["keys"][0]["findings"][0]


def test_each_epochs_key_is_shown(tmp_path: Path) -> None:
    """Two epochs under one fingerprint would be the same people, and one that is destroyed has none."""
    directory = write_group(
        tmp_path, [], {"2.key": b"d0d0" * 16},
        key=None,
        keys=[
            {"destroyed": "2024-06-01", "epoch": "0"},
            {"file": "group.key", "epoch": "1", "from": "2024-06"},
            {"file": "2.key", "epoch": "2", "from": "2025-01"},
        ],
    )  # fmt: skip
    (directory / "2.key").chmod(0o644)
    found = answer("check", "--group", directory)["keys"]
    assert [(k["epoch"], k["fingerprint"], len(k["findings"])) for k in found] == [
        ("0", None, 0), ("1", FINGERPRINT, 0), ("2", GroupKey("d0d0" * 16, "2").fingerprint, 1),
    ]  # fmt: skip
    said = asked("check", "--group", directory)
    assert "Destroyed on: 2024-06-01\nFile: " in said
    assert f"Epoch 1, fingerprint {FINGERPRINT}\nFile: " in said


def test_a_centre_without_the_key_compares_its_trustees(tmp_path: Path) -> None:
    """The fingerprint of what the trustee gave is the key's, which is all that the centre can compare."""
    directory = write_group(tmp_path, [], key={"canaries": "canaries.json"})
    canaries.to_file(canaries.from_key(GroupKey(KEY, "1")), ["email"], directory / "canaries.json")
    (found,) = answer("check", "--group", directory)["keys"]
    assert (found["fingerprint"], list(found["source"])) == (FINGERPRINT, ["canaries"])
    assert "A trustee's canaries: " in asked("check", "--group", directory)


RAW = bytes(range(200, 232))


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (KEY.upper().encode(), "has hex characters in capitals"),
        (RAW, "looks like 32 raw bytes"),
        (base64.b64encode(RAW), "looks like base64 of 32 bytes"),
        (base64.urlsafe_b64encode(RAW).rstrip(b"=") + b"\n", "looks like base64 of 32 bytes"),
        (TEST_KEY.encode(), "is the public test key"),
        (KEY[:-1].encode(), "must be 64 lower-case hex characters"),
        (b"", "must be 64 lower-case hex characters"),
        (b"caf\xe9", "its file isn't UTF-8 text"),
    ],
)
def test_what_is_no_key_is_refused_by_what_it_is(tmp_path: Path, content: bytes, rule: str) -> None:
    """The same secret in another form is another key: used as it is, it would count everybody twice, and decoded too."""
    path = kept(tmp_path / "k", content)
    with pytest.raises(RefusedError, match=rule) as refused:
        asked("check", "--file", path)
    assert not content.strip() or content.strip().decode("latin-1") not in str(refused.value)
    with pytest.raises(RefusedError):
        read_key(KeySource(file=str(path)), tmp_path)


def test_no_key_is_told_for_another_form() -> None:
    assert key.unusable(KEY.encode()) is None
    assert key.unusable(b"\n" + KEY.encode()) is None
    assert key.unusable(b"x" * 32) is None


def test_the_key_in_the_place_of_its_name_isnt_shown(tmp_path: Path) -> None:
    for place in ("--env", "--file"):
        with pytest.raises(RefusedError) as refused:
            asked("check", place, KEY)
        assert KEY not in str(refused.value)


def test_the_installed_command(tmp_path: Path) -> None:
    """Through the entry point, where a refusal ends with 2, and the group that `init` makes has no public key."""
    assert mauwatch("init", tmp_path / "group").returncode == 0
    found = mauwatch("key", "check", "--group", tmp_path / "group", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["keys"][0]["findings"] == []
    (tmp_path / "group" / ".mauwatch" / "group.key").write_text(TEST_KEY)
    refused = mauwatch("key", "check", "--group", tmp_path / "group")
    assert (refused.returncode, TEST_KEY in refused.stderr + refused.stdout) == (2, False)
    assert "is the public test key everybody has it" in re.sub(r"\s+", " ", refused.stderr)
