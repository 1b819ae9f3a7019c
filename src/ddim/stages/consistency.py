"""Stage `consistency`: the same x_T with few and with many steps, from the sweep's own images."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/consistency."""
    from ddim.lecture import consistency
    from ddim.lecture.bench import Bench

    consistency.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
