"""Stage `report`: tables, figures, README.md and index.html from committed JSON, without torch."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import results
from ddim.report import build
from ddim.report.render import terminal
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/ and print Table 1; the last line is the page's path."""
    found = results.load(cfg, paths.reports(cfg), sections=cfg.analysis.sections)
    build.build(found)
    terminal.summary(found)
    print(paths.reports(cfg) / "index.html")


if __name__ == "__main__":
    stage(run)
