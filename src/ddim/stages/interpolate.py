"""Stage `interpolate`: paths between latents and between encoded real images."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/interpolate."""
    from ddim.analysis import interpolate
    from ddim.analysis.context import Bench

    interpolate.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
