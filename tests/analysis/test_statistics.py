"""The small statistics, where they are our own; the others are scipy's."""

import numpy as np
import pytest
from scipy import stats

from ddim.analysis import statistics


def test_order_recovers_the_exponent_with_and_without_a_reference_solution() -> None:
    steps = [5, 10, 50, 200, 500]
    assert statistics.order(steps, [3 * S**-1.5 for S in steps]) == pytest.approx(1.5)
    inexact = [3 * (S**-1.2 - 1000**-1.2) for S in steps]
    assert statistics.order(steps, inexact, 1000) == pytest.approx(1.2, abs=2e-3)
    assert abs(statistics.order(steps, inexact) - 1.2) > 0.05  # the reference's own error matters


def test_chi_test_accepts_norms_of_normal_vectors_and_refuses_shrunk_ones() -> None:
    norms = np.linalg.norm(np.random.default_rng(0).normal(size=(200, 64)), axis=1)
    accepted, refused = (statistics.chi_test(norms * factor, 64) for factor in (1, 0.9))
    assert accepted.p_value > 0.05 > 1e-6 > refused.p_value
    expected = stats.kstest(norms**2, stats.chi2(64).cdf)
    assert accepted == pytest.approx((expected.statistic, expected.pvalue))


def test_moments_of_a_known_distribution() -> None:
    values = np.random.default_rng(2).exponential(size=(1000, 1000))
    assert statistics.moments(values) == pytest.approx((1, 1, 2, 6), rel=0.05)


def test_unrelated_rows_are_each_one_and_the_next() -> None:
    assert statistics.unrelated_distance(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(2)
