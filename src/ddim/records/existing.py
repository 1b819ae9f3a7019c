"""Whether a cell, or a column of Table 2, was measured already: a record of this fingerprint."""

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import commands
from ddim.records.cell import Cell, CellKey
from ddim.records.reconstruction import Reconstruction


def is_measured(cfg: Config, fingerprint: str) -> bool:
    """Whether the configured cell's numbers are there, and each image's share in them, of this one.

    What each image contributes is kept for paired comparisons: a record without it is half done.
    """
    made_by = commands.evaluate(CellKey.of(cfg))
    recorded = _recorded(Cell, paths.cell_record(cfg), made_by)
    return recorded == fingerprint == _of_influences(paths.influences(cfg))


def _of_influences(path: Path) -> str | None:
    """The fingerprint in a file of influences; None where there is none, or an unreadable one."""
    if not path.is_file():
        return None
    try:
        with np.load(path) as arrays:
            return str(json.loads(str(arrays["about"]))["fingerprint"])
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        print(f"{path} is broken ({error})", flush=True)
        return None


def is_reconstructed(cfg: Config, fingerprint: str) -> bool:
    """Whether the error of cell.steps steps is there, of this fingerprint."""
    made_by = commands.reconstruct(cfg.cell.steps)
    return _recorded(Reconstruction, paths.reconstruction_record(cfg), made_by) == fingerprint


def _recorded(kind: type[Cell] | type[Reconstruction], path: Path, made_by: str) -> str | None:
    """The record's fingerprint; None where there is none, or, with a line, an unreadable one."""
    if not path.is_file():
        return None
    try:
        return kind.read(path, made_by).fingerprint
    except ValueError as error:
        print(error, flush=True)
        return None
