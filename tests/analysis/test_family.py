"""The family on the exact oracle, and DDPM's formulas by another road."""

from pathlib import Path

import pytest
from helpers.analysis_fixture import context, saved

from ddim.analysis import family
from ddim.noise import Noise


def test_family_on_the_oracle(tmp_path: Path) -> None:
    numbers = saved(family, context(), tmp_path)["numbers"]
    assert numbers["marginal_largest_deviation"] < numbers["marginal_allowed_deviation"]
    assert numbers["ddpm_mean_error"] < 1e-12
    assert numbers["ddpm_std_error"] < 1e-12
    assert numbers["bits_ddpm"] < numbers["bits_eta0.5"]


def test_ddpm_mean_is_the_posteriors_with_x0_predicted() -> None:
    """DDPM's Eq. 7 with x_0 = (x - sqrt(1 - a) eps) / sqrt(a) is its Eq. 11."""
    x, eps = Noise(0, range(2), (1, 2, 2)).draw().double()
    a, a_prev = 0.3, 0.5
    beta = 1 - a / a_prev
    x_0 = (x - (1 - a) ** 0.5 * eps) / a**0.5
    posterior = a_prev**0.5 * beta / (1 - a) * x_0
    posterior = posterior + (1 - beta) ** 0.5 * (1 - a_prev) / (1 - a) * x
    difference = family.ddpm_mean(x, eps, a, a_prev) - posterior
    assert float(difference.abs().max()) == pytest.approx(0, abs=1e-14)
