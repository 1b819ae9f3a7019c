"""Numbers from features [n,D]: FID, KID, precision, recall, Inception score; and Table 2's error.

FID is the Frechet distance of two Gaussians,

    |m - m_r|^2 + tr(S) + tr(S_r) - 2 tr((F' S F)^(1/2)),   F F' = S_r,

in float64 and in this symmetric form, whose eigenvalues are real and cheap: torch-fidelity's and
torchmetrics' number (benchmarks/metrics.py times it). KID, precision and recall are its numbers
too, without its five seconds of import in every cell; the tests compare all of them.

Intervals are 95 %, by the delta method: the statistic moves by influence(x_i) / n when image i gets
a little more weight, so its standard error is std(influence) / sqrt(n). They hold for the expected
number at this n against this very reference, which is what cells of one table have in common; they
do not cover FID's bias at small n (see the floor) nor another reference. Simulated coverage is
93 to 99 %, too wide rather than too narrow where n is not much larger than D
(tests/test_metrics.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from scipy.linalg.blas import dsyrk

from ddim.config.schema import Evaluate
from ddim.evaluation import precision_recall as balls
from ddim.evaluation.intervals import Z
from ddim.runtime.files import replacing

INTERVAL = "95 %, delta method over the generated images, reference held fixed"
Head = Callable[[np.ndarray], np.ndarray]  # features float32 [k,D] -> logits float32 [k,K]
ROWS = 4096  # features turned to float64 at a time
INFLUENCES = 2000  # images, at most, whose influence is computed: that gives std to 2 %
SPLITS = 10  # of the Inception score, as in its paper


class Estimate(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    interval: list[float]  # [low, high]


@dataclass(frozen=True)
class Reference:
    """What FID needs of the reference images, computed once for all cells."""

    n: int
    mean: np.ndarray  # float64 [D]
    factor: np.ndarray  # float64 [D,D]: F with F F' the covariance

    @classmethod
    def of(cls, features: np.ndarray) -> "Reference":
        """From features [n,D] of the reference images."""
        mean, covariance = moments(features)
        return cls(len(features), mean, _factor(covariance))

    def save(self, path: Path) -> None:
        """Write to `path` (.npz), whole or not at all."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, n=self.n, mean=self.mean, factor=self.factor)

    @classmethod
    def load(cls, path: Path) -> "Reference":
        """What `save` wrote; FileNotFoundError or ValueError names the file."""
        try:
            with np.load(path) as arrays:
                return cls(int(arrays["n"]), arrays["mean"], arrays["factor"])
        except FileNotFoundError:
            raise FileNotFoundError(f"{path} is missing: run the reference stage") from None
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise ValueError(f"{path} is broken ({error}): run the reference stage") from None


def measure(
    generated: np.ndarray,
    reference: np.ndarray,
    evaluate: Evaluate,
    *,
    seed: int,
    statistics: Reference | None = None,
    radii: np.ndarray | None = None,
    head: Head | None = None,
    device: torch.device | str = "cpu",
) -> dict[str, Any]:
    """Every number of one cell, under the names that reports/<name>/cells/<cell>.json uses.

    Args:
        generated: features float32 [n,D] of the generated images; may be a memory map, as may
            the reference: both are read in blocks.
        reference: features float32 [m,D] of the reference images.
        evaluate: the configured details.
        seed: of KID's subsets and the Inception score's split.
        statistics, radii: Reference.of(reference) and the radii of ddim.evaluation.precision_recall.some of it,
            where they are at hand.
        head: gives the logits of features; None leaves out the Inception score.
        device: where distances between features are computed.

    Raises:
        ValueError: other D on the two sides, too few images (names the key), values not finite.
    """
    frechet = fid(generated, statistics or Reference.of(reference))
    kernel = kid(
        generated,
        reference,
        subsets=evaluate.kid_subsets,
        subset_size=evaluate.kid_subset_size,
        seed=seed,
    )
    precision, recall = precision_recall(
        generated, reference, neighbours=evaluate.neighbours, radii=radii, device=device
    )
    return {
        "n_generated": len(generated),
        "n_reference": len(reference),
        "fid": frechet.value,
        "fid_interval": frechet.interval,
        "kid": kernel.value,
        "kid_interval": kernel.interval,
        "n_paired": [len(balls.some(side)) for side in (generated, reference)],
        "precision": precision,
        "recall": recall,
        "inception_score": None if head is None else inception_score(generated, head, seed=seed),
        "interval": INTERVAL,
    }


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and unbiased covariance [D,D], float64, of features [n,D] with n of at least 2."""
    _check(features)
    mean = features.mean(0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)), order="F")
    for z in _centred(features, mean):
        # z' z is added in place, and only its upper half is computed: benchmarks/metrics.py.
        scatter = dsyrk(1.0, z.T, beta=1.0, c=scatter, overwrite_c=True)
    upper = np.triu(scatter) / (len(features) - 1)
    return mean, upper + np.triu(upper, 1).T


def fid(generated: np.ndarray, reference: Reference) -> Estimate:
    """Frechet distance of features [n,D] to the reference; a square, in the features' unit.

    Its influence function follows from d tr((F' S F)^(1/2)) = tr(B' dS B) / 2, where B B' is
    F (F' S F)^(-1/2) F', the optimal transport from N(0,S) to N(0,S_r).
    """
    mean, covariance = moments(generated)
    _same_width(len(mean), len(reference.mean))
    F, offset = reference.factor, mean - reference.mean
    w, V = np.linalg.eigh(F.T @ covariance @ F)
    value = offset @ offset + np.trace(covariance) + (F * F).sum() - 2 * np.sqrt(w.clip(0)).sum()

    there = w > w[-1] * len(w) * np.finfo(w.dtype).eps  # with n <= D some directions are empty
    B = (F @ V[:, there]) / w[there] ** 0.25
    z = _some(generated) - mean
    influence = 2 * z @ offset + (z * z).sum(1) - np.square(z @ B).sum(1)
    error = influence.std(ddof=1) / len(generated) ** 0.5
    return _estimate(max(float(value), 0.0), error, lowest=0.0)  # rounding can go below 0


def kid(
    generated: np.ndarray, reference: np.ndarray, *, subsets: int, subset_size: int, seed: int
) -> Estimate:
    """Kernel distance: the mean over random subsets of the unbiased MMD^2 under a cubic kernel.

    torch-fidelity's number, subset for subset.

    It may be negative: its expectation is 0 for equal distributions. The standard error has two
    parts: that of the U-statistic over all pairs, and what is left of the choice of subsets.
    """
    _check(generated, reference)
    smallest = min(len(generated), len(reference))
    if subset_size > smallest:
        raise ValueError(
            f"evaluate.kid_subset_size must be at most the number of images on either side, "
            f"{smallest}, got {subset_size}: lower it or raise sample.num_images"
        )
    rng = np.random.RandomState(seed)  # drawn from as torch-fidelity does: its very subsets
    found = np.array(
        [
            _mmd2(
                generated[rng.choice(len(generated), subset_size, replace=False)],
                reference[rng.choice(len(reference), subset_size, replace=False)],
            )
            for _ in range(subsets)
        ]
    )
    choice = found.std() / subsets**0.5
    images = _kid_influence(generated, reference).std(ddof=1) / len(generated) ** 0.5
    return _estimate(float(found.mean()), np.hypot(choice, images))


def _mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased MMD^2 of features [n,D] and [n,D] under the kernel (x.y / D + 1)^3, in float64."""
    n, x, y = len(x), x.astype(np.float64), y.astype(np.float64)
    within = sum(k.sum() - np.trace(k) for k in (_cubic(x, x), _cubic(y, y)))
    return float(within / (n * (n - 1)) - 2 * _cubic(x, y).mean())


def precision_recall(
    generated: np.ndarray,
    reference: np.ndarray,
    *,
    neighbours: int,
    radii: np.ndarray | None = None,
    device: torch.device | str = "cpu",
) -> tuple[float, float]:
    """Share of generated images within the reference's k-nearest-neighbour balls, and vice versa.

    Kynkaanniemi et al. 2019, with at most 50,000 images on either side (ddim.evaluation.precision_recall.some).
    `radii` are those of the reference's images, where they are at hand.
    """
    _check(generated, reference)
    generated, reference = balls.some(generated), balls.some(reference)
    smallest = min(len(generated), len(reference))
    if neighbours >= smallest:
        raise ValueError(
            f"evaluate.neighbours must be less than the number of images on either side, "
            f"{smallest}, got {neighbours}: lower it or raise sample.num_images"
        )
    if radii is None:
        radii = balls.radii(reference, neighbours, device)
    own = balls.radii(generated, neighbours, device)
    precision = balls.covered(generated, reference, radii, device)
    return precision, balls.covered(reference, generated, own, device)


def inception_score(features: np.ndarray, head: Head, *, seed: int) -> float:
    """exp of the mean KL(p(y|x) || p(y)) over features [n,D], mean over 10 splits.

    torch-fidelity's number, split for split: one split's logits are in memory at a time.
    """
    _check(features)
    n = len(features)
    if n < SPLITS:
        raise ValueError(
            f"the Inception score needs at least {SPLITS} images, got {n}: raise sample.num_images"
        )
    from torch_fidelity.metric_isc import isc_features_to_metric

    shuffled = np.random.RandomState(seed).permutation(n)  # as torch-fidelity shuffles
    scores = []
    for i in range(SPLITS):
        logits = head(features[shuffled[i * n // SPLITS : (i + 1) * n // SPLITS]])
        found = isc_features_to_metric(torch.tensor(logits), splits=1, shuffle=False)
        scores.append(found["inception_score_mean"])
    return float(np.mean(scores))


def reconstruction_error(squared: np.ndarray) -> Estimate:
    """Table 2: the mean of ddim.images.squared_errors [N], and its interval over images."""
    if len(squared) < 2:
        raise ValueError(
            f"reconstruct.num_images must be at least 2, for an interval over images; got {len(squared)}"
        )
    if not np.isfinite(squared).all():
        raise ValueError("the decoded images are not finite: check train and its weights")
    error = squared.std(ddof=1) / len(squared) ** 0.5
    return _estimate(float(squared.mean()), error, lowest=0.0)


def _check(*sides: np.ndarray) -> None:
    """Refuse what is no feature array [n,D], flattened ones above all, or is not finite."""
    for features in sides:
        assert features.ndim == 2, features.shape
        if len(features) < 2:
            raise ValueError(
                f"statistics need at least 2 images (sample.num_images), got {len(features)}"
            )
        if not np.isfinite(features.sum(dtype=np.float64)):
            raise ValueError("the features are not finite: check the images and the extractor")
    _same_width(*(features.shape[1] for features in sides))


def _same_width(*widths: int) -> None:
    if len(set(widths)) > 1:
        raise ValueError(
            f"generated and reference features have {' and '.join(map(str, widths))} dimensions: "
            "they come from different extractors; run the reference stage again"
        )


def _factor(covariance: np.ndarray) -> np.ndarray:
    """F with F F' = covariance: Cholesky's, or the eigenvectors' where it is singular (n <= D)."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        eigenvalues, vectors = np.linalg.eigh(covariance)
        return vectors * np.sqrt(eigenvalues.clip(0))


def _centred(features: np.ndarray, mean: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of rows less the mean, in float64, one after the other in the same memory."""
    room = np.empty((min(ROWS, len(features)), len(mean)))
    for start in range(0, len(features), ROWS):
        block = features[start : start + ROWS]
        yield np.subtract(block, mean, out=room[: len(block)])


def _estimate(value: float, error: float, *, lowest: float = -np.inf) -> Estimate:
    return Estimate(value, [max(value - Z * float(error), lowest), value + Z * float(error)])


def _kid_influence(generated: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """2 (mean over x' of k(x_i,x') - mean over y of k(x_i,y)) for some generated images, [k]."""
    x, y = _some(generated), _some(reference)
    within = _cubic(x, x)
    np.fill_diagonal(within, 0)
    return 2 * (within.sum(1) / (len(x) - 1) - _cubic(x, y).mean(1))


def _cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _some(features: np.ndarray) -> np.ndarray:
    """At most INFLUENCES rows, evenly spread (a real split may be sorted by class), in float64."""
    n = len(features)
    rows = np.linspace(0, n - 1, min(n, INFLUENCES)).astype(int)
    return features[rows].astype(np.float64)
