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
from ddim.records.base import Count, Part, Positive, Record, Sha256, refuse
from ddim.runtime.array_file import open_array, require_file

FILE = "about.json"
SPLITS = ("train", "test")


class ArrayFile(Part, frozen=True):
    """One .npy file."""

    dtype: str
    shape: tuple[Count, ...]
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
    image_size: Positive
    channels: Positive
    train_n: Positive
    test_n: Positive
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


def load(folder: Path, split: str, shape: tuple[int, ...] | None = None) -> Split:
    """One split, "train" or "test", of a prepared folder; the images are memory-mapped.

    shape: (C, H, W) that the configuration asks for. The file is read once, to compare its checksum
    with the record's. Raises FileNotFoundError or
    ValueError, naming the file, if it is missing, or not what the stage `data` wrote.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    record = read(folder)
    images, labels = f"{split}.npy", f"{split}_labels.npy"
    if images not in record.files:
        refuse(folder / FILE, f"it describes no {images}", commands.DATA)
    there = record.files[images].shape[1:]
    if shape is not None and there != shape:
        reason = f"it describes images of {list(there)}, the configuration of {list(shape)}"
        refuse(folder / FILE, reason, commands.DATA)
    return Split(
        images=_open(folder / images, record.files[images], np.uint8),
        labels=_labels(folder / labels, record) if labels in record.files else None,
    )


def _open(path: Path, recorded: ArrayFile, dtype: type) -> np.ndarray:
    again = f"make it again with `{commands.DATA}`"
    require_file(path, again)
    size = path.stat().st_size
    if size != recorded.bytes:
        raise ValueError(f"{path} has {size} bytes, {FILE} says {recorded.bytes}: {again}")
    return open_array(path, shape=recorded.shape, dtype=dtype, sha256=recorded.sha256, again=again)


def _labels(path: Path, record: PreparedData) -> np.ndarray:
    """Labels of a split, in memory: numbers of the record's classes."""
    labels = np.array(_open(path, record.files[path.name], np.int64))
    if record.classes is not None and len(labels):
        low, high, most = int(labels.min()), int(labels.max()), len(record.classes) - 1
        if low < 0 or high > most:
            reason = f"it holds labels {low}..{high} of {most + 1} classes, 0..{most}"
            refuse(path, reason, commands.DATA)
    return labels
