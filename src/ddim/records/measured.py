"""Whether a cell, or a column of Table 2, was measured already: a record of this fingerprint."""

from pathlib import Path

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records.cell import Cell, CellKey
from ddim.records.reconstruction import Reconstruction


def is_measured(cfg: Config, fingerprint: str) -> bool:
    """Whether the configured cell's numbers and picture are there, of this fingerprint."""
    path = paths.cell_record(cfg)
    made_by = f"python -m ddim.stages.evaluate {CellKey.of(cfg).overrides}"
    return _with_picture(path) and _recorded(Cell, path, made_by) == fingerprint


def is_reconstructed(cfg: Config, fingerprint: str) -> bool:
    """Whether the error of cell.steps steps and its picture are there, of this fingerprint."""
    path = paths.reconstruction_record(cfg)
    made_by = f"python -m ddim.stages.reconstruct cell.steps={cfg.cell.steps}"
    return _with_picture(path) and _recorded(Reconstruction, path, made_by) == fingerprint


def _recorded(kind: type[Cell] | type[Reconstruction], path: Path, made_by: str) -> str | None:
    """The record's fingerprint; None, and a line about it, where it cannot be read."""
    try:
        return kind.read(path, made_by).fingerprint
    except ValueError as error:
        print(error, flush=True)
        return None


def _with_picture(path: Path) -> bool:
    return path.is_file() and path.with_suffix(".png").is_file()
