"""Numbers with 95 % intervals: of an estimate, a mean, a share. Imports no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

Z = NormalDist().inv_cdf(0.975)  # half the width of a 95 % interval, in standard errors


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number, what its error is made of, and the least value that such a number can have.

    parts: independent sources of error, each the contributions [k] of k independent draws (of every
    image, of every subset): the number moves with their mean. Two numbers whose draws are the same
    differ by the mean of the differences.
    """

    value: float
    parts: tuple[np.ndarray, ...]
    minimum: float = -math.inf

    @property
    def standard_error(self) -> float:
        """The root of the parts' squared standard errors."""
        return math.sqrt(covariance(self.parts, self.parts))

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high): the normal interval, cut off at the minimum."""
        half = Z * self.standard_error
        return max(self.value - half, self.minimum), self.value + half


def covariance(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """Of two numbers with parts of the same draws (see `Estimate`)."""
    total = 0.0
    for a, b in zip(first, second, strict=True):
        assert a.shape == b.shape, (a.shape, b.shape)
        total += float(np.mean((a - a.mean()) * (b - b.mean()))) / (len(a) - 1)
    return total


def standard_error(value: float, high: float) -> float:
    """Of a number whose normal interval ends at `high`."""
    return (high - value) / Z


def of_mean(values: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): the mean of independent values [N], N > 1, and Student's interval."""
    from scipy.special import stdtrit  # takes a second to import

    mean = float(np.mean(values))
    t = float(stdtrit(len(values) - 1, 0.975))
    half = t * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def of_share(successes: int, n: int) -> tuple[float, float, float]:
    """(share, low, high) with Wilson's interval, which holds near 0 and 1 as well."""
    p, z2 = successes / n, Z**2  # written out: scipy's takes 1 s to import
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    # At the ends of the range rounding leaves a little more or less than nothing.
    return p, centre - half if successes else 0.0, centre + half if successes < n else 1.0
