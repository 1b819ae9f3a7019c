"""The file of what every image contributes to a cell's numbers: how it is written and read.

What stands in it: ddim.evaluation.influences. Whether a cell was measured is a question to the file
as a whole (ddim.records.existing): a damaged one is made again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddim.records import commands
from ddim.runtime.array_file import Arrays, read_arrays, write_arrays

KIND, VERSION = "influences", 2  # version 1 had no checksum
FIELDS = {"cell": str, "seed": int, "reference": str, "fingerprint": str}


def write(path: Path, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write the file, atomically; about: FIELDS."""
    write_arrays(path, KIND, VERSION, about, arrays)


def read(path: Path) -> tuple[dict[str, Any], Arrays]:
    """(about, arrays) in `path`; FileNotFoundError or ValueError names it and the way out."""
    again = f"make it again with `{commands.stage('evaluate')}`"
    about, arrays = read_arrays(path, KIND, VERSION, again)
    if {key: type(value) for key, value in about.items()} != FIELDS:
        raise ValueError(f"{path} is damaged (it says {', '.join(about)}): {again}")
    return about, arrays
