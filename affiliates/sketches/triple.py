"""How many people three sketches have in common, by the joint likelihood of their registers at seven rates. Pure.

As Ertl 2017 (arXiv 1702.01284) for two: people are of seven kinds, by the sketches that they are in. A kind's greatest value in a
register is at most the least of the values that its sketches hold there, and raises those sketches that hold just that. So the
different values of three registers are levels, and independent: with z = 2^-value and r the rates of a level's kinds, a level's
chance is exp(-z sum r), but for the value 63, to which values are capped, times the chance that kinds which are there, each with
1 - exp(-r z), raise every sketch that holds the value; at 0 nobody has to. All factors are positive: nothing small is lost in
differences of distribution functions, as in those at the eight corners of a cell.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from affiliates.sketches.image import ADDRESS_BITS, ADDRESS_MASK
from affiliates.sketches.overlap import MEASURABLE, in_whole_people, overlap
from affiliates.sketches.registers import STRETCH, Bounds, Registers

Floats = npt.NDArray[np.float64]
Levels = dict[tuple[int, int], npt.NDArray[np.int64]]
"""Numbers of levels by value (64), by which sketches hold the value and which hold more, as sets of bits."""

_KINDS = tuple(range(1, 8))
"""Kinds of people by the bits of their sketches: 1 the first alone, 3 the first and the second, 7 all three."""
_Z = 0.5 ** np.minimum(np.arange(64), 62)
_FLOOR = 1e-6
WANTED = 1.959963984540054
"""Standard errors from the estimate to a limit of 95 %."""


@dataclass(frozen=True)
class Triple:
    """What three sketches have in common; numbers are people, not rounded."""

    common: Bounds
    """People in all three, with a 95 % interval."""
    kinds: Mapping[int, float]
    """The likeliest number of each of seven kinds by its sketches' bits: 1, 2, 4 in one alone, 3, 5, 6 in just two, 7 in all."""
    z: float
    """How far `common` is from none, in standard errors."""
    lg_k: int
    """The precision that was compared: 2^lg_k registers, 26 for the addresses of coupons."""

    @property
    def measurable(self) -> bool:
        """Whether `common` is told from none, by three standard errors, or because a sketch is empty."""
        return self.z >= MEASURABLE or any(not sum(n for kind, n in self.kinds.items() if kind & bit) for bit in (1, 2, 4))


def triple(a: Registers, b: Registers, c: Registers) -> Triple:
    """What three sketches of one key and one namespace have in common; takes about a second."""
    sketches = (a, b, c)
    if any(sketch.is_empty for sketch in sketches):
        return _with_an_empty_one(sketches)
    lg_k, values = _registers(sketches)
    m = float(1 << lg_k)
    levels = _levels(values, lg_k)
    logs = np.log(np.maximum(_start(sketches), 1.0) / m)
    best = _climb(levels, m, logs, np.ones(7, bool))
    people = np.exp(logs) * m
    people[people < 2 * _FLOOR] = 0.0
    free = np.arange(7) < 6

    def root(number: float, others: Floats) -> float:
        """The root of twice what the best likelihood lies above the best with so many people in all three."""
        others[6] = np.log(max(number, _FLOOR) / m)
        return float(np.sqrt(2 * max(0.0, best - _climb(levels, m, others, free))))

    estimate = float(people[6])
    z = root(0.0, logs.copy()) if estimate else 0.0
    error, left = _error(levels, people, m)
    left *= STRETCH if z >= MEASURABLE else 1.0
    limits = []
    for side, end in ((-1.0, 0.0), (1.0, np.inf)):
        if side < 0 and z <= WANTED:
            limits.append(0.0)
            continue
        distance = left * abs(_limit(root, logs.copy(), estimate, estimate + side * WANTED * error, end) - estimate)
        limits.append(max(0.0, estimate + side * in_whole_people(distance)))
    return Triple(Bounds(estimate, *limits), dict(zip(_KINDS, people.tolist(), strict=True)), z, lg_k)


def _with_an_empty_one(sketches: Sequence[Registers]) -> Triple:
    """Three sketches one of which is empty: nobody is in all three, and the others are a pair at most."""
    pair = (
        overlap(*[sketch for sketch in sketches if not sketch.is_empty][:2])
        if sum(not s.is_empty for s in sketches) == 2
        else None
    )
    bits = [bit for bit, sketch in zip((1, 2, 4), sketches, strict=True) if not sketch.is_empty]
    kinds = dict.fromkeys(_KINDS, 0.0)
    if pair:
        kinds[bits[0]] = pair.only_first.estimate
        kinds[bits[1]] = pair.only_second.estimate
        kinds[bits[0] | bits[1]] = pair.common.estimate
    elif bits:
        kinds[bits[0]] = next(sketch for sketch in sketches if not sketch.is_empty).bounds().estimate
    return Triple(Bounds(0.0, 0.0, 0.0), kinds, 0.0, min(sketch.lg_k for sketch in sketches))


def _registers(sketches: Sequence[Registers]) -> tuple[int, npt.NDArray[np.uint8]]:
    """lg_k, and the values (3, n) of registers that are compared; of coupons only the raised ones."""
    if any(sketch.coupons is None for sketch in sketches):
        lg_k = min(sketch.lg_k for sketch in sketches)
        return lg_k, np.stack([sketch.fold(lg_k).dense() for sketch in sketches])
    coupons = [sketch.coupons for sketch in sketches if sketch.coupons is not None]
    addresses = np.unique(np.concatenate(coupons) & ADDRESS_MASK)
    values = np.zeros((3, len(addresses)), np.uint8)
    for row, own in zip(values, coupons, strict=True):
        # In order of values, so that an address's greatest one is written last.
        row[np.searchsorted(addresses, own & ADDRESS_MASK)] = own >> ADDRESS_BITS
    return int(ADDRESS_BITS), values


def _levels(values: npt.NDArray[np.uint8], lg_k: int) -> Levels:
    """The levels of 2^lg_k registers, of which those that aren't in `values` hold 0 in all three sketches."""
    cells = values[0].astype(np.uint32) << 12 | values[1].astype(np.uint32) << 6 | values[2]
    counts = np.bincount(cells, minlength=1 << 18)
    counts[0] += (1 << lg_k) - len(cells)
    cells = np.flatnonzero(counts)
    held = np.stack((cells >> 12, cells >> 6 & 63, cells & 63))
    levels: Levels = {}
    for i, bit in enumerate((1, 2, 4)):
        same = sum(((held[j] == held[i]) << j for j in range(3)), np.zeros(len(cells), int))
        more = sum(((held[j] > held[i]) << j for j in range(3)), np.zeros(len(cells), int))
        for at, above in set(zip(same.tolist(), more.tolist(), strict=True)):
            if at & (bit - 1):  # Counted with the first sketch that holds the value.
                continue
            chosen = (same == at) & (more == above)
            levels[at, above] = np.bincount(held[i][chosen], counts[cells[chosen]], minlength=64)
    return levels


def _start(sketches: Sequence[Registers]) -> Floats:
    """People of each kind by the pairs' overlaps and inclusion and exclusion, to begin with."""
    one, other, third = sketches
    pairs = overlap(one, other), overlap(one, third), overlap(other, third)
    common = [pair.common.estimate for pair in pairs]
    sizes = (pairs[0].first, pairs[0].second, pairs[1].second)
    everybody = Registers.union(sketches).bounds().estimate
    least = 1e-3 * min(sizes)
    all_three = min(max(everybody - sum(sizes) + sum(common), least), max(least, 0.9 * min(common)))
    both = [max(number - all_three, least) for number in common]
    alone = [sizes[0] - common[0] - common[1], sizes[1] - common[0] - common[2], sizes[2] - common[1] - common[2]]
    alone = [max(number + all_three, least) for number in alone]
    return np.array([alone[0], alone[1], both[0], alone[2], both[1], both[2], all_three])


def _raised(wanted: int, sets: Sequence[int], chances: Mapping[int, Floats]) -> Floats:
    """The chance that the sets which are there, each with its chance, cover what is wanted, by value."""
    if not wanted:
        return np.ones(64)
    if not sets:
        return np.zeros(64)
    chance = chances[sets[-1]]
    return chance * _raised(wanted & ~sets[-1], sets[:-1], chances) + (1 - chance) * _raised(wanted, sets[:-1], chances)


def _likelihood(levels: Levels, rates: Floats) -> tuple[float, Floats, Floats]:
    """The log-likelihood at seven rates, its gradient and its Hessian."""
    value = 0.0
    gradient = np.zeros(7)
    hessian = np.zeros((7, 7))
    for (at, above), counts in levels.items():
        kinds = [kind for kind in _KINDS if kind & at and not kind & ~(at | above)]
        rows = [kind - 1 for kind in kinds]
        capped = counts[:63] @ _Z[:63]
        value -= capped * rates[rows].sum()
        gradient[rows] -= capped
        # Kinds that raise the same sketches of the level are one set, whose rate is their sum.
        sets = sorted({kind & at for kind in kinds})
        member = np.array([[kind & at == own for own in sets] for kind in kinds], float)
        sums = rates[rows] @ member
        none = np.exp(-np.outer(sums, _Z))
        chances = dict(zip(sets, -np.expm1(-np.outer(sums, _Z)), strict=True))
        counted = np.where(np.arange(64) > 0, counts, 0)
        covered = np.where(counted > 0, _raised(at, sets, chances), 1.0)
        value += counted @ np.log(covered)
        weights = counted / covered
        with_set = [_slope(at, sets, chances, (own,)) for own in sets]
        slopes = np.array(with_set) * _Z * none
        own_gradient = slopes @ weights
        own_hessian = -(slopes * (weights / covered)) @ slopes.T
        own_hessian[np.diag_indices(len(sets))] -= (slopes * _Z) @ weights
        for i, j in combinations(range(len(sets)), 2):
            mixed = _slope(at, sets, chances, (sets[i], sets[j])) * _Z**2 * none[i] * none[j] @ weights
            own_hessian[i, j] += mixed
            own_hessian[j, i] += mixed
        gradient[rows] += member @ own_gradient
        hessian[np.ix_(rows, rows)] += member @ own_hessian @ member.T
    return float(value), gradient, hessian


def _slope(wanted: int, sets: Sequence[int], chances: Mapping[int, Floats], by: tuple[int, ...]) -> Floats:
    """The derivative of `_raised` by the chances of the sets `by`: each chance stands in it once."""
    if not by:
        return _raised(wanted, sets, chances)
    others = [own for own in sets if own != by[0]]
    return _slope(wanted & ~by[0], others, chances, by[1:]) - _slope(wanted, others, chances, by[1:])


def _climb(levels: Levels, m: float, logs: Floats, free: npt.NDArray[np.bool_]) -> float:
    """The greatest log-likelihood, by damped Newton steps in the logarithms of the free rates; changes `logs`."""
    floor = np.log(_FLOOR / m)
    damping = 0.0
    trial = np.maximum(logs, floor)
    best = -np.inf
    for _ in range(60):
        rates = np.exp(trial)
        value, gradient, hessian = _likelihood(levels, rates)
        if value < best - 1e-7:
            damping = max(4 * damping, 1e-3)
        else:
            best = value
            damping = damping / 4 if damping > 1e-6 else 0.0
            logs[:] = trial
            slope = rates * gradient
            bend = -np.outer(rates, rates) * hessian - np.diag(slope)
            moves = free & ~((logs <= floor) & (slope <= 0))
        own = np.ix_(moves, moves)
        scale = np.diag(np.abs(np.diag(bend[own])) + np.abs(slope[moves]) + 1e-12)
        while True:
            try:
                step = np.linalg.solve(np.linalg.cholesky(system := bend[own] + damping * scale), slope[moves])
                step = np.linalg.solve(system, slope[moves])
                break
            except np.linalg.LinAlgError:
                damping = max(4 * damping, 1e-3)
        if not len(step) or slope[moves] @ step < 1e-9:
            break
        trial = logs.copy()
        trial[moves] = np.maximum(logs[moves] + step * min(1.0, 3.0 / np.abs(step).max()), floor)
    return best


def _error(levels: Levels, people: Floats, m: float) -> tuple[float, float]:
    """The standard error of the people in all three if numbers were Poisson, and the part that is left where they are fixed."""
    near = np.maximum(people, 0.5)
    _, _, hessian = _likelihood(levels, near / m)
    try:
        inverse = np.linalg.inv(-hessian * np.outer(near, near) / m**2)
    except np.linalg.LinAlgError:
        return float(near[6]), 1.0
    variance = float(inverse[6, 6])
    if not variance > 0:
        return float(near[6]), 1.0
    return float(near[6] * np.sqrt(variance)), float(np.sqrt(np.clip(1 - 1 / (near[6] * variance), 0, 1)))


def _limit(root: Callable[[float, Floats], float], others: Floats, value: float, guess: float, end: float) -> float:
    """Where `root` is `WANTED`, from the best value towards `end`; `others` begin at the best."""
    near = value
    far = end
    at = guess if (guess - end) * (value - end) > 0 else 0.5 * (value + end)
    for _ in range(40):
        height = root(at, others)
        if abs(height - WANTED) < 3e-3:
            break
        near, far = (at, far) if height < WANTED else (near, at)
        following = value + (at - value) * WANTED / max(height, 0.25 * WANTED)
        if (following - near) * (following - far) >= 0:
            following = 0.5 * (near + far) if np.isfinite(far) else value + 2 * (at - value)
        at = following
    return at
