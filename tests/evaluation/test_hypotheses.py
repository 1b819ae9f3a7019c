"""From differences to one word: the tests and their level, Holm's correction, the verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ddim.evaluation.hypotheses import (
    Comparison,
    decide,
    holm,
    paired,
    paired_shares,
    unpaired,
    z_test,
)


def at(z: float) -> Comparison:
    return z_test("", z, 1.0)


def test_holm_rejects_step_by_step() -> None:
    """0.01 <= 0.05/4, 0.013 <= 0.05/3, 0.04 > 0.05/2: that one and those after it stay."""
    assert holm([0.04, 0.01, 0.013, 0.045]) == [False, True, True, False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_bonferroni_and_no_correction(p: list[float]) -> None:
    for value, rejected in zip(p, holm(p), strict=True):
        assert rejected or value > 0.05 / len(p)
        assert not rejected or value <= 0.05


@pytest.mark.parametrize("n", [2, 4, 32, 4000])
def test_a_paired_comparison_is_students_test(n: int) -> None:
    differences = np.random.default_rng(0).normal(-0.1, 1, n)
    comparison = paired("", differences)
    expected = stats.ttest_1samp(differences, 0)
    assert comparison.z == pytest.approx(expected.statistic)
    assert comparison.p_value == pytest.approx(expected.pvalue)


def test_an_unpaired_comparison_adds_both_errors() -> None:
    assert unpaired("", (3.0, 3.0), (1.0, 4.0)) == z_test("", 2.0, 5.0)
    assert z_test("", 2.0, 5.0).p_value == pytest.approx(2 * stats.norm.sf(0.4))
    few = unpaired("", (3.0, 3.0), (1.0, 4.0), degrees=7)
    assert few.p_value == pytest.approx(2 * stats.t(7).sf(0.4))


@pytest.mark.parametrize("n", [4, 8, 32])
def test_a_paired_comparison_holds_its_level_for_few_images(n: int) -> None:
    """No difference is found in 5 % of 20,000 simulations; the normal distribution: 14 % at 4."""
    draws = np.random.default_rng(n).standard_normal((20_000, n))
    z = draws.mean(1) / (draws.std(1, ddof=1) / n**0.5)
    found = np.mean([paired("", row).p_value < 0.05 for row in draws[:2000]])
    level = np.mean(2 * stats.t(n - 1).sf(np.abs(z)) < 0.05)
    assert abs(level - 0.05) < 0.005  # three standard errors
    assert abs(found - level) < 0.015
    normal = np.mean(2 * stats.norm.sf(np.abs(z)) < 0.05)
    assert normal > level + 0.005


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_paired_shares_are_tested_by_the_images_that_differ(pairs: list[tuple[bool, bool]]) -> None:
    first, second = np.array(pairs).T
    comparison = paired_shares("", first, second)
    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    assert comparison.difference == pytest.approx(first.mean() - second.mean())
    if only_first + only_second == 0:
        assert comparison.p_value == 1.0
    else:
        expected = stats.binomtest(only_first, only_first + only_second).pvalue
        assert comparison.p_value == pytest.approx(expected)
    differences = first.astype(float) - second
    assert comparison.standard_error == pytest.approx(differences.std() / len(pairs) ** 0.5)


@pytest.mark.parametrize("n", [4, 8, 32, 128])
@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.5, 0.5), (0.1, 0.1)])
def test_paired_shares_never_exceed_their_level(n: int, shares: tuple[float, float]) -> None:
    """The exact test errs towards no difference; the mean's test would find 12 % at (0.1, 32)."""
    rng = np.random.default_rng(n)
    found = [
        paired_shares("", rng.random(n) < shares[0], rng.random(n) < shares[1]).p_value < 0.05
        for _ in range(400)
    ]
    assert np.mean(found) < 0.05 + 2.5 * (0.05 * 0.95 / 400) ** 0.5


def test_five_against_none_is_not_enough_and_six_are() -> None:
    """Whatever n: 2 / 2^5 > 5 % and 2 / 2^6 < 5 %."""
    for n in (6, 64):
        none = np.zeros(n, bool)
        assert decide([paired_shares("", none, np.arange(n) < 5)]).word == "undecided"
        assert decide([paired_shares("", none, np.arange(n) < 6)]).word == "reproduced"


@pytest.mark.parametrize(
    ("z", "of_all", "of_any"),
    [
        ((-4, -3), "reproduced", "reproduced"),
        ((-4, -1), "undecided", "reproduced"),
        ((-4, 1), "undecided", "reproduced"),
        ((-1, 1), "undecided", "undecided"),
        ((-4, 3), "contradicted", "reproduced"),
        ((4, 1), "contradicted", "undecided"),
        ((4, 3), "contradicted", "contradicted"),
    ],
)
def test_a_verdict_can_come_out_three_ways(z: tuple[float, ...], of_all: str, of_any: str) -> None:
    decision = decide([at(value) for value in z])
    assert (decision.word, decision.word_of_any) == (of_all, of_any)


def test_correction_leaves_undecided_what_one_test_alone_would_decide() -> None:
    assert decide([at(-2.1)]).word == "reproduced"
    assert decide([at(-2.1)] * 5).word == "undecided"


def test_numbers_without_error_are_decided_unless_they_are_equal() -> None:
    assert decide([z_test("", -0.5, 0.0)]).word == "reproduced"
    assert decide([z_test("", 0.5, 0.0)]).word == "contradicted"
    assert decide([z_test("", 0.0, 0.0)]).word == "undecided"
    assert z_test("", -0.5, 0.0).z == -math.inf


def test_the_summary_counts_both_sides_and_tells_the_weakest() -> None:
    assert decide([at(-4), at(-3), at(0.5)]).summary == "2 of 3 as claimed, largest p = 0.62"
    both = "1 of 2 as claimed, 1 against, largest p < 0.001"
    assert decide([at(-4), at(5)]).summary == both
    assert decide([at(-2.3)]).summary == "1 of 1 as claimed, p = 0.021"
    assert decide([at(-math.inf)]).summary == "1 of 1 as claimed, p < 0.001"


def test_the_summary_of_a_claim_about_any_tells_the_clearest() -> None:
    """Its p decides; that of a difference against the claim does not, however small."""
    of_three = decide([at(-0.5), at(-4), at(5)])
    assert of_three.summary_of_any == "1 of 3 as claimed, 1 against, the clearest: p < 0.001"
    against = decide([at(0.5), at(5)])
    assert against.summary_of_any == "0 of 2 as claimed, 1 against, the clearest: p = 0.62"
    assert decide([at(-2.3)]).summary_of_any == "1 of 1 as claimed, p = 0.021"
