"""From an identifier to a person key: normalisation v1 and keyed hashing.

A key is `HMAC-SHA256(group key, namespace || 0x1F || normalised identifier)`, of which the first
16 hex characters count: 64 bits, inside the program a UInt64 column. At a billion people about
0.03 pairs of them are expected to collide.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Callable
from pathlib import Path

import phonenumbers
import polars as pl
import polars_hash  # noqa: F401 (gives expressions their `chash`)

from affiliates.errors import Code, refused
from affiliates.group import KeySource

NORMALISATION = "v1 unicode"
PERSON = "person"
"""The namespace of keys that the crosswalk has joined."""

PLACEHOLDERS = (
    "none", "null", "nil", "nan", "na", "n/a", "unknown", "undefined", "anonymous", "not set", "(not set)",
    "0", "-1", "-", "?", "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
"""Values (in lower case) that stand for nobody; the last is an advertising id that was switched off."""

TEST_KEY = "0123456789abcdef" * 4
"""The public key of `normalisation_v1.json`, by which anybody tests a way to keys of their own. Everybody has it, so no
group may use it: whoever knows a group's key can test who is in its sketches."""

_ASCII_SPACE = " \t\n\r\x0b\x0c"
_GMAIL = r"(?s)^(.*)@(?:gmail|googlemail)\.com$"


class GroupKey:
    """The group's secret and its epoch; never shown, not even by `repr`."""

    def __init__(self, text: str, epoch: str) -> None:
        if not re.fullmatch("[0-9a-f]{64}", text):
            raise refused(
                Code.KEY_INVALID,
                "the group key",
                "must be 64 lower-case hex characters",
                f"it has {len(text)} characters",
                "make one with: mauwatch key new FILE",
            )
        self._text = text
        self.epoch = epoch

    def __repr__(self) -> str:
        return f"GroupKey(epoch={self.epoch!r}, fingerprint={self.fingerprint!r})"

    @property
    def fingerprint(self) -> str:
        """Tells two keys apart and gives neither away."""
        return self.digest(b"mauwatch key fingerprint")[:12]

    SPELLINGS = "as it is", "is decoded from hex", "is in capitals", "has a line end"
    """The key's 64 characters as they are, and how they are often mistaken."""

    def digest(self, message: bytes, spelling: str = SPELLINGS[0]) -> str:
        """HMAC-SHA256 of a message (hex)."""
        text = self._text.encode("ascii")
        spelt = dict(zip(self.SPELLINGS, (text, bytes.fromhex(self._text), text.upper(), text + b"\n"), strict=True))
        return hmac.new(spelt[spelling], message, hashlib.sha256).hexdigest()

    def expression(self, message: pl.Expr) -> pl.Expr:
        """Keys (UInt64) of a text column. The expression holds the secret: never print a plan of it."""
        hashed: pl.Expr = message.chash.hmac_sha256(key=self._text)  # type: ignore[attr-defined]
        return _first_64_bits(hashed)


def read_key(source: KeySource, directory: Path) -> GroupKey:
    """The group key from where group.yaml says it is kept.

    Raises `RefusedError` when it isn't there, isn't a key, or is the public one.
    """
    text = _kept(source, directory).strip()
    if text == TEST_KEY:
        raise refused(
            Code.KEY_INVALID,
            "the group key",
            "is the public test key",
            "everybody has it",
            "make one with: mauwatch key new FILE",
        )
    return GroupKey(text, source.epoch)


def _kept(source: KeySource, directory: Path) -> str:
    """What the key's file or variable holds."""
    if source.file is not None:
        path = directory / source.file
        try:
            return path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            shown = "…" if re.search("[0-9a-fA-F]{32}", source.file) else source.file  # The key in the place of its path.
            raise refused(
                Code.KEY_MISSING,
                "the group key",
                "can't be read from its file",
                shown,
                "put the key there, or correct `key` in group.yaml",
            ) from None
    name = source.env or ""
    if not re.fullmatch("[A-Z_][A-Z0-9_]*", name):
        raise refused(
            Code.KEY_MISSING,
            "the group key",
            "`env` isn't a name of an environment variable",
            "",
            "write a name such as MAUWATCH_KEY",
        )
    if name not in os.environ:
        raise refused(
            Code.KEY_MISSING,
            "the group key",
            "the environment variable isn't set",
            name,
            "set it, or correct `key` in group.yaml",
        )
    return os.environ[name]


def as_key(text: pl.Expr) -> pl.Expr:
    """A key written as 16 hex characters, as UInt64; null where it isn't one."""
    return text.str.decode("hex", strict=False).bin.reinterpret(dtype=pl.UInt64, endianness="big")


def plain_key(message: pl.Expr) -> pl.Expr:
    """Keys (UInt64) of a text column by SHA-256 and no secret: for what names nobody by itself."""
    hashed: pl.Expr = message.chash.sha2_256()  # type: ignore[attr-defined]
    return _first_64_bits(hashed)


def _first_64_bits(digest: pl.Expr) -> pl.Expr:
    return digest.str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64)


def normalise(identifier: pl.Expr, namespace: str, region: str | None = None) -> pl.Expr:
    """Normalised identifiers (text); null where there is no user: empty, null or a placeholder.

    Normalisation v1: ASCII white space stripped at both ends; `email` in lower case, for gmail.com
    and googlemail.com with neither dots, nor what follows the first plus sign, nor white space to begin
    with before the last @, as gmail.com, and all in NFC; `phone` in E.164, read with `region` where
    there is no country code; any other namespace in NFC. Placeholders are told in any case.

    Lower case is each code point by itself, by the mapping of the Unicode Character Database, where
    İ (U+0130) becomes i and U+0307; and both Σ and ς become σ. These two are where engines differ: at a
    word's end Spark, ICU, Rust and Python make ς of Σ, PostgreSQL's C.UTF-8 and DuckDB always σ; and
    simple mappings make a plain i of İ, which would part it from its own NFD. So in SQL:
    lower(replace(replace(replace(x, 'Σ', 'σ'), 'ς', 'σ'), 'İ', 'i' || U+0307)). Capitals that
    Unicode has added since an engine's version (polars 2.1 knows 55 more than Python 3.11) stay as they
    are there. `normalisation_v1.json` has examples of every rule, to test any engine with.
    """
    # By series, step by step: as one expression polars computes the shared steps again and again.
    return identifier.map_batches(lambda values: _normalised(values, namespace, region), pl.String, is_elementwise=True)


def _normalised(values: pl.Series, namespace: str, region: str | None) -> pl.Series:
    text = values.cast(pl.String).str.strip_chars(_ASCII_SPACE)
    if namespace == "phone":
        text = text.map_elements(_e164(region), pl.String)
    else:
        outside = (text.str.len_bytes() != text.str.len_chars()).arg_true()
        if namespace == "email":
            text = _email(_only(text, outside, lambda some: some.str.replace_all("[Σς]", "σ")).str.to_lowercase())
        text = _only(text, outside, lambda some: some.str.normalize("NFC"))
    lower = text if namespace == "email" else text.str.to_lowercase()
    somebody = (text != "") & ~lower.is_in(PLACEHOLDERS)
    return text.set(~somebody.fill_null(False), None)


def _email(text: pl.Series) -> pl.Series:
    """Addresses in lower case, of which gmail's are all one person's however they are dotted and tagged."""
    gmail = (text.str.ends_with("@gmail.com") | text.str.ends_with("@googlemail.com")).fill_null(False)
    if not gmail.any():
        return text
    local = text.str.extract(_GMAIL).str.replace(r"(?s)\+.*$", "").str.replace_all(".", "", literal=True)
    return (local.str.strip_chars_start(_ASCII_SPACE) + "@gmail.com").zip_with(gmail, text)


def _only(text: pl.Series, rows: pl.Series, step: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """A step for some rows: what takes a second for five million, though nearly all are ASCII and stay as they are."""
    return text.scatter(rows, step(text.gather(rows))) if len(rows) else text


def _e164(region: str | None) -> Callable[[str], str | None]:
    def format_number(text: str) -> str | None:
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_possible_number(number):
            return None
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    return format_number


def person_key(normalised: pl.Expr, namespace: str, key: GroupKey) -> pl.Expr:
    """Keys (UInt64) of normalised identifiers; null stays null."""
    return key.expression(pl.concat_str(pl.lit(f"{namespace}\x1f"), normalised))
