"""The report as one W&B run, filled from the records and figures of `reports/<name>` at any time.

    python -m ddim.track [logger.mode=online] [key=value ...]

The report is the truth, this run is a view of it: the same experiment with the same weights is
always the same run, so filling it again replaces its content. Offline by default; it never asks.
It comes after the report in the pipeline: curves and figures are the report's files, all of them;
a report that is missing, or of other records than there are now, is an error. What other loggers
than W&B show of it is in ddim.tracking.report_numbers.
"""

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ddim.config import params, paths
from ddim.config.schema import Config, LoggerKind, WandbMode, as_dict
from ddim.records import results
from ddim.records.cell import Cell
from ddim.records.results import Results
from ddim.records.section import Section
from ddim.records.timing import Timing
from ddim.report import tables
from ddim.runtime import files
from ddim.runtime.errors import one_line
from ddim.tracking import report_numbers, wandb_setup
from ddim.tracking.training_logger import mlflow_in_one_line

if TYPE_CHECKING:
    import wandb

CHART = "charts/"  # the curves' keys start so


class Curve(NamedTuple):
    """A curve of the report: its CSV under `reports/<name>`, and what is plotted of it."""

    file: str
    x: str
    y: str
    series: tuple[str, ...] = ()  # the columns that tell one line from another


NAMES = {"eta": "η", "n": "n"}
CURVES = {
    "fid": Curve("figures/fid.csv", "S", "fid", ("eta", "n")),  # FIDs compare at equal n alone
    "error": Curve("figures/error.csv", "S", "mse"),
    "loss": Curve("figures/loss.csv", "step", "loss"),
    "time": Curve("timings/time.csv", "S", "seconds_per_image", ("eta",)),
}


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.track`."""
    run(params.read(arguments))


def run(cfg: Config) -> None:
    """Fill the experiment's W&B run and print where it is.

    `cfg` says which experiment, and how to reach W&B (logger); what is shown is the report's.
    Raises FileNotFoundError or ValueError, naming the stage to run, where a record or a file of the
    report is missing or the report is of other records; OSError where W&B or MLflow fails.
    """
    if cfg.logger.kind is not LoggerKind.wandb:
        with mlflow_in_one_line(cfg):
            report_numbers.run(cfg)
        return
    if cfg.logger.mode is WandbMode.disabled:
        print("logger.mode is disabled: nothing goes to W&B")
        return
    read = results.load(paths.reports(cfg))
    folder, online = paths.out(cfg), cfg.logger.mode is WandbMode.online
    wandb_setup.keep_home_clean(folder)
    if online:
        wandb_setup.require_account()
    summary = {**report_numbers.of_dvc(read), "content": _checksum(read)}
    ours = folder / "wandb"
    with files.writing(ours, ours):
        content = _content(read)  # before the run is opened: a missing file costs no earlier run
        wandb_run = _run(cfg, read, folder)
    place = wandb_setup.folder_of(wandb_run)
    try:
        with files.writing(ours, ours), _finished(wandb_run):
            outcome = _fill(wandb_run, content, summary)
    except TimeoutError:
        raise OSError(wandb_setup.unsent(place)) from None
    print(f"W&B run {outcome}: {wandb_run.url if online else wandb_setup.sent_by_hand(place)}")


@contextmanager
def _finished(run: "wandb.Run") -> Iterator[None]:
    """As `with run:`, which prints a trace of what went wrong besides."""
    try:
        yield
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


def _fill(run: "wandb.Run", content: dict[str, Any], summary: dict[str, Any]) -> str:
    """Log what the run does not show yet; returns what was done."""
    if run.resumed and run.summary.get("content") == summary["content"]:
        return "is up to date"
    run.log(content)
    run.summary.update(summary)
    return "filled"


def run_id(cfg: Config, read: Results) -> str:
    """The id of the one run of this experiment with these weights."""
    weights = read.training.sha256[read.cfg.sample.weights.value]
    return hashlib.sha256(f"{cfg.name} {weights}".encode()).hexdigest()[:12]


def _run(cfg: Config, read: Results, folder: Path) -> "wandb.Run":
    """The opened run: new offline, in place of an earlier one; resumed online."""
    import wandb

    offline = cfg.logger.mode is WandbMode.offline
    identifier = run_id(cfg, read)
    if offline:  # what it showed is shown by the new one
        for earlier in (folder / "wandb").glob(f"offline-run-*-{identifier}"):
            shutil.rmtree(earlier)
    try:
        return wandb.init(
            project=cfg.logger.project,
            entity=cfg.logger.entity,
            id=identifier,
            name=wandb_setup.run_name(cfg, wandb_setup.REPORT),
            group=cfg.name,
            job_type=wandb_setup.REPORT,
            tags=[*cfg.logger.tags, read.reference.data.name],
            config=as_dict(read.cfg),
            dir=folder.absolute(),
            resume=None if offline else "allow",
            settings=wandb_setup.settings(cfg),
        )
    except wandb.errors.Error as error:
        raise OSError(f"W&B cannot be reached ({one_line(error)}): try logger=offline") from error


def _checksum(read: Results) -> str:
    """Of everything that the run shows."""
    digest = hashlib.sha256(json.dumps(as_dict(read.cfg), sort_keys=True).encode())
    for path in sorted(read.folder.rglob("*")):
        if path.suffix in (".json", ".png", ".csv") and path.is_file():
            digest.update(f"{path} {files.sha256(path)}".encode())
    return digest.hexdigest()


def _content(read: Results) -> dict[str, Any]:
    """Table, curves, pictures and the analysis, by their keys in W&B."""
    content: dict[str, Any] = {"cells": _table(read), "reconstructions": _table_2(read)}
    content |= {f"{CHART}{name}": _chart(read.folder, name, c) for name, c in curves(read).items()}
    for key in read.cells:
        content[f"samples/{key.name}"] = _image(read.picture(key))
    for steps in read.reconstructions:
        content[f"reconstruct/S{steps}"] = _image(read.reconstruction_picture(steps))
    for section in read.sections:
        content |= _section(read, section)
    return content | {f"figures/{path.stem}": _image(path) for path in _figures(read)}


def _figures(read: Results) -> list[Path]:
    """The report's pictures: every curve's, and whatever else it drew."""
    plots = [read.folder / curve.file for curve in curves(read).values()]
    expected = {report_numbers.of_the_report(path.with_suffix(".png")) for path in plots}
    return sorted(expected | set((read.folder / "figures").glob("*.png")))


def curves(read: Results) -> dict[str, Curve]:
    """The report's curves; imported weights have no loss."""
    return {name: curve for name, curve in CURVES.items() if name != "loss" or read.training.loss}


def _table(read: Results) -> Any:
    import wandb

    rows = [_row(cell, read.timing(key)) for key, cell in read.cells.items()]
    measured = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    table = wandb.Table(columns=[*measured, "samples"])
    for key, row in zip(read.cells, rows, strict=True):
        table.add_data(*(row[name] for name in measured), _image(read.picture(key)))
    return table


def _table_2(read: Results) -> Any:
    import wandb

    table = wandb.Table(columns=["S", "mse", "mse low", "mse high", "encoded and decoded"])
    for steps, record in read.reconstructions.items():
        picture = _image(read.reconstruction_picture(steps))
        table.add_data(steps, record.mse, *record.interval, picture)
    return table


def _row(cell: Cell, timing: Timing) -> dict[str, Any]:
    """A cell's numbers by the names of their columns; None where not measured."""
    times = {"seconds": timing.seconds, "seconds per image": timing.seconds_per_image}
    return dict(zip(tables.CELL, tables.cell_row(cell), strict=True)) | times


def _chart(folder: Path, name: str, curve: Curve) -> Any:
    """One of the report's curves."""
    import wandb

    path = report_numbers.of_the_report(folder / curve.file)
    lines: dict[str, list[tuple[float, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            label = ", ".join(f"{NAMES[column]} = {row[column]}" for column in curve.series)
            lines.setdefault(label or curve.y, []).append(
                (float(row[curve.x]), float(row[curve.y]))
            )
    return wandb.plot.line_series(
        xs=[[x for x, _ in points] for points in lines.values()],
        ys=[[y for _, y in points] for points in lines.values()],
        keys=list(lines),
        title=name,
        xname=curve.x,
    )


def figure_key(section: Section, file: str) -> str:
    """The key in W&B of one of a section's figures."""
    return f"analysis/{section.name}/{Path(file).stem}"


def _section(read: Results, section: Section) -> dict[str, Any]:
    import wandb

    content: dict[str, Any] = {}
    for figure in section.figures:
        path = read.section_folder(section) / figure.file
        content[figure_key(section, figure.file)] = _image(path, figure.caption)
    for table in section.tables:
        rows = [list(row) for row in table.rows]
        mixed = wandb.Table(columns=list(table.columns), data=rows, allow_mixed_types=True)
        content[f"analysis/{section.name}/{table.title}"] = mixed
    return content


def _image(path: Path, caption: str | None = None) -> Any:
    import wandb

    return wandb.Image(str(path), caption=caption)
