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
    """Whether the configured cell's record is there, of this fingerprint."""
    made_by = commands.evaluate(CellKey.of(cfg))
    return _recorded(Cell, paths.cell_record(cfg), made_by) == fingerprint


def has_influences(cfg: Config, fingerprint: str) -> bool:
    """Whether what each image contributes to those numbers is there, of this fingerprint."""
    path = paths.influences(cfg)
    if not path.is_file():
        return False
    try:
        with np.load(path) as arrays:
            return bool(json.loads(str(arrays["about"]))["fingerprint"] == fingerprint)
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        print(f"{path} is broken ({error})", flush=True)
        return False


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
