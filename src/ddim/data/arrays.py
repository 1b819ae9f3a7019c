"""Writes .npy files row by row: a set may be larger than memory. ddim.records.prepared reads."""

import hashlib
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ddim.records.prepared import ArrayFile
from ddim.runtime.files import replacing


def write_array(
    path: Path, shape: tuple[int, ...], dtype: type[np.generic], rows: Iterable[np.ndarray]
) -> ArrayFile:
    """Write `rows`, one after the other, as the .npy file of an array of `shape` and `dtype`.

    Only one row is in memory at a time, and the pages never count as this process's memory, as
    those of a memory map being written would. Written atomically.

    Returns what the record says of the file.
    """
    header = io.BytesIO()
    kind = np.dtype(dtype)
    description = {"descr": kind.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    digest = hashlib.sha256()
    with replacing(path, durable=True) as temporary:
        with temporary.open("wb") as file:
            for part in _parts(header.getvalue(), rows, kind):
                digest.update(part)
                file.write(part)
            size = file.tell()
        assert size == len(header.getvalue()) + math.prod(shape) * kind.itemsize, (path, shape)
    return ArrayFile(dtype=kind.name, shape=shape, bytes=size, sha256=digest.hexdigest())


def _parts(header: bytes, rows: Iterable[np.ndarray], kind: np.dtype[Any]) -> Iterable[bytes]:
    yield header
    for row in rows:
        assert row.dtype == kind, (row.dtype, kind)
        yield row.tobytes()
