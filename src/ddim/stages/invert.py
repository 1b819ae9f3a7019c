"""Stage `invert`: one image encoded again and again, by DDPM's forward process and by DDIM."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/invert."""
    from ddim.lecture import invert
    from ddim.lecture.bench import Bench

    invert.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
