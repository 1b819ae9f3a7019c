"""Stage `sample`: the images of one cell of Table 1, as out/<name>/samples/<cell>/samples.npy."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import cells
from ddim.runtime import files, git
from ddim.runtime.cli import stage

if TYPE_CHECKING:
    from ddim.sampling.generate import Walk

SHOWN = 64  # images of the grid beside the report


def run(cfg: Config) -> None:
    """Sample the configured cell; one that is already there under the same key is kept."""
    plan = cells.plan(cfg)
    name = paths.cell_name(cfg.cell, cfg.sampler.scheduler)
    if cells.done(cfg, plan.key):
        print(f"{name}: already there")
        return
    from ddim.sampling.generate import generate_cell

    walk = _walk(cfg, plan)
    path = paths.samples(cfg) / "samples.npy"
    seconds = generate_cell(
        walk,
        path,
        n=plan.n,
        seed=cfg.cell.seed,
        shape=cfg.image_shape,
        batch_size=cfg.sample.batch_size,
        shard=cfg.sample.shard_size,
        work=paths.WORK / f"cell-{plan.key}",
        label=name,
        trainer=cfg.trainer,
    )
    if seconds is not None:  # None: another process of a ddp run reports
        _report(cfg, plan, path, nfe=walk.states, seconds=seconds)


def _walk(cfg: Config, plan: cells.Plan) -> "Walk":
    """The configured sampler around the trained network."""
    from ddim import schedule, weights
    from ddim.sampling.diffusers_schedulers import Scheduler
    from ddim.sampling.generate import DDIM
    from ddim.sampling.network import EpsModel

    unet, _ = weights.load(cells.weights_file(cfg), expect=cfg.network)
    model = EpsModel(unet, precision=cfg.sample.precision, compiled=cfg.trainer.compile)
    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    if cfg.sampler.scheduler is not None:
        return Scheduler(
            model, alpha_bar, cfg.cell.steps, cfg.sampler.scheduler, cfg.sampler.options
        )
    return DDIM(
        eps_model=model,
        alpha_bar=alpha_bar,
        tau=plan.tau,
        eta=cfg.cell.eta,
        clip_x0=cells.clips(cfg),
    )


def _report(cfg: Config, plan: cells.Plan, path: Path, *, nfe: int, seconds: float) -> None:
    """The cell's JSON, last of all: a cell with it is done."""
    from ddim.plotting.grids import grid, save_png
    from ddim.runtime.device import describe, torch_device

    images = np.load(path, mmap_mode="r")
    assert images.shape == (plan.n, *cfg.image_shape), images.shape
    scale = max(1, 32 // cfg.data.image_size)
    picture = grid(np.array(images[:SHOWN]), columns=8, scale=scale)
    save_png(paths.sample_report(cfg, ".png"), picture)
    report = plan.protocol | {
        "nfe": nfe,
        "batch_size": cfg.sample.batch_size,
        "device": describe(torch_device(cfg.trainer.accelerator)),
        "seconds": round(seconds, 3),
        "seconds_per_image": round(seconds / plan.n, 6),
        "samples_sha256": files.sha256(path),
        "key": plan.key,
        "revision": git.revision(),
    }
    files.write_json(paths.sample_report(cfg, ".json"), report)


if __name__ == "__main__":
    stage(run)
