"""FID: closed forms, the matrix square root, and what it refuses."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.gaussians import gaussian, with_moments
from hypothesis import given
from hypothesis import strategies as st

from ddim.evaluation import feature_arrays
from ddim.evaluation import fid as fid_module
from ddim.evaluation.fid import PARTITIONS, ReferenceStatistics, fid, fid_infinite, moments
from ddim.runtime import files


def test_fid_of_gaussians_of_equal_shape_is_the_closed_form() -> None:
    """S = c^2 S_r: |m - m_r|^2 + (c - 1)^2 tr(S_r)."""
    root, c = np.random.default_rng(0).standard_normal((5, 5)), 1.7
    reference = ReferenceStatistics.of(with_moments(np.zeros(5), root, 40, 1))
    generated = with_moments(np.arange(5.0), c * root, 30, 2)
    expected = 30 + (c - 1) ** 2 * np.square(root).sum()
    assert fid(generated, reference).value == pytest.approx(expected, rel=1e-12)


def test_fid_of_gaussians_with_parallel_axes_is_the_closed_form() -> None:
    """Diagonal S and S_r: sum of (sqrt(s) - sqrt(s_r))^2, also where a direction is empty."""
    axes, axes_r = np.array([3.0, 1.0, 0.5, 0.0]), np.array([1.0, 1.0, 2.0, 1.0])
    reference = ReferenceStatistics.of(with_moments(np.zeros(4), np.diag(axes_r), 50, 1))
    generated = with_moments(np.zeros(4), np.diag(axes), 60, 2)
    expected = np.square(axes - axes_r).sum()
    assert fid(generated, reference).value == pytest.approx(expected, rel=1e-6)


def test_fid_of_the_reference_is_zero_and_of_noise_is_large() -> None:
    real = gaussian(500, 16, seed=0)
    noise = np.random.default_rng(1).uniform(-9, 9, (500, 16)).astype(np.float32)
    few = real[:10]  # a singular covariance: zero up to the square root of rounding
    assert fid(real, ReferenceStatistics.of(real)).value < 1e-9
    assert fid(few, ReferenceStatistics.of(few)).value < 1e-5
    assert fid(noise, ReferenceStatistics.of(real)).value > 100


@given(seed=st.integers(0, 10_000), dim=st.integers(1, 6), n=st.integers(4, 40))
def test_fid_is_symmetric_and_invariant_under_rotating_and_shifting_both(
    seed: int, dim: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, dim)), 2 * rng.standard_normal((n + 3, dim)) + 1
    value = fid(a, ReferenceStatistics.of(b)).value
    rotation, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    shift = rng.standard_normal(dim)
    moved = fid(a @ rotation + shift, ReferenceStatistics.of(b @ rotation + shift)).value
    assert value >= 0
    assert fid(b, ReferenceStatistics.of(a)).value == pytest.approx(value, rel=1e-6, abs=1e-6)
    assert moved == pytest.approx(value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "m"), [(300, 400), (20, 400), (300, 20)], ids=["n, m > D", "n < D", "m < D"]
)
def test_fid_is_that_of_the_matrix_square_root(n: int, m: int) -> None:
    from scipy.linalg import sqrtm

    generated, real = gaussian(n, 24, seed=1, spread=1.3), gaussian(m, 24, seed=2)
    (mean, S), (mean_r, S_r) = moments(generated), moments(real)
    root = sqrtm(S @ S_r).real
    expected = ((mean - mean_r) ** 2).sum() + np.trace(S + S_r - 2 * root)
    value = fid(generated, ReferenceStatistics.of(real)).value
    assert value == pytest.approx(expected, rel=1e-4)


def test_moments_do_not_depend_on_the_blocks_they_are_summed_in() -> None:
    features = gaussian(feature_arrays.BLOCK_ROWS + 77, 3, seed=0) + np.float32(100)
    mean, covariance = moments(features)
    np.testing.assert_allclose(mean, features.mean(0, dtype=np.float64), rtol=1e-14)
    np.testing.assert_allclose(covariance, np.cov(features.astype(float).T), rtol=1e-10)


def test_memory_grows_by_one_influence_an_image_and_not_by_features(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        with files.scratch(tmp_path, (n, 16), np.float32) as features:
            features[:] = gaussian(n, 16, seed=0)
            tracemalloc.start()
            fid(features, ReferenceStatistics.of(features))
            used = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return used

    rows = feature_arrays.BLOCK_ROWS
    influences = 2 * 8 * 16 * rows  # float64, while they are joined twice; features: 64 bytes
    assert peak(20 * rows) - peak(4 * rows) < 1.1 * influences


def test_flattened_features_are_never_measured() -> None:
    """A buffer of n x D numbers in one row once gave somebody an FID of 1e-5."""
    flat = gaussian(100, 8, 0).ravel()
    with pytest.raises(AssertionError):
        ReferenceStatistics.of(flat)
    with pytest.raises(AssertionError):
        fid(flat, ReferenceStatistics.of(gaussian(100, 8, 0)))


def test_fid_refuses_features_of_another_extractor_and_those_that_are_not_finite() -> None:
    reference = ReferenceStatistics.of(gaussian(100, 8, 0))
    with pytest.raises(ValueError, match="generated and reference features have 5 and 8 dim"):
        fid(gaussian(100, 5, 0), reference)
    for value in (np.inf, np.nan):
        features = gaussian(100, 8, 1)
        features[3, 1] = value
        with pytest.raises(ValueError, match="the generated features of image 3 are not finite"):
            fid(features, reference)
        with pytest.raises(ValueError, match="the reference features of image 3 are not finite"):
            ReferenceStatistics.of(features)


def test_fid_at_infinite_n_is_the_line_through_the_fids_of_all_halves_and_quarters() -> None:
    real, generated = gaussian(500, 6, seed=0), gaussian(403, 6, seed=1, spread=1.2)
    reference = ReferenceStatistics.of(real)
    sizes = [400 // k for k in PARTITIONS]
    means = [
        np.mean([fid(part, reference).value for part in np.split(generated[:400], k)])
        for k in PARTITIONS
    ]
    expected = np.polyfit(1 / np.array(sizes), means, 1)[1]
    assert fid_infinite(generated, reference) == pytest.approx(expected, rel=1e-10)


def test_fid_at_infinite_n_reads_the_features_once_and_computes_no_influence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three passes over the features and 7 D x D eigenvectors less than by `fid` of each part."""
    reference = ReferenceStatistics.of(gaussian(300, 6, seed=0))
    generated = gaussian(400, 6, seed=1)
    rows: list[int] = []
    blocks = fid_module.centred_blocks

    def counted(features: np.ndarray, mean: np.ndarray | float = 0.0) -> Iterator[np.ndarray]:
        rows.append(len(features))
        return blocks(features, mean)

    def no_vectors(matrix: np.ndarray) -> None:
        raise AssertionError(matrix.shape)

    monkeypatch.setattr(fid_module, "centred_blocks", counted)
    fid(generated, reference)
    assert sum(rows) == 2 * len(generated)  # the covariance and the influence
    rows.clear()
    monkeypatch.setattr(np.linalg, "eigh", no_vectors)
    fid_infinite(generated, reference)
    assert sum(rows) == len(generated)
