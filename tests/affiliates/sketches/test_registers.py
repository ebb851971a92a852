"""Registers are the currency: a wrong one is a silently wrong number of people."""

import numpy as np
import pytest
from datasketches import hll_sketch, tgt_hll_type
from hypothesis import given
from hypothesis import strategies as st

from affiliates.sketches.image import MANY, most_coupons, sorted_distinct
from affiliates.sketches.registers import Absorber, Registers, agrees_with_datasketches, standard_error

KEYS = st.lists(st.integers(0, 2**64 - 1), max_size=300)
LG_KS = (4, 7, 8, 12, 16, 21)


def sketch_of(keys: list[int], lg_k: int = 12) -> Registers:
    return Registers.from_keys(lg_k, np.array(keys, np.uint64))


def people(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


def library(keys: np.ndarray, lg_k: int, kind: tgt_hll_type = tgt_hll_type.HLL_8) -> hll_sketch:
    sketch = hll_sketch(lg_k, kind)
    for key in keys.tolist():
        sketch.update(f"{key:016x}")
    return sketch


@pytest.mark.parametrize("lg_k", LG_KS)
@pytest.mark.parametrize("n", [0, 1, 8, 9, 97, 5_000, 60_000])
def test_bulk_registers_are_those_of_the_library_key_by_key(n: int, lg_k: int) -> None:
    """Compiled hashing in blocks that differs in one bit would give every engine but ours other people."""
    keys = people(n, n)
    ours = Registers.from_keys(lg_k, keys)
    theirs = library(keys, lg_k)
    for image in (theirs.serialize_compact(), theirs.serialize_updatable()):
        decoded = Registers.from_image(bytes(image))
        assert decoded.digest() == ours.digest()
        assert np.array_equal(decoded.dense(), ours.dense())


@pytest.mark.parametrize("key", [0, 1, 9, 10, 0xFF, 0x0123456789ABCDEF, 0xFEDCBA9876543210, 2**63, 2**64 - 1])
def test_the_item_is_sixteen_lower_case_hex_characters(key: int) -> None:
    """Another spelling of a key would be another person in each engine's own query."""
    assert (
        Registers.from_image(bytes(library(np.array([key], np.uint64), 21).serialize_compact())).digest()
        == sketch_of([key], 21).digest()
    )


def test_self_test_agrees() -> None:
    assert agrees_with_datasketches()


@given(KEYS, KEYS, KEYS)
def test_union_is_commutative_associative_idempotent_and_equals_counting_at_once(
    a: list[int], b: list[int], c: list[int]
) -> None:
    left = Registers.union([Registers.union([sketch_of(a), sketch_of(b)]), sketch_of(c)])
    right = Registers.union([sketch_of(c), Registers.union([sketch_of(b), sketch_of(a), sketch_of(a)])])
    assert left.digest() == right.digest() == sketch_of(a + b + c).digest()


@given(KEYS, st.sampled_from([4, 7, 8, 10, 12]))
def test_fold_equals_counting_at_the_lower_lg_k(keys: list[int], lg_k: int) -> None:
    """A group's lg_k may be lower than an affiliate's: folding may lose nobody and add nobody."""
    assert sketch_of(keys).fold(lg_k).digest() == sketch_of(keys, lg_k).digest()
    assert np.array_equal(sketch_of(keys).fold(lg_k).dense(), sketch_of(keys, lg_k).dense())


@pytest.mark.parametrize("n", [3, 300, 30_000])
def test_few_and_many_are_the_same_sketch_in_two_forms(n: int) -> None:
    """A sketch that turned dense on the way must equal one that never had to."""
    keys = people(n)
    whole = Registers.from_keys(12, keys)
    dense = Registers(12, None, whole.dense())
    assert dense.digest() == whole.digest()
    assert np.array_equal(dense.occupied, whole.occupied)
    other = Registers.from_keys(12, people(50, 1))
    assert Registers.union([dense, other]).digest() == Registers.union([other, whole]).digest()


@pytest.mark.parametrize("n", [0, 1, MANY - 1, MANY, MANY + 1, 24_000])
def test_coupons_in_order_are_numpys(n: int) -> None:
    """Few are sorted and many counted out; a coupon twice would be two people, and one that is lost nobody."""
    coupons = np.random.default_rng(n).integers(1 << 26, 1 << 32, n, dtype=np.uint32)
    highest = np.array([2**32 - 1, 0, 1 << 26], np.uint32)
    for given_coupons in (coupons, np.tile(np.sort(coupons), 3), np.concatenate([coupons[::-1], highest, coupons])):
        before = given_coupons.copy()
        assert np.array_equal(sorted_distinct(given_coupons), np.unique(before))
        assert np.array_equal(given_coupons, before)


@pytest.mark.parametrize("n", [MANY, MANY + 1, 24_000])
def test_occupied_slots_of_many_coupons_are_the_registers(n: int) -> None:
    """Two addresses of one slot are one register, with the greater value: else another digest than the registers have."""
    few = Registers.from_keys(18, people(n))
    assert few.coupons is not None
    assert np.array_equal(few.occupied, Registers(18, None, few.dense()).occupied)


def test_unfolding_is_refused() -> None:
    """Registers of a higher lg_k can't be told from fewer: guessing them would invent a precision."""
    with pytest.raises(ValueError, match="can't be unfolded"):
        sketch_of([1], 12).fold(13)


def test_sketches_of_different_lg_k_lose_nobody() -> None:
    """The library's own union says 20,133 here (datasketches 5.2.0, lgK 12, 10 and 12)."""
    sketches = [Registers.from_keys(lg_k, people(20_000, i)) for i, lg_k in enumerate((12, 10, 12))]
    united = Registers.union(sketches)
    assert united.lg_k == 10
    assert united.bounds().lower <= 60_000 <= united.bounds().upper


@given(st.permutations([(12, 0), (10, 1), (12, 2), (21, 3), (14, 3), (11, 4)]), st.integers(1, 5))
def test_in_any_order_and_grouping_mixed_lg_k_is_everybody_at_the_lowest(order: list[tuple[int, int]], split: int) -> None:
    """Exactly the registers of all keys: whoever comes first, and whether few or many, decides nothing."""
    sets = {seed: people(40 if seed == 4 else 20_000, seed) for _, seed in order}
    sketches = [Registers.from_keys(lg_k, sets[seed]) for lg_k, seed in order]
    united = Registers.union([Registers.union(sketches[:split]), Registers.union(sketches[split:])])
    assert united.digest() == Registers.from_keys(10, np.concatenate(list(sets.values()))).digest()


@pytest.mark.parametrize("batch", [1, 7, 1000, 100_000])
def test_absorbing_in_batches_equals_absorbing_at_once(batch: int) -> None:
    keys = np.concatenate([people(40_000), people(40_000)])
    absorber = Absorber(12)
    for start in range(0, len(keys), batch if batch > 1 else 40_001):
        absorber.absorb(keys[start : start + (batch if batch > 1 else 40_001)])
    assert absorber.registers().digest() == Registers.from_keys(12, keys).digest()


@pytest.mark.parametrize("lg_k", [12, 16, 21])
@pytest.mark.parametrize("n", [1, 10, 1000, 30_000, 300_000])
def test_estimate_is_the_librarys_and_bounds_hold_its_bounds(n: int, lg_k: int) -> None:
    """The out-of-order flag must be set: without it estimate and upper bound are 0."""
    registers = Registers.from_keys(lg_k, people(n))
    bounds = registers.bounds()
    theirs = hll_sketch.deserialize(registers.to_image())
    if registers.values is not None:  # Before, the library counts coupons of 26 bits, not registers.
        assert bounds.estimate == theirs.get_estimate()
        assert bounds.lower <= theirs.get_lower_bound(2)
        assert bounds.upper >= theirs.get_upper_bound(2)
    assert bounds.lower <= bounds.estimate <= bounds.upper
    assert bounds.upper - bounds.lower <= 4.2 * standard_error(lg_k, bounds.estimate) + 1e-9


def test_nobody_is_zero_with_no_width() -> None:
    """A product without users must not add an upper bound."""
    assert sketch_of([], 21).bounds() == (0, 0, 0)
    assert sketch_of([], 21).is_empty


@given(KEYS, st.sampled_from([4, 7, 8, 12]))
def test_image_round_trip(keys: list[int], lg_k: int) -> None:
    """What is stored is read again: registers that change on the way are other people."""
    registers = sketch_of(keys, lg_k)
    assert Registers.from_image(registers.to_image()).digest() == registers.digest()


@pytest.mark.parametrize("n", [0, 5, 9, 150, most_coupons(12), most_coupons(12) + 1, 40_000, 3_000_000])
def test_the_library_reads_our_images(n: int) -> None:
    """Whoever receives our sketches reads them with DataSketches, not with us."""
    keys = people(n)
    registers = Registers.from_keys(12, keys)
    theirs = hll_sketch.deserialize(registers.to_image())
    assert Registers.from_image(bytes(theirs.serialize_updatable())).digest() == registers.digest()
    assert theirs.get_lower_bound(3) <= n <= theirs.get_upper_bound(3)
