"""Batch, shard, order, threads and a kill change no pixel: bit for bit on a CPU in float32.

On the network that is used, not on a stand-in. Before the rounding to 256 levels another batch size
may move x_0 by float32's rounding: the bound is the last test.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.networks import randomised

from ddim import schedule
from ddim.noise import Noise
from ddim.sampling.generate import generate
from ddim.sampling.network import EpsModel
from ddim.sampling.samplers import DDIM
from ddim.sampling.shards import ShardJob, Shards, sample_missing
from ddim.unet import UNet

CPU = torch.device("cpu")
SHAPE, N = (1, 8, 8), 21
ARGUMENTS = {"image_size": 8, "in_channels": 1, "channels": 8, "multipliers": (1, 2), "blocks": 1}
ARGUMENTS |= {"attention": (4,), "dropout": 0.0, "groups": 4}
ETAS = pytest.mark.parametrize("eta", [0.0, 1.0, "hat"])


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def sampler(eta: float | str) -> DDIM:
    """The U-Net with attention; the layers that start as zero are not, so that all of it counts."""
    return DDIM(
        eps_model=EpsModel(randomised(UNet(**ARGUMENTS)).eval()),
        alpha_bar=schedule.alpha_bar(),
        tau=schedule.trajectory(1000, 5, "linear"),
        eta=eta,
        clip_x0=False,
    )


def images(eta: float | str, indices: list[int], batch_size: int, threads: int = 1) -> np.ndarray:
    torch.set_num_threads(threads)
    settings = {"seed": 0, "shape": SHAPE, "batch_size": batch_size, "device": CPU}
    return np.concatenate([*generate(sampler(eta), indices, **settings)])


@ETAS
def test_batches_threads_and_order_change_no_pixel(eta: float | str) -> None:
    whole = images(eta, list(range(N)), N)
    assert len(np.unique(whole)) > 20
    for batch_size, threads in ((1, 1), (2, 2), (7, 1), (7, 2), (20, 1)):
        assert np.array_equal(images(eta, list(range(N)), batch_size, threads), whole)
    order = list(np.random.default_rng(1).permutation(N))
    assert np.array_equal(images(eta, order, 4), whole[order])


@pytest.mark.parametrize("size", [1, 5, 21])
def test_shards_and_a_kill_between_them_change_no_pixel(tmp_path: Path, size: int) -> None:
    whole = images("hat", list(range(N)), N)
    shards = Shards(folder=tmp_path / "work", n=N, size=size, shape=SHAPE)
    job = ShardJob(sampler=sampler("hat"), shards=shards, seed=0, batch_size=4)
    sample_missing(job, "cell", tiny.CPU)
    for indices in shards.all()[::2]:
        shards.file(indices).unlink()
    sample_missing(job, "cell", tiny.CPU)
    shards.merge(tmp_path / "samples.npy")
    assert np.array_equal(np.load(tmp_path / "samples.npy"), whole)


@ETAS
def test_before_the_rounding_another_batch_moves_x_0_by_float32s_rounding(eta: float | str) -> None:
    """A convolution's sums are taken in another order for another batch."""
    torch.set_num_threads(1)
    s = sampler(eta)

    def x_0(indices: range) -> torch.Tensor:
        noise = Noise(0, indices, SHAPE, CPU)
        *_, last = s(noise.draw(), noise)
        return last

    whole = x_0(range(N))
    alone = torch.cat([x_0(range(i, i + 1)) for i in range(N)])
    assert float((whole - alone).abs().max()) < 1e-4 * float(whole.abs().max())
