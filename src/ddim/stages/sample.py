"""Stage `sample`: the images of every cell of the grid, each as samples.npy in a folder of its own.

A cell that is there with the same fingerprint is kept; what left the grid is moved to
`out/<name>/extra`. With cell.* on the command line, in a multirun, or with a scheduler of
diffusers, that cell alone is sampled; one outside the grid lies in `extra`, where no stage of the
pipeline looks.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import selects, stage
from ddim.runtime.lock import exclusive

if TYPE_CHECKING:
    from ddim.sampling.cell import CellPlan
    from ddim.sampling.network import EpsModel


def run(cfg: Config) -> None:
    """Sample what is missing, or was sampled of something else."""
    from ddim.sampling import cell, grid

    weights, network = cell.weights_in_use(cfg), Network(cfg)
    by_hand = selects("cell") or cfg.sampler.scheduler is not None
    for each in [cfg] if by_hand else grid.settle(cfg, weights):
        plan = cell.plan(each, weights)
        with _lock(each, plan):
            if cell.is_sampled(each, plan):
                print(f"{plan.name}: already there")
            else:
                _sample(each, plan, network.model)
    if by_hand and _is_first_process(cfg):
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


def _lock(cfg: Config, plan: "CellPlan") -> AbstractContextManager[None]:
    """For the cell's files; the first of several processes holds it for all of them."""
    if _is_first_process(cfg):
        return exclusive(paths.cell_lock(cfg), plan.name)
    return nullcontext()


def _sample(cfg: Config, plan: "CellPlan", model: "EpsModel") -> None:
    from ddim.records.timing import Timing
    from ddim.sampling import cell
    from ddim.sampling.shards import sample_missing

    job = cell.shard_job(cfg, plan, model)
    sample_missing(job, plan.name, cfg.trainer)
    if _is_first_process(cfg):
        seconds = cell.collect(cfg, plan, job)
        Timing.now(cfg.trainer, seconds, plan.n).write(paths.cell_timing(cfg))


def _is_first_process(cfg: Config) -> bool:
    if cfg.trainer.devices * cfg.trainer.num_nodes == 1:
        return True
    from ddim.runtime.lightning import is_global_zero

    return is_global_zero()


def _preview(cfg: Config) -> None:
    """A picture for whoever samples by hand; the report's are drawn when the cell is measured."""
    from ddim.tracking.preview import save_preview

    save_preview(paths.samples_file(cfg), paths.preview(cfg), scale=cfg.data.enlargement)


if __name__ == "__main__":
    stage(run)
