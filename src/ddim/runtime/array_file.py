"""Arrays in files, read as they were written or not at all: one array (.npy), or several (.npz).

A .npy file is mapped into memory after its checksum, which lies in a record beside it, has been
compared. A .npz file says itself what it is, in one of its arrays, and with a checksum of all.
Neither is ever unpickled.
"""

import hashlib
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddim.runtime import files

ABOUT = "about"  # the array, JSON as text, that says what a .npz file is
KIND, VERSION, CHECKSUM = "file", "version", "sha256"  # its own keys there
SETTLED = 2.0  # seconds after a write in which a second one may leave the same time
Arrays = dict[str, np.ndarray]
_VERIFIED: set[tuple[str, int, int, int, str]] = set()  # of this process


class DamagedArrayError(ValueError):
    """A file that holds something else than was written; `path` is its own."""

    def __init__(self, path: Path, reason: str, again: str) -> None:
        super().__init__(f"{path} {reason}: {again}")
        self.path = path


def require_file(path: Path, again: str) -> None:
    """Raise FileNotFoundError, in one line with the way out, unless `path` is a file."""
    if not path.is_file():
        problem = "is no regular file" if path.exists() else "is missing"
        raise FileNotFoundError(f"{path} {problem}: {again}")


def open_array(
    path: Path, *, shape: tuple[int, ...], dtype: type, sha256: str, again: str
) -> np.ndarray:
    """The array in `path`, a read-only memory map, after its checksum has been compared.

    shape, dtype, sha256: what the record beside it says. again: the way out, such as "run ...".
    Raises FileNotFoundError, or DamagedArrayError for anything else than the record describes;
    what the system says where it cannot read the file passes, as in `read_arrays`.
    """
    require_file(path, again)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        is_array = isinstance(array, np.memmap)  # a .npz under this name is none
    except Exception as error:  # bytes that are no array make numpy raise nearly anything
        if files.is_not_read(error):
            raise
        raise DamagedArrayError(path, f"is an invalid .npy file ({_text(error)})", again) from None
    if not is_array or array.shape != shape or array.dtype != dtype:
        holds = f"{array.dtype} {list(array.shape)}" if is_array else "several arrays"
        what = f"{np.dtype(dtype)} {list(shape)}"
        raise DamagedArrayError(path, f"holds {holds} where its record says {what}", again)
    if not _has_sha256(path, sha256):
        reason = "was changed after it was written, as its SHA-256 in the record beside it tells"
        raise DamagedArrayError(path, reason, again)
    return array


def _has_sha256(path: Path, sha256: str) -> bool:
    """Whether that is the file's; one that this process has read before is not read again.

    Unless it has been written since, or so recently that its time might not tell.
    """
    stat = path.stat()
    known = (str(path.absolute()), stat.st_ino, stat.st_size, stat.st_mtime_ns, sha256)
    if known in _VERIFIED:
        return True
    if files.sha256(path) != sha256:
        return False
    if time.time() - stat.st_mtime > SETTLED:
        _VERIFIED.add(known)
    return True


def write_arrays(
    path: Path, kind: str, version: int, about: Mapping[str, Any], arrays: Mapping[str, Any]
) -> None:
    """Write a .npz file of `kind`, atomically, and have it reach the disk.

    about: what JSON holds and `read_arrays` returns; arrays: by name. The same arguments give the
    same bytes.
    """
    named = {name: np.asarray(array) for name, array in arrays.items()}
    content = {KIND: kind, VERSION: version, **json.loads(json.dumps(about, allow_nan=False))}
    content[CHECKSUM] = _checksum(content, named)
    text = np.array(json.dumps(content, sort_keys=True))
    with files.replacing(path, durable=True) as temporary, temporary.open("wb") as file:
        np.savez(file, **{ABOUT: text}, **named)  # type: ignore[arg-type]


def read_arrays(path: Path, kind: str, version: int, again: str) -> tuple[dict[str, Any], Arrays]:
    """(about, arrays) as `write_arrays` got them; again: the way out, such as "run ...".

    Raises FileNotFoundError, or DamagedArrayError for a file of another kind or version, or one
    that holds anything else than was written.
    """
    require_file(path, again)
    try:
        content, arrays = _read(path)
        found = content.pop(KIND), content.pop(VERSION)
        if found != (kind, version):
            raise ValueError(f"{found[0]!r} of version {found[1]}, not {kind!r} of {version}")
        checksum = content.pop(CHECKSUM)
        if checksum != _checksum({KIND: kind, VERSION: version, **content}, arrays):
            raise ValueError("it was changed after it was written")
    except Exception as error:  # as above
        if files.is_not_read(error):
            raise
        raise DamagedArrayError(path, f"is damaged ({_text(error)})", again) from None
    return content, arrays


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > path.stat().st_size:
            raise ValueError("it is compressed")  # not by us: it may not fit into memory
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    content = json.loads(str(arrays.pop(ABOUT)))
    if not isinstance(content, dict):
        raise ValueError(f"{ABOUT} is {type(content).__name__}")
    return content, arrays


def _checksum(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _text(error: Exception) -> str:
    """What numpy, zipfile or json said, in one line; not numpy's advice to unpickle it."""
    if "pickle" in str(error):
        return "it holds no array of plain numbers"
    return " ".join(str(error).split())[:150] or type(error).__name__
