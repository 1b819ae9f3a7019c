"""Stage `solvers`: schedulers of diffusers over the same network and x_T."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/solvers."""
    from ddim.lecture import solvers
    from ddim.lecture.bench import Bench

    solvers.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
