"""KID, the kernel distance of two sets of features, and its standard error.

torch-fidelity's number, subset for subset (tests/evaluation/test_engines.py). It may be negative:
its expectation is 0 for equal distributions. The standard error has two parts: that of the
U-statistic over all pairs (delta method, as FID's), and what is left of the choice of subsets,
which are the same in every cell of one seed and as many images.
"""

import numpy as np

from ddim.evaluation.feature_arrays import (
    BLOCK_ROWS,
    centred_blocks,
    check_features,
    subsample,
)
from ddim.evaluation.intervals import Estimate

MAX_PARTNERS = 2000  # images of either side that an image is paired with for its influence


def kid(
    generated: np.ndarray, reference: np.ndarray, *, subsets: int, subset_size: int, seed: int
) -> Estimate:
    """The mean over random subsets of the unbiased MMD^2 under a cubic kernel.

    Args:
        generated: features [n,D]; may be a memory map, as may the reference.
        reference: features [m,D].
        subsets: how many are drawn.
        subset_size: images of either side in a subset, 2..min(n,m).
        seed: of the subsets.
    """
    check_features(generated=generated, reference=reference)
    _check_subset_size(subset_size, min(len(generated), len(reference)))
    rng = np.random.RandomState(seed)  # drawn from as torch-fidelity does: its very subsets
    distances = np.array(
        [
            _mmd2(
                generated[rng.choice(len(generated), subset_size, replace=False)],
                reference[rng.choice(len(reference), subset_size, replace=False)],
            )
            for _ in range(subsets)
        ]
    )
    return Estimate(float(distances.mean()), (_influence(generated, reference), distances))


def _check_subset_size(subset_size: int, smallest: int) -> None:
    if subset_size < 2:
        raise ValueError(
            "evaluate.kid_subset_size must be at least 2, for pairs of different images, "
            f"got {subset_size}"
        )
    if subset_size > smallest:
        raise ValueError(
            f"evaluate.kid_subset_size must be at most the number of images on either side, "
            f"{smallest}, got {subset_size}: lower it or raise sample.num_images"
        )


def _mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased MMD^2 of features [n,D] and [n,D] under the kernel (x.y / D + 1)^3, in float64."""
    n, x, y = len(x), x.astype(np.float64), y.astype(np.float64)
    within = sum(k.sum() - np.trace(k) for k in (_kernel(x, x), _kernel(y, y)))
    return float(within / (n * (n - 1)) - 2 * _kernel(x, y).mean())


def _influence(generated: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """2 (mean over x' of k(x_i,x') - mean over y of k(x_i,y)) of every image, [n].

    x' are all other images of a subsample, y a subsample of the reference.
    """
    x, y = (subsample(side, MAX_PARTNERS).astype(np.float64) for side in (generated, reference))
    is_partner = np.zeros(len(generated))
    is_partner[subsample(np.arange(len(generated)), MAX_PARTNERS)] = 1
    influence = [
        2 * ((_kernel(z, x).sum(1) - own * _self(z)) / (len(x) - own) - _kernel(z, y).mean(1))
        for z, own in zip(centred_blocks(generated), _split(is_partner, BLOCK_ROWS), strict=True)
    ]
    return np.concatenate(influence)


def _split(values: np.ndarray, size: int) -> list[np.ndarray]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def _self(x: np.ndarray) -> np.ndarray:
    """The kernel of each row with itself, [n]."""
    return _cubed((x * x).sum(1) / x.shape[1] + 1)


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _cubed(x @ y.T / x.shape[1] + 1)


def _cubed(k: np.ndarray) -> np.ndarray:
    """k^3 by two multiplications: numpy's k ** 3 calls pow for every entry."""
    return k * k * k
