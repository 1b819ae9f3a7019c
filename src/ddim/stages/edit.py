"""Stage `edit`: encoded real images moved from one class towards another."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/edit."""
    from ddim.analysis import edit
    from ddim.analysis.context import Bench

    edit.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
