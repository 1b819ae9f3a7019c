"""Images in numbers: batches, shards that survive a kill, and the door of the network."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.sampling_program import walk

from ddim.config import schema
from ddim.noise import Noise
from ddim.runtime.device import torch_device
from ddim.sampler import sample
from ddim.sampling.generate import DDIM, generate, generate_cell
from ddim.sampling.network import EpsModel

CPU = torch.device("cpu")
SHAPE = (1, 8, 8)


def cell(folder, sampler, **changes):
    settings = {"n": 21, "seed": 0, "batch_size": 4, "shard": 6, "label": "cell"}
    return generate_cell(
        sampler,
        folder / "samples.npy",
        shape=SHAPE,
        work=folder / "work" / "key",
        trainer=tiny.CPU,
        **(settings | changes),
    )


@pytest.fixture(scope="module")
def expected():
    """The 21 images, straight from the sampler."""
    w, noise = walk(), Noise(0, range(21), SHAPE)
    x = sample(w.eps_model, noise.draw(), w.alpha_bar, w.tau, w.eta, randn_like=noise)
    return ((x + 1) * 127.5 + 0.5).floor().clamp(0, 255).to(torch.uint8).numpy()


def close(got, expected):
    """Up to rounding: other batch sizes may move a value over the edge between two levels."""
    apart = np.abs(got.astype(int) - expected.astype(int))
    return got.shape == expected.shape and apart.max() <= 1 and (apart > 0).mean() < 0.01


def test_a_cell_is_what_the_sampler_draws_whatever_the_batches(tmp_path, expected):
    seconds = cell(tmp_path, walk())
    got = np.load(tmp_path / "samples.npy")
    assert got.dtype == np.uint8
    assert close(got, expected)
    assert seconds > 0
    assert not (tmp_path / "work" / "key").exists()


def test_any_images_in_any_order(expected):
    batches = generate(walk(), [20, 3, 7], seed=0, shape=SHAPE, batch_size=2, device=CPU)
    assert close(np.concatenate([*batches]), expected[[20, 3, 7]])
    batches = generate(walk(), range(3, 8), seed=0, shape=SHAPE, batch_size=2, device=CPU)
    assert close(np.concatenate([*batches]), expected[3:8])


def test_progress_adds_up_to_the_images():
    told = []
    advance = lambda amount, note="": told.append(amount)  # noqa: E731
    settings = {"seed": 0, "shape": SHAPE, "batch_size": 4, "device": CPU}
    list(generate(walk(), range(6), advance=advance, **settings))
    assert len(told) == 2 * len(walk().tau)
    assert sum(told) == pytest.approx(6)


def test_a_killed_cell_loses_at_most_one_shard(tmp_path):
    cell(tmp_path / "whole", walk())

    def interrupt(call):
        if call == 25:  # in the third shard: a shard of 6 is two batches of 5 steps
            raise KeyboardInterrupt

    broken = dataclasses.replace(walk(), eps_model=EpsModel(tiny.net(interrupt)))
    with pytest.raises(KeyboardInterrupt):
        cell(tmp_path, broken)
    assert not (tmp_path / "samples.npy").exists()
    kept = [file.name for file in sorted((tmp_path / "work" / "key").iterdir())]
    assert kept == ["shard_000000_000006.npz", "shard_000006_000012.npz"]

    again = tiny.net()
    cell(tmp_path, dataclasses.replace(walk(), eps_model=EpsModel(again)))
    assert again.calls == 3 * 5  # nine images are left: batches of 4, 2 and 3
    whole = np.load(tmp_path / "whole" / "samples.npy")
    assert np.array_equal(np.load(tmp_path / "samples.npy"), whole)


def test_nan_is_an_error_and_not_a_black_image(tmp_path):
    network = tiny.net()
    with torch.no_grad():
        network.b.bias.fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        cell(tmp_path, dataclasses.replace(walk(), eps_model=EpsModel(network)))
    assert not (tmp_path / "samples.npy").exists()


# --- the door ------------------------------------------------------------------------------------


def test_the_door_casts_and_turns_dropout_off():
    network = tiny.net().train()
    model, x, t = EpsModel(network), torch.randn(2, 1, 8, 8), torch.tensor([1, 1000])
    inside = network(x, t)
    assert model(x, t).dtype == torch.float32
    assert model(x.double(), t).dtype == torch.float64
    assert torch.equal(model(x.double(), t), model(x, t).double())
    assert torch.equal(model(x, t), inside)
    assert not model(x, t).requires_grad


def test_half_precision_is_another_number_nearby():
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 1000])
    full = EpsModel(tiny.net())(x, t)
    half = EpsModel(tiny.net(), precision="bf16-mixed")(x, t)
    assert half.dtype == torch.float32
    assert 0 < float((full - half).abs().max()) < 0.05


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_an_absent_device_is_named():
    with pytest.raises(ValueError, match=r"trainer.accelerator is cuda, which this machine"):
        torch_device(schema.Accelerator.cuda)


def test_a_walk_yields_as_many_states_as_it_says():
    w = walk()
    assert isinstance(w, DDIM)
    noise = Noise(0, [0], SHAPE)
    assert len([*w(noise.draw(), noise)]) == w.states
