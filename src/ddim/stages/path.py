"""Stage `path`: x_t and x0_hat along one trajectory, as a grid and an animation."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/path."""
    from ddim.lecture import path
    from ddim.lecture.bench import Bench

    path.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
