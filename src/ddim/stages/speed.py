"""Stage `speed`: wall time against S, speed-up at equal quality; from the sweep's JSON."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/speed."""
    from ddim.analysis import speed

    speed.section(cfg).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
