"""Person keys by the standard library alone: a second reader of what the product hashes."""

import hashlib
import hmac
import unicodedata
from collections.abc import Callable

from affiliates.identity import canaries
from tests.support.groups import KEY


def normalised(text: str, namespace: str = "email") -> str | None:
    """Normalisation v1 in plain Python, as far as the fixed identifiers need it."""
    text = text.strip(" \t\n\r\x0b\x0c")
    if namespace == "email":
        text = unicodedata.normalize("NFC", text.replace("\u03a3", "\u03c3").replace("\u03c2", "\u03c3").lower())
        local, _, domain = text.rpartition("@")
        if domain in ("gmail.com", "googlemail.com"):
            text = local.split("+")[0].replace(".", "") + "@gmail.com"
    elif namespace != "phone":
        text = unicodedata.normalize("NFC", text)
    nobody = text.lower() in ("n/a", "unknown", "\\n", "(null)", "#n/a")
    return None if nobody or not text.strip("0-'") else text


def keyed(text: str, namespace: str = "email", key: bytes = KEY.encode(), encoding: str = "utf-8", between: str = "\x1f") -> str:
    """HMAC-SHA-256 of a normalised identifier, in hex."""
    return hmac.new(key, f"{namespace}{between}{text}".encode(encoding), hashlib.sha256).hexdigest()


def users(namespace: str = "email", change: Callable[[str], str | None] | None = None) -> list[str]:
    """The fixed identifiers of a namespace after normalisation, but for those that are no user."""
    step = change or (lambda text: normalised(text, namespace))
    return [text for text in map(step, canaries.identifiers(namespace)) if text is not None]


def item(text: str) -> str:
    """The item that a sketch hashes: the first 16 hex characters."""
    return keyed(text)[:16]


def signed(text: str) -> int:
    """The key as a BIGINT column has it."""
    number = int(item(text), 16)
    return number - (1 << 64) if number >> 63 else number
