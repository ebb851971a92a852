"""Two affiliates that normalise or hash differently count every shared person twice, silently."""

import hashlib
import hmac
import json
import unicodedata
from pathlib import Path

import duckdb
import phonenumbers
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.errors import RefusedError
from affiliates.identity.keys import TEST_KEY, GroupKey, as_key, person_key, read_key
from affiliates.identity.normalisation import PLACEHOLDERS, normalise
from affiliates.manifests.settings import KeySource
from tests.support.groups import KEY
from tests.support.paths import ROOT
from tests.tools import normalisation_vectors

PUBLISHED = json.loads(normalisation_vectors.FILE.read_text(encoding="ascii"))
VECTORS = PUBLISHED["vectors"]


def normalised(value: str | None, namespace: str, region: str | None = None) -> str | None:
    frame = pl.DataFrame({"x": [value]}, schema={"x": pl.String})
    text: str | None = frame.select(normalise(pl.col("x"), namespace, region)).item()
    return text


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
    """A step too few makes two people of one; a step too many, one of two."""
    assert normalised(value, namespace, region) == expected


@pytest.mark.parametrize("namespace", ["email", "phone", "device"])
@pytest.mark.parametrize("value", [None, "", " ", "\t", *PLACEHOLDERS, "NULL", " Unknown "])
def test_nobody_is_not_a_user(namespace: str, value: str | None) -> None:
    """All who aren't signed in would be one active user, and joined with everybody by a crosswalk."""
    assert normalised(value, namespace) is None


@pytest.mark.parametrize("identifier", ["user@example.com", "\u00e9", "\u4f60\u597d", "x" * 1000, "\U0001f600"])
def test_key_is_hmac_sha256_of_namespace_and_identifier(identifier: str, key: GroupKey) -> None:
    """Against Python's own hmac: the key text is used as ASCII bytes and never decoded."""
    expected = hmac.new(KEY.encode(), b"email\x1f" + identifier.encode(), hashlib.sha256).hexdigest()[:16]
    frame = pl.DataFrame({"x": [identifier, None]})
    assert frame.select(person_key(pl.col("x"), "email", key)).to_series().to_list() == [int(expected, 16), None]


def test_the_documents_vector() -> None:
    """Whoever makes a crosswalk elsewhere checks their keys against it."""
    expected = hmac.new(b"c0de" * 16, b"email\x1fuser@example.com", hashlib.sha256).hexdigest()[:16]
    assert f"is `{expected}`" in (ROOT / "docs" / "affiliates.md").read_text(encoding="utf-8")


def test_namespaces_keep_the_same_identifier_apart(key: GroupKey) -> None:
    """Customer 4711 of one shop isn't device 4711 of another."""
    frame = pl.DataFrame({"x": ["4711"]})
    assert frame.select(a=person_key(pl.col("x"), "a", key), b=person_key(pl.col("x"), "b", key)).row(0)[0] is not None
    a, b = frame.select(a=person_key(pl.col("x"), "a", key), b=person_key(pl.col("x"), "b", key)).row(0)
    assert a != b


def test_keys_as_text() -> None:
    """A signed reading would lose half of all keys, those over 2^63."""
    frame = pl.DataFrame({"x": ["00000000000000ff", "ffffffffffffffff", "xyz", None]})
    assert frame.select(as_key(pl.col("x")))["x"].to_list() == [255, 2**64 - 1, None, None]


@pytest.mark.parametrize("text", ["", "abc", KEY.upper(), KEY + "0", "g" * 64])
def test_a_key_must_be_64_lower_case_hex_characters(text: str, tmp_path: Path) -> None:
    """The same secret in capitals would be another key, and the refusal must not show it."""
    (tmp_path / "k").write_text(text)
    with pytest.raises(RefusedError) as refused:
        read_key(KeySource(file="k"), tmp_path)
    assert not text or text not in str(refused.value)


def test_the_key_shows_nowhere(key: GroupKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Messages and logs are read by many who may not test who is in a sketch."""
    assert KEY not in repr(key)
    assert KEY not in key.fingerprint
    monkeypatch.setenv("MAUWATCH_KEY", KEY + "\n")
    assert read_key(KeySource(env="MAUWATCH_KEY"), tmp_path).fingerprint == key.fingerprint
    with pytest.raises(RefusedError) as refused:  # The key itself, where its variable's name should stand.
        read_key(KeySource(env=KEY), tmp_path)
    assert KEY not in str(refused.value)
    with pytest.raises(RefusedError, match="can't be read") as refused:
        read_key(KeySource(file=KEY), tmp_path)
    assert KEY not in str(refused.value)
    with pytest.raises(RefusedError, match="isn't set"):
        read_key(KeySource(env="MAUWATCH_OTHER"), tmp_path)
    with pytest.raises(RefusedError, match="can't be read"):
        read_key(KeySource(file="nowhere"), tmp_path)


def test_the_published_vectors_are_what_plain_python_says() -> None:
    """An affiliate tests its own engine by this file: an example that is wrong there makes other keys of its people."""
    assert normalisation_vectors.FILE.read_text(encoding="ascii") == normalisation_vectors.document()
    assert len(VECTORS) > 200
    assert {v["namespace"] for v in VECTORS} == {"email", "phone", "device"}
    assert len({(v["namespace"], v["input"], v["region"]) for v in VECTORS}) == len(VECTORS)
    assert PUBLISHED["test_key"] == TEST_KEY


@pytest.mark.parametrize("namespace", ["email", "phone", "device"])
def test_published_vectors_of_normalisation_and_keys(namespace: str) -> None:
    """An affiliate's engine that passes the file and differs from this program counts each shared person twice."""
    key = GroupKey(TEST_KEY, "1")
    for region in {v["region"] for v in VECTORS}:
        vectors = [v for v in VECTORS if (v["namespace"], v["region"]) == (namespace, region)]
        frame = pl.DataFrame({"x": pl.Series([v["input"] for v in vectors], dtype=pl.String)})
        keyed = frame.with_columns(n=normalise(pl.col("x"), namespace, region)).with_columns(
            k=person_key(pl.col("n"), namespace, key)
        )
        assert keyed["x"].to_list() == [v["input"] for v in vectors]
        assert keyed["n"].to_list() == [v["normalised"] for v in vectors]
        assert [k and f"{k:016x}" for k in keyed["k"]] == [v["key"] for v in vectors]
        again = keyed.select(normalise(pl.col("n"), namespace, region)).to_series()
        assert again.to_list() == keyed["n"].to_list()


def test_what_sql_can_say_gives_the_published_vectors(tmp_path: Path) -> None:
    """The definition is for every engine: here DuckDB's, which maps each code point by itself, as PostgreSQL's C.UTF-8."""
    lower = "lower(replace(replace(replace(t, '\u03a3', '\u03c3'), '\u03c2', '\u03c3'), '\u0130', 'i\u0307'))"
    white = r"e' \t\n\r\x0b\x0c'"
    local = f"ltrim(replace(split_part(regexp_replace(l, '@(gmail|googlemail)\\.com$', ''), '+', 1), '.', ''), {white})"
    query = f"""
        with stripped as (select i, trim(x, {white}) as t from read_parquet('{tmp_path / "given.parquet"}')),
        lowered as (select i, {lower} as l from stripped),
        gmail as (select i, case when regexp_matches(l, '@(gmail|googlemail)\\.com$') then {local} || '@gmail.com' else l end as g
                  from lowered)
        select nfc_normalize(g) from gmail order by i
    """
    vectors = [v for v in VECTORS if v["namespace"] == "email" and v["normalised"] is not None and "\x00" not in v["input"]]
    inputs = pl.DataFrame({"i": range(len(vectors)), "x": [v["input"] for v in vectors]})
    inputs.write_parquet(tmp_path / "given.parquet")
    assert [row[0] for row in duckdb.connect().execute(query).fetchall()] == [v["normalised"] for v in vectors]


ASSIGNED = st.characters(exclude_categories=("Cs", "Cn"))
"""Those that this Python knows: polars, which is newer, has small letters for some that it doesn't."""
AWKWARD = st.sampled_from(
    [*" \t\r\n.+@\x00\u00a0\u0301\u0307\u0323\u0345\u03a3\u03c2\u0130\u00ad\u200dIiJ", "\u1112\u1161", "@gmail.com"]
)
IDENTIFIERS = st.builds(
    lambda parts, end: "".join(parts) + end,
    st.lists(ASSIGNED | AWKWARD, max_size=12),
    st.sampled_from(["", " ", "@example.org", "@gmail.com", "@GoogleMail.com ", "\n", "none", "N/A"]),
)


@given(st.lists(IDENTIFIERS, min_size=1, max_size=40))
@pytest.mark.parametrize("namespace", ["email", "device"])
def test_any_text_is_normalised_as_plain_python_does_and_once_for_all(namespace: str, texts: list[str]) -> None:
    """A text among others: steps are taken for the rows alone that need them, and could meet the wrong ones."""
    frame = pl.DataFrame({"x": pl.Series([*texts, None], dtype=pl.String)})
    once = frame.select(normalise(pl.col("x"), namespace)).to_series()
    assert once.to_list() == [*(normalisation_vectors.normalised(text, namespace) for text in texts), None]
    assert frame["x"].to_list() == [*texts, None]
    twice = pl.DataFrame({"x": once}).select(normalise(pl.col("x"), namespace)).to_series()
    assert twice.to_list() == once.to_list()


def test_every_code_point_is_normalised_as_its_canonical_equivalents() -> None:
    """Composed or taken apart, lower case must not part a person: a simple i for U+0130 would."""
    code_points = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn")]
    for form in ("NFC", "NFD"):
        frame = pl.DataFrame({"x": [f"{unicodedata.normalize(form, c)}@example.org" for c in code_points]})
        texts = frame.select(normalise(pl.col("x"), "email")).to_series().to_list()
        assert texts == [normalisation_vectors.normalised(f"{c}@example.org", "email") for c in code_points]


def test_telephone_numbers_of_every_country_are_normalised_once_for_all() -> None:
    """Dialled at home and from abroad, a number is one person's."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number(region)
        assert number is not None
        national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        zeros = "0" * (number.number_of_leading_zeros or 1) if number.italian_leading_zero else ""
        e164 = f"+{number.country_code}{zeros}{number.national_number}"
        assert (region, normalised(national, "phone", region), normalised(e164, "phone")) == (region, e164, e164)


def test_the_public_key_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a group's key can test who is in its sketches, and this one everybody has."""
    (tmp_path / "k").write_text(f"{TEST_KEY}\n")
    monkeypatch.setenv("MAUWATCH_KEY", TEST_KEY)
    for source in (KeySource(file="k"), KeySource(env="MAUWATCH_KEY")):
        with pytest.raises(RefusedError, match="public test key") as refused:
            read_key(source, tmp_path)
        assert TEST_KEY not in str(refused.value)
