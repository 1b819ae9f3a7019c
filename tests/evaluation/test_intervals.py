"""What a 95 % interval promises: of means, shares, FID and KID."""

import sys
from subprocess import run

import numpy as np
import pytest
from helpers.gaussians import gaussian
from scipy import stats

from ddim.evaluation import intervals
from ddim.evaluation import kid as kid_module
from ddim.evaluation.fid import ReferenceStatistics, fid
from ddim.evaluation.intervals import Estimate
from ddim.evaluation.kid import kid

# Means and shares


def test_the_interval_of_a_mean_is_scipys() -> None:
    for n in (2, 32, 500):
        values = np.random.default_rng(1).normal(2, 3, n)
        mean, low, high = intervals.of_mean(values)
        assert mean == values.mean()
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (low, high) == pytest.approx((expected.low, expected.high))


def test_the_interval_of_a_mean_covers_it_for_few_values() -> None:
    """Of 3,000 samples of 6, 95 % hold the mean; the normal interval would hold 89 %."""
    draws = np.random.default_rng(0).standard_normal((3000, 6))
    ends = np.array([intervals.of_mean(row)[1:] for row in draws])
    covered = np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0))
    assert abs(covered - 0.95) < 0.012  # three standard errors


@pytest.mark.parametrize(("k", "n"), [(0, 40), (3, 40), (40, 40)])
def test_the_interval_of_a_share_solves_wilsons_equation(k: int, n: int) -> None:
    """Its ends are the shares p whose own normal interval just reaches k / n."""
    share, low, high = intervals.of_share(k, n)
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert share == k / n
    assert 0 <= low <= share <= high <= 1
    for p in {low, high} - {0.0, 1.0}:
        assert abs(share - p) == pytest.approx(intervals.Z * (p * (1 - p) / n) ** 0.5, rel=1e-9)


def test_an_estimate_is_never_below_its_minimum() -> None:
    parts = (np.array([-1.0, 1.0]),)  # a standard error of 1
    assert Estimate(1.0, parts, minimum=0.0).interval == (0.0, 1 + intervals.Z)
    assert Estimate(1.0, parts).interval == (1 - intervals.Z, 1 + intervals.Z)


def test_the_parts_of_an_error_add_up_as_independent_ones() -> None:
    rng = np.random.default_rng(0)
    images, subsets = rng.normal(0, 3, 400), rng.normal(0, 1, 50)
    expected = np.hypot(stats.sem(images), stats.sem(subsets))
    assert Estimate(0.0, (images, subsets)).standard_error == pytest.approx(expected)
    assert intervals.standard_error(2.0, 2.0 + intervals.Z) == pytest.approx(1.0)


def test_the_report_can_use_intervals_without_waiting_for_torch_and_scipy() -> None:
    script = "import sys, ddim.evaluation.intervals; print({'torch', 'scipy'} & set(sys.modules))"
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# FID and KID


def half_widths(estimates: list[Estimate]) -> np.ndarray:
    return np.array([estimate.interval[1] - estimate.value for estimate in estimates])


def test_fid_interval_is_that_of_leaving_each_image_out() -> None:
    generated, real = gaussian(300, 6, seed=0, spread=1.2) + 0.2, gaussian(900, 6, seed=1)
    reference = ReferenceStatistics.of(real)
    without = [fid(np.delete(generated, i, 0), reference).value for i in range(300)]
    jackknife = (299 / 300 * np.square(without - np.mean(without)).sum()) ** 0.5
    (half_width,) = half_widths([fid(generated, reference)])
    assert half_width == pytest.approx(1.96 * jackknife, rel=0.03)


@pytest.mark.parametrize(
    ("n", "dim"), [(100, 8), (40, 30), (200, 64)], ids=["n >> D", "n about D", "D = 64"]
)
def test_fid_and_kid_intervals_cover_the_expected_number(n: int, dim: int) -> None:
    """Of 150 samples, at least 90 % hold the mean of all; none of them wastes more than half."""
    real = gaussian(700, dim, seed=10_000)
    reference = ReferenceStatistics.of(real)
    samples = [gaussian(n, dim, seed, spread=1.2) for seed in range(150)]
    for estimates in (
        [fid(x, reference) for x in samples],
        [kid(x, real, subsets=10, subset_size=n // 2, seed=i) for i, x in enumerate(samples)],
    ):
        values = np.array([estimate.value for estimate in estimates])
        widths = half_widths(estimates)
        assert (np.abs(values - values.mean()) <= widths).mean() >= 0.9
        assert widths.mean() < 1.5 * 1.96 * values.std()


def test_intervals_shrink_with_the_root_of_n() -> None:
    real = gaussian(1000, 8, seed=0)
    reference = ReferenceStatistics.of(real)
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


def test_a_subsample_of_partners_tells_each_images_influence_on_kid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there are many, a part stands for all: every image has an influence, much the same."""
    generated, real = gaussian(600, 8, seed=0, spread=1.2), gaussian(800, 8, seed=1)

    def estimate() -> Estimate:
        return kid(generated, real, subsets=400, subset_size=100, seed=0)

    of_all = estimate()
    monkeypatch.setattr(kid_module, "MAX_PARTNERS", 300)
    of_part = estimate()
    assert of_part.value == of_all.value
    assert of_part.parts[0].shape == (600,)
    assert np.corrcoef(of_part.parts[0], of_all.parts[0])[0, 1] > 0.8
    np.testing.assert_allclose(half_widths([of_part]), half_widths([of_all]), rtol=0.15)
