"""Stage `family`: the marginals, weights and bound that make one network serve every sampler."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/family."""
    from ddim.lecture import family
    from ddim.lecture.bench import Bench

    family.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
