"""One account in two spellings counts twice, and two accounts that a spreadsheet has rounded count once."""

import uuid

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.errors import Code, RefusedError
from affiliates.identity import canaries, forms
from affiliates.identity.keys import GroupKey, person_key
from affiliates.identity.normalisation import NO_RULES, Rules, check_usable, normalised, rules_of
from affiliates.manifests.namespaces import Form
from affiliates.manifests.settings import Settings
from affiliates.sketches.registers import Registers

UUID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"


def one(text: str, form: forms.Spelling | None, namespace: str = "account") -> str | None:
    return normalised(pl.Series([text], dtype=pl.String), namespace, rules=Rules(form=form))[0]  # type: ignore[no-any-return]


def refusal(texts: list[str], rules: Rules = NO_RULES) -> str | None:
    try:
        check_usable(pl.Series(texts, dtype=pl.String), "account", rules, Code.SOURCE_IDENTIFIERS_UNUSABLE, "shop/app")
    except RefusedError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("form", "spellings", "expected"),
    [
        ("uuid", [UUID, UUID.upper(), f"{{{UUID.upper()}}}", f"urn:uuid:{UUID}", UUID.replace("-", ""), f"({UUID})"], UUID),
        ("integer", ["1000", "1000.0", "01000", "+1000", "1000.", " 1000.000\t"], "1000"),
        ("integer", ["-12", "-012.0"], "-12"),
        ("integer", ["12345678901234567890123"], "12345678901234567890123"),
        ("hex", ["0xAB12CD", "ab12cd", "AB:12:CD", "ab-12-cd"], "ab12cd"),
        ("recognised", [UUID, UUID.upper(), f"{{{UUID}}}", UUID.replace("-", "").upper()], UUID),
        ("recognised", ["1000", "1000.0", "1000.00"], "1000"),
        ("recognised", ["AB" * 20, "ab" * 20], "ab" * 20),
    ],
)
def test_spellings_of_a_form_are_one_identifier(form: forms.Spelling, spellings: list[str], expected: str) -> None:
    assert {one(text, form) for text in spellings} == {expected}
    assert {forms.in_form_text(text.strip(), form) for text in spellings} == {expected}


@pytest.mark.parametrize("text", ["Anna", "0012", "AbC-123", "1.2.3", "a@example.com", "3.14", "10.5", "café"])
def test_what_is_recognised_as_nothing_stays(text: str) -> None:
    """Leading zeros and case are parts of most identifiers: folded, two customers would be one."""
    assert one(text, "recognised") == text
    assert one(text, None) == text


@given(st.uuids(allow_nil=False), st.booleans(), st.booleans())
def test_a_uuid_is_pythons_own(value: uuid.UUID, upper: bool, braces: bool) -> None:
    text = f"{{{value}}}" if braces else str(value)
    assert one(text.upper() if upper else text, "uuid") == str(value)


@pytest.mark.parametrize(
    ("form", "text"),
    [("uuid", "1000"), ("uuid", UUID[:-1]), ("integer", "12a"), ("integer", "10.5"), ("integer", "1,000"), ("hex", "xyz"),
     ("hex", "12 34")],
)  # fmt: skip
def test_another_form_is_refused(form: Form, text: str) -> None:
    """Left out without a word, its people would be missing."""
    message = refusal([text, "n/a", "", r"\N", "-99"], Rules(("-99",), form)) or ""
    assert f"`{form}`" in message
    assert "1 different ones" in message
    assert text not in message.replace("1 different", "")
    assert one(text, form) is None


LOST = [
    "1.2E+18",
    "1.23456789012346E+17",
    "1,2E+18",
    "9E+15",
    "1.2345678901234568e18",
    "9007199254740993.0",
    "12345678901234567.0",
]
KEPT = [
    "12e45678",
    "1e10",
    "123e4567",
    "5E7",
    "9007199254740993",
    "9007199254740992.0",
    "1000.0",
    "1.2.3",
    "1.5",
    "user+e1@example.org",
]


@pytest.mark.parametrize("text", LOST)
def test_a_number_that_has_lost_digits_is_nobodys(text: str) -> None:
    """Excel makes 1.2E+18 of thousands of card numbers: they would be one person."""
    assert "lost digits" in (refusal(["1000", text]) or "")
    assert "lost digits" in (refusal(["1000", text], Rules(form="integer")) or "")


def test_hex_and_whole_numbers_have_lost_nothing() -> None:
    assert refusal(KEPT) is None


@pytest.mark.parametrize("form", ["uuid", "integer", "hex", "recognised"])
def test_the_canary_of_a_form_proves_it(form: forms.Spelling, key: GroupKey) -> None:
    """An engine that leaves the form out makes other keys; its contribution would double every shared person."""
    rules = Rules(("kein wert",), form)
    ours = canaries.from_key(key, rules=lambda namespace: rules)
    known = ours.by_namespace("account")
    assert known is not None
    sent = canaries.keys("account", key, rules=rules)
    assert len(sent) >= 4
    assert refusal([*canaries.identifiers("account", rules)], rules) is None
    assert ours.fault(Registers.from_keys(14, sent.to_numpy()), "account", canaries.UNICODE) is None
    plain = normalised(pl.Series("x", canaries.identifiers("account", rules)), "account", rules=Rules(rules.names_nobody))
    without = plain.to_frame("x").select(person_key(pl.col("x"), "account", key)).to_series().drop_nulls()
    fault = ours.fault(Registers.from_keys(14, without.to_numpy()), "account", canaries.UNICODE)
    assert f"form `{form}`" in (fault or "")


SETTINGS = {"group": "g", "ultimate_parent": "p", "key": {"file": "k"}}


def test_group_yaml_says_the_rules() -> None:
    said = {
        "names_nobody": ["Kein Wert ", -99, "null"], "forms": "recognised",
        "namespaces": {"account": {"form": "integer", "names_nobody": [999]}, "email": {"names_nobody": ["x@example.com"]}},
    }  # fmt: skip
    settings = Settings.model_validate(SETTINGS | said)
    assert rules_of(settings, "account") == Rules(("-99", "999", "kein wert"), "integer")
    assert rules_of(settings, "device") == Rules(("-99", "kein wert"), "recognised")
    assert rules_of(settings, "email") == Rules(("-99", "kein wert", "x@example.com"), None)
    assert rules_of(Settings.model_validate(SETTINGS), "account") == NO_RULES
    with pytest.raises(ValueError, match="takes no `form`"):
        Settings.model_validate(SETTINGS | {"namespaces": {"phone": {"form": "integer"}}})
