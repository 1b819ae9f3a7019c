"""Files: written atomically (they get their name in one move), scratch arrays, CSV, checksums.

Where a file cannot be written, one line says which and how much room there is; the old one stays.
"""

import csv
import errno
import glob
import hashlib
import io
import json
import math
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# No room, for one reason or another; Windows has no quota.
_FULL = {getattr(errno, name, errno.ENOSPC) for name in ("ENOSPC", "EDQUOT", "EFBIG")}

# Errors of a connection, which name no file either.
_NETWORK = (ConnectionError, TimeoutError, socket.gaierror)

FORMULA = ("=", "+", "-", "@", "\t", "\n")  # how one begins in a spreadsheet
MAX_JSON = 2**26  # bytes: 300 cells with their covariances take 2 MB


@contextmanager
def replacing(path: Path, *, durable: bool = False, needs: int | None = None) -> Iterator[Path]:
    """A temporary sibling of `path` to write to; it becomes `path` if the block succeeds.

    durable: before that it reaches the disk, so that it survives a power cut: for what takes long
    to compute. needs: its bytes, where they are known. Raises OSError that names `path` and the
    room that is left where it cannot be written. What a killed process left of it is removed.
    """
    temporary = _temporary(path)
    with writing(path, temporary, needs):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_left_over(path)
        try:
            yield temporary
            if durable:
                _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """As `replacing`, a temporary folder, which is there already, in place of `folder`."""
    temporary = _temporary(folder)
    with writing(folder, temporary):
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_left_over(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


# The file's name and the process's number; what torch.hub loads it adds its own ending to.
_TEMPORARY = re.compile(r"^\.(.+)\.(\d+)\.tmp(\..+)?$")


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_left_over(path: Path) -> None:
    """Remove what killed processes left of writing `path`: temporary siblings of no process."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp*"):
        name = _TEMPORARY.match(left.name)
        if name is None or name[1] != path.name or is_running(int(name[2])):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _is_being_written(path: Path) -> bool:
    """Whether it is a temporary file or folder of a process that is running."""
    process = _TEMPORARY.match(path.name)
    return process is not None and is_running(int(process[2]))


def is_running(process: int) -> bool:
    """Whether there is a process of this number on this machine; True where none can tell."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # gone, or no number of a process
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


# --- a disk that is full, or read-only -----------------------------------------------------------


@contextmanager
def writing(path: Path, temporary: Path | None = None, needs: int | None = None) -> Iterator[None]:
    """Say of an OSError that `path` cannot be written: one of a write names no file.

    temporary: what stands for `path`, with all that it holds. needs: the bytes of it, where that is
    known. An error about another file, which is read, passes.
    """
    try:
        yield
    except Exception as error:
        cause = _os_error(error)
        if cause is not None and (cause.errno in _FULL or _is_about(cause, path, temporary)):
            raise type(cause)(_why(cause, path, needs)) from None
        raise


def _os_error(error: BaseException) -> OSError | None:
    """`error` if it is the system's, or the full disk that it comes from, as torch.save's does."""
    if isinstance(error, OSError):
        return error if error.errno is not None else None
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, OSError) and current.errno in _FULL:
            return current
        current = current.__cause__ or current.__context__
    return None


def _is_about(error: OSError, path: Path, temporary: Path | None) -> bool:
    if error.filename is None:
        return not isinstance(error, _NETWORK)
    concerned, above = Path(os.fsdecode(error.filename)).absolute(), path.absolute()
    if concerned == above or concerned in above.parents:
        return True
    if temporary is None:
        return False
    inside = temporary.absolute()
    return concerned == inside or inside in concerned.parents


def is_not_read(error: Exception) -> bool:
    """Whether it tells that the system would not read a file, not that its bytes are damaged.

    EINVAL comes of a seek to where damaged bytes point, no errno from a library that read them.
    """
    if isinstance(error, FileNotFoundError | IsADirectoryError):
        return False
    of_system = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
    return of_system or isinstance(error, MemoryError)


def _why(error: OSError, path: Path, needs: int | None) -> str:
    """The file, the reason, and for a full disk how much room there is."""
    path = Path(*(_TEMPORARY.sub(r"\1", part) for part in path.parts))
    reason = f"{path} cannot be written: {error.strerror}"
    if error.errno == errno.EFBIG:
        return f"{reason} for the limit of this process (ulimit -f)"
    if error.errno not in _FULL:
        return reason
    folder = next(folder for folder in path.absolute().parents if folder.is_dir())
    free = f"{size_text(shutil.disk_usage(folder).free)} free in {path.parent}"
    room = free if needs is None else f"{size_text(needs)} needed, {free}"
    return f"{reason} ({room}): make room and run the same command again"


def size_text(size: float) -> str:
    """A number of bytes for a person: 512 B, 3.2 MB."""
    units = ("B", "kB", "MB", "GB", "TB")
    power = min(int(math.log(size, 1000)), len(units) - 1) if size >= 1 else 0
    return f"{size / 1000**power:.{1 if power else 0}f} {units[power]}"


# --- text and JSON -------------------------------------------------------------------------------


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path`, indented and with a final newline; NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; FileNotFoundError or ValueError names a missing or broken one.

    NaN, infinity in any spelling and a file above MAX_JSON are broken.
    """
    try:
        if (size := path.stat().st_size) > MAX_JSON:
            raise ValueError(f"{size} bytes, at most {MAX_JSON} are read")
        text = path.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: run the stage that writes it") from None
    except RecursionError:
        raise ValueError(f"{path}: invalid JSON (nested too deeply)") from None
    except ValueError as error:
        raise ValueError(f"{path}: invalid JSON ({error})") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


@contextmanager
def scratch(folder: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.ndarray]:
    """An array, which may be larger than memory, in a file of `folder` that is gone afterwards."""
    with ExitStack() as stack:
        with writing(folder / "scratch", needs=_bytes(shape, dtype)):
            folder.mkdir(parents=True, exist_ok=True)
            # Unbuffered: closing would try again to write what had no room.
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
            array = np.memmap(file, dtype, "w+", shape=shape)
            _fill_holes(file.fileno())
        yield array


@contextmanager
def array(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[np.ndarray]:
    """A .npy file to be filled in place, which may be larger than memory; written atomically."""
    with replacing(path, durable=True, needs=_bytes(shape, dtype)) as temporary:
        filled = np.lib.format.open_memmap(temporary, "w+", dtype=dtype, shape=shape)
        with temporary.open("r+b") as file:
            _fill_holes(file.fileno())
        yield filled
        filled.flush()


def _bytes(shape: tuple[int, ...], dtype: type) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize


def _fill_holes(descriptor: int) -> None:
    """Have the disk keep all of an open file's bytes; OSError if it has not as many.

    A new mapped file is one hole, and a disk that is full when that is written kills the process.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Comma-separated text; numbers in full precision, None as an empty field.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([_no_formula(value) for value in row] for row in (columns, *rows))
    return out.getvalue()


def _no_formula(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.replace("\r", "\n")  # csv quotes no \r, which ends a row for others
    return f"'{text}" if text.startswith(FORMULA) else text


def remove_others(folder: Path, keep: Collection[str]) -> None:
    """Remove the files of `folder`, if there is one, whose names are not in `keep`.

    Not what another process is writing at the moment.
    """
    for path in folder.glob("*"):
        if path.is_file() and path.name not in keep and not _is_being_written(path):
            path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
