"""The cells of the sweep on disk: a cell that leaves the grid, or joins it, is moved, not lost.

`out/<name>/samples` holds the cells of the grid and nothing else; all others lie in
`out/<name>/extra`. So a grid that shrinks and grows again, or that takes in a cell which was
sampled by hand, samples nothing twice.
"""

import shutil
from pathlib import Path

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records.cell import Weights
from ddim.sampling.cell import is_sampled, plan


def settle(cfg: Config, weights: Weights) -> list[Config]:
    """The configuration of every cell of the grid, after `samples` holds no other ones.

    Cells of the grid that lie ready in `extra`, of exactly their plan, are moved to `samples`.
    """
    cells = cfg.cells()
    grid = {paths.configured_cell(cell) for cell in cells}
    for folder in paths.all_samples(cfg).glob("*"):
        if folder.name not in grid:
            _move(folder, paths.extra(cfg) / folder.name)
            _move_file(paths.timing(cfg, folder.name), paths.extra(cfg) / folder.name / _TIMING)
    for cell in cells:
        _fetch(cell, weights)
    return cells


_TIMING = "timing.json"  # of a cell outside the grid, in its own folder


def _fetch(cfg: Config, weights: Weights) -> None:
    """Move the configured cell of the grid from `extra`, if it is there of exactly its plan."""
    name = paths.configured_cell(cfg)
    folder, place = paths.extra(cfg) / name, paths.samples(cfg)
    if place.is_dir() or not folder.is_dir():
        return
    if not is_sampled(cfg, plan(cfg, weights), folder):
        return
    _move_file(folder / _TIMING, paths.cell_timing(cfg))
    for suffix in (".json", ".png"):  # its measurement: the grid's lie in reports/
        (folder / f"{name}{suffix}").unlink(missing_ok=True)
    _move(folder, place)


def _move(folder: Path, place: Path) -> None:
    if place.exists():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.replace(place)


def _move_file(path: Path, place: Path) -> None:
    if path.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
