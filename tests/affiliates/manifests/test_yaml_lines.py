"""YAML is taken as it is written: what YAML 1.1 makes of a word counts nobody else, and what can't be taken is said."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.source import Identifier, Source
from affiliates.manifests.yaml_lines import load
from pipelines.licences import registry
from tests.support.command import answer
from tests.support.environment import variables
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
        ("settles_after", "1_000", "`settles_after`: is no whole number (it says '1_000'). Next: write 1000."),
        ("settles_after", "3.0", "`settles_after`: is no whole number (it says '3.0'). Next: write 3."),
        ("settles_after", "0o17", "`settles_after`: is no whole number (it says '0o17'). Next: write 15."),
        ("settles_after", "٣", "`settles_after`: is no whole number (it says '٣')"),
        ("settles_after", '" 3 "', "`settles_after`: is no whole number (it says ' 3 ')"),
        ("unidentified_limit", "0.1_0", "`unidentified_limit`: is no number (it says '0.1_0')"),
        ("unidentified_limit", ".nan", "`unidentified_limit`: is no number (it says '.nan')"),
        ("unidentified_limit", "inf", "`unidentified_limit`: is no number (it says 'inf')"),
        ("largest_identifier", "{reason: one, beside: 700.000}", "`beside`: is no clear whole number: write 700000 or 700 (it"),
        ("largest_identifier", "{reason: one, share: 0.1_0}", "`share`: is no number"),
        ("ceilings", "[{users: 1_0}]", "`users`: is no whole number (it says '1_0'). Next: write 10."),
        ("to", "2026-02-28T00:00:00", "`to`: is no day: write YYYY-MM-DD (it says '2026-02-28T00:00:00')"),
        ("to", "٢٠٢٦-02-28", "`to`: is no day: write YYYY-MM-DD"),
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
        ("name: x\nentity: a\x00\n", "affiliates/a.yaml:2: holds a character that nobody sees (U+0000)"),
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


@pytest.mark.parametrize("word", ["yes", "No", "on", "OFF", "y", "1", "0", "tRue", "t"])
def test_only_true_and_false_are_truth_values(tmp_path: Path, word: str) -> None:
    """In YAML 1.2 the others are texts: whoever writes `no` there may mean Norway, or a text that says no."""
    write(tmp_path, PRODUCT, alerts=f"channels: [{{name: a, audience: ops, url_env: A, escalation: {word}}}]\n")
    assert "`escalation`: is neither true nor false" in mistakes(tmp_path)[0]


@pytest.mark.parametrize(("word", "truth"), [("true", True), ("True", True), ("TRUE", True), ("false", False), ("FALSE", False)])
def test_truth_values_are_those_of_yaml_1_2(tmp_path: Path, word: str, truth: bool) -> None:
    write(tmp_path, PRODUCT, alerts=f"channels: [{{name: a, audience: ops, url_env: A, escalation: {word}}}]\n")
    assert read_group(tmp_path).alerting.channels[0].escalation is truth


def test_a_text_that_may_mean_no_is_asked_about(tmp_path: Path) -> None:
    """`attribution: {logo: no}` would be a text that is not empty, and so read as a duty."""
    (tmp_path / "licences").mkdir()
    entry = (ROOT / "pipelines" / "licences" / "data" / "qwen.yaml").read_text(encoding="utf-8")
    assert "attribution:" not in entry.partition("- id:")[0]
    name = re.search(r"- id: (\S+)", entry)
    assert name
    changed = entry.replace(name[0], f"{name[0]}-x\n    attribution: {{logo: no}}", 1)
    (tmp_path / "licences" / "own.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(RefusedError) as refused:
        registry.from_directory(tmp_path)
    assert any("write true or false, or say it in more words" in str(refusal) for refusal in refused.value.refusals)


@pytest.mark.parametrize(
    ("written", "sign"),
    [
        ('"report\\e[2J"', "U+001B"), ('"a\\u202eb"', "U+202E"), ('"a\\x9bb"', "U+009B"), ('"a\\u2028b"', "U+2028"),
        ('"a\\rb"', "U+000D"), ('"a\\u2066b"', "U+2066"), ('"a\\0b"', "U+0000"), ("a\u202eb", "U+202E"),
        ("a # b\u2028c", "U+2028"), ("a\x85", "U+0085"), ("a\x7f", "U+007F"), ("a\u200e", "U+200E"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["name: {}", "owners: {{{}: x}}", "meaning: {}"])
def test_no_sign_that_a_terminal_obeys_gets_in(tmp_path: Path, written: str, sign: str, place: str) -> None:
    """An affiliate's manifest could clear the signer's screen, or write a figure backwards; raw or by an escape, key or value."""
    if place.startswith("owners"):
        write(tmp_path, PRODUCT, alerts=place.format(written) + "\n")
    elif place.startswith("name"):
        write(tmp_path, PRODUCT + "name: " + written + "\n")
    else:
        write(tmp_path, PRODUCT.replace("meaning: was seen", f"meaning: {written}".replace(" # b", "}} # b")))
    assert any(f"holds a character that nobody sees ({sign})" in message for message in mistakes(tmp_path)), sign


def test_a_block_is_one_line_and_a_condition_may_be_several(tmp_path: Path) -> None:
    """A line's end in a document's name would begin a line of the manifest's own among a figure's reasons."""
    text = PRODUCT.replace(
        "    from: 2025-01-01\n",
        "    from: 2025-01-01\n    counts:\n      - month: 2025-01\n        users: 7\n        unit: people\n        document: |\n"
        "          report\n          Not complete: nothing\n        attested_by: >\n          CFO\n          of a\n",
    ) + "        counts_when: |\n          user <> 'a'\n          and user <> 'b'\n"  # fmt: skip
    product = read_group(write(tmp_path, text)).product(ProductRef("a", "app"))
    assert product is not None
    assert (product.counts[0].document, product.counts[0].attested_by) == ("report Not complete: nothing", "CFO of a")
    assert product.sources[0].counts_when == "user <> 'a'\nand user <> 'b'\n"


@pytest.mark.parametrize("written", ['"report\\nNot complete: nothing"', "'report\n\n      Not complete: nothing'"])
def test_a_line_of_its_own_in_quotes_is_refused(tmp_path: Path, written: str) -> None:
    assert "a line's end in a value" in mistakes(write(tmp_path, PRODUCT + f"name: {written}\n"))[0]


def test_a_file_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe is waited for, and a hole of 1 GiB is read for minutes: both are seen before a byte is."""
    write(tmp_path, PRODUCT)
    (tmp_path / "alerts.yaml").symlink_to("/dev/zero")
    with (tmp_path / "readings.yaml").open("wb") as file:
        file.truncate(1 << 30)
    os.mkfifo(tmp_path / "grants.yaml")
    texts = {"group.yaml", "parent.yaml", "a.yaml"}
    text_of = Path.read_text

    def only_of_texts(path: Path, *more: Any, **named: Any) -> str:
        assert path.name in texts, f"{path.name} is read"
        return text_of(path, *more, **named)

    monkeypatch.setattr(Path, "read_text", only_of_texts)
    values = "(1,073,741,824 bytes, at most 8,388,608)"
    assert [message for message in mistakes(tmp_path) if "affiliates" not in message] == [
        "alerts.yaml:1: is no file. Next: put a file there.",
        "grants.yaml:1: is no file. Next: put a file there.",
        f"readings.yaml:1: is too large {values}. Next: write several files, such as one an entity.",
    ]


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
    with variables(K=KEY):
        days = ("--from", "2025-01-05", "--to", "2025-01-05")
        made = answer("contribute", "--group", tmp_path, *days, "-o", tmp_path / "c.parquet")
    assert [(row["people"], row["events"]) for row in made["holds"]] == [(2, 3)]
