"""Run by a test in a process of its own: sample one cell with two processes.

python sampling_program.py FOLDER
"""

import dataclasses
import os
import sys
from pathlib import Path

import torch

from ddim.runtime.lightning import is_global_zero
from ddim.sampling.network import EpsModel
from ddim.sampling.samplers import DDIM
from ddim.sampling.shards import ShardJob, Shards, sample_missing
from helpers import tiny


def stochastic() -> DDIM:
    """A stochastic sampler around the untrained network."""
    return DDIM(
        eps_model=EpsModel(tiny.net()),
        alpha_bar=tiny.ALPHA_BAR,
        tau=[1, 200, 400, 600, 800],
        eta=0.5,
        clip_x0=False,
    )


def cell_job(folder: Path, sampler: DDIM) -> ShardJob:
    """21 images in shards of 6, of one process or more."""
    shards = Shards(folder=folder, n=21, size=6, shape=(1, 8, 8))
    return ShardJob(sampler=sampler, shards=shards, seed=0, batch_size=4)


def ddp(folder: Path) -> None:
    """Sample a cell over two processes; the first merges, each leaves which one it is."""
    job = cell_job(folder / "shards", stochastic())
    sample_missing(job, "two", dataclasses.replace(tiny.CPU, strategy="ddp", devices=2))
    first = is_global_zero()
    if first:
        job.shards.merge(folder / "samples.npy")
        job.shards.remove()
    torch.save({"first": first}, folder / f"rank{os.environ['LOCAL_RANK']}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    ddp(Path(sys.argv[1]))
