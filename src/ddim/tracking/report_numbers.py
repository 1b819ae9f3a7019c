"""The report's numbers and figures, for whatever shows them; and for TensorBoard and MLflow.

W&B's run is filled by ddim.tracking.sweep_run. The numbers are those of tables/metrics.csv; their
names, S10.eta0.0.fid say, are those of `dvc metrics show`.
"""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddim.config import paths
from ddim.config.schema import Config, LoggerKind
from ddim.records import commands, results
from ddim.records.results import Results
from ddim.report import metrics_json
from ddim.runtime.files import csv_text

REPORT = f"run `{commands.REPORT}` first"


def run(cfg: Config) -> None:
    """Hand the report's numbers and figures to cfg.logger and print where they are.

    TensorBoard gets curves over S. Raises FileNotFoundError or ValueError as sweep_run.run does,
    and for a package that is not installed.
    """
    if cfg.logger.kind is LoggerKind.csv:
        print(f"logger.kind is csv: the report's numbers are in {paths.reports(cfg)}/tables")
        return
    from PIL import Image

    from ddim.tracking.training_logger import REPORT as JOB
    from ddim.tracking.training_logger import (
        accepted,
        log_picture,
        log_settings,
        open_logger,
        where,
    )

    read = results.load(paths.reports(cfg))
    numbers, pictures = of_dvc(read), sorted((read.folder / "figures").glob("*.png"))
    if cfg.logger.kind is LoggerKind.tensorboard:  # filling it again replaces it
        shutil.rmtree(paths.out(cfg) / "tensorboard" / JOB, ignore_errors=True)
    logger = open_logger(cfg, JOB)
    log_settings(replace(read.cfg, logger=cfg.logger), logger)
    if cfg.logger.kind is LoggerKind.tensorboard:
        for steps, curves in _over_steps(read.folder):
            logger.log_metrics(curves, step=steps)
    else:
        known = {accepted(name): v for name, v in numbers.items() if v is not None}
        logger.log_metrics(known, step=0)
    for path in pictures:
        log_picture(logger, f"figures/{path.stem}", Image.open(path), 0)
    logger.finalize("success")
    print(f"report: {where(cfg, logger)}")


def of_dvc(read: Results) -> dict[str, Any]:
    """Every number of the report, by its name in DVC. ValueError unless they are the records'.

    The report's figures are as old as its numbers: curves of earlier records are never shown.
    """
    of_the_report(read.folder / "metrics.json")
    path = of_the_report(read.folder / "tables" / "metrics.csv")
    numbers = dict(metrics_json.flat(metrics_json.everything(read)))
    expected = csv_text(("metric", "value"), numbers.items())
    if path.read_text(encoding="utf-8") != expected:
        raise ValueError(f"{path} is of other records: {REPORT}")
    return numbers


def of_the_report(path: Path) -> Path:
    """`path`, which the report writes; FileNotFoundError if it is missing."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {REPORT}")
    return path


def _over_steps(folder: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """(S, {"fid/eta 0.0": ...}) of figures/fid.csv, by S."""
    rows: dict[int, dict[str, float]] = {}
    path = of_the_report(folder / "figures" / "fid.csv")
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = f"fid/eta {row['eta']}, n {row['n']}"
            rows.setdefault(int(row["S"]), {})[name] = float(row["fid"])
    yield from sorted(rows.items())
