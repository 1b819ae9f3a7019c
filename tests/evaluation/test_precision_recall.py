"""Precision and recall: known cases, blocks, and the subsample of large sets."""

import numpy as np
import pytest
from helpers.gaussians import gaussian

from ddim.evaluation import precision_recall as module
from ddim.evaluation.feature_arrays import subsample
from ddim.evaluation.precision_recall import manifold_radii, precision_recall, radii


def test_precision_and_recall_of_known_cases() -> None:
    real = gaussian(200, 4, seed=0)
    one_mode = real[:1] + np.float32(1e-3) * gaussian(200, 4, seed=1)
    assert shares(real, real) == (1, 1)
    assert shares(real + np.float32(100), real) == (0, 0)
    precision, recall = shares(one_mode, real)
    assert precision > 0.9
    assert recall < 0.1


def shares(generated: np.ndarray, real: np.ndarray) -> tuple[float, float]:
    """Both values without their intervals."""
    precision, recall = precision_recall(generated, real, neighbours=3)
    return precision[0], recall[0]


def test_intervals_cover_what_other_samples_give() -> None:
    """Of 60 samples, at least 85 % hold the mean of all; none of them is three times too wide."""
    real = gaussian(300, 4, seed=10_000)
    every = [precision_recall(gaussian(200, 4, s, 1.3), real, neighbours=3) for s in range(60)]
    for estimates in zip(*every, strict=True):
        values, low, high = (np.array(column) for column in zip(*estimates, strict=True))
        assert ((low <= values.mean()) & (values.mean() <= high)).mean() >= 0.85
        assert (high - low).mean() < 3 * 2 * 1.96 * values.std()
        assert ((low >= 0) & (high <= 1)).all()


def test_radii_are_distances_to_the_kth_other_image() -> None:
    line = np.array([[0.0], [1.0], [3.0], [7.0]], np.float32)
    np.testing.assert_allclose(radii(line, 1), [1, 1, 2, 4])
    np.testing.assert_allclose(radii(line, 2), [3, 2, 3, 6])


def test_distances_do_not_depend_on_the_blocks_that_they_are_computed_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generated, real = gaussian(150, 8, seed=1, spread=1.3), gaussian(201, 8, seed=2)
    in_one, radii_in_one = precision_recall(generated, real, neighbours=3), radii(real, 3)
    monkeypatch.setattr(module, "BLOCK_ROWS", 2)  # fewer than the neighbours that are looked for
    assert precision_recall(generated, real, neighbours=3) == in_one
    np.testing.assert_allclose(radii(real, 3), radii_in_one, rtol=1e-3)
    assert 0 < min(shares(generated, real)) <= max(shares(generated, real)) < 1


def test_no_more_images_are_compared_than_the_metrics_own_paper_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generated, real = gaussian(150, 8, seed=1, spread=1.3), gaussian(300, 8, seed=2)
    monkeypatch.setattr(module, "MAX_IMAGES", 100)
    few = subsample(real, 100)
    assert few.shape == (100, 8)
    assert (few[0] == real[0]).all()
    assert (few[-1] == real[-1]).all()
    expected = precision_recall(subsample(generated, 100), few, neighbours=3)
    assert precision_recall(generated, real, neighbours=3) == expected
    reference_radii = manifold_radii(real, 3)
    assert (
        precision_recall(generated, real, neighbours=3, reference_radii=reference_radii) == expected
    )


@pytest.mark.parametrize(("n", "most"), [(5, 5), (5, 9), (1, 1)])
def test_a_set_that_is_small_enough_is_kept_as_it_is(n: int, most: int) -> None:
    features = gaussian(n, 3, seed=0)
    assert subsample(features, most) is features


def test_fewer_images_than_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match=r"evaluate\.neighbours .* 20, got 20.*sample\.num_images"):
        precision_recall(gaussian(20, 4, 0), gaussian(50, 4, 1), neighbours=20)
