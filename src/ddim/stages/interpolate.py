"""Stage `interpolate`: paths between latents and between encoded real images."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/interpolate."""
    from ddim.lecture import interpolate
    from ddim.lecture.bench import Bench

    interpolate.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
