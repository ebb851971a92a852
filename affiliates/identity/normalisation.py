"""Normalisation v1: identifiers in the one spelling that is hashed.

Two affiliates that normalise differently count each shared person twice. So v1 is fixed: another rule would be a v2, and no
key of v1 would match one of v2.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import phonenumbers
import polars as pl
import polars_hash  # noqa: F401 (gives expressions their `chash`)

from affiliates.errors import Code, refused
from affiliates.identity import forms
from affiliates.identity.forms import Spelling
from affiliates.manifests.namespaces import Namespace
from affiliates.manifests.settings import Settings

NORMALISATION = "v1 unicode"
"""The profile of this program's normalisation; `canaries.ASCII` is that of an engine that can't do NFC."""

_NO_VALUE = ("null", "none", "nil", "undefined", "unknown", "empty", "missing", "anonymous")
_ENCLOSED = ("()", "<>", "[]", "{}", "''", '""', "``")

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
    # Null as databases, languages and spreadsheets write it: MySQL, Hive and Snowflake; pandas; .NET; JavaScript; SPSS; Excel.
    "\\n",
    "\\\\n",
    "__hive_default_partition__",
    "<na>",
    "nat",
    "-nan",
    "dbnull",
    "system.dbnull",
    "undef",
    "false",
    "[object object]",
    "$null$",
    "_null_",
    "__null__",
    "#n/a",
    "#na",
    "#null!",
    "#value!",
    "#ref!",
    "#name?",
    "#num!",
    "#div/0!",
    "n.a.",
    "-1.0",
    "0x0",
    "empty",
    "missing",
    "not available",
    "not provided",
    "(not provided)",
    "not-set",
    "not_set",
    "notset",
    "no value",
    "anon",
    "guest",
    *(f"{enclosing[0]}{word}{enclosing[1]}" for word in _NO_VALUE for enclosing in _ENCLOSED),
    # Accounts that were taken away: all of them in one value.
    "deleted",
    "[deleted]",
    "redacted",
    "[redacted]",
    # Identifiers that very many devices share: the greatest UUID, an Android identifier of 2010, Android's address of any card.
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "ffffffffffffffffffffffffffffffff",
    "9774d56d682e549c",
    "02:00:00:00:00:00",
    "020000000000",
    # What hashing makes of a missing value.
    *(hashlib.new(name, text.encode()).hexdigest() for text in ("", "null", "undefined") for name in ("md5", "sha1", "sha256")),
)
"""Values (in lower case) that stand for nobody, in every namespace; each of them could be one person's identifier at the most."""

NO_NAME_SIGNS = "0 !\"#&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""A text of these characters alone stands for nobody: zeros of a telephone or an advertising identifier, `--` or `\'\'`."""


@dataclass(frozen=True)
class Rules:
    """What group.yaml adds to normalisation v1 for the identifiers of one namespace."""

    names_nobody: tuple[str, ...] = ()
    """More values that stand for nobody, stripped and in lower case."""
    form: Spelling | None = None
    """How identifiers are written."""


NO_RULES = Rules()
"""The rules of a group that says nothing of its namespaces."""


def rules_of(settings: Settings, namespace: str) -> Rules:
    """The rules of a namespace by group.yaml."""
    of_namespace = settings.namespaces.get(namespace, Namespace())
    nobody = (*settings.names_nobody, *of_namespace.names_nobody)
    texts = sorted({text.strip(_ASCII_SPACE).lower() for text in nobody} - {"", *PLACEHOLDERS})
    has_own_form = namespace in ("email", "phone")
    return Rules(tuple(texts), None if has_own_form else of_namespace.form or settings.forms)


def names_nobody(text: str, rules: Rules = NO_RULES) -> bool:
    """Whether a stripped text stands for nobody."""
    return not text.strip(NO_NAME_SIGNS) or text.lower() in (*PLACEHOLDERS, *rules.names_nobody)


_ASCII_SPACE = " \t\n\r\x0b\x0c"
_GMAIL = r"(?s)^(.*)@(?:gmail|googlemail)\.com$"


def normalise(identifier: pl.Expr, namespace: str, region: str | None = None, rules: Rules = NO_RULES) -> pl.Expr:
    """A column of identifiers in normalisation v1, as text; null where there is no user: empty, null or a placeholder.

    - All: ASCII white space is stripped at both ends. Placeholders count as such in any case of letters; so does a text of
      zeros and signs alone (`NO_NAME_SIGNS`), and what group.yaml adds.
    - `email`: lower case, then NFC. An address of gmail.com or googlemail.com becomes one of gmail.com; before its last @,
      the dots, all from the first plus sign on, and white space at the beginning are removed.
    - `phone`: E.164, by Google's libphonenumber. A number without a country code is read as one of `region`; what is no
      possible number is null.
    - Any other namespace: NFC; and the one spelling of the namespace's form, where group.yaml names one. `check_usable` refuses
      what isn't of the form, which is null here.

    Lower case is each code point by itself, by the mapping of the Unicode Character Database, where İ (U+0130) becomes i and
    U+0307; and both Σ and ς become σ. In these two, engines differ: at a word's end Spark, ICU, Rust and Python make ς of Σ,
    PostgreSQL's C.UTF-8 and DuckDB always σ; and simple mappings make a plain i of İ, which would part it from its own NFD.
    So in SQL: lower(replace(replace(replace(x, 'Σ', 'σ'), 'ς', 'σ'), 'İ', 'i' || U+0307)). Capitals that Unicode has added
    since an engine's version (polars 2.1 knows 55 more than Python 3.11) stay as they are there. `normalisation_v1.json` has
    examples of every rule, to test any engine with.
    """
    # By series, step by step: as one expression polars computes the shared steps again and again.
    return identifier.map_batches(lambda values: normalised(values, namespace, region, rules), pl.String, is_elementwise=True)


def normalised(values: pl.Series, namespace: str, region: str | None = None, rules: Rules = NO_RULES) -> pl.Series:
    """As `normalise`, of a series."""
    text = values.cast(pl.String).str.strip_chars(_ASCII_SPACE)
    if namespace == "phone":
        # Before the country code: zeros with one are a possible number.
        text = text.set(~_is_somebody(text, rules), None).map_elements(_e164(region), pl.String)
    else:
        # In UTF-8 a text is ASCII if and only if it has as many bytes as characters.
        not_ascii = (text.str.len_bytes() != text.str.len_chars()).arg_true()
        if namespace == "email":
            # Sigma first: after Rust's lower case, Σ at a word's end would be ς already.
            text = _email(_in_rows(text, not_ascii, lambda part: part.str.replace_all("[Σς]", "σ")).str.to_lowercase())
        # NFC last: lower case may take a composed letter apart, as it does with İ.
        text = _in_rows(text, not_ascii, lambda part: part.str.normalize("NFC"))
    is_of_form = None
    if rules.form:
        formed = forms.in_form(text, rules.form)
        is_of_form = formed.is_not_null()
        text = formed.fill_null(text)  # A placeholder is of no form.
    text = text.set(~_is_somebody(text, rules), None)
    return text if is_of_form is None else text.set(~is_of_form, None)


def check_usable(values: pl.Series, namespace: str, rules: Rules, code: Code, subject: str) -> None:
    """Refuse identifiers of which nobody can tell whose they are: numbers that have lost digits, and another form than declared.

    Raises `RefusedError` with `code`. `values`: the identifiers as the source has them.
    """
    text = values.cast(pl.String).str.strip_chars(_ASCII_SPACE).drop_nulls()
    if lost := int(forms.has_lost_digits(text).sum()):
        raise refused(
            code,
            subject,
            "identifiers are numbers that have lost digits, such as 1.2E+18",
            f"{lost:,} different ones or more, namespace {namespace}",
            "export the column as text, or as whole numbers: a spreadsheet or a floating-point column has rounded them",
        )
    if rules.form not in forms.STRICT:
        return
    formed = forms.in_form(text, rules.form)
    if other := int((formed.is_null() & _is_somebody(text, rules)).sum()):
        raise refused(
            code,
            subject,
            f"identifiers aren't of the form `{rules.form}` that group.yaml names",
            f"{other:,} different ones or more, namespace {namespace}",
            "correct the export or the column; write values that name nobody under `names_nobody`, or take `form` away",
        )


def _is_somebody(text: pl.Series, rules: Rules) -> pl.Series:
    """Whether each stripped text names somebody; false for null."""
    lower = text.str.to_lowercase()
    nobody = (text.str.strip_chars(NO_NAME_SIGNS) == "") | lower.is_in((*PLACEHOLDERS, *rules.names_nobody))
    return (~nobody).fill_null(False)


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
