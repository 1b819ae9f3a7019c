"""Stage `report`: tables, figures, README.md and index.html from the records, without torch."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import results
from ddim.report import build
from ddim.report.render import terminal
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive


def run(cfg: Config) -> None:
    """Write `reports/<name>/` and print Table 1; the last line is the page's path."""
    folder = paths.reports(cfg)
    with exclusive(paths.lock(cfg, "report"), f"the report of {cfg.name}"):
        read = results.load(folder)
        build.build(read)
    terminal.summary(read)
    print(folder / "index.html")


if __name__ == "__main__":
    stage(run)
