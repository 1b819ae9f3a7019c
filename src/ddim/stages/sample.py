"""Stage `sample`: the images of every cell of the grid, each as samples.npy in a folder of its own.

`out/<name>/samples` holds the cells of the grid and nothing else. A cell that is there with the
same fingerprint is kept; one that left the grid is moved to `out/<name>/extra`, and back when it
joins it again: nothing is sampled twice. With cell.* on the command line, in a multirun, or with a
scheduler of diffusers, that cell alone is sampled; one outside the grid lies in `extra`, where no
stage of the pipeline looks.

Of several processes the first alone moves and writes; the others see a cell in either place.
"""

import shutil
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import selects, stage
from ddim.runtime.lock import exclusive

if TYPE_CHECKING:
    from ddim.sampling.cell import CellPlan
    from ddim.sampling.network import EpsModel

_TIMING = "timing.json"  # of a cell outside the grid, in its own folder


def run(cfg: Config) -> None:
    """Sample what is missing, or was sampled of something else."""
    from ddim.sampling import cell

    weights, network, first = cell.weights_in_use(cfg), Network(cfg), _is_first_process(cfg)
    by_hand = selects("cell") or cfg.sampler.scheduler is not None
    if first and not by_hand:
        move_out(cfg)
    for each in [cfg] if by_hand else cfg.cells():
        plan = cell.plan(each, weights)
        with _lock(each, plan):
            if is_there(each, plan, move=first):
                print(f"{plan.name}: already there")
            else:
                _sample(each, plan, network.model)
    if by_hand and first:
        _preview(cfg)


class Network:
    """The trained network, loaded when the first cell needs it and once for all of them."""

    def __init__(self, cfg: Config) -> None:
        self._cfg = cfg

    @cached_property
    def model(self) -> "EpsModel":
        """Called as eps_model(x, t)."""
        from ddim.sampling.cell import load_network

        return load_network(self._cfg)


def move_out(cfg: Config) -> None:
    """Move what is no cell of the grid from `samples` to `extra`."""
    grid = {paths.configured_cell(cell) for cell in cfg.cells()}
    for folder in paths.all_samples(cfg).glob("*/"):
        if folder.name not in grid:
            place = paths.extra(cfg) / folder.name
            if _is_newer(place, folder):  # sampled by hand since the cell left the grid
                shutil.rmtree(folder)
                continue
            _move(folder, place)
            _move_file(paths.timing(cfg, folder.name), place / _TIMING)


def is_there(cfg: Config, plan: "CellPlan", *, move: bool) -> bool:
    """Whether the configured cell's images are there, of exactly this plan.

    They may lie in `extra` although the cell is one of the grid by now: `move` them where it is.
    """
    from ddim.sampling.cell import is_sampled

    place, outside = paths.samples(cfg), paths.extra(cfg) / plan.name
    # `extra` first: what another process moves meanwhile is then seen in `samples`.
    waits_outside = place != outside and is_sampled(cfg, plan, outside)
    if is_sampled(cfg, plan):
        return True
    if waits_outside and move:
        _move_file(outside / _TIMING, paths.cell_timing(cfg))
        for suffix in (".json", ".npz", ".png"):  # its measurement: the grid's lie in reports/
            (outside / f"{plan.name}{suffix}").unlink(missing_ok=True)
        _move(outside, place)
    return waits_outside


def _is_newer(place: Path, folder: Path) -> bool:
    records = [path / paths.SAMPLED for path in (place, folder)]
    if not all(record.is_file() for record in records):
        return records[0].is_file()
    return records[0].stat().st_mtime > records[1].stat().st_mtime


def _move(folder: Path, place: Path) -> None:
    if place.exists():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.replace(place)


def _move_file(path: Path, place: Path) -> None:
    if path.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)


def _lock(cfg: Config, plan: "CellPlan") -> AbstractContextManager[None]:
    """For the cell's files; the first of several processes holds it for all of them.

    It cannot wait: the others would go on without it.
    """
    if not _is_first_process(cfg):
        return nullcontext()
    alone = cfg.trainer.devices * cfg.trainer.num_nodes == 1
    return exclusive(paths.cell_lock(cfg), plan.name, wait=alone)


def _sample(cfg: Config, plan: "CellPlan", model: "EpsModel") -> None:
    from ddim.sampling import cell
    from ddim.sampling.shards import sample_missing

    job = cell.shard_job(cfg, plan, model)
    sample_missing(job, plan.name, cfg.trainer)
    if _is_first_process(cfg):
        cell.collect(cfg, plan, job)


def _is_first_process(cfg: Config) -> bool:
    if cfg.trainer.devices * cfg.trainer.num_nodes == 1:
        return True
    from ddim.runtime.lightning import is_global_zero

    return is_global_zero()


def _preview(cfg: Config) -> None:
    """A picture for whoever samples by hand; the report's are drawn when the cell is measured."""
    from ddim.tracking.preview import save_preview

    save_preview(paths.samples_file(cfg), paths.preview(cfg))


if __name__ == "__main__":
    stage(run)
