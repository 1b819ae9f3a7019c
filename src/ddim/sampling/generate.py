"""Images from a network, in numbers: uint8 batches, shards that survive a kill, one array file.

Image i of a run depends on (seed, i) alone, so shards can be made in any order, by any number of
processes. Lightning is imported only where more than one process samples.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ddim.config import schema
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.runtime.device import torch_device
from ddim.runtime.files import array, replacing
from ddim.runtime.progress import Advance, silent, track
from ddim.sampler import Eta, RandnLike, sample_progressive
from ddim.sampling.network import EpsModel

# --- how one batch is drawn ----------------------------------------------------------------------


class Walk(Protocol):
    """From x_T to x_0: any sampler, with everything but the noise settled."""

    @property
    def eps_model(self) -> EpsModel:
        """The network that it evaluates; each process places it on its own device."""

    @property
    def states(self) -> int:
        """How many states a call yields: the units of the progress line."""

    def __call__(self, x_T: Tensor, randn_like: RandnLike) -> Iterator[Tensor]:
        """Yield the states after x_T [N,C,H,W]; the last one is x_0 on [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class DDIM:
    """The paper's samplers as a `Walk`. Arguments as in ddim.sampler.sample."""

    eps_model: EpsModel
    alpha_bar: Tensor
    tau: Sequence[int]
    eta: Eta
    clip_x0: bool

    @property
    def states(self) -> int:
        return len(self.tau)

    def __call__(self, x_T: Tensor, randn_like: RandnLike) -> Iterator[Tensor]:
        states = sample_progressive(
            self.eps_model,
            x_T,
            self.alpha_bar,
            self.tau,
            self.eta,
            randn_like=randn_like,
            clip_x0=self.clip_x0,
        )
        next(states)  # x_T itself
        for state in states:
            yield state.x


def generate(
    walk: Walk,
    indices: Sequence[int],
    *,
    seed: int,
    shape: Sequence[int],
    batch_size: int,
    device: torch.device,
    advance: Advance = silent,
) -> Iterator[np.ndarray]:
    """Yield images `indices` of run `seed` as uint8 [n,C,H,W] batches of at most batch_size.

    shape is one image's (C, H, W). `advance` is told the images done, fractions included. Raises
    ValueError if the sampler returns NaN.
    """
    for first in range(0, len(indices), batch_size):
        batch = indices[first : first + batch_size]
        noise = Noise(seed, batch, shape, device)
        for state in walk(noise.draw(), noise):
            advance(len(batch) / walk.states)
            x_0 = state
        yield to_uint8(x_0).cpu().numpy()


# --- what is kept of a cell on the way -----------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Shards:
    """Images 0..n-1 in runs of `size`, one file each, which a killed process leaves behind.

    A file is named by its images and appears whole; it also holds the seconds it took.
    """

    folder: Path
    n: int
    size: int
    shape: tuple[int, ...]  # (C, H, W)

    def all(self) -> list[range]:
        """The image numbers of every shard, in order."""
        starts = range(0, self.n, self.size)
        return [range(first, min(first + self.size, self.n)) for first in starts]

    def missing(self) -> list[range]:
        """Those that are not there yet."""
        return [indices for indices in self.all() if not self.file(indices).exists()]

    def file(self, indices: range) -> Path:
        """shard_<first>_<stop>.npz"""
        return self.folder / f"shard_{indices.start:06}_{indices.stop:06}.npz"

    def save(self, indices: range, images: np.ndarray, seconds: float) -> None:
        """Write one shard: uint8 [len(indices),C,H,W]."""
        assert images.shape == (len(indices), *self.shape), images.shape
        assert images.dtype == np.uint8
        with replacing(self.file(indices)) as temporary, temporary.open("wb") as file:
            np.savez(file, images=images, seconds=seconds)

    def merge(self, path: Path) -> float:
        """Write all images in order to the array file `path`, holding one shard in memory.

        Removes the shards. Returns the seconds that they took, all processes together.
        """
        seconds = 0.0
        with array(path, (self.n, *self.shape), np.uint8) as merged:
            for indices in self.all():
                with np.load(self.file(indices)) as shard:
                    merged[indices.start : indices.stop] = shard["images"]
                    seconds += float(shard["seconds"])
        shutil.rmtree(self.folder)
        return seconds


# --- a whole cell --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell to be made: what a process needs to make any shard of it."""

    walk: Walk
    shards: Shards
    seed: int
    batch_size: int

    def place(self, device: torch.device) -> None:
        """Get the network ready on this process's device."""
        self.walk.eps_model.place(device)

    def make(self, indices: range, device: torch.device, advance: Advance) -> None:
        """Make one shard and keep it."""
        start = time.perf_counter()
        images, done = np.empty((len(indices), *self.shards.shape), np.uint8), 0
        for batch in generate(
            self.walk,
            indices,
            seed=self.seed,
            shape=self.shards.shape,
            batch_size=self.batch_size,
            device=device,
            advance=advance,
        ):
            images[done : done + len(batch)] = batch
            done += len(batch)
        assert done == len(indices), f"{done} images instead of {len(indices)}"
        self.shards.save(indices, images, time.perf_counter() - start)


def generate_cell(
    walk: Walk,
    path: Path,
    *,
    n: int,
    seed: int,
    shape: Sequence[int],
    batch_size: int,
    shard: int,
    work: Path,
    label: str,
    trainer: schema.Trainer,
) -> float | None:
    """Make images 0..n-1 of run `seed` and write them to `path`, uint8 [n,C,H,W].

    Args:
        walk: the sampler.
        path: of the .npy file; it appears whole or not at all.
        shape: of one image, (C, H, W).
        batch_size: images that go through the network together.
        shard: images kept at a time; a killed cell loses at most this many (per process).
        work: this cell's own folder (named by a ddim.records.fingerprints.key); removed at the end.
        label: what the progress line says.
        trainer: on which device, and over how many processes; the images are the same either way
            (up to the rounding of a different batch).

    Returns the seconds that sampling took, all processes and earlier killed runs included; None on
    every process but the first of a `ddp` run.
    """
    world = trainer.devices * trainer.num_nodes
    size = min(shard, -(-n // world))  # something to do for every process
    work.mkdir(parents=True, exist_ok=True)
    shards = Shards(folder=work, n=n, size=size, shape=tuple(shape))
    job = Job(walk=walk, shards=shards, seed=seed, batch_size=batch_size)
    if world == 1:
        _alone(job, label, torch_device(trainer.accelerator))
    else:
        from ddim.sampling.distributed import spread

        if not spread(job, label, trainer):
            return None
    return shards.merge(path)


def _alone(job: Job, label: str, device: torch.device) -> None:
    job.place(device)
    missing = job.shards.missing()
    left = sum(map(len, missing))
    with track(job.shards.n, label, done=job.shards.n - left) as advance:
        for indices in missing:
            job.make(indices, device, advance)
