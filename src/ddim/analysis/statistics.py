"""What the sections compute from their measurements: orders, distances, tests for normality."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch


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
    """The mean distance of two rows of `values` [N,D]: each one and its neighbour."""
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
    mean, std = flat.mean(), flat.std()
    z = (flat - mean) / std
    return Moments(float(mean), float(std**2), float((z**3).mean()), float((z**4).mean() - 3))


def chi_cdf(norms: np.ndarray, d: int) -> np.ndarray:
    """P(|z| <= r) for z ~ N(0, I_d)."""
    half_square = torch.from_numpy(np.asarray(norms, dtype=np.float64) ** 2 / 2)
    found = torch.special.gammainc(torch.full_like(half_square, d / 2), half_square)
    return np.asarray(found.numpy())


def chi_density(r: np.ndarray, d: int) -> np.ndarray:
    """The density of |z| for z ~ N(0, I_d)."""
    constant = (d / 2 - 1) * math.log(2) + math.lgamma(d / 2)
    return np.asarray(np.exp((d - 1) * np.log(r) - r**2 / 2 - constant))


def kolmogorov_smirnov(cdf_values: np.ndarray) -> tuple[float, float]:
    """(distance, p-value) of a sample whose cdf values should be uniform on [0, 1].

    The p-value is Kolmogorov's limit with Stephens' correction for finite n.
    """
    u, n = np.sort(cdf_values), len(cdf_values)
    above = np.max(np.arange(1, n + 1) / n - u)
    below = np.max(u - np.arange(n) / n)
    distance = float(max(above, below))
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    if x < 0.3:  # the series converges slowly, and the value is 1 to nine digits
        return distance, 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))
    return distance, min(max(sum(terms), 0.0), 1.0)
