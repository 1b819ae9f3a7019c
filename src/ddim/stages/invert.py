"""Stage `invert`: one image encoded again and again, by DDPM's forward process and by DDIM."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/invert."""
    from ddim.analysis import invert
    from ddim.analysis.context import Bench

    invert.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
