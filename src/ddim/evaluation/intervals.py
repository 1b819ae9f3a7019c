"""95 % intervals: how wide, of a mean, of a share, and when two of them may be one. No torch."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

Z = NormalDist().inv_cdf(0.975)  # half the width of a 95 % interval, in standard errors


def of_mean(values: np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): the mean of independent values [N] and its normal interval."""
    mean = float(np.mean(values))
    half = Z * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def of_share(successes: int, n: int) -> tuple[float, float, float]:
    """(share, low, high) with Wilson's interval, which holds near 0 and 1 as well."""
    p, z2 = successes / n, Z**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return p, max(centre - half, 0.0), min(centre + half, 1.0)


def overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether [low, high] and [low, high] share a point: the difference may be chance."""
    return max(one[0], other[0]) <= min(one[1], other[1])
