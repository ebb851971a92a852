"""Canaries: fixed identifiers whose sketch proves a sender's way from identifier to item, and what their failure tells.

An affiliate's own query makes a sketch of them beside its users', in the same run. Equal registers mean that normalisation,
key, epoch, encoding and hash all agree with the group's. Where they differ, the registers that the usual mistakes would have
made say which step it was. A key trustee can write what all of this needs into a file, and the centre then checks every
contribution without the key: it can test nobody's membership.
"""

import hashlib
import json
import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from pathlib import Path
from typing import Protocol

import polars as pl

from affiliates.errors import Code, refused
from affiliates.identity.keys import TEST_KEY, GroupKey, person_key
from affiliates.identity.normalisation import NORMALISATION, PLACEHOLDERS, normalise
from affiliates.sketches.arrays import Coupons
from affiliates.sketches.image import ADDRESS_BITS
from affiliates.sketches.registers import Registers, coupons_of

UNICODE = NORMALISATION
ASCII = "v1 ascii"
"""Profiles of normalisation; an engine without NFC leaves identifiers outside ASCII out, and says so by the second."""

_IDENTIFIERS = {
    "email": (
        " Canary.One@Example.COM ",
        "canary.two+tag@Gmail.com",
        "can.ary.three@googlemail.com",
        "canary-four@example.org\t",
        "cafe\u0301@example.org",
        "CAF\u00c9@example.org",
        "\u039d\u0399\u039a\u039f\u03a3@example.org",
        "",
        "n/a",
    ),
    "phone": ("+12345678901", " +4930901820\n", "", "unknown"),
    "": ("Canary-One", " canary-two ", "CANARY-THREE", "cafe\u0301", "caf\u00e9", "", "0"),
}
"""By namespace ("" for every other): each exercises one step of the way to a key, alike in every engine."""

_MISSING = "identifiers are missing"
_SAME_NUMBER = "another key, or another hash: as many different keys as there ought to be, and none of them the group's"
_NOTHING_FITS = "nothing of it fits: another key and another normalisation, or another sketch of other items"


def identifiers(namespace: str) -> tuple[str, ...]:
    """The protocol's fixed identifiers in a namespace, as a source would have them."""
    return _IDENTIFIERS.get(namespace, _IDENTIFIERS[""])


@lru_cache(maxsize=256)
def keys(namespace: str, key: GroupKey, normalisation: str = UNICODE) -> pl.Series:
    """The distinct keys (UInt64, sorted) of the fixed identifiers in a namespace."""
    frame = pl.DataFrame({"identifier": [i for i in identifiers(namespace) if normalisation != ASCII or i.isascii()]})
    normalised = normalise(pl.col("identifier"), namespace)
    return frame.select(key=person_key(normalised, namespace, key))["key"].drop_nulls().unique().sort()


@lru_cache(maxsize=256)
def image(namespace: str, key: GroupKey, lg_k: int, normalisation: str = UNICODE) -> bytes:
    """The sketch of the fixed identifiers, as a contribution carries it."""
    return Registers.from_keys(lg_k, keys(namespace, key, normalisation).to_numpy()).to_image()


class Known(Protocol):
    """What is known of one namespace's canary."""

    def expected(self, normalisation: str) -> frozenset[int]:
        """Its coupons."""
        ...

    def mistakes(self) -> Mapping[str, Mapping[int, str]]:
        """By way to hash an identifier ("" is the right one): its coupons, and what of normalisation each leaves out ("" is
        nothing)."""
        ...


@dataclass(frozen=True)
class Canaries:
    """What one key epoch's canaries are: from the key itself, or from what its trustee has written."""

    epoch: str
    fingerprint: str
    known: Callable[[str], Known | None]
    """By namespace; None where a trustee's file doesn't have it."""

    def wrong(self, found: Registers, namespace: str, normalisation: str) -> str | None:
        """What a sender's canary shows to be wrong, or None if it agrees."""
        known = self.known(namespace)
        if known is None:
            return "the trustee's file has no canary of this namespace: ask for one that has"
        expected = _at(known.expected(normalisation), found.lg_k)
        occupied = {int(c) for c in found.occupied}
        return None if occupied == expected else _explained(occupied, expected, known, normalisation, found.lg_k)


def from_key(key: GroupKey, others: Sequence[GroupKey] = ()) -> Canaries:
    """Canaries by the key; `others` are the group's other epochs, by which a sender might have hashed."""
    return Canaries(key.epoch, key.fingerprint, lru_cache(maxsize=64)(lambda namespace: _ByKey(namespace, key, tuple(others))))


def _at(coupons: Iterable[int], lg_k: int) -> set[int]:
    """Occupied slots with their values at a lg_k; no two of so few coupons share a slot from lg_k 12 on, mostly."""
    return {int(c) for c in Registers.from_coupons(lg_k, _array(coupons)).occupied}


def _array(coupons: Iterable[int]) -> Coupons:
    return pl.Series(list(coupons), dtype=pl.UInt32).to_numpy()


def _explained(found: set[int], expected: set[int], known: Known, normalisation: str, lg_k: int) -> str:
    if not found:
        return "it is empty: send the canaries through the same query"
    for way, coupons in known.mistakes().items():
        at = {slot: said for coupon, said in coupons.items() for slot in _at([coupon], lg_k)}
        if not found <= set(at):
            continue
        said = [way] if way else []
        said += sorted({at[slot] for slot in found} - {""})
        if not said:  # Nothing that ought not to be there: something is left out.
            ascii_only = _at(known.expected(ASCII), lg_k)
            if normalisation == UNICODE and found == ascii_only:
                return "identifiers outside ASCII are missing: such an engine's normalisation is `v1 ascii`"
            said = [f"{len(expected - found)} of its {len(expected)} {_MISSING}"]
        return "; ".join(said)
    return _SAME_NUMBER if len(found) == len(expected) else _NOTHING_FITS


@dataclass(frozen=True)
class _ByKey:
    namespace: str
    key: GroupKey
    others: tuple[GroupKey, ...]

    def expected(self, normalisation: str) -> frozenset[int]:
        return frozenset(coupons_of(keys(self.namespace, self.key, normalisation).to_numpy()).tolist())

    def mistakes(self) -> Mapping[str, Mapping[int, str]]:
        return self._mistakes

    @cached_property
    def _mistakes(self) -> Mapping[str, Mapping[int, str]]:
        spelt = _spellings(self.namespace)
        found = dict[str, dict[int, str]]()
        for way, make in self._ways():
            found.setdefault(way, {}).update(zip(_coupons(make(text) for text in spelt), spelt.values(), strict=True))
        return found

    def _ways(self) -> Iterator[tuple[str, Callable[[str], bytes]]]:
        """Ways from a normalised identifier to the item that is hashed: the protocol's, then usual mistakes."""
        key = self.key
        namespace = self.namespace

        def message(text: str, between: str = "\x1f", encoding: str = "utf-8") -> bytes:
            return f"{namespace}{between}{text}".encode(encoding)

        def item(made: str) -> bytes:
            return made[:16].encode()

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
        for between in ("", ":", "|", "/", "_", "-", " ", "\0"):
            yield (
                "another separator than 0x1F follows the namespace",
                lambda text, between=between: item(key.digest(message(text, between))),  # type: ignore[misc]
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
        for other in self.others:
            yield (
                f"the key of epoch {other.epoch}: use that of {key.epoch}",
                lambda text, other=other: item(other.digest(message(text))),  # type: ignore[misc]
            )


def _spellings(namespace: str) -> dict[str, str]:
    """What the fixed identifiers become if steps of normalisation are left out, and which; "" for none."""
    found: dict[str, str] = {}
    steps = _STEPS.get(namespace, _STEPS[""])
    for left_out in range(len(steps) + 1):
        for without in combinations(range(len(steps)), left_out):
            for identifier in identifiers(namespace):
                text = identifier
                for number, (_, step) in enumerate(steps):
                    text = text if number in without else step(text)
                for nobody in (False, True):
                    is_nobody = not text or text.lower() in PLACEHOLDERS
                    said = [steps[number][0] for number in without] + ["placeholders are counted"] * nobody
                    if is_nobody == nobody:
                        found.setdefault(text, "; ".join(said))
    if namespace == "phone":
        found |= {text.removeprefix("+"): "the plus sign is taken away" for text in list(found) if text.startswith("+")}
    return found


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


def _coupons(items: Iterable[bytes]) -> list[int]:
    """Coupons of any bytes: MurmurHash3 (x64, 128 bits, seed 9001), of which 26 bits and a run of zeros count."""
    series = pl.Series(list(items), dtype=pl.Binary)
    hashes = pl.select(pl.lit(series).nchash.murmur128(seed=9001)).to_series()  # type: ignore[attr-defined]
    low = (1 << 64) - 1
    high = 64
    return [
        (min(64 - (h >> high).bit_length(), 62) + 1) << int(ADDRESS_BITS) | h & low & ((1 << int(ADDRESS_BITS)) - 1)
        for h in hashes
    ]


@dataclass(frozen=True)
class _Written:
    of: Mapping[str, frozenset[int]]
    ways: Mapping[str, Mapping[int, str]]

    def expected(self, normalisation: str) -> frozenset[int]:
        return self.of[normalisation]

    def mistakes(self) -> Mapping[str, Mapping[int, str]]:
        return self.ways


def to_file(canaries: Canaries, namespaces: Iterable[str], path: Path) -> None:
    """What a trustee gives the centre: enough to check contributions in these namespaces, and to test nobody's membership."""
    said = {}
    for namespace in sorted(set(namespaces)):
        known = canaries.known(namespace)
        assert known is not None
        expected = {profile: sorted(known.expected(profile)) for profile in (UNICODE, ASCII)}
        mistakes = {way: {str(c): text for c, text in found.items()} for way, found in known.mistakes().items()}
        said[namespace] = {"expected": expected, "mistakes": mistakes}
    whole = {"mauwatch": "canaries 1", "epoch": canaries.epoch, "fingerprint": canaries.fingerprint, "namespaces": said}
    path.write_text(json.dumps(whole, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def from_file(path: Path) -> Canaries:
    """Canaries from a trustee's file; raises `RefusedError` where it isn't one."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["mauwatch"] != "canaries 1":
            raise ValueError
        known = {
            str(namespace): _Written(
                {profile: frozenset(map(int, coupons)) for profile, coupons in said["expected"].items()},
                {way: {int(c): str(text) for c, text in found.items()} for way, found in said["mistakes"].items()},
            )
            for namespace, said in whole["namespaces"].items()
        }
        if any(set(k.of) != {UNICODE, ASCII} for k in known.values()):
            raise ValueError
        return Canaries(str(whole["epoch"]), str(whole["fingerprint"]), known.get)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise refused(
            Code.CANARIES_UNUSABLE,
            "the trustee's canaries",
            "isn't a readable file of canaries",
            path.name,
            "ask the trustee: mauwatch key canaries",
        ) from None
