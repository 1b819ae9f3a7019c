"""Files: written atomically (they get their name in one move), scratch arrays, CSV, checksums."""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` to write to; it becomes `path` if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path`, indented and with a final newline; NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; FileNotFoundError or ValueError names a missing or broken one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: run the stage that writes it") from None
    except ValueError as error:
        raise ValueError(f"{path}: invalid JSON ({error})") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


@contextmanager
def scratch(folder: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.ndarray]:
    """An array, which may be larger than memory, in a file of `folder` that is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        array = np.memmap(file, dtype, "w+", shape=shape)
        _fill_holes(file.fileno())
        yield array


@contextmanager
def array(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.ndarray]:
    """A .npy file to be filled in place, which may be larger than memory; written atomically."""
    with replacing(path) as temporary:
        filled = np.lib.format.open_memmap(temporary, "w+", dtype=dtype, shape=shape)
        with temporary.open("r+b") as file:
            _fill_holes(file.fileno())
        yield filled
        filled.flush()


def _fill_holes(descriptor: int) -> None:
    """Have the disk keep all of an open file's bytes; OSError if it has not as many.

    A new mapped file is one hole, and a disk that is full when that is written kills the process.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Comma-separated text; numbers in full precision, None as an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def remove_others(folder: Path, keep: Collection[str]) -> None:
    """Remove the files of `folder`, if there is one, whose names are not in `keep`."""
    for path in folder.glob("*"):
        if path.is_file() and path.name not in keep:
            path.unlink()


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
