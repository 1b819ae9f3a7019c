"""Stage `speed`: wall time against S, speed-up at equal quality; from the sweep's JSON."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/speed."""
    from ddim.lecture import speed

    speed.section(cfg).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
