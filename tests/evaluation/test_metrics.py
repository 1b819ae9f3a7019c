"""FID and company: exact oracles, then the libraries, then what an interval promises."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddim.config.schema import Evaluate
from ddim.evaluation import metrics
from ddim.evaluation import precision_recall as neighbours
from ddim.evaluation.metrics import Reference, fid, kid, measure, moments, precision_recall
from ddim.images import squared_errors
from ddim.runtime import files

EVALUATE = Evaluate(kid_subsets=10, kid_subset_size=100, neighbours=3)


def gaussian(n: int, dim: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Correlated Gaussian features, float32 [n,dim]."""
    mixing = np.random.default_rng(7).standard_normal((dim, dim)) / dim**0.5
    draws = np.random.default_rng(seed).standard_normal((n, dim))
    return (spread * draws @ mixing).astype(np.float32)


def exactly(mean: np.ndarray, root: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Float64 features whose sample mean and sample covariance are `mean` and root^T root."""
    draws = np.random.default_rng(seed).standard_normal((n, len(mean)))
    white, _ = np.linalg.qr(draws - draws.mean(0))
    return white * (n - 1) ** 0.5 @ root + mean


# FID against closed forms


def test_fid_of_gaussians_of_equal_shape_is_the_closed_form() -> None:
    """S = c^2 S_r: |m - m_r|^2 + (c - 1)^2 tr(S_r)."""
    root, c = np.random.default_rng(0).standard_normal((5, 5)), 1.7
    reference = Reference.of(exactly(np.zeros(5), root, 40, 1))
    generated = exactly(np.arange(5.0), c * root, 30, 2)
    expected = 30 + (c - 1) ** 2 * np.square(root).sum()
    assert fid(generated, reference).value == pytest.approx(expected, rel=1e-12)


def test_fid_of_gaussians_with_parallel_axes_is_the_closed_form() -> None:
    """Diagonal S and S_r: sum of (sqrt(s) - sqrt(s_r))^2, also where a direction is empty."""
    axes, axes_r = np.array([3.0, 1.0, 0.5, 0.0]), np.array([1.0, 1.0, 2.0, 1.0])
    reference = Reference.of(exactly(np.zeros(4), np.diag(axes_r), 50, 1))
    generated = exactly(np.zeros(4), np.diag(axes), 60, 2)
    expected = np.square(axes - axes_r).sum()
    assert fid(generated, reference).value == pytest.approx(expected, rel=1e-6)


def test_fid_of_the_reference_is_zero_and_of_noise_is_large() -> None:
    real = gaussian(500, 16, seed=0)
    noise = np.random.default_rng(1).uniform(-9, 9, (500, 16)).astype(np.float32)
    assert fid(real, Reference.of(real)).value < 1e-9
    assert fid(real[:10], Reference.of(real[:10])).value < 1e-5  # singular: rounding's square root
    assert fid(noise, Reference.of(real)).value > 100


@given(seed=st.integers(0, 10_000), dim=st.integers(1, 6), n=st.integers(4, 40))
def test_fid_is_symmetric_and_unmoved_by_rotating_and_shifting_both(
    seed: int, dim: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, dim)), 2 * rng.standard_normal((n + 3, dim)) + 1
    value = fid(a, Reference.of(b)).value
    rotation, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    shift = rng.standard_normal(dim)
    moved = fid(a @ rotation + shift, Reference.of(b @ rotation + shift)).value
    assert value >= 0
    assert fid(b, Reference.of(a)).value == pytest.approx(value, rel=1e-6, abs=1e-6)
    assert moved == pytest.approx(value, rel=1e-6, abs=1e-6)


def test_moments_do_not_depend_on_the_blocks_they_are_summed_in() -> None:
    features = gaussian(metrics.ROWS + 77, 3, seed=0) + np.float32(100)
    mean, covariance = moments(features)
    np.testing.assert_allclose(mean, features.mean(0, dtype=np.float64), rtol=1e-14)
    np.testing.assert_allclose(covariance, np.cov(features.astype(float).T), rtol=1e-10)


# FID against other implementations


@pytest.mark.parametrize(
    ("n", "m"), [(300, 400), (20, 400), (300, 20)], ids=["n, m > D", "n < D", "m < D"]
)
def test_fid_is_that_of_the_matrix_square_root_and_of_torch_fidelity(n: int, m: int) -> None:
    from scipy.linalg import sqrtm
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    generated, real = gaussian(n, 24, seed=1, spread=1.3), gaussian(m, 24, seed=2)
    value = fid(generated, Reference.of(real)).value
    (mean, S), (mean_r, S_r) = moments(generated), moments(real)
    root = sqrtm(S @ S_r).real
    assert value == pytest.approx(
        ((mean - mean_r) ** 2).sum() + np.trace(S + S_r - 2 * root), rel=1e-4
    )
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(torch.tensor(generated).double()),
        fid_features_to_statistics(torch.tensor(real).double()),
        verbose=False,
    )
    assert value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_fid_is_that_of_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Pixels(torch.nn.Module):
        num_features = 12

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1).float()

    rng = np.random.default_rng(0)
    generated = rng.integers(0, 256, (200, 3, 2, 2), dtype=np.uint8)
    real = rng.integers(0, 200, (300, 3, 2, 2), dtype=np.uint8)
    theirs = FrechetInceptionDistance(feature=Pixels())
    theirs.update(torch.from_numpy(real), real=True)
    theirs.update(torch.from_numpy(generated), real=False)
    features = generated.reshape(200, -1).astype(np.float32)
    reference = Reference.of(real.reshape(300, -1).astype(np.float32))
    assert fid(features, reference).value == pytest.approx(float(theirs.compute()), rel=1e-4)


# KID, precision and recall, Inception score


def test_kid_is_the_unbiased_estimate_over_all_pairs() -> None:
    """One subset that holds every image: MMD^2 with k(x,y) = (x.y / D + 1)^3, no self-pairs."""
    x, y = gaussian(12, 4, seed=0, spread=2).astype(float), gaussian(12, 4, seed=1).astype(float)

    def mean(a: np.ndarray, b: np.ndarray, *, own: bool) -> float:
        pairs = [(i, j) for i in range(12) for j in range(12) if not (own and i == j)]
        return float(np.mean([(a[i] @ b[j] / 4 + 1) ** 3 for i, j in pairs]))

    expected = mean(x, x, own=True) + mean(y, y, own=True) - 2 * mean(x, y, own=False)
    found = kid(x, y, subsets=1, subset_size=12, seed=0).value
    assert found == pytest.approx(expected, rel=1e-10)


def test_kid_of_equal_distributions_scatters_around_zero() -> None:
    draws = [
        kid(gaussian(60, 4, 2 * i), gaussian(60, 4, 2 * i + 1), subsets=1, subset_size=60, seed=i)
        for i in range(60)
    ]
    values = np.array([draw.value for draw in draws])
    assert values.min() < 0 < values.max()
    assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5


def test_precision_and_recall_of_known_cases() -> None:
    real = gaussian(200, 4, seed=0)
    one_mode = real[:1] + np.float32(1e-3) * gaussian(200, 4, seed=1)
    assert precision_recall(real, real, neighbours=3) == (1, 1)
    assert precision_recall(real + np.float32(100), real, neighbours=3) == (0, 0)
    precision, recall = precision_recall(one_mode, real, neighbours=3)
    assert precision > 0.9
    assert recall < 0.1


def test_distances_do_not_depend_on_the_blocks_that_they_are_computed_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generated, real = gaussian(150, 8, seed=1, spread=1.3), gaussian(201, 8, seed=2)
    whole, reach = precision_recall(generated, real, neighbours=3), neighbours.radii(real, 3)
    monkeypatch.setattr(neighbours, "ROWS", 2)  # fewer than the neighbours that are looked for
    assert precision_recall(generated, real, neighbours=3) == whole
    np.testing.assert_allclose(neighbours.radii(real, 3), reach, rtol=1e-3)
    assert min(whole) > 0
    assert max(whole) < 1


def test_the_memory_of_statistics_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        with files.scratch(tmp_path, (n, 16), np.float32) as found:
            found[:] = gaussian(n, 16, seed=0)
            tracemalloc.start()
            fid(found, Reference.of(found))
            used = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return used

    assert peak(20 * metrics.ROWS) < 1.1 * peak(4 * metrics.ROWS)


def test_no_more_images_are_paired_than_the_metrics_own_paper_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generated, real = gaussian(150, 8, seed=1, spread=1.3), gaussian(300, 8, seed=2)
    monkeypatch.setattr(neighbours, "MOST", 100)
    kept = neighbours.some(real)
    assert kept.shape == (100, 8)
    assert (kept[0] == real[0]).all()
    assert (kept[-1] == real[-1]).all()
    few = precision_recall(generated, real, neighbours=3, radii=neighbours.radii(kept, 3))
    assert few == precision_recall(neighbours.some(generated), kept, neighbours=3)


def itself(features: np.ndarray) -> np.ndarray:
    """A head whose logits are the features."""
    return features


def test_inception_score_is_the_number_of_classes_seen_with_certainty() -> None:
    certain = 50 * np.eye(4, dtype=np.float32)[np.arange(4000) % 4]
    assert metrics.inception_score(certain, itself, seed=0) == pytest.approx(4, rel=0.01)
    blank = np.zeros((100, 4), np.float32)
    assert metrics.inception_score(blank, itself, seed=0) == pytest.approx(1)


# Reconstruction error


def test_reconstruction_error_is_on_the_unit_scale() -> None:
    """Off by 0.2 on [-1,1] is off by 0.1 on [0,1]: 0.01 per dimension."""
    images = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (6, 1, 4, 4)))
    found = metrics.reconstruction_error(squared_errors(images, images + 0.2))
    assert found.value == pytest.approx(0.01, rel=1e-5)
    np.testing.assert_allclose(found.interval, 0.01, rtol=1e-4)


def test_reconstruction_interval_is_over_images() -> None:
    off = torch.tensor([0.2, 0.4]).reshape(2, 1, 1, 1) * torch.ones(2, 3, 2, 2)
    value, (low, high) = metrics.reconstruction_error(squared_errors(torch.zeros_like(off), off))
    assert value == pytest.approx(0.025)
    assert high == pytest.approx(0.025 + 1.96 * 0.015, rel=1e-3)
    assert low == 0  # 0.025 - 0.0294, and no error is negative


@pytest.mark.parametrize(
    ("squared", "message"),
    [
        (np.zeros(1), r"reconstruct\.num_images must be at least 2"),
        (np.array([0, np.nan]), "not finite"),
    ],
)
def test_reconstruction_error_refuses(squared: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.reconstruction_error(squared)


# What an interval promises


def half_widths(estimates: list[metrics.Estimate]) -> np.ndarray:
    return np.array([high - value for value, (_, high) in estimates])


def test_fid_interval_is_that_of_leaving_each_image_out() -> None:
    generated, real = gaussian(300, 6, seed=0, spread=1.2) + 0.2, gaussian(900, 6, seed=1)
    reference = Reference.of(real)
    without = [fid(np.delete(generated, i, 0), reference).value for i in range(300)]
    jackknife = (299 / 300 * np.square(without - np.mean(without)).sum()) ** 0.5
    (found,) = half_widths([fid(generated, reference)])
    assert found == pytest.approx(1.96 * jackknife, rel=0.03)


@pytest.mark.parametrize(("n", "dim"), [(100, 8), (40, 30)], ids=["n >> D", "n about D"])
def test_fid_and_kid_intervals_cover_the_expected_number(n: int, dim: int) -> None:
    """Of 150 draws, at least 90 % hold the mean of all; and none of them wastes more than half."""
    real = gaussian(700, dim, seed=10_000)
    reference = Reference.of(real)
    drawn = [gaussian(n, dim, seed, spread=1.2) for seed in range(150)]
    for estimates in (
        [fid(x, reference) for x in drawn],
        [kid(x, real, subsets=20, subset_size=n, seed=i) for i, x in enumerate(drawn)],
    ):
        values = np.array([estimate.value for estimate in estimates])
        widths = half_widths(estimates)
        assert (np.abs(values - values.mean()) <= widths).mean() >= 0.9
        assert widths.mean() < 1.5 * 1.96 * values.std()


def test_intervals_shrink_with_the_root_of_n() -> None:
    real = gaussian(1000, 8, seed=0)
    reference = Reference.of(real)
    few, many = (gaussian(n, 8, seed=1, spread=1.2) for n in (200, 3200))
    for small, large in (
        (fid(few, reference), fid(many, reference)),
        (
            kid(few, real, subsets=50, subset_size=200, seed=0),
            kid(many, real, subsets=800, subset_size=200, seed=0),
        ),
    ):
        ratio = half_widths([small]) / half_widths([large])
        assert 2.5 < ratio[0] < 6.5  # 4 in expectation


def test_a_part_of_the_images_tells_the_width_of_the_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there are many, a part stands for all: the standard error stays what it is."""
    generated, real = gaussian(600, 8, seed=0, spread=1.2), gaussian(800, 8, seed=1)

    def estimates() -> list[metrics.Estimate]:
        kernel = kid(generated, real, subsets=400, subset_size=100, seed=0)
        return [fid(generated, Reference.of(real)), kernel]

    whole = estimates()
    monkeypatch.setattr(metrics, "INFLUENCES", 300)
    part = estimates()
    assert [x.value for x in part] == [x.value for x in whole]
    np.testing.assert_allclose(half_widths(part), half_widths(whole), rtol=0.15)


# One cell, its reference and its errors


def test_measure_reports_a_cell_and_is_a_function_of_its_seed(tmp_path: Path) -> None:
    np.save(tmp_path / "generated.npy", gaussian(150, 8, seed=1, spread=1.1))
    generated = np.load(tmp_path / "generated.npy", mmap_mode="r")
    real = gaussian(300, 8, seed=2)
    statistics = Reference.of(real)
    found = measure(generated, real, EVALUATE, seed=0, statistics=statistics, head=itself)
    assert found == measure(generated, real, EVALUATE, seed=0, head=itself)
    assert found["kid"] != measure(generated, real, EVALUATE, seed=1)["kid"]
    assert (found["n_generated"], found["n_reference"]) == (150, 300)
    assert found["fid_interval"][0] < found["fid"] < found["fid_interval"][1]
    assert found["kid_interval"][0] < found["kid"] < found["kid_interval"][1]
    assert found["inception_score"] > 1
    assert measure(generated, real, EVALUATE, seed=0)["inception_score"] is None


def test_reference_statistics_survive_the_file(tmp_path: Path) -> None:
    reference = Reference.of(gaussian(50, 4, seed=0))
    reference.save(tmp_path / "statistics.npz")
    loaded = Reference.load(tmp_path / "statistics.npz")
    assert loaded.n == 50
    np.testing.assert_array_equal(loaded.factor, reference.factor)
    np.testing.assert_array_equal(loaded.mean, reference.mean)


def test_reference_statistics_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    path = tmp_path / "statistics.npz"
    with pytest.raises(FileNotFoundError, match=r"statistics\.npz"):
        Reference.load(path)
    Reference.of(gaussian(50, 4, seed=0)).save(path)
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"not an array"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"statistics\.npz is broken"):
            Reference.load(path)


def spoilt(features: np.ndarray) -> np.ndarray:
    features = features.copy()
    features[3, 1] = np.inf
    return features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generated": gaussian(150, 5, 0)}, "5 and 8 dimensions"),
        ({"generated": gaussian(1, 8, 0)}, r"sample\.num_images"),
        (
            {"generated": gaussian(50, 8, 0)},
            r"evaluate\.kid_subset_size.*50, got 100.*sample\.num_images",
        ),
        ({"generated": spoilt(gaussian(150, 8, 0))}, "not finite"),
        ({"evaluate": Evaluate(10, 100, 150)}, r"evaluate\.neighbours.*150, got 150"),
        (
            {"generated": gaussian(9, 8, 0), "evaluate": Evaluate(10, 5, 3), "head": itself},
            r"at least 10 images, got 9.*sample\.num_images",
        ),
    ],
)
def test_measure_refuses_in_one_line(change: dict[str, Any], message: str) -> None:
    arguments = {
        "generated": gaussian(150, 8, 0),
        "reference": gaussian(300, 8, 1),
        "evaluate": EVALUATE,
    }
    with pytest.raises(ValueError, match=message) as caught:
        measure(**(arguments | change), seed=0)
    assert "\n" not in str(caught.value)


def test_flattened_features_are_never_measured() -> None:
    """A buffer of n x D numbers in one row once gave somebody an FID of 1e-5."""
    with pytest.raises(AssertionError):
        Reference.of(gaussian(100, 8, 0).ravel())
