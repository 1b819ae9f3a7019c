"""Batches: training images in an order that depends on (seed, epoch) alone, and held-out ones.

No image is decoded, copied or collated one by one: a batch is one fancy index into the (usually
memory-mapped) array. Training batches are always full: where an epoch ends inside a batch, the
batch goes on with the next epoch's order, so every image is seen equally often.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from typing_extensions import override

MAX_HELD_OUT = (
    512  # images that a validation sees: its loss moves by a few per cent from set to set
)


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order, int64 [n], in which `epoch` visits the n images."""
    return np.random.default_rng([seed, epoch]).permutation(n)


class Order(Sampler[np.ndarray]):
    """The image numbers of each step's batch, from step `start` on: this process's share of them.

    Global batch k is the k-th run of batch_size numbers in the epochs' orders laid end to end;
    process `rank` of `world` takes the rank-th of its `world` equal parts.
    """

    def __init__(  # noqa: PLR0913
        self,
        n: int,
        *,
        batch_size: int,
        seed: int,
        steps: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if n < batch_size:
            raise ValueError(
                f"train.batch_size must be at most the number of training images {n},"
                f" got {batch_size}"
            )
        if batch_size % world:
            raise ValueError(
                "train.batch_size (images over all devices together) must be divisible by the"
                f" {world} processes of trainer.devices x trainer.num_nodes, got {batch_size}"
            )
        self._n, self._batch_size, self._seed = n, batch_size, seed
        self._steps, self._start = steps, start
        self._share = slice(rank * batch_size // world, (rank + 1) * batch_size // world)

    def __len__(self) -> int:
        """Steps of the whole training, those before `start` included (Lightning counts them)."""
        return self._steps

    @override
    def __iter__(self) -> Iterator[np.ndarray]:
        epoch, offset = divmod(self._start * self._batch_size, self._n)
        ahead = epoch_order(self._n, self._seed, epoch)[offset:]
        for _ in range(self._start, self._steps):
            if len(ahead) < self._batch_size:
                epoch += 1
                ahead = np.concatenate([ahead, epoch_order(self._n, self._seed, epoch)])
            batch, ahead = ahead[: self._batch_size], ahead[self._batch_size :]
            yield batch[self._share]


class _Images(Dataset[Tensor]):
    """Indexed by a whole batch: uint8 [N,C,H,W] at once."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def __getitem__(self, indices: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self._images[indices]))


class ImageData(LightningDataModule):
    """Feeds uint8 images [N,C,H,W] to the Trainer: `steps` batches, which it sees as one epoch.

    Args:
        images: uint8 [N,C,H,W], in memory or memory-mapped.
        held_out: uint8 [M,C,H,W] for validation, of which at most MAX_HELD_OUT are kept, evenly
            spread (a real split may be sorted by class); None where nothing is validated.
        batch_size: over all devices together.
        seed: of the order.
        steps: of the whole training. A resumed one starts at the step the Trainer was restored to.

    Raises ValueError, naming train.batch_size, if a batch is larger than the set or cannot be
    shared out evenly.
    """

    def __init__(
        self,
        images: np.ndarray,
        held_out: np.ndarray | None = None,
        *,
        batch_size: int,
        seed: int,
        steps: int,
    ) -> None:
        super().__init__()
        self.held_out = None if held_out is None else _evenly_spread(held_out, MAX_HELD_OUT)
        self._images, self._batch_size = images, batch_size
        self._seed, self._steps = seed, steps

    @override
    def train_dataloader(self) -> DataLoader[Tensor]:
        """This process's share of every batch from the step on that the Trainer is at."""
        trainer = self.trainer
        assert trainer is not None
        order = Order(
            len(self._images),
            batch_size=self._batch_size,
            seed=self._seed,
            steps=self._steps,
            start=trainer.global_step,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )
        return self._loader(self._images, order)

    @override
    def val_dataloader(self) -> DataLoader[Tensor]:
        """All held-out images on every process, in batches as large as its share of a training one.

        Not shared out: they are few, and every process then has the same loss.
        """
        trainer, images = self.trainer, self.held_out
        assert trainer is not None
        assert images is not None
        size = self._batch_size // trainer.world_size
        return self._loader(
            images, np.split(np.arange(len(images)), range(size, len(images), size))
        )

    def _loader(self, images: np.ndarray, batches: Iterable[np.ndarray]) -> DataLoader[Tensor]:
        assert self.trainer is not None
        return DataLoader(
            _Images(images),
            sampler=batches,
            batch_size=None,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
            generator=torch.Generator(),  # or it would draw a seed from the global one
        )


def _evenly_spread(images: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of `images` [N,...], from first to last."""
    return images[np.linspace(0, len(images) - 1, min(len(images), most)).astype(int)]
