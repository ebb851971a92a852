"""Two affiliates that normalise or hash differently count every shared person twice, silently."""

import hashlib
import hmac
from pathlib import Path

import polars as pl
import pytest

from affiliates.group import KeySource
from affiliates.identity import PLACEHOLDERS, GroupKey, as_key, normalise, person_key, read_key
from affiliates.refusal import Refusal
from tests.conftest import KEY


def normalised(value: str | None, namespace: str, region: str | None = None) -> str | None:
    frame = pl.DataFrame({"x": [value]}, schema={"x": pl.String})
    found: str | None = frame.select(normalise(pl.col("x"), namespace, region)).item()
    return found


@pytest.mark.parametrize(
    ("namespace", "value", "sha256"),
    [
        ("email", " User@Example.com ", "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"),
        ("email", "Jane.Saoirse+Work@googlemail.com", "92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f"),
        ("phone", "+1 (234) 567-8901", "10e6f0b47054a83359477dcb35231db6de5c69fb1816e1a6b98e192de9e5b9ee"),
    ],
)
def test_published_vectors(namespace: str, value: str, sha256: str) -> None:
    """From the UID2 documentation: SHA-256 of user@example.com, janesaoirse@gmail.com and +12345678901."""
    assert hashlib.sha256((normalised(value, namespace) or "").encode()).hexdigest() == sha256


@pytest.mark.parametrize(
    ("namespace", "region", "value", "expected"),
    [
        ("email", None, "\t A.B+c@GMAIL.com\r\n", "ab@gmail.com"),
        ("email", None, "a.b+c@example.org", "a.b+c@example.org"),
        ("email", None, "a.b@gmail.com.example.org", "a.b@gmail.com.example.org"),
        ("email", None, "CAFE\u0301@example.org", "caf\u00e9@example.org"),
        ("email", None, "\u00a0a@example.org", "\u00a0a@example.org"),  # Only ASCII white space is stripped.
        ("phone", "DE", "030 901820", "+4930901820"),
        ("phone", "US", "+49 30 901820", "+4930901820"),
        ("phone", None, "030 901820", None),
        ("phone", None, "no number", None),
        ("device", None, " AbC ", "AbC"),
        ("device", None, "e\u0301", "\u00e9"),
        ("device", None, "0012", "0012"),
    ],
)
def test_normalisation(namespace: str, region: str | None, value: str, expected: str | None) -> None:
    assert normalised(value, namespace, region) == expected


@pytest.mark.parametrize("namespace", ["email", "phone", "device"])
@pytest.mark.parametrize("value", [None, "", " ", "\t", *PLACEHOLDERS, "NULL", " Unknown "])
def test_nobody_is_not_a_user(namespace: str, value: str | None) -> None:
    assert normalised(value, namespace) is None


@pytest.mark.parametrize("identifier", ["user@example.com", "\u00e9", "\u4f60\u597d", "x" * 1000, "\U0001f600"])
def test_key_is_hmac_sha256_of_namespace_and_identifier(identifier: str, key: GroupKey) -> None:
    """Against Python's own hmac: the key text is used as ASCII bytes and never decoded."""
    expected = hmac.new(KEY.encode(), b"email\x1f" + identifier.encode(), hashlib.sha256).hexdigest()[:16]
    frame = pl.DataFrame({"x": [identifier, None]})
    assert frame.select(person_key(pl.col("x"), "email", key)).to_series().to_list() == [int(expected, 16), None]


def test_the_readmes_vector() -> None:
    """Whoever makes a crosswalk elsewhere checks their keys against it."""
    expected = hmac.new(b"c0de" * 16, b"email\x1fuser@example.com", hashlib.sha256).hexdigest()[:16]
    assert f"is `{expected}`" in (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_namespaces_keep_the_same_identifier_apart(key: GroupKey) -> None:
    frame = pl.DataFrame({"x": ["4711"]})
    assert frame.select(a=person_key(pl.col("x"), "a", key), b=person_key(pl.col("x"), "b", key)).row(0)[0] is not None
    a, b = frame.select(a=person_key(pl.col("x"), "a", key), b=person_key(pl.col("x"), "b", key)).row(0)
    assert a != b


def test_keys_as_text() -> None:
    frame = pl.DataFrame({"x": ["00000000000000ff", "ffffffffffffffff", "xyz", None]})
    assert frame.select(as_key(pl.col("x")))["x"].to_list() == [255, 2**64 - 1, None, None]


@pytest.mark.parametrize("text", ["", "abc", KEY.upper(), KEY + "0", "g" * 64])
def test_a_key_must_be_64_lower_case_hex_characters(text: str, tmp_path: Path) -> None:
    (tmp_path / "k").write_text(text)
    with pytest.raises(Refusal) as refused:
        read_key(KeySource(file="k"), tmp_path)
    assert not text or text not in str(refused.value)


def test_the_key_shows_nowhere(key: GroupKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert KEY not in repr(key)
    assert KEY not in key.fingerprint
    monkeypatch.setenv("MAUWATCH_KEY", KEY + "\n")
    assert read_key(KeySource(env="MAUWATCH_KEY"), tmp_path).fingerprint == key.fingerprint
    with pytest.raises(Refusal) as refused:  # The key itself, where its variable's name should stand.
        read_key(KeySource(env=KEY), tmp_path)
    assert KEY not in str(refused.value)
    with pytest.raises(Refusal, match="can't be read") as refused:
        read_key(KeySource(file=KEY), tmp_path)
    assert KEY not in str(refused.value)
    with pytest.raises(Refusal, match="isn't set"):
        read_key(KeySource(env="MAUWATCH_OTHER"), tmp_path)
    with pytest.raises(Refusal, match="can't be read"):
        read_key(KeySource(file="nowhere"), tmp_path)
