"""The files of a folder or zip: which may be read, and how.

Nothing is read but regular files and members of bounded size that lie inside. Whatever else has an
image's name (a FIFO, a device, a link that leads out, an encrypted member) is an entry with a
reason, which the caller refuses in one line before the first file is opened.
"""

import os
import stat
import zipfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from ddim.data.decode import ImageFile
from ddim.runtime.printable import printable

MAX_FILES = 5_000_000  # LSUN Bedroom, the largest set of the papers, has 3,033,342
MAX_BYTES = 2**27  # of one image file
MAX_RATIO = 200  # unpacked to packed; photographs in a zip have 1
RATIO_FROM = 10**8  # bytes unpacked, below which the ratio does not matter
ENCRYPTED = 0x1  # bit of a zip member's flags
# Methods that unpack piece by piece; zipfile unpacks a block of the others whole, however large.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True)
class Entry:
    """A file: how it is read, and its path as far as that says split and class.

    wrong: what forbids reading it, in words; "" if nothing does.
    """

    file: ImageFile
    path: PurePosixPath
    wrong: str = ""


def listing(root: Path) -> list[Entry]:
    """Every file of the folder or zip `root` that is not hidden, by rising path.

    A file that links reach again counts once. Raises FileNotFoundError or ValueError, with the
    way out, if `root` is neither, if a folder in it is a link that leads out, or if it holds more
    than the limits of this module allow.
    """
    entries = _folder(root) if root.is_dir() else _zip(root)
    seen = [entry for entry in entries if not any(map(_hidden, entry.path.parts))]
    return sorted(seen, key=lambda entry: str(entry.path))


def read_file(path: Path) -> bytes:
    """The bytes of a regular file; ValueError for another kind, or one over MAX_BYTES.

    Never waits: opening a FIFO would, for a writer.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if wrong := _wrong_kind(status):
            raise ValueError(wrong)
        return file.read(status.st_size)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) and name != ".."


# -- a folder --------------------------------------------------------------------------------------


def _folder(root: Path) -> Iterator[Entry]:
    real_root = _real(root)
    for path, real in _distinct_files(root, real_root):
        name = PurePosixPath(path.relative_to(root).as_posix())
        file = ImageFile(printable(str(name)), partial(read_file, path))
        yield Entry(file, name, _wrong(path, real, real_root))


def _wrong(path: Path, real: Path, real_root: Path) -> str:
    if not real.is_relative_to(real_root):
        return f"a link out of the folder, to {printable(str(real))}"
    try:
        return _wrong_kind(path.stat())
    except OSError as error:
        return "a link that leads nowhere" if path.is_symlink() else str(error.strerror)


def _wrong_kind(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return f"{KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, no regular file"
    return _wrong_size(status.st_size)


def _wrong_size(size: int) -> str:
    return f"{size:,} bytes, the limit is {MAX_BYTES:,}" if size > MAX_BYTES else ""


def _distinct_files(root: Path, real_root: Path) -> list[tuple[Path, Path]]:
    """(path, where it really lies) of every file that is not hidden, however many links lead to it.

    Of several ways to a file its own path is taken before links: its folder may be its class.
    """
    files = []
    for folder, real, names in _real_folders(root, real_root):
        files += [(folder / name, real / name) for name in sorted(names) if not _hidden(name)]
        if len(files) > MAX_FILES:
            raise ValueError(f"data.root={root} holds more than {MAX_FILES:,} files, the limit")
    by_real_path: dict[Path, Path] = {}
    for path, real in sorted(files, key=lambda file: file[0].is_symlink()):
        by_real_path.setdefault(_real(path) if path.is_symlink() else real, path)
    return [(path, real) for real, path in by_real_path.items()]


def _real_folders(root: Path, real_root: Path) -> Iterator[tuple[Path, Path, list[str]]]:
    """(folder, where it really lies, names of its files), each real folder once.

    Links to folders come last, and one that leads to a visited folder is not followed: a link to
    a folder above it would never end. Raises ValueError for one that leads out.
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
            if not real.is_relative_to(real_root):
                raise ValueError(_link_out(root, path, real))
            visited.add(real)
            folders[:] = sorted(name for name in folders if not _hidden(name))
            ahead.extend(path / name for name in folders if (path / name).is_symlink())
            yield path, real, names


def _link_out(root: Path, path: Path, real: Path) -> str:
    link, target = printable(path.relative_to(root).as_posix()), printable(str(real))
    return (
        f"data.root={root}: {link} is a link out of the folder, to {target}: put the images "
        "themselves there (cp -rL), or remove it"
    )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve() raises on a link to itself


def _refuse(error: OSError) -> None:
    raise error  # of itself os.walk passes over a folder that it may not read


# -- a zip -----------------------------------------------------------------------------------------


def _zip(root: Path) -> Iterator[Entry]:
    if not root.exists():
        raise FileNotFoundError(f"data.root={root} does not exist: name a folder or zip of images")
    if not root.is_file():
        raise ValueError(
            f"data.root={root} is neither a folder nor a zip file, but of another kind"
        )
    opened = root.open("rb")
    try:
        archive = zipfile.ZipFile(opened)
    except Exception as error:  # zipfile raises almost anything on a damaged list of members
        opened.close()
        raise ValueError(f"data.root={root} is neither a folder nor a complete zip file") from error
    named = [member for member in archive.infolist() if member.filename]
    members = [member for member in named if not member.is_dir()]
    _check_whole(root, members)
    times = Counter(member.filename for member in members)
    for member in members:
        file = ImageFile(printable(member.filename), partial(_read_member, archive, member))
        wrong = _wrong_member(member, times[member.filename])
        yield Entry(file, PurePosixPath(member.filename), wrong)


def _check_whole(root: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """Raise ValueError for an archive that unpacks to far more than it is: a zip bomb."""
    members = list(members)
    if len(members) > MAX_FILES:
        raise ValueError(f"data.root={root} holds more than {MAX_FILES:,} files, the limit")
    size = root.stat().st_size
    packed = sum(member.compress_size for member in members)
    if packed > size:
        raise ValueError(
            f"data.root={root}: the zip's members overlap: unpack and check it yourself"
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(RATIO_FROM, MAX_RATIO * size):
        raise ValueError(
            f"data.root={root}: {size:,} bytes of zip unpack to {unpacked:,}, over {MAX_RATIO} "
            "times as many: if that is right, unpack it and name the folder"
        )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Its bytes, of which no more are unpacked than it declares; an error if they are not all.

    ZipFile.read(), with no number of bytes, unpacks whatever there is before it cuts that.
    """
    with archive.open(member) as file:
        content = file.read(member.file_size)
        if file.read(1) or len(content) != member.file_size:  # the second read checks the CRC
            raise ValueError(f"not the {member.file_size:,} bytes that the zip declares")
    return content


def _wrong_member(member: zipfile.ZipInfo, times: int) -> str:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts:
        return "a path out of the zip"
    if member.flag_bits & ENCRYPTED:
        return "encrypted: unpack it and name the folder"
    if member.compress_type not in METHODS:
        return f"compression method {member.compress_type}: unpack it and name the folder"
    if times > 1:
        return f"{times} times in the zip"
    return _wrong_size(member.file_size)
