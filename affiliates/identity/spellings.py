"""What identifiers look like: two spellings of one account, and columns that hold something else than their namespace says.

Looked at are identifiers as they are hashed for the first time, a part of them where they are many. Nothing of them leaves but
numbers; hashes under a seed of this process are kept for its life alone.
"""

import secrets
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from affiliates.identity import forms

_WHOLE = 20_000
"""Identifiers of a column up to this number are all looked at."""
_EVERY = 16
"""Of more, one in so many is: an account in two spellings comes again and again."""
_SHARE = 0.01
"""The share of identifiers in two spellings from which it is told."""
_ODD_SHARE = 0.1
"""The share of values that aren't what their namespace says from which it is told."""
_MOST = 0.9
"""The share of values from which a column is taken to hold e-mail addresses, or telephone numbers."""
_LEAST = 10
_LONG = {"long": "^[1-9][0-9]{15,}$", "rounded": "^[1-9][0-9]{14}0+$", "far rounded": "^[1-9][0-9]{14}000+$"}
"""Whole numbers of over 15 digits; those of them that are zeros after the 15th, as Excel writes them; and with three zeros."""
_PAIRS = "^[0-9a-f]{2}([:-][0-9a-f]{2})+$"
"""Pairs of hex digits with separators, as of a network card's address."""
_BETWEEN = r"[\s\x{a0}\x{200b}-\x{200f}\x{2060}\x{feff}{}()\[\]<>\"']"
"""Blanks, characters without width, brackets and quotation marks."""
_LOOKS = {"email": "@", "phone": "^[+(]{0,2}[0-9][0-9 ()/.-]{5,}$"}
_NEEDED = {"email": ("@", "have no @"), "phone": ("[0-9]", "have no digit")}


@dataclass(frozen=True, order=True)
class ColumnRef:
    """A column of identifiers of a product."""

    product: str
    column: str
    namespace: str


class Spellings:
    """Gathers what columns of identifiers look like, for several threads at once and in bounded memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seed = secrets.randbits(64)
        self._seen = Counter[ColumnRef]()
        self._looks: dict[ColumnRef, Counter[str]] = defaultdict(Counter)
        # By namespace, and by the identifier without what two spellings differ in: each spelling, with the column that had it.
        self._spellings: dict[str, dict[int, dict[int, ColumnRef]]] = defaultdict(dict)
        self._alike = Counter[tuple[str, str, str]]()
        self._different = Counter[tuple[str, str]]()

    def note(self, column: ColumnRef, texts: pl.Series, usable: pl.Series) -> None:
        """Take identifiers of a column, as the source has them (`texts`) and normalised (`usable`, null for nobody)."""
        rest = max(_WHOLE - self._seen[column], 0)
        if len(texts) > rest:
            chosen = pl.concat(
                [pl.Series(range(rest), dtype=pl.UInt32), pl.Series(range(rest, len(texts), _EVERY), dtype=pl.UInt32)]
            )
            chosen = chosen.head(rest + _WHOLE)
            texts = texts.gather(chosen)
            usable = usable.gather(chosen)
        text = pl.col("text")
        given = text.is_not_null() & (text.str.strip_chars() != "")
        # What is no telephone number is nobody's, and is what has to be told.
        wanted = given if column.namespace == "phone" else given & pl.col("usable").is_not_null()
        # All in one query: each by itself takes longer than a small batch's texts.
        patterns = {**_LOOKS, **{f"{name} needs": needed for name, (needed, _) in _NEEDED.items()}, **_LONG}
        numbers = [text.str.contains(pattern).sum().alias(name) for name, pattern in patterns.items()]
        both = pl.LazyFrame({"text": texts, "usable": usable})
        looks = Counter[str](both.filter(wanted).select(pl.len().alias("all"), *numbers).collect().row(0, named=True))
        pairs = []
        if column.namespace != "phone":  # libphonenumber has one spelling of each.
            present = usable.drop_nulls()
            pairs = list(zip(folded(present).hash(self._seed).to_list(), present.hash(self._seed).to_list(), strict=True))
        with self._lock:
            self._seen[column] += len(texts)
            self._looks[column].update(looks)
            for bare, whole in pairs:
                self._note_spelling(column, bare, whole)

    def _note_spelling(self, column: ColumnRef, bare: int, whole: int) -> None:
        known = self._spellings[column.namespace]
        if bare not in known and len(known) >= 10 * _WHOLE:
            return
        spellings = known.setdefault(bare, {})
        if whole in spellings or len(spellings) > 3:
            return
        for other in spellings.values():
            first, last = sorted((column.product, other.product))
            self._alike[column.namespace, first, last] += 1
        spellings[whole] = column
        self._different[column.namespace, column.product] += 1

    def findings(self) -> list[str]:
        """What somebody has to see to, in sentences that show no identifier."""
        with self._lock:
            return [*self._in_two_spellings(), *self._exchanged(), *self._odd(), *self._rounded()]

    def _in_two_spellings(self) -> list[str]:
        texts = []
        for (namespace, one, other), number in sorted(self._alike.items()):
            looked_at = min(self._different[namespace, one], self._different[namespace, other]) or 1
            if number < _SHARE * looked_at:
                continue
            whose = one if one == other else f"{one} and {other}"
            form = "" if namespace == "email" else ", or name the namespace's `form` in group.yaml, or `forms: recognised`"
            texts.append(
                f"{whose}: identifiers of `{namespace}` come in two spellings, {number:,} of {looked_at:,} that were looked at: "
                "alike but for case, width, `.0`, leading zeros, a plus sign, blanks, brackets or the like. Each spelling counts "
                f"as a person; correct the export{form}"
            )
        return texts

    def _looks_like(self, column: ColumnRef) -> str | None:
        looks = self._looks[column]
        return next((name for name in _LOOKS if looks["all"] >= _LEAST and looks[name] >= _MOST * looks["all"]), None)

    def _exchanged(self) -> list[str]:
        texts = []
        for one, other in combinations(sorted(self._looks), 2):
            if one.product != other.product or one.namespace == other.namespace:
                continue
            of_one, of_other = self._looks_like(one), self._looks_like(other)
            wrong = (one.namespace in _LOOKS and of_other == one.namespace and of_one != one.namespace) or (
                other.namespace in _LOOKS and of_one == other.namespace and of_other != other.namespace
            )
            if wrong:
                texts.append(
                    f"{one.product}: columns {one.column} and {other.column} look exchanged: the namespaces `{one.namespace}` "
                    f"and `{other.namespace}` hold each other's identifiers; correct `identifiers` in the manifest"
                )
        return texts

    def _odd(self) -> list[str]:
        texts = []
        for column, looks in sorted(self._looks.items()):
            if column.namespace not in _NEEDED:
                continue
            odd = looks["all"] - looks[f"{column.namespace} needs"]
            if odd and odd >= _ODD_SHARE * looks["all"]:
                texts.append(
                    f"{column.product}: {odd:,} of {looks['all']:,} values of column {column.column} "
                    f"{_NEEDED[column.namespace][1]}, in the namespace `{column.namespace}`; correct the column, or give it "
                    "another namespace"
                )
        return texts

    def _rounded(self) -> list[str]:
        return [
            f"{column.product}: {looks['rounded']:,} of {looks['long']:,} numbers of over 15 digits in column {column.column} "
            "are zeros after the 15th, as Excel rounds them: they have lost digits, and different people are one; export "
            "the column as text"
            for column, looks in sorted(self._looks.items())
            if looks["rounded"] >= _MOST * looks["long"] and (looks["rounded"] >= _LEAST or looks["far rounded"] > 1)
        ]


def folded(text: pl.Series) -> pl.Series:
    """Each identifier without what two spellings differ in: case, width, `.0`, leading zeros, + or 00, commas of thousands,
    blanks, brackets, hyphens of a UUID, separators of pairs of hex digits, `mailto:`."""
    column = pl.col("text")
    frame = text.alias("text").to_frame()
    if frame.select((column.str.len_bytes() != column.str.len_chars()).any()).item():
        column = column.str.normalize("NFKC")  # Digits and letters of full width.
    bare = column.str.to_lowercase().str.replace_all(_BETWEEN, "").str.replace("^(?:urn:uuid:|mailto:)", "")
    bare = bare.str.replace_all(r",([0-9]{3})\b", "${1}").str.replace(r"[.]0*$", "")
    bare = pl.when(bare.str.contains(_PAIRS)).then(bare.str.replace_all("[:-]", "")).otherwise(bare)
    return frame.select(bare.str.replace(forms.UUID, "${1}${2}${3}${4}${5}").str.replace("^[+]?0*", "")).to_series()
