"""FID, the Frechet distance of two Gaussians fitted to features, and its standard error.

    |m - m_r|^2 + tr(S) + tr(S_r) - 2 tr((F' S F)^(1/2)),   F F' = S_r,

in float64 and in this symmetric form, whose eigenvalues are real and cheap: torch-fidelity's and
torchmetrics' number (tests/evaluation/test_engines.py; benchmarks/parts/statistics.py times it).

The standard error is the delta method's: the distance moves by influence(x_i) / n when image i gets
a little more weight, so it is std(influence) / sqrt(n). Where image i of two cells comes from the
same noise, that of the difference is std(influence_1 - influence_2) / sqrt(n). Its interval holds
for the expected number at this n against this very reference, which is what cells of one table have
in common; it covers neither FID's bias at small n (see the floor) nor another reference. Simulated
coverage is 93 to 100 %, too wide rather than too narrow where n is not much larger than D
(test_intervals.py, test_influences.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyrk

from ddim.evaluation.feature_arrays import (
    centred_blocks,
    check_features,
    check_same_dim,
)
from ddim.evaluation.intervals import Estimate

PARTITIONS = (1, 2, 4)  # into how many parts the images are divided for the extrapolation
Moments = tuple[np.ndarray, np.ndarray]  # float64: a mean [D] and a covariance [D,D]


@dataclass(frozen=True)
class ReferenceStatistics:
    """What FID needs of the reference images, computed once for all cells."""

    n: int
    mean: np.ndarray  # float64 [D]
    factor: np.ndarray  # float64 [D,D]: F with F F' the covariance

    @classmethod
    def of(cls, features: np.ndarray) -> "ReferenceStatistics":
        """From features [n,D] of the reference images."""
        check_features(reference=features)
        mean, covariance = moments(features)
        return cls(len(features), mean, _factor(covariance))


def moments(features: np.ndarray) -> Moments:
    """Mean [D] and unbiased covariance [D,D], float64, of features [n,D] with n of at least 2."""
    mean = features.mean(0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)), order="F")
    for z in centred_blocks(features, mean):
        # z' z is added in place, and only its upper half: `python -m benchmarks statistics`.
        scatter = dsyrk(1.0, z.T, beta=1.0, c=scatter, overwrite_c=True)
    upper = np.triu(scatter) / (len(features) - 1)
    return mean, upper + np.triu(upper, 1).T


def fid(generated: np.ndarray, reference: ReferenceStatistics) -> Estimate:
    """Frechet distance of features [n,D] to the reference; a square, in the features' unit.

    Its influence function follows from d tr((F' S F)^(1/2)) = tr(B' dS B) / 2, where B B' is
    F (F' S F)^(-1/2) F', the optimal transport from N(0,S) to N(0,S_r).
    """
    check_features(generated=generated)
    mean, covariance = moments(generated)
    check_same_dim(generated=len(mean), reference=len(reference.mean))
    F, offset = reference.factor, mean - reference.mean
    w, V = np.linalg.eigh(F.T @ covariance @ F)
    value = _distance(mean, covariance, reference, w)

    nonzero = w > w[-1] * len(w) * np.finfo(w.dtype).eps  # with n <= D some directions are empty
    B = (F @ V[:, nonzero]) / w[nonzero] ** 0.25
    influence = np.concatenate(
        [
            2 * z @ offset + (z * z).sum(1) - np.square(z @ B).sum(1)
            for z in centred_blocks(generated, mean)
        ]
    )
    return Estimate(max(value, 0.0), (influence,), minimum=0.0)  # rounding can go below 0


def fid_infinite(generated: np.ndarray, reference: ReferenceStatistics) -> float | None:
    """FID of infinitely many images, by Chong and Forsyth 2020: a line in 1/n, read at 0.

    The line is fitted to the FIDs of all n features [n,D] and to the means over their halves and
    quarters; up to three features at the end are left out, so that these are equal. To first order
    its error is that of FID itself. None where a quarter has no more images than dimensions, so
    that its covariance is singular. May be negative near the floor.

    Values alone: features are read once, since the moments of a half are those of its quarters.
    """
    check_features(generated=generated)
    parts = max(PARTITIONS)
    size = len(generated) // parts
    if size <= generated.shape[1]:
        return None
    smallest = [moments(generated[i * size : (i + 1) * size]) for i in range(parts)]
    sizes, values = [], []
    for k in PARTITIONS:
        together = parts // k
        groups = [smallest[i : i + together] for i in range(0, parts, together)]
        sizes.append(1 / (size * together))
        values.append(np.mean([_value(*_merged(group, size), reference) for group in groups]))
    return float(np.polyfit(sizes, values, 1)[1])


def _merged(parts: Sequence[Moments], size: int) -> Moments:
    """Mean and covariance of all features of parts, of `size` features each."""
    means = np.array([mean for mean, _ in parts])
    within = np.sum([covariance for _, covariance in parts], axis=0) * (size - 1)
    apart = means - means.mean(0)
    return means.mean(0), (within + size * apart.T @ apart) / (size * len(parts) - 1)


def _value(mean: np.ndarray, covariance: np.ndarray, reference: ReferenceStatistics) -> float:
    """The Frechet distance of a mean and a covariance: eigenvalues alone, no vectors."""
    F = reference.factor
    w = np.linalg.eigvalsh(F.T @ covariance @ F)
    return max(_distance(mean, covariance, reference, w), 0.0)


def _distance(
    mean: np.ndarray, covariance: np.ndarray, reference: ReferenceStatistics, w: np.ndarray
) -> float:
    """The formula above, from the eigenvalues w of F' S F."""
    offset, F = mean - reference.mean, reference.factor
    apart = offset @ offset + np.trace(covariance) + (F * F).sum()
    return float(apart - 2 * np.sqrt(w.clip(0)).sum())


def _factor(covariance: np.ndarray) -> np.ndarray:
    """F with F F' = covariance: Cholesky's, or the eigenvectors' where it is singular (n <= D)."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        eigenvalues, vectors = np.linalg.eigh(covariance)
        return vectors * np.sqrt(eigenvalues.clip(0))
