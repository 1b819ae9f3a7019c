"""From differences to one word: z tests, Holm's correction, the three verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ddim.evaluation.hypotheses import Comparison, decide, holm, paired, unpaired


def at(z: float) -> Comparison:
    return Comparison("", z, 1.0)


def test_holm_rejects_step_by_step() -> None:
    """0.01 <= 0.05/4, 0.013 <= 0.05/3, 0.04 > 0.05/2: that one and those after it stay."""
    assert holm([0.04, 0.01, 0.013, 0.045]) == [False, True, True, False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_bonferroni_and_no_correction(p: list[float]) -> None:
    for value, rejected in zip(p, holm(p), strict=True):
        assert rejected or value > 0.05 / len(p)
        assert not rejected or value <= 0.05


def test_a_paired_comparison_is_the_one_sample_test() -> None:
    differences = np.random.default_rng(0).normal(-0.1, 1, 4000)
    comparison = paired("", differences)
    expected = stats.ttest_1samp(differences, 0)
    assert comparison.z == pytest.approx(expected.statistic)
    assert comparison.p_value == pytest.approx(expected.pvalue, rel=1e-2)  # normal, not Student's
    assert unpaired("", (3.0, 3.0), (1.0, 4.0)) == Comparison("", 2.0, 5.0)


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
    assert decide([Comparison("", -0.5, 0.0)]).word == "reproduced"
    assert decide([Comparison("", 0.5, 0.0)]).word == "contradicted"
    assert decide([Comparison("", 0.0, 0.0)]).word == "undecided"
    assert Comparison("", -0.5, 0.0).z == -math.inf


def test_the_summary_counts_both_sides() -> None:
    assert decide([at(-4), at(-3), at(0.5)]).summary == "2 of 3 as claimed, smallest |z| 0.5"
    assert decide([at(-4), at(5)]).summary == "1 of 2 as claimed, 1 against, smallest |z| 4.0"
