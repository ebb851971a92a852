"""Signatures: whoever can forge one hands in for somebody else; whoever can't make one is refused for no reason."""

import base64
import stat
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from affiliates import signing
from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from tests.support.groups import entity
from tests.support.wrong_contributions import FIRST, folder, row

Make = Callable[..., Path]


def test_a_pair_of_keys(tmp_path: Path) -> None:
    """A private key that others can read is nobody's signature."""
    public = signing.new_pair(tmp_path / "k.pem")
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    with pytest.raises(RefusedError, match="a file is there already"):
        signing.new_pair(tmp_path / "k.pem")
    (tmp_path / "f").write_bytes(b"x")
    signed = signing.sign(tmp_path / "f", tmp_path / "k.pem")
    other = signing.new_pair(tmp_path / "o.pem")
    assert signing.verify(tmp_path / "f", signed, [other, public])
    assert not signing.verify(tmp_path / "f", signed, [other])
    for text in ("", "é", "AAAA", signed[:-4], signed.replace(signed[5], "A" if signed[5] != "A" else "B", 1)):
        assert not signing.verify(tmp_path / "f", text, [public])
    (tmp_path / "f").write_bytes(b"y")
    assert not signing.verify(tmp_path / "f", signed, [public])
    with pytest.raises(RefusedError, match="is no Ed25519 key"):
        signing.sign(tmp_path / "f", tmp_path / "f")


def test_signatures_are_those_of_everybody_else(tmp_path: Path) -> None:
    """RFC 8032's first vector, and what a shell says of a folder: an affiliate may sign without mauwatch."""
    public = base64.b64encode(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).decode()
    signed = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert signing.verify_digest("", base64.b64encode(bytes.fromhex(signed)).decode(), [public])
    export = tmp_path / "folder"
    folder(export, *(row(FIRST + timedelta(n), number=n) for n in range(4)))
    (export / "_committed_1").write_text("beside the parts")
    (export / ".part-00000-c000.snappy.parquet.crc").write_text("beside the parts")
    (export / "part-00000-c000.snappy.parquet").rename(export / "part 0\\of 9.parquet")
    (recipe,) = [line.strip() for line in str(signing.__doc__).splitlines() if "sha256sum" in line]
    shell = subprocess.run(["sh", "-c", recipe], cwd=export, capture_output=True, text=True, check=True)
    assert signing.digest_of(export) == shell.stdout[:64]


@pytest.mark.parametrize("key", ["", "AAAA", "not base64", "A" * 43, "-----BEGIN PRIVATE KEY-----"])
def test_a_public_key_that_is_none_is_refused_by_its_line(make: Make, key: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read_group(make([entity("a", [], public_keys=[key])]))
    assert refused.value.refusals[0].subject.startswith("affiliates/a.yaml:")
    assert "is no Ed25519 public key" in refused.value.refusals[0].rule
