"""KID: the unbiased estimate over all pairs, and what it refuses."""

import numpy as np
import pytest
from helpers.gaussians import gaussian

from ddim.evaluation.kid import kid


def test_kid_is_the_unbiased_estimate_over_all_pairs() -> None:
    """One subset that holds every image: MMD^2 with k(x,y) = (x.y / D + 1)^3, no self-pairs."""
    x, y = gaussian(12, 4, seed=0, spread=2).astype(float), gaussian(12, 4, seed=1).astype(float)

    def mean(a: np.ndarray, b: np.ndarray, *, own: bool) -> float:
        pairs = [(i, j) for i in range(12) for j in range(12) if not (own and i == j)]
        return float(np.mean([(a[i] @ b[j] / 4 + 1) ** 3 for i, j in pairs]))

    expected = mean(x, x, own=True) + mean(y, y, own=True) - 2 * mean(x, y, own=False)
    value = kid(x, y, subsets=1, subset_size=12, seed=0).value
    assert value == pytest.approx(expected, rel=1e-10)


def test_kid_of_equal_distributions_scatters_around_zero() -> None:
    estimates = [
        kid(gaussian(60, 4, 2 * i), gaussian(60, 4, 2 * i + 1), subsets=1, subset_size=60, seed=i)
        for i in range(60)
    ]
    values = np.array([estimate.value for estimate in estimates])
    assert values.min() < 0 < values.max()
    assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (1, r"kid_subset_size must be at least 2, for pairs of different images, got 1"),
        (51, r"kid_subset_size must be at most .* 50, got 51: lower it or raise sample\.num_im"),
    ],
)
def test_kid_refuses_subsets_without_pairs_or_larger_than_a_side(size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kid(gaussian(50, 4, 0), gaussian(80, 4, 1), subsets=2, subset_size=size, seed=0)
