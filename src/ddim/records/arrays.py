"""Prepared images on disk: the layout, its writer and its reader. (What fills it: ddim.data.prepare.)

train.npy, test.npy                   uint8 [N,C,H,W], read through a memory map
train_labels.npy, test_labels.npy     int64 [N], where the set has classes
about.json                            what was done, and shape, bytes and sha256 of each file;
                                      written last: a folder without it is not finished
"""

import hashlib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddim.runtime.files import read_json, replacing

ABOUT = "about.json"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Split:
    """The images of one split; `images` may be a read-only memory map."""

    images: np.ndarray  # uint8 [N,C,H,W]
    labels: np.ndarray | None  # int64 [N]


def load(folder: Path, split: str) -> Split:
    """One split, "train" or "test", of a prepared folder; the images are memory-mapped.

    Raises FileNotFoundError or ValueError, naming the file, if it is missing, truncated, or not
    of the size and shape that about.json records. (The sha256 is not computed again: for that
    the whole set would have to be read.)
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    files = read_json(folder / ABOUT)["files"]
    labels = f"{split}_labels.npy"
    return Split(
        images=_open(folder / f"{split}.npy", files[f"{split}.npy"]),
        labels=np.array(_open(folder / labels, files[labels])) if labels in files else None,
    )


def _open(path: Path, recorded: dict[str, Any]) -> np.ndarray:
    again = "delete its folder and run the data stage again"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {again}")
    size, expected = path.stat().st_size, recorded["bytes"]
    if size != expected:
        raise ValueError(f"{path} has {size} bytes, {ABOUT} says {expected}: {again}")
    try:
        array = np.load(path, mmap_mode="r")
    except ValueError as error:
        raise ValueError(f"{path} is not a whole .npy file: {again}") from error
    if list(array.shape) != recorded["shape"] or array.dtype != recorded["dtype"]:
        got = f"{array.dtype} {list(array.shape)}"
        raise ValueError(f"{path} holds {got}, {ABOUT} says otherwise: {again}")
    return array


def write_array(
    path: Path, shape: tuple[int, ...], dtype: type[np.generic], rows: Iterable[np.ndarray]
) -> dict[str, Any]:
    """Write `rows`, one after the other, as the .npy file of an array of `shape` and `dtype`.

    Only one row is in memory at a time, and the pages never count as this process's memory, as
    those of a memory map being written would. The file appears whole or not at all.

    Returns what about.json records: dtype, shape, bytes, sha256.
    """
    header = io.BytesIO()
    kind = np.dtype(dtype)
    description = {"descr": kind.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    digest = hashlib.sha256()
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            for part in _parts(header.getvalue(), rows, kind):
                digest.update(part)
                file.write(part)
            size = file.tell()
        assert size == len(header.getvalue()) + math.prod(shape) * kind.itemsize, (path, shape)
    return {
        "dtype": kind.name,
        "shape": list(shape),
        "bytes": size,
        "sha256": digest.hexdigest(),
    }


def _parts(header: bytes, rows: Iterable[np.ndarray], kind: np.dtype[Any]) -> Iterable[bytes]:
    yield header
    for row in rows:
        assert row.dtype == kind, (row.dtype, kind)
        yield row.tobytes()
