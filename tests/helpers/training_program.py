"""Run by tests in processes of their own: `kill` a training, or do everything with two processes.

python training_program.py kill|ddp FOLDER
"""

import dataclasses
import os
import sys
from pathlib import Path

import torch

from ddim.sampling.generate import DDIM, generate_cell
from ddim.sampling.network import EpsModel
from helpers import tiny


def kill(folder: Path) -> None:
    """Die without warning in the 18th step; the last resume point is that of step 14."""
    tiny.fit(tiny.net(tiny.kill(18)), folder)


def ddp(folder: Path) -> None:
    """Train over two processes, then sample a cell over them; each leaves what it saw."""
    trainer = dataclasses.replace(tiny.CPU, strategy="ddp", devices=2)
    network = tiny.net()
    fitted = tiny.fit(network, folder / "work", trainer=trainer)
    rank = os.environ["LOCAL_RANK"]
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
        trainer=trainer,
    )
    seen = {"raw": network.state_dict(), "exports": fitted is not None, "merges": bool(seconds)}
    if fitted is not None:
        seen["ema"] = fitted.ema
    torch.save(seen, folder / f"rank{rank}.pt")


def walk() -> DDIM:
    """A stochastic sampler around the untrained network."""
    return DDIM(
        eps_model=EpsModel(tiny.net()),
        alpha_bar=tiny.ALPHA_BAR,
        tau=[1, 200, 400, 600, 800],
        eta=0.5,
        clip_x0=False,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"kill": kill, "ddp": ddp}[sys.argv[1]](Path(sys.argv[2]))
