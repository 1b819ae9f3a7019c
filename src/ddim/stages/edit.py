"""Stage `edit`: encoded real images moved from one class towards another."""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/edit."""
    from ddim.lecture import edit
    from ddim.lecture.bench import Bench

    edit.section(Bench.of(cfg)).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)
