"""Images in numbers: batches in any order, and shards that survive a kill."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.sampling_program import cell_job, stochastic

from ddim.noise import Noise
from ddim.sampler import sample
from ddim.sampling.generate import generate
from ddim.sampling.network import EpsModel
from ddim.sampling.samplers import DDIM
from ddim.sampling.shards import sample_missing

CPU = torch.device("cpu")
SHAPE = (1, 8, 8)


def sample_cell(folder: Path, sampler: DDIM) -> float:
    """Sample all 21 images into folder/samples.npy; the seconds that it took."""
    job = cell_job(folder / "work" / "key", sampler)
    sample_missing(job, "cell", tiny.CPU)
    seconds = job.shards.merge(folder / "samples.npy")
    job.shards.remove()
    return seconds


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """The 21 images, straight from the sampler."""
    s, noise = stochastic(), Noise(0, range(21), SHAPE)
    x = sample(s.eps_model, noise.draw(), s.alpha_bar, s.tau, s.eta, randn_like=noise)
    return ((x + 1) * 127.5 + 0.5).floor().clamp(0, 255).to(torch.uint8).numpy()


def close(got: np.ndarray, expected: np.ndarray) -> bool:
    """Up to rounding: other batch sizes may move a value over the edge between two levels."""
    apart = np.abs(got.astype(int) - expected.astype(int))
    return got.shape == expected.shape and apart.max() <= 1 and bool((apart > 0).mean() < 0.01)


def test_a_cell_is_what_the_sampler_draws_whatever_the_batches(
    tmp_path: Path, expected: np.ndarray
) -> None:
    seconds = sample_cell(tmp_path, stochastic())
    got = np.load(tmp_path / "samples.npy")
    assert got.dtype == np.uint8
    assert close(got, expected)
    assert seconds > 0
    assert not (tmp_path / "work" / "key").exists()


def test_any_images_in_any_order(expected: np.ndarray) -> None:
    settings = {"seed": 0, "shape": SHAPE, "batch_size": 2, "device": CPU}
    batches = generate(stochastic(), [20, 3, 7], **settings)
    assert close(np.concatenate([*batches]), expected[[20, 3, 7]])
    batches = generate(stochastic(), range(3, 8), **settings)
    assert close(np.concatenate([*batches]), expected[3:8])


def test_progress_adds_up_to_the_images() -> None:
    steps = []
    settings = {"seed": 0, "shape": SHAPE, "batch_size": 4, "device": CPU}
    list(generate(stochastic(), range(6), advance=lambda n, note="": steps.append(n), **settings))
    assert len(steps) == 2 * stochastic().nfe
    assert sum(steps) == pytest.approx(6)


def test_a_killed_cell_loses_at_most_one_shard(tmp_path: Path) -> None:
    sample_cell(tmp_path / "whole", stochastic())

    def interrupt(call: int) -> None:
        if call == 25:  # in the third shard: a shard of 6 is two batches of 5 steps
            raise KeyboardInterrupt

    broken = dataclasses.replace(stochastic(), eps_model=EpsModel(tiny.net(interrupt)))
    with pytest.raises(KeyboardInterrupt):
        sample_cell(tmp_path, broken)
    assert not (tmp_path / "samples.npy").exists()
    kept = [file.name for file in sorted((tmp_path / "work" / "key").iterdir())]
    assert kept == ["shard_000000_000006.npz", "shard_000006_000012.npz"]

    again = tiny.net()
    sample_cell(tmp_path, dataclasses.replace(stochastic(), eps_model=EpsModel(again)))
    assert again.calls == 3 * 5  # nine images are left: batches of 4, 2 and 3
    whole = np.load(tmp_path / "whole" / "samples.npy")
    assert np.array_equal(np.load(tmp_path / "samples.npy"), whole)


def saved(folder: Path) -> Path:
    """The first of the four shards of 21 images, all of which are saved."""
    job = cell_job(folder, stochastic())
    sample_missing(job, "cell", tiny.CPU)
    return job.shards.file(range(6))


def truncate(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-100])


def empty(shard: Path) -> None:
    shard.write_bytes(b"")


def flip_a_bit(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 4] ^= 1
    shard.write_bytes(content)


def swap_with_the_next(shard: Path) -> None:
    shard.write_bytes((shard.parent / "shard_000006_000012.npz").read_bytes())


def make_one_image(shard: Path) -> None:
    with shard.open("wb") as file:
        np.savez(file, images=np.zeros((1, *SHAPE), np.uint8), seconds=1.0, first=0)


def make_float64(shard: Path) -> None:
    with shard.open("wb") as file:
        np.savez(file, images=np.zeros((6, *SHAPE)), seconds=1.0, first=0)


def make_pickle(shard: Path) -> None:
    with shard.open("wb") as file:
        np.savez(file, images=np.array([{}], dtype=object), seconds=1.0, first=0)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        empty,
        flip_a_bit,
        swap_with_the_next,
        make_one_image,
        make_float64,
        make_pickle,
    ],
)
def test_a_damaged_shard_is_named_and_sampled_again(
    tmp_path: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    sample_cell(tmp_path / "whole", stochastic())
    damage(saved(tmp_path / "work" / "key"))
    capsys.readouterr()
    with pytest.raises(ValueError, match=r"shard_000000_000006\.npz is damaged"):
        cell_job(tmp_path / "work" / "key", stochastic()).shards.merge(tmp_path / "never.npy")
    assert not (tmp_path / "never.npy").exists()

    network = tiny.net()
    sample_cell(tmp_path, dataclasses.replace(stochastic(), eps_model=EpsModel(network)))
    assert "shard_000000_000006.npz is damaged" in capsys.readouterr().out
    assert network.calls == 2 * 5  # two batches of that shard alone
    whole = np.load(tmp_path / "whole" / "samples.npy")
    assert np.array_equal(np.load(tmp_path / "samples.npy"), whole)


def test_nan_is_an_error_and_not_a_black_image(tmp_path: Path) -> None:
    network = tiny.net()
    with torch.no_grad():
        network.b.bias.fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        sample_cell(tmp_path, dataclasses.replace(stochastic(), eps_model=EpsModel(network)))
    assert not (tmp_path / "samples.npy").exists()


def test_a_sampler_yields_a_state_for_each_evaluation() -> None:
    s, noise = stochastic(), Noise(0, [0], SHAPE)
    assert len([*s(noise.draw(), noise)]) == s.nfe == 5
