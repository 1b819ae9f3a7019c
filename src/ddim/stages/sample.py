"""Stage `sample`: the images of one cell of Table 1, as out/<name>/samples/<cell>/samples.npy."""

from ddim import cells, paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Sample the configured cell; a cell that is already there under the same key is kept."""
    from ddim import weights

    file = paths.weights(cfg) / f"{cfg.sample.weights.value}.safetensors"
    plan = cells.plan(cfg, weights.describe(file))
    name = paths.cell_name(cfg.cell, cfg.sampler.scheduler)
    if cells.done(cfg, plan.key):
        print(f"{name}: already there")
        return


if __name__ == "__main__":
    stage(run)
