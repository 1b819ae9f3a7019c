"""The sets of the papers and the smaller ones: digits, MNIST, CIFAR-10, CelebA, LSUN.

A local copy under data.root is used; only data.download=true fetches one, through torchvision.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from ddim.config.schema import Data
from ddim.data.decode import COLOUR, ImageFile, decoded, describe_resize_and_crop, resize_and_crop
from ddim.data.image_folder import FOLDER, from_folder
from ddim.data.listing import read_file
from ddim.data.source import Images, Source, held_out, require

T = TypeVar("T")

# CelebA's crop in the DDIM paper's public code: 128x128 around (x, y) = (89, 121) of the aligned
# 178x218 images, so columns 25..152 and rows 57..184.
CELEBA_SIZE = (178, 218)
CELEBA_BOX = (89 - 64, 121 - 64, 89 + 64, 121 + 64)  # left, top, right, bottom

# What torchvision's Resize did to PIL images when the papers' code was published.
PUBLISHED = Image.Resampling.BILINEAR


def digits(data: Data) -> Source:
    """scikit-learn's digits: 1,797 8x8 scans, shipped inside the package; labels 0..9."""
    from sklearn.datasets import load_digits

    require(data, (8,), channels=1)
    pixels, labels = load_digits(return_X_y=True)  # float64 [1797,64] of whole numbers 0..16
    images = np.floor(pixels * 255 / 16 + 0.5).astype(np.uint8).reshape(-1, 1, 8, 8)
    train, test, split = held_out(len(images), data)
    return Source(
        description="scikit-learn's digits: 1,797 scans, 8x8, grey",
        train=Images(len(train), images[train], labels[train]),
        test=Images(len(test), images[test], labels[test]),
        preprocessing={
            "split": split,
            "crop": "none",
            "resize": "none",
            "pixels": "0..16 to 0..255: v 255 / 16, rounded",
        },
        classes=[str(digit) for digit in range(10)],
    )


def mnist(data: Data) -> Source:
    """MNIST, its own split; at image_size 32 with two black pixels on each side. Labels 0..9."""
    from torchvision.datasets import MNIST

    require(data, (28, 32), channels=1)
    pad = (data.image_size - 28) // 2

    def images(train: bool) -> Images:
        copy = partial(MNIST, data.root, train=train, download=data.download)
        files = "MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte"
        dataset = _torchvision(copy, data, "MNIST", files)
        pixels = np.pad(dataset.data.numpy(), ((0, 0), (pad, pad), (pad, pad)))[:, None]
        return Images(len(pixels), pixels, dataset.targets.numpy())

    return Source(
        description="MNIST: handwritten digits, 28x28, grey",
        train=images(train=True),
        test=images(train=False),
        preprocessing={
            "split": "the set's own",
            "crop": "none",
            "resize": f"none; padded with {pad} black pixels on each side" if pad else "none",
        },
        classes=[str(digit) for digit in range(10)],
    )


def cifar10(data: Data) -> Source:
    """CIFAR-10, its own split; the original pixels, or resized to 16x16. Labels 0..9."""
    from torchvision.datasets import CIFAR10

    require(data, (32, 16), channels=3)

    def images(train: bool) -> tuple[Images, list[str]]:
        copy = partial(CIFAR10, data.root, train=train, download=data.download)
        files = "cifar-10-batches-py/ (the python version, unpacked)"
        dataset = _torchvision(copy, data, "CIFAR-10", files)
        rows = (_resized(pixels, data.image_size) for pixels in dataset.data)
        return Images(len(dataset.data), rows, np.array(dataset.targets)), dataset.classes

    train, classes = images(train=True)
    test, _ = images(train=False)
    preprocessing = {"split": "the set's own", "crop": "none", "resize": "none"}
    if data.image_size != 32:
        preprocessing |= describe_resize_and_crop(data.image_size, FOLDER)
    return Source("CIFAR-10: photographs, 32x32, RGB", train, test, preprocessing, classes)


def _resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H,W,3] -> [3,size,size], as an image of that kind in a folder would be resized."""
    image = resize_and_crop(Image.fromarray(pixels), size, FOLDER)
    return np.asarray(image).transpose(2, 0, 1)


def celeba(data: Data) -> Source:
    """CelebA, aligned, with the paper's crop; the set's own train and test split, no labels."""
    from torchvision.datasets import CelebA

    require(data, None, channels=3)
    folder = Path(data.root) / "celeba"
    shape = partial(celeba_crop, size=data.image_size)

    def images(split: str) -> Images:
        copy = partial(CelebA, data.root, split=split, target_type=[], download=data.download)
        files = "celeba/img_align_celeba/ and the set's five .txt lists in celeba/"
        names: list[str] = _torchvision(copy, data, "CelebA", files).filename
        paths = [folder / "img_align_celeba" / name for name in names]
        image_files = (ImageFile(path.name, partial(read_file, path)) for path in paths)
        return Images(len(paths), decoded(image_files, shape, data.channels))

    return Source(
        description="CelebA: aligned faces, RGB",
        train=images("train"),
        test=images("test"),
        preprocessing={
            "split": "the set's own; its validation part is not used",
            "crop": "128x128 around (x, y) = (89, 121), before the resize",
            "resize": f"to {data.image_size}, Pillow bilinear with antialiasing",
        },
    )


def celeba_crop(image: Image.Image, size: int) -> Image.Image:
    """The paper's crop of an aligned CelebA image, resized to `size`."""
    if image.size != CELEBA_SIZE:
        raise ValueError(
            f"an aligned CelebA image is 178x218, this is {image.width}x{image.height}"
        )
    return image.crop(CELEBA_BOX).resize((size, size), PUBLISHED)


def lsun_bedroom(data: Data) -> Source:
    """LSUN Bedroom; see `_lsun`."""
    return _lsun(data, "bedroom", "LSUN Bedroom")


def lsun_church(data: Data) -> Source:
    """LSUN Church (outdoor); see `_lsun`."""
    return _lsun(data, "church_outdoor", "LSUN Church")


def _lsun(data: Data, category: str, title: str) -> Source:
    """The lmdb folders `<category>_{train,val}_lmdb`, or a folder or zip of images `<category>`.

    The set has no labels, and its test images are not public: `val` (300 images) serves as test.
    """
    require(data, None, channels=3)
    root = Path(data.root)
    present = [p for p in (root / category, root / f"{category}.zip") if p.exists()]
    parts = [root / f"{category}_{split}_lmdb" for split in ("train", "val")]
    if all(part.is_dir() for part in parts):
        train, test = (_lmdb(part, data) for part in parts)
        preprocessing = {
            **describe_resize_and_crop(data.image_size, PUBLISHED),
            "split": "the set's own train and val",
            "pixels": COLOUR,
        }
        return Source(f"{title}: photographs, RGB", train, test, preprocessing)
    if present:
        return from_folder(present[0], data, PUBLISHED)
    options = f"{parts[0].name}/ and {parts[1].name}/, or a folder {category}/ of images"
    raise FileNotFoundError(f"no {title} in data.root={root}: put {options} there")


def _lmdb(path: Path, data: Data) -> Images:
    """The encoded images of one LSUN database, in the order of their keys."""
    try:
        import lmdb
    except ModuleNotFoundError:
        raise ValueError(f"reading {path} needs the lmdb package: install ddim[lsun]") from None

    def environment() -> Any:
        try:
            return lmdb.open(str(path), readonly=True, lock=False, readahead=False)
        except lmdb.Error as error:
            raise ValueError(f"{path} is a truncated or invalid LMDB database") from error

    def image_files() -> Iterator[ImageFile]:
        with environment() as opened, opened.begin() as transaction:
            for key, content in transaction.cursor():
                yield ImageFile(f"{path.name}:{key.decode()}", partial(bytes, content))

    with environment() as opened:
        n: int = opened.stat()["entries"]
    shape = partial(resize_and_crop, size=data.image_size, resampling=PUBLISHED)
    return Images(n, decoded(image_files(), shape, data.channels))


def _torchvision(copy: Callable[[], T], data: Data, title: str, files: str) -> T:
    """`copy()`, torchvision's data set; a missing, broken or blocked one in a line of ours."""
    try:
        return copy()
    except Exception as error:  # RuntimeError, OSError, AssertionError, gdown's own
        root, fetch = f"data.root={data.root}", ", or set data.download=true to fetch it"
        if data.download:
            wrong, fetch = f"{title} could not be downloaded to {root}", ""
        else:
            wrong = f"no complete copy of {title} in {root}"
        raise ValueError(f"{wrong}: put {files} there{fetch}") from error
