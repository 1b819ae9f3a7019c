"""Stage `path`: x_t and x0_hat along one trajectory, as a grid and an animation."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/path."""
    from ddim.analysis import path
    from ddim.analysis.context import Bench

    path.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
