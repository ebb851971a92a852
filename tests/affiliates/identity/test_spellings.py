"""Two spellings of an account, and columns of something else, raise the figure without a sign."""

import polars as pl
import pytest

from affiliates.identity.spellings import ColumnRef, Spellings, folded
from affiliates.manifests.group import Group, lonely_namespaces
from tests.support.groups import entity, product, source

UUIDS = [f"6f9619ff-8b86-d011-b42d-00cf4fc9{i:04x}" for i in range(200)]


def findings(*columns: tuple[str, str, str, list[str]]) -> list[str]:
    """Of columns as product, column, namespace, values."""
    spellings = Spellings()
    for owner, column, namespace, texts in columns:
        series = pl.Series(texts, dtype=pl.String)
        spellings.note(ColumnRef(owner, column, namespace), series, series)
    return spellings.findings()


@pytest.mark.parametrize(
    "other",
    [str.upper, lambda text: f"{{{text}}}", lambda text: text.replace("-", ""), lambda text: f"\u00a0{text}"],
)
def test_two_products_spell_one_account_in_two_ways(other) -> None:  # type: ignore[no-untyped-def]
    (told,) = findings(("a/app", "user", "account", UUIDS), ("b/web", "uid", "account", [other(text) for text in UUIDS]))
    assert told.startswith("a/app and b/web: identifiers of `account` come in two spellings, 200 of 200")
    assert not any(text in told for text in UUIDS)


NUMBERS = [f"{100_000 + 7 * i}" for i in range(80)]
ADDRESSES = [f"user{i}@example.com" for i in range(80)]


@pytest.mark.parametrize(
    ("namespace", "texts", "other"),
    [
        ("account", NUMBERS, lambda text: "".join(chr(ord(digit) + 0xFEE0) for digit in text)),
        ("account", NUMBERS, lambda text: f"+{text}"),
        ("account", NUMBERS, lambda text: f"{int(text):,}"),
        ("account", NUMBERS, lambda text: f"\u200b{text}"),
        ("account", [f"+49{text}" for text in NUMBERS], lambda text: f"00{text[1:]}"),
        ("mac", [f"AA:BB:CC:00:11:{i:02X}" for i in range(80)], lambda text: text.lower().replace(":", "")),
        ("mac", [f"AA:BB:CC:00:11:{i:02X}" for i in range(80)], lambda text: text.replace(":", "-")),
        ("email", ADDRESSES, lambda text: f"<{text}>"),
        ("email", ADDRESSES, lambda text: f"mailto:{text}"),
        ("email", ADDRESSES, lambda text: f"{text}\u00a0"),
    ],
)
def test_spellings_of_other_systems(namespace: str, texts: list[str], other) -> None:  # type: ignore[no-untyped-def]
    """Each of them doubled the people of two products, and nothing was said."""
    (told,) = findings(("a/app", "user", namespace, texts), ("b/web", "uid", namespace, [other(text) for text in texts]))
    assert "come in two spellings, 80 of 80" in told
    assert ("forms: recognised" in told) == (namespace != "email")  # An address has a form of its own.
    assert not any(text in told for text in texts)


def test_one_source_spells_in_two_ways() -> None:
    numbers = [f"{i}" for i in range(1000, 1300)]
    (told,) = findings(("a/app", "user", "account", [*numbers, *(f"{number}.0" for number in numbers)]))
    assert told.startswith("a/app: identifiers of `account` come in two spellings, 300 of 600")


def test_different_accounts_are_not_alike() -> None:
    """A sentence about nothing would be read once and never again."""
    mixed = [*UUIDS, *(f"{i}" for i in range(100, 900)), *(f"{i}0" for i in range(100, 900)), "anna", "ann-a", "1.5", "15"]
    assert findings(("a/app", "user", "account", mixed), ("b/web", "uid", "account", mixed)) == []
    assert findings(("a/app", "user", "account", UUIDS), ("b/web", "uid", "device", [text.upper() for text in UUIDS])) == []


def test_large_columns_are_looked_at_in_part() -> None:
    texts = [f"id{i:07}" for i in range(60_000)]
    (told,) = findings(("a/app", "user", "account", texts), ("b/web", "uid", "account", [text.upper() for text in texts]))
    assert "two spellings" in told


@pytest.mark.parametrize(
    ("texts", "is_told"),
    [
        ([f"{(123456789012345678 + 400 * i) // 1000 * 1000}" for i in range(5)], True),
        ([f"{(4111111111111111 + 17 * i) // 10 * 10}" for i in range(30)], True),
        ([f"{4111111111111111 + 17 * i}" for i in range(200)], False),
        ([f"{123456789012345678 + 401 * i}" for i in range(2000)], False),
        (["1234567890123450", "1234567890123460"], False),
        ([f"{i}000" for i in range(1000, 1100)], False),
    ],
)
def test_numbers_that_excel_has_rounded(texts: list[str], is_told: bool) -> None:
    """Excel keeps 15 digits: of four hundred account numbers of 18 digits it left two, and nothing was said."""
    told = findings(("a/app", "user", "account", list(dict.fromkeys(texts))))
    assert [" are zeros after the 15th" in text for text in told] == [True] * is_told


MAILS = [f"u{i}@example.com" for i in range(50)]
PHONES = [f"+4930{900000 + i}" for i in range(50)]
DEVICES = [f"Device-{i}" for i in range(50)]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ([("email", DEVICES), ("device", MAILS)], ["columns x0 and x1 look exchanged", "50 of 50 values of column x0 have no @"]),
        ([("email", PHONES), ("phone", MAILS)], ["look exchanged", "have no @"]),
        ([("email", DEVICES)], ["50 of 50 values of column x0 have no @"]),
        ([("phone", ["none here"] * 20 + PHONES)], ["20 of 70 values of column x0 have no digit"]),
        ([("email", [*MAILS, "no address"]), ("device", DEVICES), ("phone", PHONES)], []),
        ([("account", MAILS), ("device", DEVICES)], []),
    ],
)
def test_columns_that_hold_something_else(columns: list[tuple[str, list[str]]], words: list[str]) -> None:
    told = findings(*(("a/app", f"x{i}", namespace, texts) for i, (namespace, texts) in enumerate(columns)))
    assert len(told) == len(words)
    assert all(word in text for word, text in zip(words, told, strict=True))


def test_folded_leaves_no_difference_but_these() -> None:
    same = ["7", "007", "7.0", " 7", "{7}"]
    assert set(folded(pl.Series(same)).to_list()) == {"7"}
    assert folded(pl.Series(["a-b", "ab", "a_b"])).to_list() == ["a-b", "ab", "a_b"]


def group(*namespaces: str, **settings: object) -> Group:
    products = [
        product(f"p{i}", sources=[source(identifiers=[{"column": "x", "namespace": n}])]) for i, n in enumerate(namespaces)
    ]
    said = {"group": "g", "ultimate_parent": "parent", "key": {"file": "k"}, **settings}
    return Group.model_validate({"settings": said, "entities": {"a": entity("a", products)}})


@pytest.mark.parametrize(
    ("namespaces", "lonely"),
    [
        (("email", "email", "e-mail"), ["e-mail"]),
        (("device", "device-id"), ["device", "device-id"]),
        (("email", "phone", "device", "account"), []),
        (("email", "email"), []),
    ],
)
def test_a_misspelt_namespace_is_told(namespaces: tuple[str, ...], lonely: list[str]) -> None:
    told = lonely_namespaces(group(*namespaces))
    assert [text.split("`")[1] for text in told] == lonely


def test_a_namespace_that_is_meant_is_not_told() -> None:
    assert lonely_namespaces(group("email", "email", "e-mail", namespaces={"e-mail": {"names_nobody": ["-"]}})) == []
