"""The loss written out, and which images are mirrored."""

import math

import pytest
import torch

from ddim import objective, schedule

ALPHA_BAR = schedule.alpha_bar()


def test_loss_is_the_mean_squared_error_written_out():
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 3, 1, 2, 2, generator=generator, dtype=torch.float64)
    t = torch.tensor([1, 500, 1000])
    total = 0.0
    for i in range(3):
        a = float(ALPHA_BAR[t[i]])
        for x, e in zip(x0[i].flatten().tolist(), eps[i].flatten().tolist(), strict=True):
            x_t = math.sqrt(a) * x + math.sqrt(1 - a) * e
            total += (x_t * int(t[i]) - e) ** 2  # the network below
    got = objective.loss(lambda x, t: x * t[:, None, None, None], x0, t, eps, ALPHA_BAR)
    assert float(got) == pytest.approx(total / 12, rel=1e-6)


def test_flips_mirror_exactly_the_chosen_images():
    x = torch.arange(12.0).reshape(2, 1, 2, 3)
    got = objective.hflip(x, torch.tensor([True, False]))
    assert got[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert torch.equal(got[1], x[1])
