"""The sweep as one W&B run, filled from the metric files of reports/<name> at any time.

    python -m ddim.track [logger.mode=online] [key=value ...]

The metric files are the truth, this run is a view of them: the same experiment with the same
weights is always the same run, so filling it again replaces what it said. Offline by default; it
never asks. What is read is params.yaml's grid, as the report reads it.

It draws nothing: the curves are charts over the numbers. The report's figures are drawn by the
report, which comes after this in the pipeline; run this again after it, and the run holds them
too (replaced, not doubled).
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddim.config import params, paths
from ddim.config.schema import Config, WandbMode, as_dict
from ddim.records.results import Results, Section, load
from ddim.report import content, tables
from ddim.report.document import Document, Plot
from ddim.runtime import files
from ddim.runtime.errors import one_line
from ddim.tracking import run as wandb_files

if TYPE_CHECKING:
    import wandb

COLUMNS = (*tables.CELL, "samples")
CHART = "charts/"  # the curves' keys start so


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.track`."""
    run(params.read(arguments))


def run(cfg: Config) -> None:
    """Fill the experiment's W&B run; say where it is."""
    if cfg.logger.mode is WandbMode.disabled:
        print("logger.mode is disabled: nothing goes to W&B")
        return
    results = load(cfg, paths.reports(cfg), sections=cfg.analysis.sections)
    folder = paths.out(cfg)
    wandb_files.keep_home_clean(folder)
    if cfg.logger.mode is WandbMode.online:
        wandb_files.require_account()
    document = content.document(results)
    key = _content(results)
    with _run(cfg, results, folder) as wandb_run:
        if wandb_run.resumed and wandb_run.summary.get("content") == key:
            said = "is up to date"
        else:
            wandb_run.log(_shown(results, document))
            wandb_run.summary.update({**document.metrics, "content": key})
            said = "filled"
        online = cfg.logger.mode is WandbMode.online
        where = wandb_run.url if online else _relative(Path(wandb_run.settings.sync_dir))
    print(f"W&B run {said}: {where}")


def run_id(cfg: Config, results: Results) -> str:
    """The id of the one run of this experiment with these weights."""
    weights = results.training[f"{cfg.sample.weights.value}_sha256"]
    return hashlib.sha256(f"{cfg.name} {weights}".encode()).hexdigest()[:12]


def _run(cfg: Config, results: Results, folder: Path) -> "wandb.Run":
    """The opened run: new offline, in place of an earlier one; resumed online."""
    import wandb

    offline = cfg.logger.mode is WandbMode.offline
    identifier = run_id(cfg, results)
    if offline:
        for earlier in (folder / "wandb").glob(f"offline-run-*-{identifier}"):
            shutil.rmtree(earlier)
    try:
        return wandb.init(
            project=cfg.logger.project,
            entity=cfg.logger.entity,
            id=identifier,
            name="sweep",
            group=cfg.name,
            job_type="sweep",
            tags=[*cfg.logger.tags, results.protocol["data"]["name"]],
            config=as_dict(cfg),
            dir=folder.absolute(),
            mode="offline" if offline else "online",
            resume=None if offline else "allow",
            settings=wandb.Settings(console="off", silent=True, x_disable_stats=True),
        )
    except wandb.errors.Error as error:
        raise OSError(f"W&B cannot be reached ({one_line(error)}): try logger=offline") from error


def _content(results: Results) -> str:
    """A checksum of everything that the run shows."""
    digest = hashlib.sha256(json.dumps(as_dict(results.cfg), sort_keys=True).encode())
    for path in sorted(results.folder.rglob("*")):
        if path.suffix in (".json", ".png") and path.is_file():
            digest.update(f"{path} {files.sha256(path)}".encode())
    return digest.hexdigest()


def _shown(results: Results, document: Document) -> dict[str, Any]:
    """Table, curves, pictures and the lecture's tables, by their keys in W&B."""
    shown: dict[str, Any] = {"cells": _table(results)}
    shown |= {f"{CHART}{b.name}": _chart(b) for b in document.blocks() if isinstance(b, Plot)}
    for key, cell in results.cells.items():
        shown[f"samples/{key.name}"] = _media(cell.sampled.picture)
    for steps, column in results.reconstruct.items():
        shown[f"reconstruct/S{steps}"] = _media(column.picture)
    for section in results.sections:
        shown |= _section(section)
    shown |= {f"figures/{path.stem}": _media(path) for path in _figures(document)}
    return shown


def _table(results: Results) -> Any:
    import wandb

    every = results.cells.values()
    rows = [(*tables.cell_row(cell), _media(cell.sampled.picture)) for cell in every]
    taken = [i for i in range(len(COLUMNS)) if any(row[i] is not None for row in rows)]
    table = wandb.Table(columns=[COLUMNS[i] for i in taken])
    for row in rows:
        table.add_data(*(row[i] for i in taken))
    return table


def _chart(plot: Plot) -> Any:
    """One of the report's curves; the floor, a level line, as a curve of its own."""
    import wandb

    series = [(s.label, list(s.x), list(s.y)) for s in plot.series]
    if plot.level:
        xs = sorted({x for _, line, _ in series for x in line})
        series.append((plot.level.label, xs, [plot.level.y[0]] * len(xs)))
    labels, xs_of, ys_of = zip(*series, strict=True)
    return wandb.plot.line_series(
        xs=list(xs_of), ys=list(ys_of), keys=list(labels), title=plot.title, xname=plot.x_label
    )


def figure_key(section: Section, file: str) -> str:
    """The key in W&B of one of a section's figures."""
    return f"lecture/{section.name}/{Path(file).stem}"


def _section(section: Section) -> dict[str, Any]:
    import wandb

    shown: dict[str, Any] = {}
    for figure in section.figures:
        path = section.folder / figure["file"]
        shown[figure_key(section, figure["file"])] = _media(path, figure["caption"])
    for table in section.tables:
        rows = [list(row) for row in table["rows"]]
        columns: list[str | int] = [str(column) for column in table["columns"]]
        mixed = wandb.Table(columns=columns, data=rows, allow_mixed_types=True)
        shown[f"lecture/{section.name}/{table['title']}"] = mixed
    return shown


def _figures(document: Document) -> list[Path]:
    """The report's own figures; none if the report was made from other numbers than these."""
    metrics = document.folder / "metrics.json"
    if not metrics.is_file() or files.read_json(metrics) != json.loads(
        json.dumps(document.metrics)
    ):
        return []
    return sorted((document.folder / "figures").glob("*.png"))


def _media(path: Path, caption: str | None = None) -> Any:
    import wandb

    return wandb.Image(str(path), caption=caption)


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
