"""What the sections compute from their measurements: orders, distances, tests for normality."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


def order(steps: Sequence[int], errors: Sequence[float], longest: int | None = None) -> float:
    """The p of error ~ S^-p by least squares on logarithms.

    With `longest`, the errors are distances to the solution of `longest` steps, which has an error
    of its own: the model is then error ~ S^-p - longest^-p, fitted on a fine grid of p.
    """
    log_e = np.log(np.asarray(errors))
    log_s = np.log(np.asarray(steps, dtype=np.float64))
    if longest is None:
        return -float(np.polyfit(log_s, log_e, 1)[0])

    def misfit(p: float) -> float:
        residual = log_e - np.log(np.exp(-p * log_s) - float(longest) ** -p)
        return float(residual.var())

    candidates = np.arange(0.2, 4.0, 0.001)
    return float(candidates[np.argmin([misfit(p) for p in candidates])])


def unrelated_distance(values: np.ndarray) -> float:
    """The mean distance of two rows of `values` [N,D]: each one and the next."""
    return float(np.linalg.norm(values - np.roll(values, 1, axis=0), axis=1).mean())


class Moments(NamedTuple):
    """The first four moments; 0, 1, 0 and 0 for a standard normal."""

    mean: float
    variance: float
    skewness: float
    excess_kurtosis: float


def moments(values: np.ndarray) -> Moments:
    """Moments of all entries of `values`."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    mean, variance = float(flat.mean()), float(flat.var())
    return Moments(mean, variance, float(stats.skew(flat)), float(stats.kurtosis(flat)))


class ChiTest(NamedTuple):
    """A Kolmogorov-Smirnov test of norms against the chi distribution."""

    distance: float
    p_value: float


def chi_test(norms: np.ndarray, d: int) -> ChiTest:
    """Whether norms [N] may be those of draws from N(0, I_d)."""
    tested = stats.kstest(norms, stats.chi(d).cdf)
    return ChiTest(float(tested.statistic), float(tested.pvalue))
