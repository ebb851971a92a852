"""The usual mistakes on the way from an identifier to a sketch's item, and the coupons that each of them would make.

A mistake has two parts: a way to hash (the key decoded from hex, UTF-16, another separator, ...), and steps of normalisation
that are left out. Every way is combined with every set of left-out steps, so that a sketch in which two things are wrong is
explained as well. The table takes 5 ms, and is only made where a canary differs.
"""

import hashlib
import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import polars as pl

from affiliates.identity.forms import in_form_text
from affiliates.identity.keys import TEST_KEY, GroupKey
from affiliates.identity.normalisation import NO_RULES, Rules, names_nobody
from affiliates.sketches.image import ADDRESS_BITS

Mistakes = Mapping[str, Mapping[int, str]]
"""By way to hash an identifier ("" is the right one): by coupon, what of normalisation is left out ("" is nothing)."""


def mistakes(
    identifiers: Sequence[str], namespace: str, key: GroupKey, others: Sequence[GroupKey], rules: Rules = NO_RULES
) -> Mistakes:
    """All mistakes with a namespace's fixed identifiers; `others` are keys of other epochs, by which a sender may have hashed.

    The right way comes first, and the first way that explains a sketch is the one to name.
    """
    spellings = _spellings(identifiers, namespace, rules)
    by_way = dict[str, dict[int, str]]()
    for way, item_of in _ways(namespace, key, others):
        coupons = coupons_of_bytes(item_of(text) for text in spellings)
        by_way.setdefault(way, {}).update(zip(coupons, spellings.values(), strict=True))
    return by_way


def coupons_of_bytes(items: Iterable[bytes]) -> list[int]:
    """Coupons of items of any length, as Apache DataSketches makes them.

    Of MurmurHash3 (x64, 128 bits, seed 9001) the low 26 bits of the first half are the address, and the leading zeros of the
    second half, plus 1, the value.
    """
    # In `registers.coupons_of` a compiled loop does the same for keys; here items may have any length.
    series = pl.Series(list(items), dtype=pl.Binary)
    hashes = pl.select(pl.lit(series).nchash.murmur128(seed=9001)).to_series()  # type: ignore[attr-defined]
    address = (1 << int(ADDRESS_BITS)) - 1
    # The library never counts more than 62 zeros.
    values = (min(64 - (number >> 64).bit_length(), 62) + 1 for number in hashes)
    return [value << int(ADDRESS_BITS) | number & address for value, number in zip(values, hashes, strict=True)]


def _ways(namespace: str, key: GroupKey, others: Sequence[GroupKey]) -> Iterator[tuple[str, Callable[[str], bytes]]]:
    """Ways from a normalised identifier to the item that is hashed: the protocol's, then usual mistakes.

    Each is given by the words that a refusal says of it.
    """

    def message(text: str, separator: str = "\x1f", encoding: str = "utf-8") -> bytes:
        return f"{namespace}{separator}{text}".encode(encoding)

    def item(hex_digest: str) -> bytes:
        return hex_digest[:16].encode()

    yield "", lambda text: item(key.digest(message(text)))
    yield "hex in capitals: write keys in lower case", lambda text: item(key.digest(message(text)).upper())
    yield "items of 64 characters: take the first 16", lambda text: key.digest(message(text)).encode()
    yield (
        "items are integers: sketch the 16 characters, as text",
        lambda text: struct.pack("<Q", int(key.digest(message(text))[:16], 16)),
    )
    yield "items are bytes: sketch the 16 characters, as text", lambda text: bytes.fromhex(key.digest(message(text))[:16])
    yield "UTF-16 text is hashed by HMAC: encode in UTF-8", lambda text: item(key.digest(message(text, encoding="utf-16-le")))
    yield "UTF-16 text goes into the sketch: give it UTF-8", lambda text: key.digest(message(text))[:16].encode("utf-16-le")
    yield "the namespace isn't before the identifier", lambda text: item(key.digest(text.encode()))
    # The loops bind their variable as a default: a lambda would else see its last value.
    for separator in ("", ":", "|", "/", "_", "-", " ", "\0"):
        yield (
            "another separator than 0x1F follows the namespace",
            lambda text, separator=separator: item(key.digest(message(text, separator))),  # type: ignore[misc]
        )
    for spelling in GroupKey.SPELLINGS[1:]:
        yield (
            f"the key {spelling}: use its 64 characters as they are",
            lambda text, spelling=spelling: item(key.digest(message(text), spelling)),  # type: ignore[misc]
        )
    yield "no key: it is a plain SHA-256", lambda text: item(hashlib.sha256(text.encode()).hexdigest())
    yield "no key: it is a plain SHA-256, with the namespace", lambda text: item(hashlib.sha256(message(text)).hexdigest())
    yield "identifiers aren't hashed at all", lambda text: text.encode()
    test = GroupKey(TEST_KEY, "test")
    yield "the public test key: use the group's", lambda text: item(test.digest(message(text)))
    for other in others:
        yield (
            f"the key of epoch {other.epoch}: use that of {key.epoch}",
            lambda text, other=other: item(other.digest(message(text))),  # type: ignore[misc]
        )


def _spellings(identifiers: Sequence[str], namespace: str, rules: Rules) -> dict[str, str]:
    """What the identifiers become if steps of normalisation are left out; by that text, which steps ("" for none)."""
    spellings: dict[str, str] = {}
    steps = [*_STEPS.get(namespace, _STEPS[""])]
    if form := rules.form:
        # A placeholder is of no form; it stays, and is found to name nobody.
        steps.append((f"not in the one spelling of the form `{form}`", lambda text: in_form_text(text, form) or text))
    # By the number of steps left out: where two sets give one text, the smaller is the likelier mistake.
    for number_left_out in range(len(steps) + 1):
        for left_out in combinations(range(len(steps)), number_left_out):
            for identifier in identifiers:
                text = identifier
                for number, (_, step) in enumerate(steps):
                    text = text if number in left_out else step(text)
                # A placeholder is only in the sketch of somebody who counts placeholders.
                is_placeholder = names_nobody(text, rules)
                faults = [steps[number][0] for number in left_out] + ["placeholders are counted"] * is_placeholder
                spellings.setdefault(text, "; ".join(faults))
    if namespace == "phone":
        numbers = [text for text in spellings if text.startswith("+")]
        spellings |= {text.removeprefix("+"): "the plus sign is taken away" for text in numbers}
    return spellings


# Normalisation v1 once more, in plain Python: `normalise` can't leave a step out.


def _gmail(text: str) -> str:
    for domain in ("@gmail.com", "@googlemail.com"):
        if text.endswith(domain):
            return text.removesuffix(domain).partition("+")[0].replace(".", "") + "@gmail.com"
    return text


def _strip(text: str) -> str:
    return text.strip(" \t\n\r\x0b\x0c")


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _sigma(text: str) -> str:
    return text.replace("\u03a3", "\u03c3").replace("\u03c2", "\u03c3")


_Steps = Sequence[tuple[str, Callable[[str], str]]]
"""Steps in order, each with the words for the mistake of leaving it out."""
_STRIP = ("white space isn't stripped", _strip)
_STEPS: Mapping[str, _Steps] = {
    "email": (
        _STRIP,
        ("a sigma at a word's end is a letter of its own: make it \u03c3 before", _sigma),
        ("not in lower case", str.lower),
        ("not in NFC", _nfc),
        ("gmail's dots and tags are kept", _gmail),
    ),
    "phone": (_STRIP,),
    "": (_STRIP, ("not in NFC", _nfc)),
}
"""By namespace ("" for every other); the fixed telephone numbers are in E.164 already."""
