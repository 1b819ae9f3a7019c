"""Training: the loop written out, the seed, the curve, and what a user is told."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.imports import closure, modules

from ddim.tracking.training_progress import ProgressLine
from ddim.training.callbacks import DivergedError, check_finite
from ddim.training.fit import downsample
from ddim.training.module import DiffusionModule


class PixelMLP(torch.nn.Module):
    """The same small network for every pixel, of x and a few functions of t."""

    def __init__(self):
        super().__init__()
        sizes = [7, 32, 32, 1]
        layers = [torch.nn.Conv2d(i, o, 1) for i, o in pairwise(sizes)]
        self.layers = torch.nn.ModuleList(layers)

    def forward(self, x, t):
        u = (t.float() / 1000)[:, None, None, None].expand_as(x)
        h = torch.cat([x, u, u * x, u.sqrt(), (3 * u).sin(), (6 * u).cos(), (9 * u).sin()], dim=1)
        for layer in self.layers[:-1]:
            h = torch.nn.functional.silu(layer(h))
        return self.layers[-1](h)


def test_trained_epsilon_approaches_the_exact_one_on_gaussian_data(tmp_path):
    s = 0.25  # small enough that [-1, 1] holds four standard deviations
    x0 = np.random.default_rng(0).normal(0, s, (4000, 1, 2, 2))
    data = np.clip(np.round((x0 + 1) * 127.5), 0, 255).astype(np.uint8)
    torch.manual_seed(0)
    settings = {"steps": 600, "batch_size": 128, "lr": 1e-2, "warmup": 50, "ema_decay": 0.98}
    often = {"grad_clip": 1.0, "log_every": 100, "checkpoint_every": 600}
    network = PixelMLP()
    fitted = tiny.fit(network, tmp_path, images=data, flip=False, **settings, **often)
    network.load_state_dict(fitted.ema)

    generator = torch.Generator().manual_seed(1)
    t = torch.randint(1, 1001, (2000,), generator=generator)
    a = tiny.ALPHA_BAR[t].float()[:, None, None, None]
    variance = a * s**2 + 1 - a  # of x_t
    x_t = variance.sqrt() * torch.randn(2000, 1, 2, 2, generator=generator)
    exact = (1 - a).sqrt() * x_t / variance
    with torch.no_grad():
        error = float(((network(x_t, t) - exact) ** 2).mean())
    # eps has variance 1; what no network can predict of it is the loss that remains.
    signal = tiny.ALPHA_BAR[1:] * s**2
    floor = float((signal / (signal + 1 - tiny.ALPHA_BAR[1:])).mean())
    assert error < 0.01
    assert fitted.loss[-1][1] == pytest.approx(floor, abs=0.03)


def test_fit_equals_the_loop_written_out(whole):
    raw, ema = tiny.by_hand(tiny.net(), tiny.recipe(), seed=0, world=1)
    fitted, _ = whole
    for name in raw:
        torch.testing.assert_close(fitted.raw[name], raw[name], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(fitted.ema[name], ema[name], rtol=1e-5, atol=1e-6)
    assert not tiny.same(fitted.ema, fitted.raw)


def test_the_seed_decides_and_zero_is_a_seed(whole, tmp_path):
    again = tiny.fit(tiny.net(), tmp_path / "again")
    other = tiny.fit(tiny.net(), tmp_path / "other", seed=1)
    assert tiny.same(whole[0].raw, again.raw)
    assert not tiny.same(whole[0].raw, other.raw)


def test_the_curve_covers_every_step(whole):
    assert [step for step, _ in whole[0].loss] == [4, 8, 12, 16, 20, 24, 28]
    assert whole[0].steps == 30
    assert whole[0].seconds > 0


def test_the_curve_is_downsampled_without_losing_its_mean():
    long = [(step, float(step)) for step in range(1, 1001)]
    short = downsample(long, 200)
    assert len(short) == 200
    assert short[0] == (5, 3.0)
    assert short[-1] == (1000, 998.0)
    assert downsample(long[:7], 200) == long[:7]


def test_fit_is_silent_and_leaves_nothing_else(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    tiny.fit(tiny.net(), Path("work/key"), callbacks=[ProgressLine()])
    left = sorted(str(p) for p in Path().rglob("*") if p.is_file())
    assert left == ["work/key/last.ckpt", "work/key/previous.ckpt"]
    assert capfd.readouterr() == ("", "")


def test_a_loss_that_is_not_a_number_stops_the_run(tmp_path, monkeypatch, capfd):
    monkeypatch.delenv("CI")
    network = tiny.net()

    def poison(call):
        if call == 10:
            with torch.no_grad():
                network.b.bias.fill_(torch.nan)

    network.on_call = poison
    with pytest.raises(
        ValueError, match=r"the loss became nan at step 10: lower train.lr"
    ) as error:
        tiny.fit(network, tmp_path, callbacks=[ProgressLine()])
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")  # above all, no "training: done"
    left = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert left["global_step"] == 7  # the resume point is still a good one
    assert all(value.isfinite().all() for value in left["current_model_state"].values())


def test_infinite_weights_are_not_saved_even_if_the_loss_was_finite():
    check_finite([torch.ones(3)], step=9)
    with pytest.raises(DivergedError, match="weights are no longer finite after step 9"):
        check_finite([torch.ones(3), torch.tensor([1.0, torch.inf])], step=9)


def test_a_data_set_smaller_than_a_batch_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"train.batch_size must be at most .* 50, got 64"):
        tiny.fit(tiny.net(), tmp_path, batch_size=64)


def test_an_edit_of_how_training_is_shown_or_images_are_sampled_moves_no_weight():
    rooms = ("ddim.tracking", "ddim.sampling", "ddim.plotting", "ddim.evaluation", "ddim.analysis")
    others = ("ddim.runtime.progress", "ddim.sampler", "ddim.noise", "ddim.weights")
    training = [name for name in modules() if name.startswith("ddim.training")]
    needed = set().union(*map(closure, training))
    assert [name for name in needed if name.startswith(rooms) or name in others] == []


@pytest.mark.parametrize(
    ("step", "factor"), [(0, 0.1), (9, 0.980147), (50, 0.5), (100, 0.0), (200, 0.0)]
)
def test_the_step_size_rises_and_follows_a_cosine_to_zero(step: int, factor: float) -> None:
    settings = {"lr": 1.0, "warmup": 10, "flip": False, "seed": 0}
    decaying = DiffusionModule(PixelMLP(), tiny.ALPHA_BAR, decay_to=100, **settings)
    assert decaying.lr_factor(step) == pytest.approx(factor, abs=1e-4)
    constant = DiffusionModule(PixelMLP(), tiny.ALPHA_BAR, **settings)
    assert constant.lr_factor(step) == min(1.0, (step + 1) / 10)
