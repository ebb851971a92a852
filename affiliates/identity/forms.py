"""Forms of identifiers: what makes two spellings one identifier, and numbers that have lost digits on their way. Pure.

The patterns stand here once, as texts of ASCII characters that polars, Python and each warehouse's SQL read alike:
`affiliates.engines.sql` prints them.
"""

import re
from typing import Literal, get_args

import polars as pl

from affiliates.manifests.namespaces import Form

Spelling = Form | Literal["recognised"]
"""A namespace's form, or `recognised`: identifiers that are UUIDs, long hex or whole numbers with `.0` are brought into one
spelling each, and any other identifier stays as it is."""
STRICT: tuple[Form, ...] = get_args(Form)
"""The forms that refuse an identifier of another form."""

_GREATEST = "9007199254740992"
"""2^53: up to it a floating-point number has every digit of a whole one."""
_OVER_GREATEST = "|".join(
    f"{_GREATEST[:place]}[{int(digit) + 1}-9]" + (f"[0-9]{{{15 - place}}}" if place < 15 else "")
    for place, digit in enumerate(_GREATEST)
    if digit != "9"
)
LOST_DIGITS = (
    "^[+-]?(?:[0-9](?:[.,][0-9]+)?[eE][+][0-9]{1,3}|[0-9][.,][0-9]+[eE][0-9]{1,3}"
    f"|0*(?:[1-9][0-9]{{16,}}|{_OVER_GREATEST})[.]0*)$"
)
"""A number as Excel and floating-point columns write it once digits are gone: 1.2E+18, 1.23E18, or a whole number over 2^53
with a decimal point. Hex such as 12e45678 has neither a point nor a plus sign."""

UUID = "^[{(]?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})[)}]?$"
"""A UUID in small letters, with or without hyphens and brackets, `urn:uuid:` taken away."""
HEX = "^(?:0x)?([0-9a-f]+)$"
"""Hex digits in small letters, colons and hyphens taken away."""
LONG_HEX = "^[0-9a-fA-F]{33,}$"
"""A digest in hex, which no case of letters tells from another."""
INTEGER = "^[+]?(-?)0*([0-9]+)(?:[.]0*)?$"
"""A whole number, perhaps with leading zeros and a decimal point with zeros."""
WITH_POINT = "^([0-9]+)[.]0+$"
"""A whole number as a floating-point column writes it."""


def has_lost_digits(text: pl.Series) -> pl.Series:
    """Whether each text is a number that has lost digits: then nobody can tell whose it was."""
    return text.str.contains(LOST_DIGITS)


def in_form(text: pl.Series, form: Spelling) -> pl.Series:
    """Each text in its one spelling; of a strict form, null for a text of another form."""
    if form == "integer":
        return text.str.replace(INTEGER, "${1}${2}").set(~text.str.contains(INTEGER).fill_null(False), None)
    lower = text.str.to_lowercase()
    if form == "hex":
        return lower.str.replace_all("[:-]", "").str.extract(HEX)
    uuid = lower.str.replace("^urn:uuid:", "")
    is_uuid = uuid.str.contains(UUID).fill_null(False)
    uuid = uuid.str.replace(UUID, "${1}-${2}-${3}-${4}-${5}")
    if form == "uuid":
        return uuid.set(~is_uuid, None)
    is_long_hex = text.str.contains(LONG_HEX).fill_null(False)
    return uuid.zip_with(is_uuid, lower.zip_with(is_long_hex, text.str.replace(WITH_POINT, "${1}")))


def in_form_text(text: str, form: Spelling) -> str | None:
    """As `in_form`, of one text, by Python's own expressions."""
    if form == "integer":
        match = re.match(INTEGER, text)
        return match[1] + match[2] if match else None
    lower = text.lower()
    if form == "hex":
        match = re.match(HEX, lower.replace(":", "").replace("-", ""))
        return match[1] if match else None
    match = re.match(UUID, lower.removeprefix("urn:uuid:"))
    if match or form == "uuid":
        return "-".join(match.groups()) if match else None
    return lower if re.match(LONG_HEX, text) else re.sub(WITH_POINT, r"\1", text)
