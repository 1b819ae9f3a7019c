"""The family on the exact oracle, and DDPM's formulas by another road."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.analysis_fixture import context, saved

from ddim import variational
from ddim.analysis import family
from ddim.images import to_float
from ddim.noise import Noise
from ddim.records.prepared import Split


def test_family_on_the_oracle(tmp_path: Path) -> None:
    content = saved(family, context(), tmp_path)
    numbers = content["numbers"]
    assert [verdict["word"] for verdict in content["verdicts"]] == ["reproduced", "reproduced"]
    assert content["figures"][0]["file"] == "marginals.png"
    assert content["text"].startswith('**"Identical ELBO"')
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


def test_with_all_256_grey_levels_the_decoder_is_ddpms() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    x0 = to_float(levels).double().reshape(4, 64)
    mean = (x0 + 0.3 * Noise(0, range(4), (64,)).draw()).clamp(-1, 1)
    ours = family.decoder_nats(x0, mean, 0.02, to_float(levels).double())
    assert torch.allclose(ours, variational.decoder_nats(x0, mean, 0.02), rtol=1e-4)


def test_the_decoder_gives_all_levels_together_probability_1() -> None:
    levels = torch.tensor([-1.0, -0.5, 0.7, 1.0], dtype=torch.float64)
    mean = torch.full((4, 1), 0.1, dtype=torch.float64)
    nats = family.decoder_nats(levels[:, None], mean, 0.6, levels)
    assert float((-nats).exp().sum()) == pytest.approx(1)


def test_few_grey_levels_are_said_to_be_not_comparable(tmp_path: Path) -> None:
    made = context()
    few = Split((made.train.images // 64 * 64).astype(np.uint8), None)
    content = saved(family, context(train=few), tmp_path)
    assert content["numbers"]["num_grey_levels"] == len(np.unique(few.images)) < 256
    assert "Not comparable with other papers' bits per dimension" in content["text"]


def test_another_marginal_contradicts_the_claim() -> None:
    result = family.measure(context())
    first = replace(result.marginals[0], mean_deviation=9.0)
    wrong = replace(result, marginals=(first, *result.marginals[1:]), ddpm_std_error=0.1)
    words = [verdict.word for verdict in family.present(wrong).verdicts]
    assert words == ["contradicted", "contradicted"]
