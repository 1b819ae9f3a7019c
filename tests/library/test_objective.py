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


def test_the_step_size_rises_then_stays_or_falls_to_zero():
    rise = [objective.lr_factor(step, warmup=4) for step in range(6)]
    assert rise == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert objective.lr_factor(0, warmup=0) == 1.0
    fall = [objective.lr_factor(step, warmup=0, decay_to=4) for step in (0, 1, 2, 4, 9)]
    assert fall == pytest.approx([1, (1 + 0.5**0.5) / 2, 0.5, 0, 0])


def test_the_average_forgets_the_initial_weights_first():
    assert [objective.ema_decay(n, 0.9999) for n in (0, 1, 8)] == [1 / 10, 2 / 11, 9 / 18]
    assert objective.ema_decay(10**6, 0.9999) == 0.9999
