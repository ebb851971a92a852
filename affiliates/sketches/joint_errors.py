"""How far the joint fit of two sketches errs, from the expected information of the likelihood in `kernels.joint`. Pure.

The likelihood is of Poisson numbers, and the people of two sketches are a fixed number. So the covariance of the three numbers is
the inverse of the information less their Poisson variances, which are the numbers themselves. In sketches with few people that is
nearly all of the inverse: what little is left is the error.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_PERSON = 0.5
"""People: what a number near none is taken for; at none the information of a sketch with few people is infinite."""
_LEVELS = 0.5 ** np.minimum(np.arange(64), 62)
"""z of each value."""
_BELOW = np.arange(64)[:, None] < np.arange(64)
_DIAGONAL = np.arange(64)


class Errors(NamedTuple):
    """Of people in both, in the first alone, in the second alone, and of the shares of the first and the second in both (5)."""

    standard: Floats
    """Standard errors if numbers were Poisson: in people, and of shares as parts of 1."""
    left: Floats
    """The part of these that is left with fixed numbers, from 0 to 1."""


def errors_of(people: Floats, m: float) -> Errors:
    """The errors of a fit of m registers that gave `people` in the first alone, in the second alone and in both."""
    near = np.maximum(people, _PERSON)
    # By logarithms of the numbers, which may lie ten powers of ten apart.
    relative = information(near / m) * np.outer(near, near) / m
    try:
        inverse = np.linalg.inv(relative)
    except np.linalg.LinAlgError:  # Registers so full or so few that a number leaves no trace in them.
        inverse = np.eye(3)
    a, b, x = range(3)
    # A share x / (a + x) errs by share (1 - share) times the error of log x - log a.
    shares = near[x] / (near[x] + near[:2])
    sizes = np.append(near[[x, a, b]], shares * (1 - shares))
    apart = [inverse[i, i] + inverse[x, x] - 2 * inverse[i, x] for i in (a, b)]
    variances = np.maximum(np.append(np.diag(inverse)[[x, a, b]], apart), np.finfo(float).tiny)
    poisson = np.append(1 / near[[x, a, b]], 1 / near[:2] + 1 / near[x])
    return Errors(sizes * np.sqrt(variances), np.sqrt(np.clip(1 - poisson / variances, 0, 1)))


def information(rates: Floats) -> Floats:
    """The expected information (3, 3) of one register of each sketch on the rates a, b, x, over all 64 x 64 pairs of values."""
    a, b, x = rates
    (f_ax, s_ax), (f_b, s_b), (f_bx, s_bx), (f_a, s_a) = (_one_rate(rate) for rate in (a + x, b, b + x, a))
    chances = np.where(_BELOW, np.outer(f_ax, f_b), np.outer(f_a, f_bx))
    slopes = np.empty((3, 64, 64))
    slopes[0] = np.where(_BELOW, s_ax[:, None], s_a[:, None])
    slopes[1] = np.where(_BELOW, s_b, s_bx)
    slopes[2] = np.where(_BELOW, s_ax[:, None], s_bx)
    chances[_DIAGONAL, _DIAGONAL], slopes[:, _DIAGONAL, _DIAGONAL] = _alike(rates)
    flat = slopes.reshape(3, -1)
    expected: Floats = (flat * chances.ravel()) @ flat.T
    return expected


def _one_rate(rate: float) -> tuple[Floats, Floats]:
    """The chance of each value of a register that people of one rate raise, and the derivative of its logarithm by the rate."""
    with np.errstate(over="ignore"):  # Where a value is out of reach, its derivative's second part is 0.
        slopes = _LEVELS / np.expm1(rate * _LEVELS)
    slopes[0] = 0.0
    slopes[:63] -= _LEVELS[:63]
    chances = -np.expm1(-rate * _LEVELS)
    chances[0] = 1.0
    chances[:63] *= np.exp(-rate * _LEVELS[:63])
    return chances, slopes


def _alike(rates: Floats) -> tuple[Floats, Floats]:
    """The chance that both registers hold a value, for each of 64, and the derivatives (3, 64) of its logarithm."""
    none_a, none_b, none_x = np.exp(-np.outer(rates, _LEVELS))
    any_a, any_b, any_x = -np.expm1(-np.outer(rates, _LEVELS))
    chances = any_x + none_x * any_a * any_b
    slopes = _LEVELS * none_x * np.stack((none_a * any_b, none_b * any_a, 1 - any_a * any_b)) / chances
    slopes[:, 0] = 0.0
    chances[0] = 1.0
    slopes[:, :63] -= _LEVELS[:63]
    chances[:63] *= np.exp(-rates.sum() * _LEVELS[:63])
    return chances, slopes
