"""Identifiers recognised instead of hashed again: one taken for another is a person lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest

from affiliates.aggregation import key_cache
from affiliates.aggregation.key_cache import KeyCache
from affiliates.crosswalks.snapshot import Crosswalk, from_keys
from affiliates.errors import RefusedError
from affiliates.identity.keys import PERSON, GroupKey, person_key
from affiliates.identity.normalisation import normalise
from affiliates.manifests.source import Identifier
from affiliates.sketches.kernels.cells import FIRST_CODE

EMAIL = Identifier(column="user", namespace="email")
DEVICE = Identifier(column="device", namespace="device")


def identifiers(number: int, seed: int) -> pl.Series:
    """Few and many of a kind, capitals, spaces, placeholders, nothing."""
    rng = np.random.default_rng(seed)
    names = [f"{' ' * (i % 3)}Person{i}@Example.com" for i in rng.integers(0, number // 3 + 1, number)]
    return pl.Series(
        [None if i % 17 == 0 else "n/a" if i % 19 == 0 else "" if i % 23 == 0 else name for i, name in enumerate(names)]
    )


def expected(users: pl.Series, devices: pl.Series, key: GroupKey, crosswalk: Crosswalk | None) -> list[tuple[str, int] | None]:
    """By the definition: the first usable identifier, hashed one by one."""
    columns = [
        pl.select(person_key(normalise(pl.lit(series), i.namespace), i.namespace, key)).to_series().to_list()
        for series, i in ((users, EMAIL), (devices, DEVICE))
    ]
    joined = dict(crosswalk.table.iter_rows()) if crosswalk else {}
    users_keys: list[tuple[str, int] | None] = []
    for user, device in zip(*columns, strict=True):
        first = ("email", user) if user is not None else ("device", device) if device is not None else None
        users_keys.append((PERSON, joined[first[1]]) if first and first[1] in joined else first)
    return users_keys


def resolved(cache: KeyCache, users: pl.Series, devices: pl.Series) -> list[tuple[str, int] | None]:
    keys, codes = cache.keys_of([users, devices])
    first = int(FIRST_CODE)
    return [(cache.namespaces[c - first], k) if c >= first else None for k, c in zip(keys.tolist(), codes.tolist(), strict=True)]


@pytest.mark.parametrize("with_crosswalk", [False, True])
@pytest.mark.parametrize("places", [1 << 25, 1 << 6])
def test_keys_are_those_of_the_definition(
    key: GroupKey, places: int, with_crosswalk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a table that is large enough, and with one that is emptied at each batch."""
    monkeypatch.setattr(key_cache, "MOST_PLACES", places)
    monkeypatch.setattr(key_cache, "FIRST_PLACES", 1 << 5)
    crosswalk = None
    if with_crosswalk:
        some = pl.select(person_key(normalise(pl.lit(identifiers(900, 1)), "email"), "email", key)).to_series()
        linked = some.drop_nulls().unique().sort()[::2]
        crosswalk = from_keys(linked.to_numpy(), (linked // 3).to_numpy())
    cache = KeyCache([EMAIL, DEVICE], key, crosswalk)
    for batch in range(6):
        users = identifiers(900, 1 + batch % 2)
        devices = identifiers(900, 50 + batch)
        assert resolved(cache, users, devices) == expected(users, devices, key, crosswalk)


def test_threads_share_what_they_know(key: GroupKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads meet the same new identifier at the same time, while the table grows and is emptied."""
    monkeypatch.setattr(key_cache, "MOST_PLACES", 1 << 13)
    monkeypatch.setattr(key_cache, "FIRST_PLACES", 1 << 5)
    cache = KeyCache([EMAIL, DEVICE], key, None)
    batches = [(identifiers(1500, i % 5), identifiers(1500, i % 7)) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda b: resolved(cache, *b), batches))
    for batch, result in zip(batches, results, strict=True):
        assert result == expected(*batch, key, None)


def test_a_thread_that_fails_keeps_no_other_waiting(key: GroupKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait for the identifiers that a thread has begun to hash; a run would hang without a word."""
    cache = KeyCache([EMAIL], key, None)
    started = threading.Event()
    go_on = threading.Event()
    original = KeyCache._hash
    calls = iter([True])

    def failing(self: KeyCache, texts: pl.Series, identifier: Identifier) -> object:
        if next(calls, False):
            started.set()
            go_on.wait(10)
            raise MemoryError
        return original(self, texts, identifier)

    monkeypatch.setattr(KeyCache, "_hash", failing)
    users = identifiers(100, 3)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.keys_of, [users])
        started.wait(10)
        second = pool.submit(cache.keys_of, [users])
        go_on.set()
        with pytest.raises(MemoryError):
            first.result(20)
        assert len(second.result(20)[0]) == 100


def test_more_namespaces_than_codes_are_refused(key: GroupKey) -> None:
    """A code that ran over would make a person nobody."""
    many = [Identifier(column=f"c{i}", namespace=f"n{i}") for i in range(key_cache.MOST_NAMESPACES + 1)]
    cache = KeyCache(many[:-1], key, None)
    _, codes = cache.keys_of([pl.Series([None if i < len(many) - 2 else "bob"], dtype=pl.String) for i in range(len(many) - 1)])
    assert cache.namespaces[codes[0] - int(FIRST_CODE)] == many[-2].namespace
    with pytest.raises(RefusedError, match="too many namespaces"):
        KeyCache(many, key, None)
