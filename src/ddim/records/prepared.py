"""The prepared images: their record, and the reader of the arrays beside it.

train.npy, test.npy                   uint8 [N,C,H,W], read through a memory map
train_labels.npy, test_labels.npy     int64 [N], where the set has classes
about.json                            the record, written last: a folder without it is unfinished

What fills the folder: ddim.data.prepare.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ddim.records import commands
from ddim.records.base import Count, Part, Record, Sha256

FILE = "about.json"
SPLITS = ("train", "test")


class ArrayFile(Part, frozen=True):
    """One .npy file."""

    dtype: str
    shape: tuple[int, ...]
    bytes: Count
    sha256: Sha256


class Preprocessing(Part, frozen=True):
    """How the images came to be what they are, in words; None where nothing of the kind was."""

    split: str | None = None  # into train and test
    crop: str | None = None
    resize: str | None = None
    pixels: str | None = None  # the map to 0..255
    left_out: str | None = None  # files of the source that are not among the images


class PreparedData(Record, frozen=True):
    """What the stage `data` wrote."""

    KIND: ClassVar[str] = "data"

    name: str
    description: str
    note: str  # the user's own, such as "JPEG copy"
    image_size: Count
    channels: Count
    train_n: Count
    test_n: Count
    train_sha256: Sha256
    classes: tuple[str, ...] | None
    preprocessing: Preprocessing
    files: dict[str, ArrayFile]


@dataclass(frozen=True)
class Split:
    """The images of one split; `images` may be a read-only memory map."""

    images: np.ndarray  # uint8 [N,C,H,W]
    labels: np.ndarray | None  # int64 [N]


def read(folder: Path) -> PreparedData:
    """The record of a prepared folder; FileNotFoundError or ValueError names what is wrong."""
    return PreparedData.read(folder / FILE, commands.DATA)


def load(folder: Path, split: str) -> Split:
    """One split, "train" or "test", of a prepared folder; the images are memory-mapped.

    Raises FileNotFoundError or ValueError, naming the file, if it is missing, truncated, or not
    of the size and shape that the record says. (The sha256 is not computed again: for that the
    whole set would have to be read.)
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    files = read(folder).files
    labels = f"{split}_labels.npy"
    return Split(
        images=_open(folder / f"{split}.npy", files[f"{split}.npy"]),
        labels=np.array(_open(folder / labels, files[labels])) if labels in files else None,
    )


def _open(path: Path, recorded: ArrayFile) -> np.ndarray:
    again = f"make it again with `{commands.DATA}`"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {again}")
    size = path.stat().st_size
    if size != recorded.bytes:
        raise ValueError(f"{path} has {size} bytes, {FILE} says {recorded.bytes}: {again}")
    try:
        array = np.load(path, mmap_mode="r")
    except ValueError as error:
        raise ValueError(f"{path} is an invalid .npy file: {again}") from error
    if array.shape != recorded.shape or array.dtype != recorded.dtype:
        got = f"{array.dtype} {list(array.shape)}"
        raise ValueError(f"{path} holds {got}, {FILE} says otherwise: {again}")
    return array
