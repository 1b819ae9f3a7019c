"""Stage `sample`: the images of one cell, as samples.npy in a folder of its own.

A cell of the grid lies in `out/<name>/samples/<cell>`; any other, or one of a diffusers scheduler,
in `out/<name>/extra/<cell>`, where no stage of the pipeline looks.
"""

from typing import TYPE_CHECKING

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage

if TYPE_CHECKING:
    from ddim.sampling.cell import CellPlan


def run(cfg: Config) -> None:
    """Sample the configured cell; one that is there already with the same fingerprint is kept."""
    from ddim.records.timing import Timing
    from ddim.sampling import cell

    plan = cell.plan(cfg)
    if _is_there(cfg, plan):
        print(f"{plan.name}: already there")
        return
    from ddim.sampling.shards import sample_missing

    job = cell.shard_job(cfg, plan)
    sample_missing(job, plan.name, cfg.trainer)
    if _is_first_process(cfg):
        seconds = cell.collect(cfg, plan, job)
        Timing.now(cfg.trainer, seconds, plan.n).write(paths.cell_timing(cfg))
        _preview(cfg)


def _is_there(cfg: Config, plan: "CellPlan") -> bool:
    from ddim.sampling import cell

    try:
        return cell.is_sampled(cfg, plan)
    except ValueError as error:  # a record that is damaged, or of another version of ddim
        print(error, flush=True)
        return False


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
