"""Canaries: fixed identifiers whose sketch proves a sender's way from identifier to item, and what their failure tells.

An affiliate's own query makes a sketch of them beside its users' sketch, in the same run. Equal registers prove that
normalisation, key, epoch, encoding and hash all agree with the group's. Where registers differ, those that the usual mistakes
would have made tell which step it was. A key's trustee can write all that this takes into a file. The centre then checks
every contribution without the key, and can test nobody's membership.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import polars as pl

from affiliates.concurrency import atomic_write, read_small
from affiliates.errors import Code, refused
from affiliates.identity.canary_mistakes import Mistakes, mistakes
from affiliates.identity.forms import Spelling
from affiliates.identity.keys import GroupKey, person_key
from affiliates.identity.normalisation import NO_RULES, NORMALISATION, Rules, normalise
from affiliates.sketches.arrays import Coupons
from affiliates.sketches.registers import Registers, coupons_of

UNICODE = NORMALISATION
"""The profile of an engine that normalises as this program does."""
ASCII = "v1 ascii"
"""The profile of an engine without NFC, which leaves identifiers outside ASCII out and names this profile."""
_FORMAT = "canaries 1"
_MOST_BYTES = 1 << 26
"""Bytes of a trustee's file at most: one namespace takes 8 kB."""

_NOBODY = ("\\N", "(null)", "#N/A", "00000000-0000-0000-0000-000000000000", "000000000", "''")
"""Values of nobody that an engine with a shorter list takes for people."""
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
        *_NOBODY,
    ),
    "phone": ("+12345678901", " +4930901820\n", "", "unknown", *_NOBODY),
    "": ("Canary-One", " canary-two ", "CANARY-THREE", "cafe\u0301", "caf\u00e9", "", "0", *_NOBODY),
}
"""By namespace ("" for every other): each identifier exercises one step of the way to a key, alike in every engine.

They are part of the protocol: another identifier here that names somebody would refuse every query that affiliates run. One that
names nobody refuses only an engine in which it is a person.
"""
_UUIDS = (
    "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
    " {b54adc00-67f9-11d9-9669-0800200c9a66}",
    "A8098C1AF86E11DABD1A00112444BE1E",
    "urn:uuid:2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d",
    "",
    "n/a",
    *_NOBODY,
)
_IDENTIFIERS_OF_FORM: Mapping[Spelling, tuple[str, ...]] = {
    "uuid": _UUIDS,
    "integer": ("1234", " +0056", "789.0", "-12", "90071992547409931234", "", "n/a", *_NOBODY),
    "hex": ("0xAB12", "cd34ef\t", "AB:56:78:90:CD:EF", "ab-56-78-90-cd-ee", "", "n/a", *_NOBODY),
    "recognised": (*_IDENTIFIERS[""], *_UUIDS[:3], "1001.0", "0012", "AB" * 20),
}
"""By form, the fixed identifiers of a namespace that has the form."""

_MISSING = "identifiers are missing"
_SAME_NUMBER = "another key, or another hash: as many different keys as there ought to be, and none of them the group's"
_NOTHING_FITS = "nothing of it fits: another key and another normalisation, or another sketch of other items"


def identifiers(namespace: str, rules: Rules = NO_RULES) -> tuple[str, ...]:
    """The protocol's fixed identifiers in a namespace, as a source would have them; those of its form, where it has one.

    Values that group.yaml says to name nobody are among them, so that an engine without them differs.
    """
    fixed = _IDENTIFIERS_OF_FORM[rules.form] if rules.form else _IDENTIFIERS.get(namespace, _IDENTIFIERS[""])
    return (*fixed, *rules.names_nobody)


@lru_cache(maxsize=256)
def keys(namespace: str, key: GroupKey, normalisation: str = UNICODE, rules: Rules = NO_RULES) -> pl.Series:
    """The distinct keys (UInt64, sorted) of the fixed identifiers in a namespace, by a profile of normalisation."""
    fixed = [text for text in identifiers(namespace, rules) if normalisation != ASCII or text.isascii()]
    normalised = normalise(pl.col("identifier"), namespace, rules=rules)
    keyed = pl.DataFrame({"identifier": fixed}).select(key=person_key(normalised, namespace, key))
    return keyed["key"].drop_nulls().unique().sort()


@lru_cache(maxsize=256)
def image(namespace: str, key: GroupKey, lg_k: int, normalisation: str = UNICODE, rules: Rules = NO_RULES) -> bytes:
    """The sketch of the fixed identifiers, as a contribution carries it."""
    return Registers.from_keys(lg_k, keys(namespace, key, normalisation, rules).to_numpy()).to_image()


class NamespaceCanary(Protocol):
    """The canary of one namespace under one key: what is right, and what each usual mistake would give."""

    def expected(self, normalisation: str) -> frozenset[int]:
        """The coupons that a profile of normalisation gives."""
        ...

    def mistakes(self) -> Mistakes:
        """The coupons that usual mistakes give."""
        ...


@dataclass(frozen=True)
class Canaries:
    """The canaries of one key epoch, from the key itself or from the file of its trustee."""

    epoch: str
    fingerprint: str
    """The key's, by `GroupKey.fingerprint`."""
    by_namespace: Callable[[str], NamespaceCanary | None]
    """The canary of a namespace; None where a trustee's file doesn't have it."""

    def fault(self, canary: Registers, namespace: str, normalisation: str) -> str | None:
        """What is wrong on a sender's way to a key, by the canary that it sent; None where the canary agrees.

        `normalisation` is the profile that the sender names. The text goes into refusals.
        """
        ours = self.by_namespace(namespace)
        if ours is None:
            return "the trustee's file has no canary of this namespace: ask for one that has"
        expected = _slots(ours.expected(normalisation), canary.lg_k)
        occupied = {int(slot) for slot in canary.occupied}
        return None if occupied == expected else _explanation(occupied, expected, ours, normalisation, canary.lg_k)


def from_key(
    key: GroupKey, others: Sequence[GroupKey] = (), rules: Callable[[str], Rules] = lambda namespace: NO_RULES
) -> Canaries:
    """Canaries by the key; `others` are the keys of the group's other epochs, by which a sender might have hashed.

    `rules`: of a namespace, by group.yaml.
    """
    by_namespace = lru_cache(maxsize=64)(lambda namespace: _CanaryFromKey(namespace, key, tuple(others), rules(namespace)))
    return Canaries(key.epoch, key.fingerprint, by_namespace)


def _slots(coupons: Iterable[int], lg_k: int) -> set[int]:
    """The occupied slots, with their values, that coupons give at a lg_k.

    From lg_k 12 on, so few coupons rarely share a slot: then each slot tells its coupon.
    """
    return {int(slot) for slot in Registers.from_coupons(lg_k, _array(coupons)).occupied}


def _array(coupons: Iterable[int]) -> Coupons:
    return pl.Series(list(coupons), dtype=pl.UInt32).to_numpy()


def _explanation(occupied: set[int], expected: set[int], ours: NamespaceCanary, normalisation: str, lg_k: int) -> str:
    """The first mistake by which all occupied slots can be explained, in words that say what to mend."""
    if not occupied:
        return "it is empty: send the canaries through the same query"
    for way, coupons in ours.mistakes().items():
        left_out_by_slot = {slot: left_out for coupon, left_out in coupons.items() for slot in _slots([coupon], lg_k)}
        if not occupied <= set(left_out_by_slot):
            continue
        faults = [way] if way else []
        faults += sorted({left_out_by_slot[slot] for slot in occupied} - {""})
        # The right way explains each slot, and still the canary differs: so some of the expected slots are missing.
        if not faults:
            ascii_only = _slots(ours.expected(ASCII), lg_k)
            if normalisation == UNICODE and occupied == ascii_only:
                return "identifiers outside ASCII are missing: such an engine's normalisation is `v1 ascii`"
            faults = [f"{len(expected - occupied)} of its {len(expected)} {_MISSING}"]
        return "; ".join(faults)
    return _SAME_NUMBER if len(occupied) == len(expected) else _NOTHING_FITS


@dataclass(frozen=True)
class _CanaryFromKey:
    """The canary of a namespace by its key; `others` are the keys of other epochs."""

    namespace: str
    key: GroupKey
    others: tuple[GroupKey, ...]
    rules: Rules

    def expected(self, normalisation: str) -> frozenset[int]:
        return frozenset(coupons_of(keys(self.namespace, self.key, normalisation, self.rules).to_numpy()).tolist())

    def mistakes(self) -> Mistakes:
        return self._mistakes

    @cached_property
    def _mistakes(self) -> Mistakes:
        fixed = identifiers(self.namespace, self.rules)
        return mistakes(fixed, self.namespace, self.key, self.others, self.rules)


@dataclass(frozen=True)
class _CanaryFromFile:
    """The canary of a namespace as a trustee's file has it."""

    expected_by_profile: Mapping[str, frozenset[int]]
    mistakes_by_way: Mistakes

    def expected(self, normalisation: str) -> frozenset[int]:
        return self.expected_by_profile[normalisation]

    def mistakes(self) -> Mistakes:
        return self.mistakes_by_way


def to_file(canaries: Canaries, namespaces: Iterable[str], path: Path) -> None:
    """Write a trustee's file for the centre: JSON, enough to check contributions in these namespaces.

    The file has coupons of identifiers that everybody knows, so nobody else's membership follows from it. Raises `OSError`.
    """
    by_namespace = {}
    for namespace in sorted(set(namespaces)):
        canary = canaries.by_namespace(namespace)
        assert canary is not None
        by_namespace[namespace] = {
            "expected": {profile: sorted(canary.expected(profile)) for profile in (UNICODE, ASCII)},
            "mistakes": {
                way: {str(coupon): left_out for coupon, left_out in coupons.items()} for way, coupons in canary.mistakes().items()
            },
        }
    content = {
        "mauwatch": _FORMAT,
        "epoch": canaries.epoch,
        "fingerprint": canaries.fingerprint,
        "namespaces": by_namespace,
    }
    with atomic_write(path, mode=0o600) as unfinished:
        unfinished.write_text(json.dumps(content, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def from_file(path: Path) -> Canaries:
    """Canaries from a trustee's file; raises `RefusedError` where the file isn't there or isn't one."""
    try:
        content = json.loads(read_small(path, _MOST_BYTES))
        if content["mauwatch"] != _FORMAT:
            raise ValueError
        by_namespace = {
            str(namespace): _CanaryFromFile(
                {profile: frozenset(map(int, coupons)) for profile, coupons in canary["expected"].items()},
                {
                    way: {int(coupon): str(left_out) for coupon, left_out in coupons.items()}
                    for way, coupons in canary["mistakes"].items()
                },
            )
            for namespace, canary in content["namespaces"].items()
        }
        if any(set(canary.expected_by_profile) != {UNICODE, ASCII} for canary in by_namespace.values()):
            raise ValueError
        return Canaries(str(content["epoch"]), str(content["fingerprint"]), by_namespace.get)
    # Whatever shape a stranger's JSON has, reading it as the wanted shape raises one of these.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise refused(
            Code.CANARIES_UNUSABLE,
            "the trustee's canaries",
            "isn't a readable file of canaries",
            path.name,
            "ask the trustee: mauwatch key canaries",
        ) from None
