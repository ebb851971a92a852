"""From an identifier to a person key: normalisation v1 and keyed hashing.

A key is `HMAC-SHA256(group key, namespace || 0x1F || normalised identifier)` (RFC 2104, FIPS 180-4), of which the first 16
hex characters count: 64 bits, inside the program a UInt64 column. Among n people n^2 / 2^65 pairs of keys are expected to
collide: 0.03 at a billion.
"""

import hashlib
import hmac
import os
import re
from pathlib import Path

import polars as pl
import polars_hash  # noqa: F401 (gives expressions their `chash`)

from affiliates.concurrency import UnfitFileError, read_small
from affiliates.errors import Code, refused
from affiliates.manifests.settings import KeySource

PERSON = "person"
"""The namespace of the keys that a crosswalk gives in the place of others: one for each person."""

TEST_KEY = "0123456789abcdef" * 4
"""The public key of `normalisation_v1.json`, by which anybody can test an engine of their own.

Everybody has it, so no group may use it: whoever knows a group's key can test who is in the group's sketches.
"""


MOST_BYTES = 1 << 12
"""Bytes of a key's file at most; a key has 64, and may have white space around it."""


class GroupKey:
    """The group's secret and its epoch. The secret is shown nowhere, not even by `repr`."""

    def __init__(self, text: str, epoch: str) -> None:
        """`text`: 64 lower-case hex characters, used as they are and never decoded. Raises `RefusedError` for another text."""
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
        """12 hex characters that tell two keys apart and give neither away."""
        # An HMAC of a fixed text: to find the key by it is as hard as by any person's key.
        return self.digest(b"mauwatch key fingerprint")[:12]

    SPELLINGS = "as it is", "is decoded from hex", "is in capitals", "has a line end"
    """How the key's 64 characters get into an HMAC: as they are, and by three usual mistakes."""

    def digest(self, message: bytes, spelling: str = SPELLINGS[0]) -> str:
        """HMAC-SHA256 of a message, in 64 hex characters; `spelling` is one of `SPELLINGS`."""
        text = self._text.encode("ascii")
        key_bytes = dict(zip(self.SPELLINGS, (text, bytes.fromhex(self._text), text.upper(), text + b"\n"), strict=True))
        return hmac.new(key_bytes[spelling], message, hashlib.sha256).hexdigest()

    def expression(self, message: pl.Expr) -> pl.Expr:
        """Keys (UInt64) of a text column; null stays null. The expression holds the secret: never print a plan of it."""
        hashed: pl.Expr = message.chash.hmac_sha256(key=self._text)  # type: ignore[attr-defined]
        return _first_64_bits(hashed)


def read_key(source: KeySource, directory: Path) -> GroupKey:
    """The group key from where group.yaml says that it is kept. White space around it is left out.

    Raises `RefusedError` where it isn't there, is no key, is the public test key, or isn't the one of the fingerprint there.
    """
    text = _key_text(source, directory).strip()
    if text == TEST_KEY:
        raise refused(
            Code.KEY_INVALID,
            "the group key",
            "is the public test key",
            "everybody has it",
            "make one with: mauwatch key new FILE",
        )
    key = GroupKey(text, source.epoch)
    check_fingerprint(key.fingerprint, source, "compare both keys by telephone (mauwatch key check), and put the right one there")
    return key


def check_fingerprint(fingerprint: str, source: KeySource, next_step: str) -> None:
    """Raise `RefusedError` where group.yaml has another fingerprint of the epoch's key: by another key all are other people."""
    if source.fingerprint not in (None, fingerprint):
        raise refused(
            Code.KEY_INVALID,
            "the group key",
            "isn't the one whose fingerprint group.yaml says",
            f"epoch {source.epoch}: {fingerprint}, group.yaml says {source.fingerprint}",
            next_step,
        )


def _key_text(source: KeySource, directory: Path) -> str:
    """What the key's file or variable holds; a file's path is relative to `directory`."""
    if source.file is not None:
        path = directory / source.file
        try:
            return read_small(path, MOST_BYTES).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            # Somebody may have written the key itself where its path belongs: the message must not show it.
            path_or_dots = "…" if re.search("[0-9a-fA-F]{32}", source.file) else source.file
            raise refused(
                Code.KEY_MISSING,
                "the group key",
                "can't be read from its file" if isinstance(error, OSError) else "its file isn't UTF-8 text",
                f"{path_or_dots}: {error.strerror}" if isinstance(error, UnfitFileError) else path_or_dots,
                "put the key there, or correct `key` in group.yaml",
            ) from None
    name = source.env or ""
    # Checked first: a key in the place of the variable's name would stand in the next message.
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
    """Keys (UInt64) of a column of texts of 16 hex characters; null for any other text."""
    # Big-endian: the number that the text is when it is read as hex, as in `_first_64_bits`.
    return text.str.decode("hex", strict=False).bin.reinterpret(dtype=pl.UInt64, endianness="big")


def plain_key(message: pl.Expr) -> pl.Expr:
    """Keys (UInt64) of a text column by SHA-256 without a secret: for texts that name nobody by themselves."""
    hashed: pl.Expr = message.chash.sha2_256()  # type: ignore[attr-defined]
    return _first_64_bits(hashed)


def _first_64_bits(digest: pl.Expr) -> pl.Expr:
    """The first 16 characters of a column of hex digests as a UInt64."""
    return digest.str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64)


def person_key(normalised: pl.Expr, namespace: str, key: GroupKey) -> pl.Expr:
    """Keys (UInt64) of a column of normalised identifiers (see `normalisation.normalise`); null stays null."""
    # 0x1F is the ASCII unit separator, which no namespace can hold: no two pairs give the same message.
    return key.expression(pl.concat_str(pl.lit(f"{namespace}\x1f"), normalised))
