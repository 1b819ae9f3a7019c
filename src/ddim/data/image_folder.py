"""A folder or zip of images: what counts as an image, which split and class it belongs to."""

import os
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ddim.config.schema import Data
from ddim.data.decode import COLOUR, ImageFile, decoded, describe_resize_and_crop, resize_and_crop
from ddim.data.source import Images, Source, held_out, shuffled

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".tga", ".qoi"),
)
TEST_FOLDERS = ("test", "val", "valid", "validation")  # the first one there is the test
FOLDER = Image.Resampling.BICUBIC  # how a user's own images are resized
MAX_LISTED = 5  # kinds of files, or classes, that a message lists


@dataclass(frozen=True)
class Entry:
    """A file: how it is read, and its path as far as that says split and class."""

    file: ImageFile
    path: PurePosixPath


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
    train/ are not those of test/.
    """
    files = _listing(root)
    entries = [e for e in files if _suffix(e) in IMAGE_SUFFIXES]
    if not entries:
        accepts = " ".join(IMAGE_SUFFIXES)
        raise ValueError(f"no image in data.root={root} ({len(files)} files); accepted: {accepts}")
    train, test, split = _splits(_unwrapped(entries), data, root)
    classes = _classes(train + test)
    preprocessing = {
        "split": split,
        **describe_resize_and_crop(data.image_size, resampling),
        "pixels": COLOUR,
    }
    others = Counter(_suffix(e) for e in files if _suffix(e) not in IMAGE_SUFFIXES)
    preprocessing |= _left_out(others, outside=len(entries) - len(train) - len(test))

    def images(part: list[Entry]) -> Images:
        shape = partial(resize_and_crop, size=data.image_size, resampling=resampling)
        labels = None
        if classes is not None:
            labels = np.array([classes.index(e.path.parts[0]) for e in part])
        rows = decoded((e.file for e in part), shape, data.channels)
        return Images(len(part), rows, labels)

    description = f"{len(train) + len(test):,} images of the user's own, from {root.resolve().name}"
    return Source(description, images(train), images(test), preprocessing, classes)


def _listing(root: Path) -> list[Entry]:
    """Every file under `root` that is not hidden, by rising name."""
    names, read = _folder(root) if root.is_dir() else _zip(root)
    paths = [PurePosixPath(name) for name in sorted(names)]
    seen = [path for path in paths if not any(map(_hidden, path.parts))]
    return [Entry(ImageFile(str(path), partial(read, str(path))), path) for path in seen]


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _suffix(entry: Entry) -> str:
    return entry.path.suffix.lower()


def _left_out(others: Counter[str], *, outside: int) -> dict[str, str]:
    """What is there and not used, in words; nothing if everything is used."""
    parts = []
    if others:
        kinds = [f"{n} {suffix or 'without suffix'}" for suffix, n in others.most_common()]
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


def _folder(root: Path) -> tuple[list[str], Callable[[str], bytes]]:
    names = [path.relative_to(root).as_posix() for path in _distinct_files(root)]
    return names, lambda name: (root / name).read_bytes()


def _distinct_files(root: Path) -> list[Path]:
    """Every file under `root` that is not hidden, once, however many links lead to it.

    Of several ways to a file its own path is taken before links: its folder may be its class.
    """
    files = [
        (folder / name, real / name)
        for folder, real, names in _real_folders(root)
        for name in sorted(names)
        if not _hidden(name)
    ]
    by_real_path: dict[Path, Path] = {}
    for path, real in sorted(files, key=lambda file: file[0].is_symlink()):
        by_real_path.setdefault(_real(path) if path.is_symlink() else real, path)
    return list(by_real_path.values())


def _real_folders(root: Path) -> Iterator[tuple[Path, Path, list[str]]]:
    """(folder, where it really lies, names of its files), each real folder once.

    Links to folders come last, and one that leads to a visited folder is not followed: a link to
    a folder above it would never end.
    """
    visited: set[Path] = set()
    ahead = deque([root])
    while ahead:
        for folder, folders, names in os.walk(ahead.popleft(), onerror=_refuse):
            path = Path(folder)
            real = _real(path)
            if real in visited:
                folders.clear()  # so that os.walk does not go below it either
                continue
            visited.add(real)
            folders[:] = sorted(name for name in folders if not _hidden(name))
            ahead.extend(path / name for name in folders if (path / name).is_symlink())
            yield path, real, names


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve() raises on a link to itself


def _refuse(error: OSError) -> None:
    raise error  # of itself os.walk passes over a folder that it may not read


def _zip(root: Path) -> tuple[list[str], Callable[[str], bytes]]:
    if not root.exists():
        raise FileNotFoundError(f"data.root={root} does not exist: name a folder or zip of images")
    try:
        archive = zipfile.ZipFile(root)
    except zipfile.BadZipFile as error:
        raise ValueError(f"data.root={root} is neither a folder nor a complete zip file") from error
    return [info.filename for info in archive.infolist() if not info.is_dir()], archive.read


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
        f"only in {name}/: {_listed(sorted(classes))}"
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


def _classes(entries: list[Entry]) -> list[str] | None:
    names = sorted(_folders(entries))
    return names if len(names) > 1 else None
