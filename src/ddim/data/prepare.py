"""From a data set as people have it to the prepared folder of ddim.records.prepared.

known          digits, MNIST, CIFAR-10, CelebA, LSUN
image_folder   a folder or zip of images: splits and classes
listing        which of its files may be read, and how
source         what a data set is: two splits, not read yet, and their preprocessing in words
decode         one image file -> uint8 [C,H,W]: orientation, alpha, depth, crop, resize
arrays         .npy files, row by row
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ddim.config.schema import Data
from ddim.data.arrays import write_array
from ddim.data.image_folder import image_folder
from ddim.data.known import celeba, cifar10, digits, lsun_bedroom, lsun_church, mnist
from ddim.data.source import Images, Source
from ddim.records.prepared import FILE, ArrayFile, PreparedData, Preprocessing
from ddim.runtime.progress import track

SOURCES: dict[str, Callable[[Data], Source]] = {
    "digits": digits,
    "mnist": mnist,
    "cifar10": cifar10,
    "celeba": celeba,
    "lsun_bedroom": lsun_bedroom,
    "lsun_church": lsun_church,
    "image_folder": image_folder,
}


def prepare(data: Data, out: Path) -> PreparedData:
    """Write the prepared folder `out` (see ddim.records.prepared) of the configured set.

    Returns its record.
    The memory needed does not grow with the set, except for sets that come as one array anyway
    (digits, MNIST, CIFAR-10).

    Raises ValueError or FileNotFoundError if the set is not there, does not fit the
    configuration, or holds files that cannot be read; nothing counts as prepared then.
    """
    if data.name not in SOURCES:
        raise ValueError(f"data.name must be one of {', '.join(SOURCES)}, got {data.name!r}")
    source = SOURCES[data.name](data)
    splits = {"train": source.train, "test": source.test}
    shape = (data.channels, data.image_size, data.image_size)
    _check_space(out, sum(images.n for images in splits.values()) * int(np.prod(shape)))
    _discard(out)
    files: dict[str, ArrayFile] = {}
    for split, images in splits.items():
        files |= _write(out, split, images, shape)
    record = PreparedData(
        name=data.name,
        description=source.description,
        note=data.note,
        image_size=data.image_size,
        channels=data.channels,
        train_n=source.train.n,
        test_n=source.test.n,
        train_sha256=files["train.npy"].sha256,
        classes=None if source.classes is None else tuple(source.classes),
        preprocessing=Preprocessing(**source.preprocessing),
        files=files,
    )
    record.write(out / FILE)
    return record


def _write(out: Path, split: str, images: Images, shape: tuple[int, ...]) -> dict[str, ArrayFile]:
    """Write one split; returns what the record says of each file."""
    name = f"{split}.npy"
    rows = _with_progress(images, f"{split} images")
    files = {name: write_array(out / name, (images.n, *shape), np.uint8, rows)}
    if images.labels is not None:
        labels = images.labels.astype(np.int64)
        name = f"{split}_labels.npy"
        files[name] = write_array(out / name, labels.shape, np.int64, [labels])
    return files


def _with_progress(images: Images, label: str) -> Iterator[np.ndarray]:
    with track(images.n, label) as advance:
        for row in images.rows:
            yield row
            advance()


def _discard(out: Path) -> None:
    """Remove an earlier set, the record first: without it a mixture never counts as finished."""
    (out / FILE).unlink(missing_ok=True)
    for path in out.glob("*.npy"):
        path.unlink()


def _check_space(out: Path, need: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    if need > free:
        sizes = f"{need / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        raise ValueError(f"{out} lacks room for the prepared images: they take {sizes}")
