"""Stage `family`: the marginals, weights and bound that make one network serve every sampler."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/family."""
    from ddim.analysis import family
    from ddim.analysis.context import Bench

    family.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
