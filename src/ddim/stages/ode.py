"""Stage `ode`: the error against a long solution, and its order."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/ode."""
    from ddim.lecture import ode
    from ddim.lecture.bench import Bench

    ode.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
