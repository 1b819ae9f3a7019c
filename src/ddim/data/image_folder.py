"""A folder or zip of images: what counts as an image, which split and class it belongs to."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ddim.config.schema import Data
from ddim.data.decode import COLOUR, decoded, describe_resize_and_crop, resize_and_crop
from ddim.data.listing import Entry, listing
from ddim.data.source import Images, Source, held_out, shuffled
from ddim.runtime.printable import printable

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".tga", ".qoi"),
)
TEST_FOLDERS = ("test", "val", "valid", "validation")  # the first one there is the test
FOLDER = Image.Resampling.BICUBIC  # how a user's own images are resized
MAX_LISTED = 5  # kinds of files, or classes, that a message lists


def image_folder(data: Data) -> Source:
    """The images in the folder or zip file data.root, resized bicubically (see `from_folder`)."""
    return from_folder(Path(data.root), data, FOLDER)


def from_folder(root: Path, data: Data, resampling: Image.Resampling) -> Source:
    """The images in the folder or zip file `root`.

    Subfolders train/ and test/ (or val/, valid/, validation/; in any case) are the splits where
    both exist; otherwise data.held_out is held out. Below that, class subfolders give labels (in
    the order of their names) if there are at least two and no image lies outside them. Hidden
    files are skipped, a file that links reach again counts once, and a folder that wraps
    everything is looked through. Other files, and images beside train/ and test/, are left out,
    as preprocessing["left_out"] then says.

    Raises ValueError or FileNotFoundError if there is no image, and ValueError if the classes of
    train/ are not those of test/, a class's name cannot be printed, or an image must not be read
    (see ddim.data.listing).
    """
    files = listing(root)
    entries = [e for e in files if _suffix(e) in IMAGE_SUFFIXES]
    if not entries:
        accepts = " ".join(IMAGE_SUFFIXES)
        raise ValueError(f"no image in data.root={root} ({len(files)} files); accepted: {accepts}")
    _refuse_wrong(entries, root)
    train, test, split = _splits(_unwrapped(entries), data, root)
    classes = _classes(train + test, root)
    preprocessing = {
        "split": split,
        **describe_resize_and_crop(data.image_size, resampling),
        "pixels": COLOUR,
    }
    others = Counter(_suffix(e) for e in files if _suffix(e) not in IMAGE_SUFFIXES)
    preprocessing |= _left_out(others, outside=len(entries) - len(train) - len(test))

    def images(part: list[Entry]) -> Images:
        shape = partial(resize_and_crop, size=data.image_size, resampling=resampling)
        rows = decoded((e.file for e in part), shape, data.channels)
        return Images(len(part), rows, _labels(part, classes))

    name = printable(root.resolve().name)
    description = f"{len(train) + len(test):,} images from {name}"
    return Source(description, images(train), images(test), preprocessing, classes)


def _labels(part: list[Entry], classes: list[str] | None) -> np.ndarray | None:
    number = {name: i for i, name in enumerate(classes or ())}
    return np.array([number[e.path.parts[0]] for e in part]) if number else None


def _refuse_wrong(entries: list[Entry], root: Path) -> None:
    """Raise ValueError, naming the first few, if images are there that must not be read."""
    wrong = [f"{entry.file.name} ({entry.wrong})" for entry in entries if entry.wrong]
    if wrong:
        count = _count(len(wrong), "image")
        raise ValueError(
            f"data.root={root}: {count} that cannot be read, remove or replace: {_listed(wrong)}"
        )


def _suffix(entry: Entry) -> str:
    return entry.path.suffix.lower()


def _left_out(others: Counter[str], *, outside: int) -> dict[str, str]:
    """What is there and not used, in words; nothing if everything is used."""
    parts = []
    if others:
        kinds = [f"{n} {printable(kind) or 'without suffix'}" for kind, n in others.most_common()]
        parts.append(f"{_count(others.total(), 'file')} of other kinds ({_listed(kinds)})")
    if outside:
        parts.append(f"{_count(outside, 'image')} outside the folders of the two splits")
    return {"left_out": "; ".join(parts)} if parts else {}


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _listed(names: Iterable[str]) -> str:
    """The first few of `names`, and how many more there are."""
    names = list(names)
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _unwrapped(entries: list[Entry]) -> list[Entry]:
    """Drop leading folders that all entries share: a zip often holds one folder with the rest."""
    while len({e.path.parts[0] for e in entries}) == 1 and len(entries[0].path.parts) > 1:
        entries = [_without_top_folder(e) for e in entries]
    return entries


def _without_top_folder(entry: Entry) -> Entry:
    return replace(entry, path=PurePosixPath(*entry.path.parts[1:]))


def _splits(entries: list[Entry], data: Data, root: Path) -> tuple[list[Entry], list[Entry], str]:
    """The images of train and of test, and in words how they were told apart."""
    top: dict[str, list[Entry]] = {}  # the folders by their names in small letters
    for entry in entries:
        if len(entry.path.parts) > 1:
            top.setdefault(entry.path.parts[0].lower(), []).append(entry)
    second = next((name for name in TEST_FOLDERS if name in top), None)
    if "train" not in top or second is None:
        for_train, for_test, description = held_out(len(entries), data)
        return [entries[i] for i in for_train], [entries[i] for i in for_test], description
    parts = [top["train"], top[second]]
    names = [part[0].path.parts[0] for part in parts]  # as they are written
    train, test = ([_without_top_folder(entry) for entry in part] for part in parts)
    _require_same_classes(dict(zip(names, (train, test), strict=True)), root)
    description = f"subfolders {names[0]}/ and {names[1]}/, each in a fixed random order"
    return shuffled(train), shuffled(test), description


def _require_same_classes(splits: dict[str, list[Entry]], root: Path) -> None:
    """Raise ValueError unless the two splits, by their names, have the same class folders."""
    (first, a), (second, b) = ((name, _folders(part)) for name, part in splits.items())
    only = [
        f"only in {name}/: {_listed(map(printable, sorted(classes)))}"
        for name, classes in ((first, a - b), (second, b - a))
        if classes
    ]
    if only and max(len(a), len(b)) > 1:  # a single folder is no class, whatever its name
        raise ValueError(
            f"data.root={root}: {first}/ and {second}/ must hold the same class folders with no "
            f"image beside them, or both none, got {'; '.join(only)}"
        )


def _folders(entries: list[Entry]) -> set[str]:
    """The class folders; none if an image lies outside them."""
    if any(len(e.path.parts) == 1 for e in entries):
        return set()
    return {e.path.parts[0] for e in entries}


def _classes(entries: list[Entry], root: Path) -> list[str] | None:
    """The names of the classes; ValueError for one that a report cannot print on one line."""
    names = sorted(_folders(entries))
    if len(names) < 2:
        return None
    odd = [printable(name) for name in names if printable(name) != name]
    if odd:
        raise ValueError(
            f"data.root={root}: class folders with control characters or invalid UTF-8 in their "
            f"names, rename them: {_listed(odd)}"
        )
    return names
