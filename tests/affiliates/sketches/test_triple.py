"""People in three sketches: a small number from large ones, which plain inclusion and exclusion hides in its own error."""

import numpy as np
import pytest

from affiliates.sketches import triple as module
from affiliates.sketches.registers import Registers
from affiliates.sketches.triple import triple
from tests.support.overlaps import holds, people


def three(sizes: tuple[int, ...], lg_k: int, salt: int = 5) -> list[Registers]:
    """Sketches with so many people of each kind: in 1, in 2, in 1 and 2, in 3, in 1 and 3, in 2 and 3, in all."""
    kinds = [people(kind * 10**9, size, lg_k, salt) for kind, size in enumerate(sizes, 1)]
    return [Registers.union([s for kind, s in enumerate(kinds, 1) if kind & bit]) for bit in (1, 2, 4)]


def included_and_excluded(sketches: list[Registers]) -> float:
    """People in all three by the estimates of Apache DataSketches."""
    total = 0.0
    for kind in range(1, 8):
        chosen = [sketch for sketch, bit in zip(sketches, (1, 2, 4), strict=True) if kind & bit]
        total += (-1) ** (len(chosen) + 1) * Registers.union(chosen).bounds().estimate
    return total


def by_corners(sketches: list[Registers], rates: np.ndarray) -> float:
    """The log-likelihood by a cell's eight corners, from the distribution function alone."""
    values = np.stack([sketch.dense().astype(int) for sketch in sketches])

    def below(levels: np.ndarray) -> np.ndarray:
        """The chance that each of three registers is at most its level."""
        z = np.where(levels == 63, 0.0, 0.5 ** np.maximum(levels, 0))
        sums = sum(
            rates[kind - 1] * np.max([z[i] for i in range(3) if kind & 1 << i], axis=0) for kind in range(1, 8)
        )  # fmt: skip
        return np.where((levels < 0).any(axis=0), 0.0, np.exp(-sums))

    corners = np.zeros(values.shape[1])
    for corner in range(8):
        lower = np.array([corner >> i & 1 for i in range(3)])
        corners += (-1) ** lower.sum() * below(values - lower[:, None])
    return float(np.log(corners).sum())


SIZES = (300, 200, 100, 400, 50, 60, 80)


def test_the_likelihood_is_that_of_eight_corners_and_its_derivatives_are_right() -> None:
    """Levels and factors against differences of the distribution function; slopes against small steps."""
    sketches = three(SIZES, 6)
    lg_k, values = module._registers([Registers(6, None, s.dense()) for s in sketches])
    levels = module._levels(values, lg_k)
    rates = np.array(SIZES) / 64 * np.array([1.3, 0.8, 1.1, 0.9, 2.0, 0.5, 1.2])
    value, gradient, hessian = module._likelihood(levels, rates)
    assert value == pytest.approx(by_corners(sketches, rates), rel=1e-9)
    for i in range(7):
        step = np.zeros(7)
        step[i] = 1e-5 * rates[i]
        ahead, slope_ahead, _ = module._likelihood(levels, rates + step)
        behind, slope_behind, _ = module._likelihood(levels, rates - step)
        assert gradient[i] == pytest.approx((ahead - behind) / (2 * step[i]), rel=1e-4, abs=1e-4)
        assert hessian[i] == pytest.approx((slope_ahead - slope_behind) / (2 * step[i]), rel=1e-4, abs=1e-4)


def test_error_and_interval() -> None:
    """A third of the error of inclusion and exclusion where 1 % of the union is in all three; the interval holds the truth."""
    sizes = (37_000, 37_000, 1_000, 37_000, 1_000, 1_000, 1_200)
    results = []
    plain = []
    for seed in range(1, 11):
        sketches = three(sizes, 10, seed * 7_919)
        results.append(triple(*sketches))
        plain.append(included_and_excluded(sketches) - sizes[-1])
    errors = [found.common.estimate - sizes[-1] for found in results]
    assert np.sqrt(np.mean(np.square(errors))) < 0.45 * np.sqrt(np.mean(np.square(plain)))
    assert sum(holds(found.common, sizes[-1]) for found in results) >= 8


def test_coupons_are_nearly_exact() -> None:
    """While all three have coupons, whole addresses are compared."""
    found = triple(*three((18_000, 9_000, 300, 4_000, 200, 100, 40), 21))
    assert found.lg_k == 26
    assert found.measurable
    assert [found.kinds[kind] for kind in range(1, 8)] == pytest.approx([18_000, 9_000, 300, 4_000, 200, 100, 40], abs=12)
    assert holds(found.common, 40)
    assert found.common.upper - found.common.lower < 8


EDGES = {
    "all empty": (0, 0, 0, 0, 0, 0, 0),
    "one empty": (500, 400, 300, 0, 0, 0, 0),
    "two empty": (500, 0, 0, 0, 0, 0, 0),
    "identical": (0, 0, 0, 0, 0, 0, 3_000),
    "disjoint": (3_000, 2_000, 0, 1_000, 0, 0, 0),
    "subsets": (3_000, 0, 2_000, 0, 0, 0, 500),
}


@pytest.mark.parametrize("lg_k", [10, 21])
@pytest.mark.parametrize("sizes", EDGES.values(), ids=EDGES.keys())
def test_edges(sizes: tuple[int, ...], lg_k: int) -> None:
    """Each edge gives numbers around the truth, and no warning."""
    found = triple(*three(sizes, lg_k))
    assert found.common.lower <= found.common.estimate <= found.common.upper
    wide = found.common.upper - found.common.lower
    assert found.common.lower - wide <= sizes[-1] + 1e-6
    assert found.common.upper + wide >= sizes[-1] - 1e-6
    assert found.measurable == (sizes[-1] > 0 or min(sum(n for k, n in enumerate(sizes, 1) if k & bit) for bit in (1, 2, 4)) == 0)


def test_the_order_of_sketches_changes_nothing() -> None:
    """Whoever comes first: the same number in all three."""
    one, other, third = three((900, 800, 70, 600, 50, 60, 200), 10)
    numbers = triple(one, other, third).common, triple(third, one, other).common, triple(other, one, third).common
    assert numbers[1] == pytest.approx(numbers[0], rel=1e-2)
    assert numbers[2] == pytest.approx(numbers[0], rel=1e-2)
