"""Numbers with 95 % intervals: of an estimate, a mean, a share. Imports no torch."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

Z = NormalDist().inv_cdf(0.975)  # half the width of a 95 % interval, in standard errors


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error, and the least value that such a number can have."""

    value: float
    standard_error: float
    minimum: float = -math.inf

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high): the normal interval, cut off at the minimum."""
        half = Z * self.standard_error
        return max(self.value - half, self.minimum), self.value + half


def of_mean(values: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): the mean of independent values [N] and its normal interval."""
    mean = float(np.mean(values))
    half = Z * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def of_share(successes: int, n: int) -> tuple[float, float, float]:
    """(share, low, high) with Wilson's interval, which holds near 0 and 1 as well."""
    from scipy.stats import binomtest  # 1 s of import that no other number needs

    wilson = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return successes / n, float(wilson.low), float(wilson.high)
