"""What a data set is to this package: two splits, not read yet, and their description."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ddim.config.schema import Data

# Of the permutation that chooses the held-out images. Fixed, and no setting: the split must not
# move with the training seed. RandomState's stream is frozen by numpy's promise.
Item = TypeVar("Item")
SPLIT_SEED = 2010_02502


@dataclass(frozen=True)
class Images:
    """One split. `rows` yields its n images, uint8 [C,H,W], once; labels are int64 [n]."""

    n: int
    rows: Iterable[np.ndarray]
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class Source:
    """A data set, ready to be written. `preprocessing`: ddim.records.prepared.Preprocessing."""

    description: str
    train: Images
    test: Images
    preprocessing: dict[str, str]
    classes: list[str] | None = None


def held_out(n: int, data: Data) -> tuple[np.ndarray, np.ndarray, str]:
    """Choose ceil(data.held_out n) of n images for `test`.

    Returns the rising indices of `train` and of `test`, and a description of the choice.
    Raises ValueError if either would be empty.
    """
    n_test = math.ceil(round(data.held_out * n, 6))  # rounded: 0.07 * 100 is above 7
    if not 0 < n_test < n:
        got = f"{data.held_out} of {n} images"
        raise ValueError(f"data.held_out must leave images for both train and test, got {got}")
    order = np.random.RandomState(SPLIT_SEED).permutation(n)
    description = f"{n_test} of {n} images held out for test by a fixed permutation"
    # Unsorted: the first n of a split are then a sample of it, whatever the set is sorted by.
    return order[n_test:], order[:n_test], description


def shuffled(items: list[Item]) -> list[Item]:
    """`items` in a fixed random order: a folder lists its images class by class."""
    return [items[i] for i in np.random.RandomState(SPLIT_SEED).permutation(len(items))]


def require(data: Data, sizes: tuple[int, ...] | None, channels: int) -> None:
    """Raise ValueError unless image_size is one of `sizes` (None: any) and channels fit."""
    if sizes is not None and data.image_size not in sizes:
        accepts = " or ".join(map(str, sizes))
        raise ValueError(
            f"data.image_size must be {accepts} for {data.name}, got {data.image_size}"
        )
    if data.channels != channels:
        raise ValueError(f"data.channels must be {channels} for {data.name}, got {data.channels}")
