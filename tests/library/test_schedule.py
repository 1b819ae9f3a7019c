"""alpha-bar, sigma and trajectories against published numbers and exact identities."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddim import schedule

A = schedule.alpha_bar()


def test_alpha_bar_is_the_papers() -> None:
    assert A.dtype == torch.float64
    assert A.shape == (1001,)
    assert A[0] == 1
    assert float(A[1000]) == pytest.approx(4.035829765375676e-05, rel=1e-12)
    assert float(A[1]) == pytest.approx(1 - 1e-4, rel=1e-15)


@pytest.mark.parametrize(
    ("t", "t_prev", "variance"),
    # diffusers' pinned `_get_variance`; its t counts from 0, ours from 1.
    [(420, 400, 0.14771), (980, 960, 0.32460), (487, 486, 0.00979), (999, 998, 0.02)],
)
def test_sigma_squared_is_the_pinned_variance(t: int, t_prev: int, variance: float) -> None:
    sigma = schedule.sigma(float(A[t + 1]), float(A[t_prev + 1]), eta=1.0)
    assert sigma**2 == pytest.approx(variance, abs=1e-5)


@given(st.integers(2, 1000))
def test_eta_one_is_ddpms_beta_tilde_and_not_the_lectures_misprint(t: int) -> None:
    a, a_prev = float(A[t]), float(A[t - 1])
    beta = 1e-4 + (0.02 - 1e-4) * (t - 1) / 999
    sigma = schedule.sigma(a, a_prev, eta=1.0)
    assert sigma**2 == pytest.approx((1 - a_prev) / (1 - a) * beta, rel=1e-9)
    # Case 1 of the lecture prints (1 - beta_t) where DDPM has beta_t.
    assert sigma**2 != pytest.approx((1 - a_prev) / (1 - a) * (1 - beta), rel=1e-2)


@given(st.integers(1, 1000), st.floats(0, 1))
def test_sigma_is_linear_in_eta_and_works_on_tensors(t: int, eta: float) -> None:
    a, a_prev = A[t], A[t - 1]
    one = schedule.sigma(a, a_prev, 1.0)
    assert float(schedule.sigma(a, a_prev, eta)) == pytest.approx(eta * float(one), abs=1e-15)
    assert float(schedule.sigma_hat(a, a_prev)) >= float(one)
    assert float(one) ** 2 <= 1 - float(a_prev) + 1e-15  # Eq. 12's square root is real


@given(st.integers(1, 2000), st.data())
def test_every_named_spacing_gives_exactly_S_increasing_steps(T: int, data: st.DataObject) -> None:
    S = data.draw(st.integers(1, T))
    for spacing in ("linear", "quadratic"):
        tau = schedule.trajectory(T, S, spacing)
        assert len(tau) == S
        assert sorted(set(tau)) == tau
        assert tau[0] >= 1
        assert tau[-1] <= T


def test_linear_is_the_published_range_whenever_S_divides_T() -> None:
    for S in (1, 10, 20, 50, 100, 1000):
        published = range(0, 1000, 1000 // S)  # counts from 0
        assert schedule.trajectory(1000, S, "linear") == [t + 1 for t in published]


def test_quadratic_ends_at_T_and_grows_quadratically() -> None:
    expected = [10 * i * i for i in range(1, 11)]
    assert schedule.trajectory(1000, 10, "quadratic") == expected
    assert schedule.trajectory(1000, 1000, "quadratic") == list(range(1, 1001))


@pytest.mark.parametrize(("S", "distinct"), [(10, 10), (20, 20), (30, 29), (50, 49), (100, 96)])
def test_published_rule_repeats_steps_which_are_dropped(S: int, distinct: int) -> None:
    raw = schedule.published_quadratic(1000, S)
    assert len(raw) == S
    assert (raw[0], raw[-1]) == (1, 801)
    numpy = pytest.importorskip("numpy")
    assert raw == [int(s) + 1 for s in numpy.linspace(0, numpy.sqrt(800), S) ** 2]
    assert len(schedule.trajectory(1000, S, "quadratic-published")) == distinct


def test_an_explicit_list_is_taken_as_it_is() -> None:
    assert schedule.trajectory(1000, 3, [1, 500, 1000]) == [1, 500, 1000]


@pytest.mark.parametrize(
    ("S", "spacing", "message"),
    [
        (0, "linear", "in 1..T"),
        (1001, "linear", "in 1..T"),
        (2, [5, 5], "strictly increasing, got 5 before 5"),
        (2, [7, 5], "strictly increasing, got 7 before 5"),
        (2, [0, 5], "lie in 1..1000, got 0..5"),
        (2, [5, 1001], "lie in 1..1000"),
        (3, [5, 6], "has 2 steps where S = 3"),
        (3, "cosine", "one of .* got 'cosine'"),
    ],
)
def test_bad_trajectories_are_refused(S: int, spacing: str | list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedule.trajectory(1000, S, spacing)


def test_bad_betas_are_refused() -> None:
    for arguments in ((0, 1e-4, 0.02), (10, 0.0, 0.02), (10, 0.1, 0.01), (10, 0.1, 1.0)):
        with pytest.raises(ValueError, match="alpha_bar needs"):
            schedule.alpha_bar(*arguments)


def test_alpha_bar_of_one_step() -> None:
    assert schedule.alpha_bar(1).tolist() == [1.0, 1 - 1e-4]
    assert math.isclose(float(schedule.alpha_bar(2)[2]), (1 - 1e-4) * 0.98)


@pytest.mark.parametrize("eta", [0, 0.0, 0.3, 1, 1.0, "hat", np.float32(0.5)])
def test_eta_is_a_number_from_0_to_1_or_hat(eta: object) -> None:
    schedule.check_eta(eta)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan, True, None, "0.5", "Hat", [0.0]])
def test_any_other_eta_is_refused_by_the_name_that_the_caller_gives(eta: object) -> None:
    with pytest.raises(ValueError, match=r"^cell\.eta must be a number in \[0, 1\] or 'hat', got "):
        schedule.check_eta(eta, "cell.eta")


def test_hat_is_refused_where_it_has_no_meaning() -> None:
    with pytest.raises(ValueError, match=r"^eta must be a number in \[0, 1\], got 'hat'$"):
        schedule.check_eta("hat", hat=False)


def test_the_schedule_can_be_imported_without_torch() -> None:
    program = "import sys, ddim.schedule; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False False", done.stdout + done.stderr
