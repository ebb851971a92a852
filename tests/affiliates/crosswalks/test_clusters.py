"""Who is joined with whom, and by which name: two people taken for one, or a name that changes, moves every figure after."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.crosswalks import clusters as clusters_module
from affiliates.crosswalks.clusters import (
    NAMES,
    NO_NAMES,
    Changes,
    Clusters,
    Links,
    clusters_of,
    cut_out,
    name_clusters,
    new_names,
)
from affiliates.crosswalks.snapshot import as_text, from_table, read_table
from affiliates.errors import RefusedError

Pairs = list[tuple[int, int]]
Names = dict[int, tuple[int, date | None]]
MONTHS = [date(2025, m, 1) for m in (1, 2, 3)]
FAR = 2**63
"""Keys over half of 64 bits, where a signed number would be negative."""

numbers = st.integers(0, 9) | st.integers(FAR, FAR + 4)
some_links = st.lists(st.tuples(numbers, numbers), max_size=14)


def joined(pairs: Pairs) -> Clusters:
    return clusters_of(np.array([a for a, _ in pairs], np.uint64), np.array([b for _, b in pairs], np.uint64))


def groups(clusters: Clusters) -> set[frozenset[int]]:
    keys_by_smallest: dict[int, set[int]] = {}
    for key, smallest in zip(clusters.keys.tolist(), clusters.smallest.tolist(), strict=True):
        keys_by_smallest.setdefault(smallest, set()).add(key)
    assert all(min(keys) == smallest for smallest, keys in keys_by_smallest.items())
    return {frozenset(keys) for keys in keys_by_smallest.values()}


def expected_groups(pairs: Iterable[tuple[int, int]]) -> set[frozenset[int]]:
    """By walking from key to key, another way than the program's."""
    near: dict[int, set[int]] = {}
    for a, b in pairs:
        if a != b:
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
    components = set()
    seen = set[int]()
    for start in near:
        if start not in seen:
            reached = {start}
            edge = [start]
            while edge:
                more = near[edge.pop()] - reached
                reached |= more
                edge += more
            seen |= reached
            components.add(frozenset(reached))
    return components


def expected_names(clusters: set[frozenset[int]], month: date, before: Names) -> tuple[Names, Changes]:
    """The rule for names, as the documents tell it."""
    ages = dict(before.values())
    stays: dict[frozenset[int], list[int]] = {}
    touched = set[frozenset[int]]()
    for name in ages:
        keys = {key for key, (n, _) in before.items() if n == name}
        parts = [(len(keys & c), -min(keys & c), c) for c in clusters if keys & c]
        touched |= {c for *_, c in parts}
        if parts:
            stays.setdefault(max(parts, key=lambda p: p[:2])[2], []).append(name)
    names: Names = {}
    for cluster in clusters:
        if cluster in stays:
            name = min(stays[cluster], key=lambda n: (ages[n] or date.min, n))
            age = ages[name]
        else:
            text = f"mauwatch person {month:%Y-%m} {min(cluster):016x} 0"
            name = int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)
            age = month
        names |= dict.fromkeys(cluster, (name, age))
    staying = sum(map(len, stays.values()))
    split = len(touched - stays.keys())
    return names, Changes(
        kept=len(stays), new=len(clusters) - len(touched), split=split, merged=staying - len(stays), gone=len(ages) - staying
    )


def as_names(table: pl.DataFrame) -> Names:
    assert table.schema == NAMES
    assert table["key"].is_sorted()
    return {key: (person, month) for key, person, month in table.iter_rows()}


@given(some_links)
def test_clusters_are_what_a_walk_reaches(pairs: Pairs) -> None:
    """A link lost makes two people of one; one too many, one of two."""
    assert groups(joined(pairs)) == expected_groups(pairs)


@given(some_links, st.randoms(use_true_random=False), st.integers(0, 4))
def test_order_portions_and_repeats_change_nothing(pairs: Pairs, random: object, most: int) -> None:
    """Also where links are made clusters again and again to bound memory: each of them must carry all links before it."""
    shuffled = [pair[::-1] if i % 2 else pair for i, pair in enumerate([*pairs, *pairs[:3]])]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    gathered = Links()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters_module, "MOST_WAITING", most)
        for a, b in shuffled:
            gathered.add(np.array([a], np.uint64), np.array([b], np.uint64))
    portioned = gathered.clusters()
    direct = joined(pairs)
    assert portioned.keys.tolist() == direct.keys.tolist()
    assert portioned.first.tolist() == direct.first.tolist()
    assert portioned.links().equals(direct.links())
    assert groups(joined([(a, b) for a, b in portioned.links().iter_rows()])) == groups(direct)
    assert portioned.links().height == len(direct.keys) - len(groups(direct))


def test_long_chains_and_stars() -> None:
    """Links in the worst order for a forest: a chain from its end, from its middle, and a star round the highest key."""
    n = np.arange(200_000, dtype=np.uint64)
    mixed = np.random.default_rng(0).permutation(len(n) - 1)
    for one, other in (
        (n[1:], n[:-1]),
        (n[:-1][::-1], n[1:][::-1]),
        (n[mixed], n[mixed + 1]),
        (n[:-1], np.full(len(n) - 1, n[-1])),
    ):
        clusters = clusters_of(one, other)
        assert (len(clusters.keys), clusters.first.max()) == (len(n), 0)


@given(st.lists(some_links, min_size=3, max_size=3), st.booleans())
def test_names_from_month_to_month(months: list[Pairs], ages_known: bool) -> None:
    """A name that moves to another person, or ends without need, makes an old person a new one in all later windows."""
    before = NO_NAMES
    for month, pairs in zip(MONTHS, months, strict=True):
        clusters = joined(pairs)
        names, changes = name_clusters(clusters, month, before)
        expected, expected_changes = expected_names(groups(clusters), month, as_names(before))
        assert as_names(names) == expected
        assert changes == expected_changes
        assert changes.kept + changes.new + changes.split == names["person_key"].n_unique() == len(groups(clusters))
        assert changes.kept + changes.merged + changes.gone == before["person_key"].n_unique()
        if not ages_known:
            names = names.with_columns(named=pl.when(pl.col("key") % 2 == 0).then("named"))
            names = names.with_columns(pl.col("named").min().over("person_key"))
        before = names


A, B, C = 100, 200, 300
JAN, FEB = MONTHS[:2]


@pytest.mark.parametrize(
    ("before", "pairs", "expected", "changes"),
    [
        pytest.param({1: (A, JAN), 2: (A, JAN)}, [(1, 2)], {1: A, 2: A}, (1, 0, 0, 0, 0), id="kept"),
        pytest.param({1: (A, JAN), 2: (A, JAN)}, [(2, 1), (2, 0)], {0: A, 1: A, 2: A}, (1, 0, 0, 0, 0), id="a smaller key comes"),
        pytest.param(
            {1: (A, FEB), 2: (A, FEB), 3: (B, JAN)}, [(1, 2), (2, 3)], {1: B, 2: B, 3: B}, (1, 0, 0, 1, 0), id="the older is kept"
        ),
        pytest.param({1: (B, None), 2: (A, JAN)}, [(1, 2)], {1: B, 2: B}, (1, 0, 0, 1, 0), id="unknown age is oldest"),
        pytest.param({1: (B, JAN), 2: (A, JAN)}, [(1, 2)], {1: A, 2: A}, (1, 0, 0, 1, 0), id="of one age, the smaller name"),
        pytest.param(
            dict.fromkeys((1, 2, 3, 4, 5), (A, JAN)), [(1, 2), (3, 4), (4, 5)], {1: None, 2: None, 3: A, 4: A, 5: A},
            (1, 0, 1, 0, 0), id="a split: most keys",
        ),
        pytest.param(
            dict.fromkeys((1, 2, 3, 4), (A, JAN)), [(1, 4), (2, 3)], {1: A, 4: A, 2: None, 3: None}, (1, 0, 1, 0, 0),
            id="a split in halves: the smallest key",
        ),
        pytest.param(
            {1: (A, JAN), 2: (A, JAN), 3: (A, JAN), 4: (B, FEB), 5: (B, FEB)}, [(1, 2), (3, 4), (4, 5)],
            {1: A, 2: A, 3: B, 4: B, 5: B}, (2, 0, 0, 0, 0), id="a key changes hands",
        ),
        pytest.param({1: (A, JAN), 2: (A, JAN)}, [(3, 4)], {3: None, 4: None}, (0, 1, 0, 0, 1), id="gone, and somebody new"),
        pytest.param({1: (A, JAN), 2: (A, JAN)}, [], {}, (0, 0, 0, 0, 1), id="all gone"),
    ],
)  # fmt: skip
def test_names_case_by_case(before: Names, pairs: Pairs, expected: dict[int, int | None], changes: tuple[int, ...]) -> None:
    """One case of the rule each, which a newcomer can read: expected are names, None for a new one."""
    rows = [(key, *name) for key, name in sorted(before.items())]
    table, became = name_clusters(joined(pairs), FEB, pl.DataFrame(rows, NAMES, orient="row"))
    names = as_names(table)
    assert {key: None if name not in (A, B, C) else name for key, (name, _) in names.items()} == expected
    assert all(age == FEB for name, age in names.values() if name not in (A, B, C))
    assert (became.kept, became.new, became.split, became.merged, became.gone) == changes


def test_a_new_name_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two persons of one name are one person: with a hash of 5 bits nearly all clash, and none may in the end."""
    monkeypatch.setattr(
        clusters_module, "_hashed",
        lambda smallest, month, attempt: pl.Series([hash((k, attempt)) % 32 for k in smallest], dtype=pl.UInt64),
    )  # fmt: skip
    taken = pl.Series(range(8), dtype=pl.UInt64)
    names = new_names(pl.Series(range(24), dtype=pl.UInt64), JAN, taken).to_list()
    assert sorted(names) == list(range(8, 32))


def test_names_differ_by_month_and_are_made_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of a cluster that is gone must not come back for other people in another month."""
    keys = pl.Series(range(10), dtype=pl.UInt64)
    whole = new_names(keys, JAN, NO_NAMES["person_key"])
    monkeypatch.setattr(clusters_module, "_TEXTS_AT_A_TIME", 3)
    assert new_names(keys, JAN, NO_NAMES["person_key"]).equals(whole)
    assert not set(whole) & set(new_names(keys, FEB, NO_NAMES["person_key"]))
    assert whole[0] == int(hashlib.sha256(b"mauwatch person 2025-01 0000000000000000 0").hexdigest()[:16], 16)


@given(some_links, st.integers(2, 9))
def test_what_is_too_large_is_cut_out(pairs: Pairs, most: int) -> None:
    """A thousand people behind one shared tablet would be counted as one."""
    clusters = joined(pairs)
    small, cut = cut_out(clusters, most)
    sizes = Counter(clusters.smallest.tolist())
    assert groups(small) == {g for g in groups(clusters) if len(g) <= most}
    over = [n for n in sizes.values() if n > most]
    assert (cut.clusters, cut.keys, cut.largest) == (len(over), sum(over), max(over, default=0))


def test_keys_as_text() -> None:
    """Bytes in the wrong order would be a right-looking key of nobody."""
    keys = [0, 1, 255, 0xC0DE, FAR, 2**64 - 1]
    assert as_text(pl.Series(keys, dtype=pl.UInt64)).to_list() == [f"{k:016x}" for k in keys]
    assert as_text(pl.Series([], dtype=pl.UInt64)).dtype == pl.String


def test_ages_move_no_digest() -> None:
    """Else contributions would be refused although each key's person is the same."""
    plain = pl.DataFrame({"key": ["0" * 15 + "1"], "person_key": ["f" * 16]})
    assert from_table(plain).digest == from_table(plain.with_columns(named=JAN)).digest


def test_a_snapshot_holds_nothing_beside_its_keys(tmp_path: Path) -> None:
    """It goes to affiliates: a column of addresses, or a note in its metadata, would go with it."""
    plain = pl.DataFrame({"key": ["0" * 15 + "1"], "person_key": ["0" * 15 + "2"]})
    with pytest.raises(RefusedError, match=r"holds other columns beside a snapshot's \(no\. 3 of 3\)"):
        from_table(plain.with_columns(pl.lit("alice@example.org").alias("alice@example.org")))
    plain.write_parquet(tmp_path / "c.parquet", metadata={"note": "alice"})
    with pytest.raises(RefusedError, match="holds metadata beside its columns"):
        read_table(tmp_path / "c.parquet", "c.parquet")
