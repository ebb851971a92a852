"""Normalisation v1: identifiers in the one spelling that is hashed."""

from collections.abc import Callable

import phonenumbers
import polars as pl
import polars_hash  # noqa: F401 (gives expressions their `chash`)

NORMALISATION = "v1 unicode"

PLACEHOLDERS = (
    "none",
    "null",
    "nil",
    "nan",
    "na",
    "n/a",
    "unknown",
    "undefined",
    "anonymous",
    "not set",
    "(not set)",
    "0",
    "-1",
    "-",
    "?",
    "00000000-0000-0000-0000-000000000000",
)
"""Values (in lower case) that stand for nobody; the last is an advertising id that was switched off."""

_ASCII_SPACE = " \t\n\r\x0b\x0c"
_GMAIL = r"(?s)^(.*)@(?:gmail|googlemail)\.com$"


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
