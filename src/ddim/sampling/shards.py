"""A cell's images in shards that survive a kill, sampled by one process or by several.

Image i depends on (seed, i) alone, so shards can be sampled in any order, by any number of
processes. Lightning is imported only where more than one process samples.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ddim.config.schema import Trainer
from ddim.runtime.array_file import DamagedArrayError, read_arrays, write_arrays
from ddim.runtime.device import torch_device
from ddim.runtime.files import array
from ddim.runtime.progress import Advance, track
from ddim.sampling.generate import NotFiniteError, generate
from ddim.sampling.samplers import Sampler

KIND, VERSION = "shard", 2  # of a file; version 1 had no checksum
AGAIN = "it is sampled again, here or by the next run of the stage sample"


@dataclass(frozen=True, kw_only=True)
class Shards:
    """Images 0..n-1 in runs of `size`, one file each, which a killed process leaves behind.

    A file is named by its images and written atomically; it also holds the seconds it took.
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
        """Those that are not there yet; a damaged one is removed, which a line says, and missing.

        All that are there are read once.
        """
        return [indices for indices in self.all() if not self._is_whole(indices)]

    def _is_whole(self, indices: range) -> bool:
        path = self.file(indices)
        if not path.exists():
            return False
        try:
            self._read(indices)
        except DamagedArrayError as error:
            print(error, flush=True)
            path.unlink(missing_ok=True)
            return False
        return True

    def file(self, indices: range) -> Path:
        """The shard's file, named by its first image and the one after its last."""
        return self.folder / f"shard_{indices.start:06}_{indices.stop:06}.npz"

    def save(self, indices: range, images: np.ndarray, seconds: float) -> None:
        """Write one shard: uint8 [len(indices),C,H,W]."""
        assert images.shape == (len(indices), *self.shape), images.shape
        assert images.dtype == np.uint8
        about = {**self._about(indices), "seconds": seconds}
        write_arrays(self.file(indices), KIND, VERSION, about, {"images": images})

    def _about(self, indices: range) -> dict[str, object]:
        """Which images a file holds; its cell is that of the folder's name."""
        return {"cell": self.folder.name, "first": indices.start}

    def _read(self, indices: range) -> tuple[np.ndarray, float]:
        """(images, seconds) of a shard; DamagedArrayError for other content than was saved."""
        path = self.file(indices)
        about, arrays = read_arrays(path, KIND, VERSION, AGAIN)
        seconds = about.pop("seconds", None)
        if about != self._about(indices) or not isinstance(seconds, float | int):
            raise DamagedArrayError(
                path, "is damaged (it holds other images than its name says)", AGAIN
            )
        shape, images = (len(indices), *self.shape), arrays.get("images")
        if images is None or images.dtype != np.uint8 or images.shape != shape:
            raise DamagedArrayError(
                path, f"is damaged (it holds no uint8 images {list(shape)})", AGAIN
            )
        return images, seconds

    def merge(self, path: Path) -> float:
        """Write all images in order to the array file `path`, holding one shard in memory.

        Returns the seconds that the shards took, all processes together.
        """
        seconds = 0.0
        with array(path, (self.n, *self.shape), np.uint8) as merged:
            for indices in self.all():
                merged[indices.start : indices.stop], taken = self._read(indices)
                seconds += taken
        return seconds

    def remove(self) -> None:
        """Remove the shards, which are no longer needed."""
        shutil.rmtree(self.folder)


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """A cell to be sampled: what a process needs for any shard of it."""

    sampler: Sampler
    shards: Shards
    seed: int
    batch_size: int

    def place(self, device: torch.device) -> None:
        """Get the network ready on this process's device."""
        self.sampler.eps_model.place(device)

    def sample(self, indices: range, device: torch.device, advance: Advance) -> None:
        """Sample one shard and keep it."""
        start = time.perf_counter()
        images, done = np.empty((len(indices), *self.shards.shape), np.uint8), 0
        for batch in generate(
            self.sampler,
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


def sample_missing(job: ShardJob, label: str, trainer: Trainer) -> None:
    """Sample the shards of `job` that are not there yet; all are when this returns.

    label: of the progress line. trainer: on which device, and over how many processes; the images
    are the same either way (up to the rounding of a different batch).
    """
    job.shards.folder.mkdir(parents=True, exist_ok=True)
    if trainer.devices * trainer.num_nodes > 1:
        from ddim.sampling.distributed import sample_distributed

        sample_distributed(job, label, trainer)
        return
    device = torch_device(trainer.accelerator)
    job.place(device)
    missing = job.shards.missing()
    left = sum(map(len, missing))
    with track(job.shards.n, label, done=job.shards.n - left) as advance, named(label):
        for indices in missing:
            job.sample(indices, device, advance)


@contextmanager
def named(label: str) -> Iterator[None]:
    """Name the cell in the error of images that are not finite."""
    try:
        yield
    except NotFiniteError as error:
        raise NotFiniteError(f"{label}: {error}") from None
