"""Stage `ode`: the error against a long solution, and its order."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/ode."""
    from ddim.analysis import ode
    from ddim.analysis.context import Bench

    ode.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
