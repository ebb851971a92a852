"""YAML is taken as it is written: what YAML 1.1 makes of a word counts nobody else, and what can't be taken is said."""

import os
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.source import Identifier, Source
from affiliates.manifests.yaml_lines import load
from pipelines.licences import registry
from tests.support.command import answer
from tests.support.groups import KEY
from tests.support.paths import ROOT

GROUP = "group: test\nultimate_parent: parent\nkey: {file: k}\n"
PRODUCT = """\
entity: a
owned_by: [{owner: parent, share: 60 %}]
products:
  - product: app
    from: 2025-01-01
    active: {id: seen, meaning: was seen}
    sources:
      - files: a-{day}.csv
        identifiers: [{column: user, namespace: phone}]
"""
# What YAML 1.1 takes for something else: true and false, base 60, dates, octal, a number, nothing, an integer with strokes.
TRAPS = ["on", "off", "yes", "no", "y", "n", "NO", "Yes", "true", "False", "12:30", "1:30:00", "2025-01-01",
         "2025-01-01 10:00:00", "0123", "0o17", "0x1F", "1e3", "1_000", "1.10", ".5", "+1", "-0", ".inf", ".NaN", "0b1", "=",
         "2048", "1,5"]  # fmt: skip


def write(directory: Path, text: str, group: str = GROUP, **files: str) -> Path:
    (directory / "affiliates").mkdir()
    (directory / "group.yaml").write_text(group, encoding="utf-8")
    (directory / "affiliates" / "parent.yaml").write_text("entity: parent\n")
    (directory / "affiliates" / "a.yaml").write_text(text, encoding="utf-8")
    for name, more in files.items():
        (directory / f"{name}.yaml").write_text(more, encoding="utf-8")
    return directory


def mistakes(directory: Path) -> list[str]:
    with pytest.raises(RefusedError) as refused:
        read_group(directory)
    return [str(refusal) for refusal in refused.value.refusals]


def source_of(directory: Path) -> Source:
    product = read_group(directory).product(ProductRef("a", "app"))
    assert product is not None
    return product.sources[0]


def identifier_of(directory: Path) -> Identifier:
    return source_of(directory).identifiers[0]


@pytest.mark.parametrize("word", TRAPS)
def test_a_column_has_the_name_that_is_written(tmp_path: Path, word: str) -> None:
    """Another column would be read, or the manifest refused with words that say nothing of YAML."""
    text = (
        PRODUCT.replace("column: user", f"column: {word}")
        if "," not in word
        else PRODUCT.replace("column: user", f'column: "{word}"')
    )
    assert identifier_of(write(tmp_path, text)).column == word


@pytest.mark.parametrize("word", [*TRAPS, "null", "Null", "~"])
def test_a_key_is_the_word_that_is_written(tmp_path: Path, word: str) -> None:
    """A key that is a name: of a column in `types`, or of whom `owners` names."""
    if word == "2025-01-01 10:00:00" or "," in word:
        word = f'"{word}"'
    text = PRODUCT + f"        types: {{{word}: text, other: integer}}\n"
    assert dict(source_of(write(tmp_path, text)).types) == {word.strip('"'): "text", "other": "integer"}


def test_norway_is_a_country(tmp_path: Path) -> None:
    """NO is false in YAML 1.1, and the people of Norway would be refused with a type's name."""
    assert identifier_of(write(tmp_path, PRODUCT.replace("namespace: phone", "namespace: phone, region: NO"))).region == "NO"


def test_a_region_in_small_letters_is_named(tmp_path: Path) -> None:
    (message,) = mistakes(write(tmp_path, PRODUCT.replace("namespace: phone", "namespace: phone, region: no")))
    assert "is no region of ISO 3166: write NO" in message


def test_on_is_a_key(tmp_path: Path) -> None:
    """The pages show `on:`; YAML 1.1 takes the key for true."""
    grants = "accepted: [{licence: llama-4, entity: a, by: Counsel, on: 2025-05-01}]\n"
    (accepted,) = read_group(write(tmp_path, PRODUCT, grants=grants)).grants.accepted
    assert f"{accepted.on}" == "2025-05-01"


@pytest.mark.parametrize(("written", "days"), [("3", 3), ("010", 10), ("0010", 10), ('"5"', 5)])
def test_a_number_is_the_number_that_is_written(tmp_path: Path, written: str, days: int) -> None:
    """010 is 8 in YAML 1.1."""
    text = PRODUCT.replace("    from: 2025", f"    settles_after: {written}\n    from: 2025")
    assert read_group(write(tmp_path, text)).products[ProductRef("a", "app")].settles_after == days


@pytest.mark.parametrize(
    ("key", "word", "expected"),
    [
        ("settles_after", "1e1", "`settles_after`: is no whole number (it says '1e1'). Next: write 10."),
        ("settles_after", "0x1F", "`settles_after`: is no whole number (it says '0x1F'). Next: write 31."),
        ("settles_after", "1:30", "`settles_after`: is no whole number (it says '1:30'). Next: write digits alone."),
        ("settles_after", "2025-01-01", "`settles_after`: is no whole number (it says '2025-01-01'). Next: write digits alone."),
        ("settles_after", "yes", "`settles_after`: is no whole number (it says 'yes'). Next: write digits alone."),
        ("unidentified_limit", "a half", "`unidentified_limit`: is no number (it says 'a half')"),
        ("to", "2026-02-30", "`to`: is no day that there is (it says '2026-02-30'). Next: write YYYY-MM-DD."),
        ("to", "20260228", "`to`: is no day: write YYYY-MM-DD (it says '20260228')"),
        # The seconds of a day that there is: pydantic alone would take them for the day.
        ("to", "1767225600", "`to`: is no day: write YYYY-MM-DD (it says '1767225600')"),
        ("to", "28.2.2026", "`to`: is no day: write YYYY-MM-DD (it says '28.2.2026')"),
        ("name", "", "`name`: says nothing. Next: write a value; `null`, `~` and no value are nothing in YAML"),
        ("name", "null", "`name`: says nothing. Next: write a value; `null`, `~` and no value are nothing in YAML"),
        ("name", "[a]", "`name`: is no text. Next: write one text"),
        ("name", "!!int 7", "is not YAML (the tag !!int: its key says what a value is)"),
        ("name", "!secret x", "is not YAML (the tag !secret: its key says what a value is)"),
        ("name", "a\n    name: b", "key `name` stands twice (first in line 4)"),
        ("settles_after", "7.000", "`settles_after`: is no clear whole number: write 7000 or 7 (it says '7.000')"),
        ("counts", "[{users: 700.000}]", "`users`: is no clear whole number: write 700000 or 700 (it"),
        ("audiences", "external", "`audiences`: is no list (it says 'external'). Next: write a list"),
        ("audiences", "[external, staff]", "`audiences`, item 2: Input should be 'external'"),
        ("\tname", "a", "Next: write blanks in the place of the tab"),
    ],
)  # fmt: skip
def test_what_a_word_was_taken_for_is_said(tmp_path: Path, key: str, word: str, expected: str) -> None:
    """A message in the words of Python's types leaves a reader without a next step."""
    messages = mistakes(write(tmp_path, PRODUCT.replace("  - product: app\n", f"  - {key}: {word}\n    product: app\n")))
    assert any(expected in message and message.startswith("affiliates/a.yaml:") for message in messages), messages


@pytest.mark.parametrize(("written", "share"), [("0.6", "0.6"), ("60 %", "0.6"), ("60%", "0.6"), ("1", "1"), ('"0.60"', "0.60")])
def test_a_share_is_exact(tmp_path: Path, written: str, share: str) -> None:
    (holding,) = read_group(write(tmp_path, PRODUCT.replace("60 %", written))).entities["a"].owned_by
    assert str(holding.share) == share


@pytest.mark.parametrize("written", ["2025-02-30", "2025/02/28", "28.02.2025", "20250228", "2025-W09-5", "2025-2-28"])
def test_a_day_that_does_not_exist_is_no_file(tmp_path: Path, written: str) -> None:
    """`complete_through` takes a day or a file: a slip in the day would wait for a file for ever."""
    text = PRODUCT.replace("a-{day}.csv", f"a.csv\n        time: at\n        complete_through: {written}")
    assert "`complete_through`: is no day: write YYYY-MM-DD, or the name of a file" in mistakes(write(tmp_path, text))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("entity: &x [*x]\n", "an alias holds itself"),
        ("a: &a [x, x]\n" + "".join(f"{chr(n + 1)}: &{chr(n + 1)} [*{chr(n)}, *{chr(n)}]\n" for n in range(97, 120)),
         "aliases repeat more than 10,000 values"),
        ("entity: " + "[" * 2000 + "]" * 2000, "is nested too deeply"),
        ("name: x\nentity: a\x00\n", "affiliates/a.yaml:2: holds a character that YAML doesn't allow (U+0000)"),
        ("entity: [\n", "affiliates/a.yaml:2: is not YAML"),
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused_at_once(tmp_path: Path, text: str, expected: str) -> None:
    """A page of aliases of aliases stands for more values than a machine has room for."""
    assert expected in mistakes(write(tmp_path, text))[0]


def test_text_of_another_encoding_names_its_line(tmp_path: Path) -> None:
    write(tmp_path, PRODUCT)
    (tmp_path / "affiliates" / "a.yaml").write_bytes(PRODUCT.replace("was seen", "vue à Paris").encode("latin-1"))
    assert mistakes(tmp_path)[0].startswith("affiliates/a.yaml:6: is not UTF-8 text")


def test_aliases_and_merged_keys_still_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("base: &base {a: 1, b: on}\nmore: {<<: *base, b: off}\nsame: *base\n")
    found: list[Any] = []
    document = load(tmp_path, tmp_path / "x.yaml", found)
    assert (found, document and document.data) == (
        [], {"base": {"a": "1", "b": "on"}, "more": {"a": "1", "b": "off"}, "same": {"a": "1", "b": "on"}},
    )  # fmt: skip


def test_the_registry_says_what_it_said() -> None:
    """An entry's digest stands in what was signed. `true` in a key that may hold a text stays true."""
    entries = registry.builtin()
    llama = entries.get("llama-4")
    assert llama is not None
    assert {type(value) for value in llama.output_training.values()} <= {bool, str}
    assert True in set(llama.attribution.values())
    assert any(point.undecided is True for point in entries.interpretations)


def test_yaml_is_read_in_one_place() -> None:
    """A second reader would take the same word for another thing."""
    reading = re.compile(r"yaml\.(safe_load|load|full_load|compose|parse)\b")
    where = [
        path.relative_to(ROOT).as_posix()
        for package in ("affiliates", "pipelines", "dashboards")
        for path in sorted((ROOT / package).rglob("*.py"))
        if reading.search(path.read_text(encoding="utf-8"))
    ]
    assert where == ["affiliates/manifests/yaml_lines.py"]


def test_two_people_in_norway(tmp_path: Path) -> None:
    """A number without its country's code and one with it, dialled in a country whose name is `false` in YAML 1.1."""
    write(tmp_path, PRODUCT.replace("namespace: phone", "namespace: phone, region: NO"), GROUP.replace("{file: k}", "{env: K}"))
    (tmp_path / "a-2025-01-05.csv").write_text("user\n22 22 55 55\n+47 22 22 55 56\n0047 22225555\n")
    with patch.dict(os.environ, K=KEY):
        days = ("--from", "2025-01-05", "--to", "2025-01-05")
        made = answer("contribute", "--group", tmp_path, *days, "-o", tmp_path / "c.parquet")
    assert [(row["people"], row["events"]) for row in made["holds"]] == [(2, 3)]
