"""What sigma does, on the exact oracle."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.analysis_fixture import context, saved, settings
from helpers.oracle import eps_model

from ddim import sampler
from ddim.analysis import sigma
from ddim.analysis.sigma import SigmaResult
from ddim.config import schema


@pytest.fixture(scope="module")
def result() -> SigmaResult:
    return sigma.measure(context(small()))


def small() -> schema.Config:
    return settings(
        sigma=schema.Sigma(eta=[0.0, 0.5, 1.0, "hat"], draws=3, num_paths=2, drawn_steps=5)
    )


def test_the_spread_is_0_at_eta_0_and_grows(tmp_path: Path) -> None:
    content = saved(sigma, context(small()), tmp_path)
    numbers = content["numbers"]
    assert numbers["spread_eta0"] == 0
    assert 0.2 < numbers["spread_eta0.5"] < numbers["spread_eta1"] < 1.2
    assert numbers["correlation_eta0"] == pytest.approx(1)
    assert abs(numbers["correlation_eta1"]) < 0.1
    assert [verdict["word"] for verdict in content["verdicts"]] == ["reproduced"]
    assert content["figures"][0]["file"] == "draws.png"


def test_draws_that_differ_at_eta_0_contradict_the_claim(result: SigmaResult) -> None:
    first, *others = result.draws
    wrong = replace(result, draws=(replace(first, largest=30), *others))
    (verdict,) = sigma.present(wrong).verdicts
    assert verdict.word == "contradicted"


def test_a_spread_that_does_not_grow_contradicts_the_claim(result: SigmaResult) -> None:
    draws = [replace(draws, spread=2 - draws.spread) for draws in result.draws]
    (verdict,) = sigma.present(replace(result, draws=tuple(draws))).verdicts
    assert verdict.word == "contradicted"


def test_the_forward_path_of_eta_0_is_fixed_by_its_first_draw(result: SigmaResult) -> None:
    """x_t = sqrt(a) x_0 + sqrt(1 - a) eps with one eps for all t."""
    paths = result.paths[0]
    eps = (paths.shown - result.a**0.5 * result.x_0) / (1 - result.a) ** 0.5
    assert np.ptp(eps, axis=1).max() < 1e-9
    assert paths.shown.shape == (2, len(result.times))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_three_terms_add_up_and_the_last_is_the_noise(eta: float) -> None:
    made, drawn = context(settings()), []

    def randn_like(x: torch.Tensor) -> torch.Tensor:
        drawn.append(torch.full_like(x, 0.5))
        return drawn[-1]

    x_T = made.noise(0, 2).double()
    states = sampler.sample_progressive(
        eps_model, x_T, made.alpha_bar, made.tau(5), eta, randn_like=randn_like
    )
    for state, following in pairwise(states):
        predicted, direction, noise = sigma.split(state, following, made.alpha_bar, eta)
        assert torch.allclose(predicted + direction + noise, following.x)
        expected = drawn.pop() if drawn else torch.zeros_like(noise)
        a, a_prev = (float(made.alpha_bar[s.t]) for s in (state, following))
        size = sampler.sigmas(a, a_prev, eta)[1]
        assert torch.allclose(noise, size * expected, atol=1e-12)


def test_evaluations_are_counted() -> None:
    assert [sigma.count_evaluations(context(settings()), S) for S in (1, 10, 1000)] == [1, 10, 1000]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eta": [0.5, 1.0]}, "analysis.sigma.eta must be numbers that rise from 0.0"),
        ({"eta": [0.0, 1.0, 0.5]}, "analysis.sigma.eta must be numbers that rise from 0.0"),
        ({"eta": [0.0, 2.0]}, "analysis.sigma.eta must be a number in"),
        ({"draws": 1}, "analysis.sigma.draws must be at least 2"),
        ({"num_paths": 0}, "analysis.sigma.num_paths must be greater than 0"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(small().analysis.sigma, **changes)
