"""The joint likelihood of two sketches: how many people are only in the first, only in the second, and in both.

Ertl 2017, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv 1702.01284), section on joint estimation. A
register's people are Poisson: of rate a in the first sketch alone, b in the second alone, x in both; a number of people is its
rate times the number of registers m. With z = 2^-k, a register that people of rate r raise holds k with the probability

    f_r(0) = exp(-r),  f_r(k) = exp(-r z) (1 - exp(-r z)) for k from 1 to 62,  f_r(63) = 1 - exp(-r 2^-62): values are capped,

and two registers hold k and l with f_(a+x)(k) f_b(l) where k < l, f_a(k) f_(b+x)(l) where k > l, and where k = l with
exp(-(a+b+x) z) [(1 - exp(-x z)) + exp(-x z) (1 - exp(-a z)) (1 - exp(-b z))]; at 0 without the bracket, at 63 the bracket alone.

Over 300 lines: one likelihood with its gradient, its climb and its limits; compiled loops call each other in one module.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from affiliates.sketches.kernels.compiler import compiled

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_DROP = 1.920729410347062
"""Half of 3.8415, the 95th percentile of chi-squared with one degree: how far a profile may lie below the best likelihood."""
_LEAST = 1e-12
"""People: a rate is never taken for less, so that no logarithm is infinite."""
FLOOR = 1e-6
"""People: fewer are none."""


@compiled
def _one_rate(counts: Counts, rate: float) -> Any:
    """Of registers that people of one rate raised, by value: their log-likelihood, and its first and second derivative."""
    likelihood = 0.0
    slope = 0.0
    bend = 0.0
    for k in range(64):
        if counts[k] == 0:
            continue
        z = 2.0 ** -min(k, 62)
        if k < 63:
            likelihood -= counts[k] * rate * z
            slope -= counts[k] * z
        if k > 0:
            # 1 / (e^y - 1), and so that neither a small y nor a large one is lost.
            odds = 1.0 / math.expm1(rate * z)
            likelihood += counts[k] * math.log(-math.expm1(-rate * z))
            slope += counts[k] * z * odds
            bend -= counts[k] * z * z * odds * (1.0 + odds)
    return likelihood, slope, bend


@compiled
def _both_alike(counts: Counts, rates: Floats, gradient: Floats, hessian: Floats) -> Any:
    """Of registers that hold the same in both sketches, by value: their log-likelihood; its derivatives are added."""
    a, b, x = rates
    likelihood = 0.0
    slope = np.empty(3)
    for k in range(64):
        if counts[k] == 0:
            continue
        n = np.float64(counts[k])
        z = 2.0 ** -min(k, 62)
        if k < 63:
            likelihood -= n * (a + b + x) * z
            for i in range(3):
                gradient[i] -= n * z
        if k == 0:
            continue
        none_a = math.exp(-a * z)
        none_b = math.exp(-b * z)
        none_x = math.exp(-x * z)
        any_a = -math.expm1(-a * z)
        any_b = -math.expm1(-b * z)
        bracket = -math.expm1(-x * z) + none_x * any_a * any_b
        likelihood += n * math.log(bracket)
        slope[0] = z * none_x * none_a * any_b / bracket
        slope[1] = z * none_x * none_b * any_a / bracket
        slope[2] = z * none_x * (1.0 - any_a * any_b) / bracket
        for i in range(3):
            gradient[i] += n * slope[i]
            for j in range(3):
                # Every second derivative of the bracket is -z times a first one, but for that by a and b.
                hessian[i, j] -= n * slope[i] * slope[j]
                if i == j or i == 2 or j == 2:
                    hessian[i, j] -= n * z * slope[min(i, j)]
                else:
                    hessian[i, j] += n * z * z * none_x * none_a * none_b / bracket
    return likelihood


@compiled
def _joint(vectors: Counts, rates: Floats, gradient: Floats, hessian: Floats) -> Any:
    """The log-likelihood of all registers at the rates a, b, x; writes its gradient (3) and its Hessian (3, 3).

    `vectors` (5, 64), by value: of registers lower in the first, what the first holds, and what the second holds; of registers
    lower in the second, what the first holds, and what the second holds; what both hold.
    """
    a, b, x = rates
    for i in range(3):
        gradient[i] = 0.0
        for j in range(3):
            hessian[i, j] = 0.0
    likelihood = 0.0
    # Of each of the four vectors, whether a, b and x are in its rate.
    for vector in range(4):
        has_a = vector == 0 or vector == 2
        has_x = vector == 0 or vector == 3
        rate = (a if has_a else b) + (x if has_x else 0.0)
        value, slope, bend = _one_rate(vectors[vector], rate)
        own = 0 if has_a else 1
        likelihood += value
        gradient[own] += slope
        hessian[own, own] += bend
        if has_x:
            gradient[2] += slope
            hessian[2, 2] += bend
            hessian[own, 2] += bend
            hessian[2, own] += bend
    return likelihood + _both_alike(vectors[4], rates, gradient, hessian)


@compiled
def _solve(matrix: Floats, right: Floats, out: Floats) -> bool:
    """Solve matrix out = right by Cholesky's factors; false, and nothing of use in `out`, where the matrix isn't positive."""
    n = len(right)
    lower = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            if i == j:
                # Not less: a comparison with nan is false.
                if not rest > 1e-14 * abs(matrix[i, i]):
                    return False
                lower[i, i] = math.sqrt(rest)
            else:
                lower[i, j] = rest / lower[j, j]
    for i in range(n):
        out[i] = right[i]
        for k in range(i):
            out[i] -= lower[i, k] * out[k]
        out[i] /= lower[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            out[i] -= lower[k, i] * out[k]
        out[i] /= lower[i, i]
    return True


@compiled
def _climb(vectors: Counts, m: float, base: Floats, ways: Floats, logs: Floats) -> Any:
    """The greatest log-likelihood at rates base + sum of exp(logs[i]) ways[i], by damped Newton steps; changes `logs` (n)."""
    n = len(logs)
    floor = math.log(FLOOR / m)
    rates = np.empty(3)
    gradient = np.empty(3)
    hessian = np.empty((3, 3))
    slope = np.zeros(n)
    bend = np.zeros((n, n))
    system = np.empty((n, n))
    step = np.zeros(n)
    trial = np.empty(n)
    for i in range(n):
        trial[i] = max(logs[i], floor)
    damping = 0.0
    best = -np.inf
    for _ in range(200):
        for k in range(3):
            rates[k] = base[k]
            for i in range(n):
                rates[k] += math.exp(trial[i]) * ways[i, k]
            rates[k] = max(rates[k], _LEAST / m)
        value = _joint(vectors, rates, gradient, hessian)
        if value < best - 1e-7:  # Too far: nearer to the last point, by more damping.
            damping = max(4.0 * damping, 1e-3)
        else:
            best = value
            damping = damping / 4.0 if damping > 1e-6 else 0.0
            for i in range(n):
                logs[i] = trial[i]
                slope[i] = 0.0
                for k in range(3):
                    slope[i] += math.exp(logs[i]) * ways[i, k] * gradient[k]
            for i in range(n):
                for j in range(n):
                    bend[i, j] = -slope[i] if i == j else 0.0
                    for k in range(3):
                        for h in range(3):
                            bend[i, j] -= math.exp(logs[i] + logs[j]) * ways[i, k] * ways[j, h] * hessian[k, h]
            for i in range(n):
                if logs[i] <= floor and slope[i] <= 0.0:  # At none, and rather fewer: left there.
                    slope[i] = 0.0
                    for j in range(n):
                        bend[i, j] = bend[j, i] = 0.0
                    bend[i, i] = 1.0
        while True:
            for i in range(n):
                for j in range(n):
                    system[i, j] = bend[i, j]
                system[i, i] += damping * (abs(bend[i, i]) + abs(slope[i]) + 1e-12)
            if _solve(system, slope, step):
                break
            damping = max(4.0 * damping, 1e-3)
        gain = 0.0
        longest = 0.0
        for i in range(n):
            gain += slope[i] * step[i]
            longest = max(longest, abs(step[i]))
        if gain < 1e-13:
            break
        for i in range(n):
            trial[i] = max(logs[i] + step[i] * min(1.0, 3.0 / longest), floor)
    return best


@compiled
def _one_sketch(counts: Counts) -> Any:
    """The likeliest rate of one sketch's people by its registers' values (64), any of which is raised."""
    log = 0.0
    for _ in range(100):
        rate = math.exp(log)
        _, slope, bend = _one_rate(counts, rate)
        # In the logarithm of the rate the likelihood is concave, so Newton's steps arrive from anywhere.
        curve = -(bend * rate * rate + slope * rate)
        step = min(3.0, max(-3.0, slope * rate / curve)) if curve > 0.0 else 3.0
        log = min(log + step, 200.0)
        if abs(step) < 1e-12:
            break
    return math.exp(log)


@compiled
def _best_at(vectors: Counts, m: float, row: int, value: float, logs: Floats) -> Any:
    """The greatest log-likelihood where the number of a row of `limits` is held at a value.

    `logs` (2) are the logarithms of the other two: rates, or the rate of all in the share's sketch before that of the others.
    """
    base = np.zeros(3)
    ways = np.zeros((2, 3))
    if row == 0:
        base[2] = value
        ways[0, 0] = ways[1, 1] = 1.0
    elif row == 1:
        base[0] = value
        ways[0, 1] = ways[1, 2] = 1.0
    elif row == 2:
        base[1] = value
        ways[0, 0] = ways[1, 2] = 1.0
    else:
        ways[0, row - 3] = 1.0 - value
        ways[0, 2] = value
        ways[1, 4 - row] = 1.0
    return _climb(vectors, m, base, ways, logs)


@compiled
def _limit(vectors: Counts, m: float, row: int, best: float, value: float, logs: Floats, guess: float, end: float) -> Any:
    """Where the profile of a row of `limits` lies `_DROP` below the best likelihood, from the best value towards `end`.

    Where the profile at `end`, which may be infinite, lies within, that is the limit. `logs`: the others at the best value, as in
    `_best_at`.
    """
    wanted = math.sqrt(2.0 * _DROP)
    if value == end:
        return end
    if (end - value) * (guess - value) <= 0.0:
        guess = 0.5 * (value + end) if math.isfinite(end) else value + max(value, 1.0 / m)
    near = value
    far = end
    others = np.empty(2)
    others[0] = logs[0]
    others[1] = logs[1]
    # The end comes first: where even that lies within, nothing else is to be looked for.
    at = end if math.isfinite(end) else guess
    for turn in range(60):
        root = math.sqrt(2.0 * max(0.0, best - _best_at(vectors, m, row, at, others)))
        if abs(root - wanted) < 1e-3 or (at == end and root < wanted):
            return at
        if root < wanted:
            near = at
        else:
            far = at
        # The root of the drop is nearly straight from the best value on.
        following = value + (at - value) * wanted / max(root, 0.25 * wanted)
        if at == end:
            others[0] = logs[0]
            others[1] = logs[1]
            following = guess
        if (following - near) * (following - far) >= 0.0 or turn % 6 == 5:
            following = 0.5 * (near + far) if math.isfinite(far) else value + 2.0 * (at - value)
        at = following
    return at


@compiled
def fit(vectors: Counts, single: Counts, m: float, logs: Floats) -> Any:
    """Fit the joint likelihood to `vectors` (5, 64) as `_joint` takes them, of m registers; neither sketch is empty.

    `single` (3, 64): how many registers hold each value in the first, in the second, and in their union. Writes to `logs` (3) the
    logarithms of the likeliest rates in the first alone, in the second alone and in both. Returns the log-likelihood there, and
    the number of people in both by inclusion and exclusion of the three sketches' own likeliest numbers.
    """
    first = _one_sketch(single[0])
    second = _one_sketch(single[1])
    common = first + second - _one_sketch(single[2])
    smaller = min(first, second)
    x = min(max(common, 1e-3 * smaller), 0.999 * smaller)
    base = np.zeros(3)
    ways = np.zeros((3, 3))
    for i in range(3):
        ways[i, i] = 1.0
    logs[0] = math.log(first - x)
    logs[1] = math.log(second - x)
    logs[2] = math.log(x)
    best = _climb(vectors, m, base, ways, logs)
    # Compared with the best without anybody in both: the likelihood isn't concave, and might have led elsewhere.
    apart = np.empty(2)
    apart[0] = math.log(first)
    apart[1] = math.log(second)
    best_apart = _best_at(vectors, m, 0, 0.0, apart)
    if best_apart >= best:
        best = best_apart
        logs[0] = apart[0]
        logs[1] = apart[1]
        logs[2] = math.log(FLOOR / m)
    return best, common * m


@compiled
def limits(vectors: Counts, m: float, best: float, logs: Floats, errors: Floats, out: Floats) -> None:
    """Write the 95 % interval of each row, from what `fit` gave: values whose profile likelihood is within `_DROP` of the best.

    Rows are rates in both, in the first alone and in the second alone, and the shares of the first and of the second that are in
    both. `errors` (5): about how far each errs, to begin with. To `out` (5, 4): the likeliest value, the limits, and the root of
    twice what the best likelihood lies above the best with a value of 0.
    """
    a = math.exp(logs[0])
    b = math.exp(logs[1])
    x = math.exp(logs[2])
    others = np.empty(2)
    held = np.empty(2)
    for row in range(5):
        others[0] = logs[(0, 1, 0, 0, 0)[row]]
        others[1] = logs[(1, 2, 2, 1, 0)[row]]
        least = 2.0 * FLOOR / m
        if row < 3:
            value = (x, a, b)[row]
        else:
            whole = (a, b)[row - 3] + x
            others[0] = math.log(whole)
            others[1] = logs[4 - row]
            value = x / whole
            least /= whole
        if value < least:
            value = 0.0
        elif row > 2 and value > 1.0 - least:
            value = 1.0
        out[row, 0] = value
        for side in range(2):
            guess = value + (-1.0, 1.0)[side] * math.sqrt(2.0 * _DROP) * errors[row]
            end = 0.0 if side == 0 else np.inf if row < 3 else 1.0
            out[row, 1 + side] = _limit(vectors, m, row, best, value, others, guess, end)
        held[0] = others[0]
        held[1] = others[1]
        out[row, 3] = math.sqrt(2.0 * max(0.0, best - _best_at(vectors, m, row, 0.0, held))) if value > 0.0 else 0.0
