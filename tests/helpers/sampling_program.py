"""Run by a test in a process of its own: sample one cell with two processes.

python sampling_program.py FOLDER
"""

import dataclasses
import os
import sys
from pathlib import Path

import torch

from ddim.sampling.generate import DDIM, generate_cell
from ddim.sampling.network import EpsModel
from helpers import tiny


def walk() -> DDIM:
    """A stochastic sampler around the untrained network."""
    return DDIM(
        eps_model=EpsModel(tiny.net()),
        alpha_bar=tiny.ALPHA_BAR,
        tau=[1, 200, 400, 600, 800],
        eta=0.5,
        clip_x0=False,
    )


def ddp(folder: Path) -> None:
    """Sample a cell over two processes; each leaves whether it is the one that merges."""
    seconds = generate_cell(
        walk(),
        folder / "samples.npy",
        n=21,
        seed=0,
        shape=(1, 8, 8),
        batch_size=4,
        shard=6,
        work=folder / "shards",
        label="two",
        trainer=dataclasses.replace(tiny.CPU, strategy="ddp", devices=2),
    )
    torch.save({"merges": bool(seconds)}, folder / f"rank{os.environ['LOCAL_RANK']}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    ddp(Path(sys.argv[1]))
