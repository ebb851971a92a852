"""A bundle of evidence: whoever changes a byte of it is found out, whatever that byte is for."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates import signing
from affiliates.errors import RefusedError
from pipelines import hash_chain
from pipelines.evidence import archive


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a new private key."""
    path = tmp_path_factory.mktemp("keys") / "evidence.pem"
    signing.new_pair(path)
    return path


def packed(directory: Path, private: Path | None) -> Path:
    """A bundle of four files, signed by a key if there is one."""
    files = directory / "files"
    (files / "contributions").mkdir(parents=True)
    (files / "figures.json").write_text('{"estimate":700000001}')
    (files / "méthode.txt").write_text("in words")
    (files / "contributions" / "shop.parquet").write_bytes(bytes(range(40)))
    (files / "empty").touch()
    archive.write(directory / "made.zip", files, {"kind": "outside", "month": "2025-03"}, private)
    return directory / "made.zip"


def test_what_was_packed_comes_out(tmp_path: Path, private: Path) -> None:
    """Names with accents and empty files, too; packed twice, the bundles are the same byte for byte."""
    path = packed(tmp_path, private)
    with archive.open_bundle(path) as bundle:
        assert (bundle.about, bundle.public_key) == ({"kind": "outside", "month": "2025-03"}, signing.public_of(private))
        assert set(bundle.files) == {"figures.json", "méthode.txt", "contributions/shop.parquet", "empty"}
        assert bundle.json("figures.json") == {"estimate": 700000001}
        assert (bundle.folder / "contributions" / "shop.parquet").read_bytes() == bytes(range(40))
    again = packed(tmp_path / "again", private)
    assert path.read_bytes() == again.read_bytes(), "made twice of the same, it is the same"


def test_each_changed_byte_is_found(tmp_path: Path, private: Path) -> None:
    """All of them: heads of the zip, names, dates, the list, the signature, what no digest is of."""
    path, changed = packed(tmp_path, private), tmp_path / "changed.zip"
    whole, chance = path.read_bytes(), random.Random(1)
    for at in range(len(whole)):
        other = bytearray(whole)
        other[at] ^= 1 << chance.randrange(8)
        changed.write_bytes(other)
        with pytest.raises(RefusedError), archive.open_bundle(changed):
            pytest.fail(f"byte {at} of {len(whole)} was changed and nobody saw it")


@pytest.mark.parametrize("cut", [0, 1, 21, 22, 100, -1, -22])
def test_cut_off_or_longer(tmp_path: Path, private: Path, cut: int) -> None:
    """A download that ended early, or bytes before or after the zip, which zip readers skip without a word."""
    path = packed(tmp_path, private)
    whole = path.read_bytes()
    for other in (whole[:cut], whole + b"\0", b"\0" + whole):
        path.write_bytes(other)
        with pytest.raises(RefusedError, match=r"bundle|changed"), archive.open_bundle(path):
            pytest.fail("opened")


def test_signed_by_another_key_it_says_so(tmp_path: Path, private: Path) -> None:
    """Who changes a bundle and signs it anew has another key: that is what the reader compares."""
    other = tmp_path / "other.pem"
    signing.new_pair(other)
    with archive.open_bundle(packed(tmp_path / "a", other)) as bundle:
        assert bundle.public_key == signing.public_of(other) != signing.public_of(private)
    with archive.open_bundle(packed(tmp_path / "b", None)) as bundle:
        assert bundle.public_key is None


BODIES = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers() | st.text(max_size=5), max_size=3)


@given(st.lists(BODIES, max_size=6), st.data())
def test_a_chain_shows_each_change(bodies: list[dict[str, object]], data: st.DataObject) -> None:
    """An entry changed, left out, put twice, or in another place; only the last ones can be cut off, which the head tells."""
    entries: list[hash_chain.LedgerEntry] = []
    line_ends: dict[str, object] = {"a": "\x85\u2028"}  # To Python's `splitlines`, and none to JSON.
    for body in [*bodies, line_ends]:
        entries.append(hash_chain.next_entry(entries[-1] if entries else None, "noted", body, datetime(2025, 1, 1, tzinfo=UTC)))
    assert hash_chain.faults(entries) == []
    text = "".join(f"{e.to_line()}\n" for e in entries)
    assert hash_chain.from_lines(text) == entries
    at = data.draw(st.integers(0, len(text) - 2))
    other = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
    try:
        read = hash_chain.from_lines(other)
    except ValueError:
        read = None
    assert read is None or hash_chain.faults(read) or [e.digest for e in read] != [e.digest for e in entries]
    if len(entries) > 1:
        gone = data.draw(st.integers(0, len(entries) - 2))
        assert hash_chain.faults(entries[:gone] + entries[gone + 1 :])
        assert hash_chain.faults([*entries[:gone], entries[gone + 1], entries[gone], *entries[gone + 2 :]])
