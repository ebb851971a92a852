"""From an identifier to a person key: normalisation v1 and keyed hashing.

A key is `HMAC-SHA256(group key, namespace || 0x1F || normalised identifier)`, of which the first
16 hex characters count: 64 bits, inside the program a UInt64 column. At a billion people about
0.03 pairs of them are expected to collide.
"""

import hashlib
import hmac
import os
import re
from pathlib import Path

import polars as pl
import polars_hash  # noqa: F401 (gives expressions their `chash`)

from affiliates.errors import Code, refused
from affiliates.manifests.settings import KeySource

PERSON = "person"
"""The namespace of keys that the crosswalk has joined."""

TEST_KEY = "0123456789abcdef" * 4
"""The public key of `normalisation_v1.json`, by which anybody tests a way to keys of their own. Everybody has it, so no
group may use it: whoever knows a group's key can test who is in its sketches."""


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


def person_key(normalised: pl.Expr, namespace: str, key: GroupKey) -> pl.Expr:
    """Keys (UInt64) of normalised identifiers; null stays null."""
    return key.expression(pl.concat_str(pl.lit(f"{namespace}\x1f"), normalised))
