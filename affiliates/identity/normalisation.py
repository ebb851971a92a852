"""Normalisation v1: identifiers in the one spelling that is hashed.

Two affiliates that normalise differently count each shared person twice. So v1 is fixed: another rule would be a v2, and no
key of v1 would match one of v2.
"""

from collections.abc import Callable

import phonenumbers
import polars as pl
import polars_hash  # noqa: F401 (gives expressions their `chash`)

NORMALISATION = "v1 unicode"
"""The profile of this program's normalisation; `canaries.ASCII` is that of an engine that can't do NFC."""

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
"""Values (in lower case) that stand for nobody. The last is an advertising identifier that its user has switched off."""

_ASCII_SPACE = " \t\n\r\x0b\x0c"
_GMAIL = r"(?s)^(.*)@(?:gmail|googlemail)\.com$"


def normalise(identifier: pl.Expr, namespace: str, region: str | None = None) -> pl.Expr:
    """A column of identifiers in normalisation v1, as text; null where there is no user: empty, null or a placeholder.

    - All: ASCII white space is stripped at both ends. Placeholders count as such in any case of letters.
    - `email`: lower case, then NFC. An address of gmail.com or googlemail.com becomes one of gmail.com; before its last @,
      the dots, all from the first plus sign on, and white space at the beginning are removed.
    - `phone`: E.164, by Google's libphonenumber. A number without a country code is read as one of `region`; what is no
      possible number is null.
    - Any other namespace: NFC.

    Lower case is each code point by itself, by the mapping of the Unicode Character Database, where İ (U+0130) becomes i and
    U+0307; and both Σ and ς become σ. In these two, engines differ: at a word's end Spark, ICU, Rust and Python make ς of Σ,
    PostgreSQL's C.UTF-8 and DuckDB always σ; and simple mappings make a plain i of İ, which would part it from its own NFD.
    So in SQL: lower(replace(replace(replace(x, 'Σ', 'σ'), 'ς', 'σ'), 'İ', 'i' || U+0307)). Capitals that Unicode has added
    since an engine's version (polars 2.1 knows 55 more than Python 3.11) stay as they are there. `normalisation_v1.json` has
    examples of every rule, to test any engine with.
    """
    # By series, step by step: as one expression polars computes the shared steps again and again.
    return identifier.map_batches(lambda values: _normalised(values, namespace, region), pl.String, is_elementwise=True)


def _normalised(values: pl.Series, namespace: str, region: str | None) -> pl.Series:
    """As `normalise`, of a series."""
    text = values.cast(pl.String).str.strip_chars(_ASCII_SPACE)
    if namespace == "phone":
        text = text.map_elements(_e164(region), pl.String)
    else:
        # In UTF-8 a text is ASCII if and only if it has as many bytes as characters.
        not_ascii = (text.str.len_bytes() != text.str.len_chars()).arg_true()
        if namespace == "email":
            # Sigma first: after Rust's lower case, Σ at a word's end would be ς already.
            text = _email(_in_rows(text, not_ascii, lambda part: part.str.replace_all("[Σς]", "σ")).str.to_lowercase())
        # NFC last: lower case may take a composed letter apart, as it does with İ.
        text = _in_rows(text, not_ascii, lambda part: part.str.normalize("NFC"))
    lower = text if namespace == "email" else text.str.to_lowercase()
    is_somebody = (text != "") & ~lower.is_in(PLACEHOLDERS)
    return text.set(~is_somebody.fill_null(False), None)


def _email(text: pl.Series) -> pl.Series:
    """Addresses in lower case, those of Gmail in one spelling: Gmail ignores dots, and what follows a plus sign."""
    gmail = (text.str.ends_with("@gmail.com") | text.str.ends_with("@googlemail.com")).fill_null(False)
    if not gmail.any():
        return text
    local = text.str.extract(_GMAIL).str.replace(r"(?s)\+.*$", "").str.replace_all(".", "", literal=True)
    return (local.str.strip_chars_start(_ASCII_SPACE) + "@gmail.com").zip_with(gmail, text)


def _in_rows(text: pl.Series, rows: pl.Series, step: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """A step for these rows (by number) alone: for five million it takes a second, and nearly all are ASCII and stay."""
    return text.scatter(rows, step(text.gather(rows))) if len(rows) else text


def _e164(region: str | None) -> Callable[[str], str | None]:
    """From a telephone number to E.164, or to None for what is no possible number."""

    def format_number(text: str) -> str | None:
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            return None
        # Possible, by its length. Whether a number is valid follows numbering plans, which change with the library's version.
        if not phonenumbers.is_possible_number(number):
            return None
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    return format_number
