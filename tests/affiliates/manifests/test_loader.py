"""Every mistake in a manifest is named with file, line, rule and next step, and all at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from tests.support.groups import KEY

GROUP = "group: test\nultimate_parent: parent\nkey: {file: k}\n"
PARENT = "entity: parent\n"
READINGS = "readings: [{name: a, counts: unique_people}]\n"
GOOD = """\
entity: a
owned_by:
  - {owner: parent, share: 60 %, from: 2020-01-01}
products:
  - product: app
    from: 2025-01-01
    active: {id: seen, meaning: was seen}
    sources:
      - files: a.csv
        time: at
        complete_through: 2025-01-31
        identifiers: [{column: u, namespace: email}]
        counts_when: kind = 'x'
"""

TABLE = GOOD.replace("files: a.csv", "table: t\n        database: {env: DB}").replace("2025-01-31", "{table: l, column: d}")


def write(directory: Path, **files: str) -> Path:
    for name, text in {"group": GROUP, "parent": PARENT, "a": GOOD, **files}.items():
        path = directory / (f"{name}.yaml" if name in ("group", "readings") else f"affiliates/{name}.yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def mistakes(directory: Path) -> list[str]:
    with pytest.raises(RefusedError) as refused:
        read_group(directory)
    return [str(refusal) for refusal in refused.value.refusals]


def test_a_good_directory_is_read(tmp_path: Path) -> None:
    group = read_group(write(tmp_path))
    app = group.product(ProductRef("a", "app"))
    assert app is not None
    assert app.sources[0].time is not None
    assert (app.active.label, app.sources[0].time.column) == ("seen/1", "at")
    assert group.product(ProductRef("a", "other")) is None


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"a": GOOD.replace("products:", "produts:")}, "affiliates/a.yaml:4: unknown key `produts` (did you mean `products`?)"),
        ({"a": GOOD.replace("time: at", "tiem: at")}, "affiliates/a.yaml:10: unknown key `tiem` (did you mean `time`?)"),
        ({"a": GOOD.replace("    from: 2025-01-01\n", "")}, "affiliates/a.yaml:5: `from` is missing"),
        ({"a": GOOD.replace("60 %", "160 %")}, "affiliates/a.yaml:3: `share`: Input should be less than or equal to 1"),
        ({"a": GOOD.replace("60 %", "a lot")}, "affiliates/a.yaml:3: `share`"),
        (
            {"a": GOOD.replace("owner: parent", "owner: parant")},
            "affiliates/a.yaml:3: no such entity (parant; did you mean parent?)",
        ),
        ({"a": GOOD.replace("owner: parent", "owner: a")}, "affiliates/a.yaml:3: an entity can't hold itself"),
        (
            {"a": GOOD.replace("owned_by:\n  - {owner: parent, share: 60 %, from: 2020-01-01}\n", "")},
            "affiliates/a.yaml:2: products of nobody",
        ),
        (
            {"a": GOOD.replace("products:", "  - {owner: parent, share: 10 %, from: 2024-01-01}\nproducts:")},
            "affiliates/a.yaml:4: two periods of one owner overlap",
        ),
        (
            {"a": GOOD.replace("60 %", "60 %, to: 2020-01-01")},
            "affiliates/a.yaml:3: `owned_by`, item 1: `to` 2020-01-01 must lie after",
        ),
        (
            {"a": GOOD.replace("products:", "  - {owner: b, share: 50 %}\nproducts:"), "b": "entity: b\n"},
            "affiliates/a.yaml:2: shares sum to over 100 % (110 % on 2020-01-01)",
        ),
        ({"a": GOOD.replace("kind = 'x'", "max(kind) = 'x'")}, "affiliates/a.yaml:13: aggregate in a condition"),
        ({"a": GOOD.replace("kind = 'x'", "kind =")}, "affiliates/a.yaml:13: a condition is not one SQL expression"),
        (
            {"a": GOOD.replace("        complete_through: 2025-01-31\n", "")},
            "affiliates/a.yaml:9: `sources`, item 1: `complete_through` is missing",
        ),
        ({"a": GOOD.replace("a.csv", "a-{day}.csv")}, "`complete_through` is for one file or a folder"),
        ({"a": GOOD.replace("        time: at\n", "")}, "`time` is missing"),
        (
            {"a": GOOD.replace("files: a.csv", "table: a.csv\n        files: b.csv")},
            "a.yaml:9: `sources`, item 1: needs either `files` or `table`",
        ),
        (
            {"a": GOOD.replace("- files: a.csv", "- format: csv")},
            "affiliates/a.yaml:9: `sources`, item 1: needs either `files` or `table`",
        ),
        (
            {"a": TABLE.replace("time: at", "format: csv\n        time: at")},
            "a.yaml:9: `sources`, item 1: `format` is for `files`",
        ),
        ({"a": TABLE.replace("table: t", "files: t.csv")}, "affiliates/a.yaml:9: `sources`, item 1: `database` is for a `table`"),
        ({"a": TABLE.replace("table: t", "table: a..t")}, "affiliates/a.yaml:9: `table`: is no table's name"),
        ({"a": TABLE.replace("{env: DB}", "{}")}, "affiliates/a.yaml:10: `database`: needs `env`, `url` or `file`"),
        (
            {"a": TABLE.replace("{env: DB}", "{env: DB, file: f}")},
            "affiliates/a.yaml:10: `database`: needs `env`, `url` or `file`",
        ),
        ({"a": TABLE.replace("{env: DB}", "{evn: DB}")}, "affiliates/a.yaml:10: unknown key `evn` (did you mean `env`?)"),
        (
            {"a": TABLE.replace("        database: {env: DB}\n", "")},
            "`complete_through` names a table, and there is no `database`",
        ),
        ({"a": TABLE.replace("column: d", "colunm: d")}, "a.yaml:12: unknown key `colunm` (did you mean `column`?)"),
        ({"a": TABLE.replace(", column: d", "")}, "affiliates/a.yaml:12: `column` is missing"),
        ({"a": GOOD.replace("a.csv", "ftp://host/a.csv")}, "a.yaml:9: `files`: is no place that can be read"),
        ({"a": GOOD.replace("a.csv", "s3://bucket")}, "affiliates/a.yaml:9: `files`: is no place that can be read"),
        ({"a": GOOD.replace("namespace: email", "namespace: person")}, "`person` is the namespace of people joined"),
        (
            {"a": GOOD + "  - product: app\n    from: 2025-01-01\n    active: {id: x, meaning: y}\n"},
            "affiliates/a.yaml:14: two products",
        ),
        (
            {"a": GOOD + "    counts: [{month: 2025-13, users: 1, unit: people, document: d, attested_by: x}]\n"},
            "affiliates/a.yaml:14: `month`",
        ),
        ({"a": GOOD + "    counts: [{month: 2025-01, users: 1, unit: accounts, document: d, attested_by: x}]\n"}, "`unit`"),
        ({"a": GOOD + "products: []\n"}, "affiliates/a.yaml:14: key `products` stands twice (first in line 4)"),
        ({"a": GOOD.replace("from: 2025-01-01", "from: 2025-02-30")}, "affiliates/a.yaml:6: `from`: is no day that there is"),
        ({"a": GOOD.replace("60 %", "sixty %")}, "affiliates/a.yaml:3: `share`: is no share"),
        ({"a": GOOD.replace("60 %", "70")}, "affiliates/a.yaml:3: `share`: is over 1: write 70 % or 0.7"),
        ({"a": GOOD.replace("a.csv", "a-{date}.csv")}, "unknown placeholder {date}: only {day} is known"),
        ({"a": GOOD.replace("namespace: email", "namespace: E-Mail")}, "`namespace` is no name"),
        ({"a": "entity: &x [*x]\n"}, "affiliates/a.yaml"),
        ({"a": "entity: a\x00\n"}, "affiliates/a.yaml"),
        ({"a": GOOD.replace("namespace: email", "namespace: phone, region: UK")}, "is no region"),
        (
            {"a": GOOD + "    counts: [{month: 2024-12, users: 1, unit: people, document: d, attested_by: x}]\n"},
            "outside the product's life",
        ),
        (
            {"readings": "readings: [{name: a, counts: unique_people, control_share: 100 %}]\n"},
            "readings.yaml:1: `control_share`",
        ),
        ({"a": "entity: [\n"}, "affiliates/a.yaml:2: is not YAML"),
        ({"a": "- a\n- b\n"}, "must hold keys and values"),
        ({"b": "entity: a\n"}, "affiliates/b.yaml:1: two files describe the same entity"),
        (
            {"group": GROUP.replace("ultimate_parent: parent", "ultimate_parent: nobody")},
            "group.yaml:2: the ultimate parent is no entity",
        ),
        ({"group": GROUP + "time_zone: Europe/Atlantis\n"}, "group.yaml:4: `time_zone`: is not a time zone"),
        ({"group": GROUP.replace("{file: k}", "{}")}, "group.yaml:3: `key`: needs one of `file`, `env`"),
        ({"group": GROUP + "lg_k: 30\n"}, "group.yaml:4: `lg_k`"),
        (
            {"readings": "readings: [{name: a, counts: unique_people}, {name: a, counts: summed_products}]\n"},
            "two readings have one name",
        ),
        (
            {"readings": READINGS + "of_record: [{reading: b, adopted_by: c, from: 2025-01-01}]\n"},
            "readings.yaml:2: no such reading (b; there are a)",
        ),
    ],
)
def test_each_mistake(tmp_path: Path, changed: dict[str, str], expected: str) -> None:
    """Each is named by its line and its rule; a mistake that no check finds would silently count somebody, or nobody."""
    messages = mistakes(write(tmp_path, **changed))
    assert any(expected in message for message in messages), messages
    assert all(". Next: " in message for message in messages)


def test_all_mistakes_at_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    broken = GOOD.replace("time: at", "tiem: at").replace("60 %", "a lot").replace("kind = 'x'", "count(*) > 1")
    messages = mistakes(write(tmp_path, a=broken, b="entty: b\n", group=GROUP + "colour: red\n"))
    places = [message.split(": ")[0] for message in messages]
    assert {"affiliates/a.yaml:3", "affiliates/a.yaml:10", "affiliates/b.yaml:1", "group.yaml:4"} <= set(places)
    assert places == sorted(places, key=lambda p: (p.split(":")[0], int(p.split(":")[1])))


@pytest.mark.parametrize(
    "changed",
    [
        {"group": GROUP.replace("{file: k}", KEY)},
        {"group": GROUP.replace("{file: k}", f"{{file: k, epoch: {KEY}}}")},
        {"a": GOOD.replace("kind = 'x'", "sum(a) over () = 1 and u = 'planted@example.com'")},
        {"a": GOOD.replace("kind = 'x'", "max(u) = 'planted@example.com'")},
        {"a": GOOD.replace("kind = 'x'", "u ~ 'planted@example.com'")},
        {"a": GOOD.replace("kind = 'x'", "u = 'planted@example.com' and")},
    ],
)
def test_no_message_shows_a_key_or_an_identifier(tmp_path: Path, changed: dict[str, str]) -> None:
    """`validate` runs in logs that many can read, and a key put in the wrong place stands in the manifest."""
    text = "\n".join(mistakes(write(tmp_path, **changed)))
    assert KEY not in text
    assert "planted" not in text


@pytest.mark.parametrize("name", ["eu/b.yaml", "c.YAML", "notes.txt"])
def test_what_would_not_be_read_is_said(tmp_path: Path, name: str) -> None:
    """An entity in a file that nobody reads would silently not be in the group."""
    path = write(tmp_path) / "affiliates" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("entity: b\n")
    assert "is not read" in mistakes(tmp_path)[0]


def test_no_directory_no_entity(tmp_path: Path) -> None:
    assert "is not a group directory" in mistakes(tmp_path)[0]
    (tmp_path / "group.yaml").write_text(GROUP)
    assert "holds no entity" in mistakes(tmp_path)[0]


def test_manifests_of_the_fixture(make: Callable[..., Path], tmp_path: Path) -> None:
    manifest: dict[str, Any] = {"entity": "a", "owned_by": [{"owner": "parent", "share": 0.6}]}
    assert set(read_group(make([manifest])).entities) == {"a", "parent"}


@pytest.mark.parametrize(
    "line",
    [
        "table: postgresql://me:pass-word-4711@host/x", "database: postgresql://me:pass-word-4711@host/x",
        "database: {env: 'postgresql://me:pass-word-4711@host/x'}", "database: {url: pass-word-4711}",
        "database: {url: [pass-word-4711]}", "database: {url: 's3://x', file: pass-word-4711}", "files: s3://me:pass-word-4711@bucket/x",
    ],
)  # fmt: skip
def test_a_mistake_shows_no_password(tmp_path: Path, line: str) -> None:
    """A URL in the wrong place is shown to whoever reads the output of `validate`."""
    key = line.partition(":")[0]
    replaced = {"table": "table: t", "database": "database: {env: DB}", "files": "table: t"}[key]
    text = "\n".join(mistakes(write(tmp_path, a=TABLE.replace(replaced, line))))
    assert "affiliates/a.yaml:" in text
    assert "pass-word" not in text
