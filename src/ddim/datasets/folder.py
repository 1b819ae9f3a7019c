"""A folder or zip of images: what counts as an image, which split and class it belongs to."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ddim.datasets.pictures import COLOUR, Picture, decoded, fit, fit_words
from ddim.datasets.source import Images, Source, held_out, shuffled
from ddim.schema import Data

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".tga", ".qoi"),
)


@dataclass(frozen=True)
class Entry:
    """A file: where it is read from, and its path as far as that says split and class."""

    picture: Picture
    path: PurePosixPath


def image_folder(data: Data) -> Source:
    """The images in the folder or zip file data.root, resized bicubically (see `from_folder`)."""
    return from_folder(Path(data.root), data, Image.Resampling.BICUBIC)


def from_folder(root: Path, data: Data, resampling: Image.Resampling) -> Source:
    """The images in the folder or zip file `root`.

    Subfolders train/ and test/ are the splits where both exist; otherwise data.held_out is held
    out. Below that, class subfolders give labels (in the order of their names) if there are at
    least two and no image lies outside them. Hidden files are skipped, and a folder that wraps
    everything is looked through.

    Raises ValueError or FileNotFoundError if there is no image.
    """
    files = _listing(root)
    entries = [e for e in files if e.path.suffix.lower() in SUFFIXES]
    if not entries:
        accepts = " ".join(SUFFIXES)
        raise ValueError(f"no image in data.root={root} ({len(files)} files); accepted: {accepts}")
    train, test, words = _splits(_unwrapped(entries), data)
    classes = _classes(train + test)
    words |= {**fit_words(data.image_size, resampling), "pixels": COLOUR}
    if others := [e.path.name for e in files if e.path.suffix.lower() not in SUFFIXES]:
        words["not_images"] = f"{len(others)} other files skipped, such as {others[0]}"

    def images(part: list[Entry]) -> Images:
        shape = partial(fit, size=data.image_size, resampling=resampling)
        labels = None
        if classes is not None:
            labels = np.array([classes.index(e.path.parts[0]) for e in part])
        rows = decoded((e.picture for e in part), shape, data.channels)
        return Images(len(part), rows, labels)

    description = f"{len(train) + len(test):,} images of the user's own, from {root.resolve().name}"
    return Source(description, images(train), images(test), words, classes)


def _listing(root: Path) -> list[Entry]:
    """Every file under `root` that is not hidden, by rising name."""
    names, read = _folder(root) if root.is_dir() else _zip(root)
    paths = [PurePosixPath(name) for name in sorted(names)]
    seen = [p for p in paths if not any(part.startswith((".", "__MACOSX")) for part in p.parts)]
    return [Entry(Picture(str(path), partial(read, str(path))), path) for path in seen]


def _folder(root: Path) -> tuple[list[str], Callable[[str], bytes]]:
    walk = os.walk(root, followlinks=True)
    paths = (Path(folder, file) for folder, _, files in walk for file in files)
    names = [path.relative_to(root).as_posix() for path in paths]
    return names, lambda name: (root / name).read_bytes()


def _zip(root: Path) -> tuple[list[str], Callable[[str], bytes]]:
    if not root.exists():
        raise FileNotFoundError(f"data.root={root} does not exist: name a folder or zip of images")
    try:
        archive = zipfile.ZipFile(root)
    except zipfile.BadZipFile as error:
        raise ValueError(f"data.root={root} is neither a folder nor a whole zip file") from error
    return [info.filename for info in archive.infolist() if not info.is_dir()], archive.read


def _unwrapped(entries: list[Entry]) -> list[Entry]:
    """Drop leading folders that all entries share: a zip often holds one folder with the rest."""
    while len({e.path.parts[0] for e in entries}) == 1 and len(entries[0].path.parts) > 1:
        entries = [_below(e) for e in entries]
    return entries


def _below(entry: Entry) -> Entry:
    return replace(entry, path=PurePosixPath(*entry.path.parts[1:]))


def _splits(entries: list[Entry], data: Data) -> tuple[list[Entry], list[Entry], dict[str, str]]:
    train = [_below(e) for e in entries if e.path.parent.parts[:1] == ("train",)]
    test = [_below(e) for e in entries if e.path.parent.parts[:1] == ("test",)]
    if train and test:
        words = {"split": "subfolders train/ and test/, each in a fixed random order"}
        if outside := len(entries) - len(train) - len(test):
            words["outside"] = f"{outside} images outside train/ and test/ left out"
        return shuffled(train), shuffled(test), words
    for_train, for_test, said = held_out(len(entries), data)
    return [entries[i] for i in for_train], [entries[i] for i in for_test], {"split": said}


def _classes(entries: list[Entry]) -> list[str] | None:
    if any(len(e.path.parts) == 1 for e in entries):
        return None
    names = sorted({e.path.parts[0] for e in entries})
    return names if len(names) > 1 else None
