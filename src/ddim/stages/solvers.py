"""Stage `solvers`: schedulers of diffusers over the same network and x_T."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/solvers."""
    from ddim.analysis import solvers
    from ddim.analysis.context import Bench

    solvers.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
