"""Stage `report`: tables, figures, README.md and index.html from committed JSON, without torch."""

from ddim import paths
from ddim.report import build, cells, terminal
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/ and print Table 1; the last line is the page's path."""
    results = cells.load(cfg, paths.reports(cfg), sections=cfg.lecture.sections)
    build.build(results)
    terminal.summary(results)
    print(paths.reports(cfg) / "index.html")


if __name__ == "__main__":
    stage(run)
