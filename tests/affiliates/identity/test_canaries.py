"""A canary that passes wrongly lets keys in that match nobody's: each of their people counts twice, and nobody sees it."""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import datasketches
import numpy as np
import pytest

from affiliates.errors import RefusedError
from affiliates.identity import canaries, canary_mistakes
from affiliates.identity.canaries import ASCII, UNICODE
from affiliates.identity.keys import TEST_KEY, GroupKey
from affiliates.sketches.registers import Registers
from tests.support.groups import KEY
from tests.support.plain_keys import item, keyed, normalised, signed, users

OTHER = GroupKey("f" * 64, "2")


def sketch(items: Iterable[str | int], lg_k: int = 21) -> Registers:
    """By Apache DataSketches itself, as a warehouse would."""
    sketched = datasketches.hll_sketch(lg_k)
    for text in items:
        sketched.update(text)
    return Registers.from_image(bytes(sketched.serialize_compact()))


@pytest.mark.parametrize("namespace", ["email", "phone", "device", "person", "member-id"])
@pytest.mark.parametrize("lg_k", [4, 12, 21])
def test_a_canary_made_by_the_protocol_agrees(namespace: str, lg_k: int, key: GroupKey) -> None:
    """Else a right contribution is refused, and the figure lacks an affiliate."""
    whole = sketch((keyed(text, namespace)[:16] for text in users(namespace)), lg_k)
    assert canaries.from_key(key).fault(whole, namespace, UNICODE) is None
    ascii_only = sketch((keyed(text, namespace)[:16] for text in users(namespace) if text.isascii()), lg_k)
    assert canaries.from_key(key).fault(ascii_only, namespace, ASCII) is None
    assert canaries.image(namespace, key, lg_k) == whole.to_image()


def from_bytes(items: Iterable[bytes]) -> Registers:
    return Registers.from_coupons(21, np.array(canary_mistakes.coupons_of_bytes(items), np.uint32))


def lower(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip().replace("\u03a3", "\u03c3").lower())


WRONG: dict[str, tuple[Callable[[], Registers], str]] = {
    "another key": (lambda: sketch(keyed(t, key=b"e" * 64)[:16] for t in users()), "another key, or another hash"),
    "the key of another epoch": (lambda: sketch(keyed(t, key=b"f" * 64)[:16] for t in users()), "the key of epoch 2"),
    "the public test key": (lambda: sketch(keyed(t, key=TEST_KEY.encode())[:16] for t in users()), "the public test key"),
    "a key decoded from hex": (lambda: sketch(keyed(t, key=bytes.fromhex(KEY))[:16] for t in users()), "decoded from hex"),
    "a key with a line end": (lambda: sketch(keyed(t, key=f"{KEY}\n".encode())[:16] for t in users()), "has a line end"),
    "UTF-16 in the HMAC": (lambda: sketch(keyed(t, encoding="utf-16-le")[:16] for t in users()), "UTF-16 text is hashed by HMAC"),
    "capitals": (lambda: sketch(item(t).upper() for t in users()), "hex in capitals"),
    "whole HMACs": (lambda: sketch(keyed(t) for t in users()), "items of 64 characters"),
    "integers": (lambda: sketch(map(signed, users())), "items are integers"),
    "no namespace": (lambda: sketch(keyed(t, namespace="", between="")[:16] for t in users()), "namespace isn't before"),
    "another separator": (lambda: sketch(keyed(t, between=":")[:16] for t in users()), "another separator"),
    "plain SHA-256": (lambda: sketch(hashlib.sha256(t.encode()).hexdigest()[:16] for t in users()), "no key"),
    "not hashed": (lambda: sketch(users()), "aren't hashed at all"),
    "no normalisation": (lambda: sketch(item(t) for t in canaries.identifiers("email")), "white space isn't stripped"),
    "not in lower case": (
        lambda: sketch(item(t) for t in users(change=lambda t: normalised(t) and unicodedata.normalize("NFC", t.strip(" \t")))),
        "not in lower case",
    ),
    "gmail as it is": (lambda: sketch(item(lower(t)) for t in canaries.identifiers("email")[:7]), "gmail's dots and tags"),
    "no NFC": (
        lambda: sketch(item(t) for t in users(change=lambda t: t.lower() if "caf" in t.lower() else normalised(t))), "not in NFC"
    ),
    "placeholders count": (lambda: sketch([*map(item, users()), item(""), item("n/a")]), "placeholders are counted"),
    "sigma by its place": (
        lambda: sketch(item(t.lower()) if "\u03a3" in t else item(str(normalised(t))) for t in canaries.identifiers("email")[:7]),
        "a sigma at a word's end",
    ),
    "ASCII said to be Unicode": (lambda: sketch(item(t) for t in users() if t.isascii()), "`v1 ascii`"),
    "one is missing": (lambda: sketch(map(item, users()[:1] + users()[2:3] + users()[4:])), "identifiers are missing"),
    "empty": (lambda: sketch([]), "it is empty"),
    "something else": (lambda: sketch(["a", "b"]), "nothing of it fits"),
    "UTF-16 in the sketch": (
        lambda: from_bytes(item(t).encode("utf-16-le") for t in users()),
        "UTF-16 text goes into the sketch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.parametrize("lg_k", [12, 21])
@pytest.mark.parametrize("by", ["key", "trustee"])
def test_each_mistake_is_told_by_the_step_that_differs(mistake: str, lg_k: int, by: str, key: GroupKey, tmp_path: Path) -> None:
    """Else an affiliate can't mend it, and sends the same again; with the trustee's file as with the key."""
    make, expected = WRONG[mistake]
    ours = canaries.from_key(key, [OTHER])
    if by == "trustee":
        canaries.to_file(ours, ["email"], tmp_path / "c.json")
        ours = canaries.from_file(tmp_path / "c.json")
    fault = ours.fault(make().fold(lg_k), "email", UNICODE)
    assert fault is not None
    assert expected in fault


def test_the_trustees_file_holds_no_key(key: GroupKey, tmp_path: Path) -> None:
    """Nor any item of its HMACs: only coupons, of fixed identifiers that everybody knows."""
    path = tmp_path / "c.json"
    canaries.to_file(canaries.from_key(key, [OTHER]), ["email", "device"], path)
    text = path.read_text()
    for secret in (KEY, "f" * 64, *(keyed(t)[:16] for t in users())):
        assert secret not in text
    of_trustee = canaries.from_file(path)
    assert (of_trustee.epoch, of_trustee.fingerprint) == (key.epoch, key.fingerprint)
    canary = Registers.from_image(canaries.image("device", key, 14))
    assert of_trustee.fault(canary, "device", UNICODE) is None
    assert "no canary of this namespace" in str(of_trustee.fault(canary, "phone", UNICODE))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"mauwatch": "canaries 9"}', '{"mauwatch": "canaries 1", "namespaces": {"email": 1}}']
)
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    """Read as canaries of nothing, it would let no contribution in, and say of none why."""
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(RefusedError, match="isn't a readable file of canaries"):
        canaries.from_file(tmp_path / "c.json")
    with pytest.raises(RefusedError, match="isn't a readable file of canaries"):
        canaries.from_file(tmp_path / "nowhere.json")


def test_coupons_of_bytes_are_the_librarys(key: GroupKey) -> None:
    """The diagnosis hashes texts of any length; a wrong hash there would take a right mistake for an unknown one."""
    texts = [f"x{i}" * i for i in range(1, 40)]
    assert from_bytes(text.encode() for text in texts).digest() == sketch(texts).digest()
