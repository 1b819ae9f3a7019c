"""Stage `consistency`: the same x_T with few and with many steps, from the sweep's own images."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/consistency."""
    from ddim.analysis import consistency
    from ddim.analysis.context import Bench

    consistency.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
