"""Stage `evaluate`: FID, KID, precision and recall of every cell of the grid.

A cell that was measured with the same fingerprint is kept; what left the grid is dropped. With
cell.* on the command line, or in a multirun, that cell alone is measured.
"""

from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, samples
from ddim.records.cell import Cell, Sampled
from ddim.records.existing import is_measured
from ddim.runtime import files
from ddim.runtime.cli import selects, stage

if TYPE_CHECKING:
    from ddim.evaluation.measure import CellEvaluator


def run(cfg: Config) -> None:
    """Measure what is missing, or was measured of something else."""
    if selects("cell") or cfg.sampler.scheduler is not None:
        todo = _todo([cfg])
    else:
        cells = cfg.cells()
        files.remove_others(paths.cells(cfg), _outputs(cells))
        todo = _todo(cells)
    if not todo:
        return
    evaluator = _evaluator(cfg)
    for cell, sampled, fingerprint in todo:
        _measure(cell, sampled, fingerprint, evaluator)


def _outputs(cells: list[Config]) -> set[str]:
    records = [paths.cell_record(cell) for cell in cells]
    return {path.with_suffix(suffix).name for path in records for suffix in (".json", ".png")}


def _todo(cells: list[Config]) -> list[tuple[Config, Sampled, str]]:
    """The cells that are to be measured; which of them were already is printed."""
    todo = []
    for cfg in cells:
        sampled, _ = samples.load(cfg)  # verified; a map of every cell would hold its file open
        fingerprint = fingerprints.measurement(cfg, sampled)
        if is_measured(cfg, fingerprint):
            _draw(cfg)  # an edit of how pictures are drawn moves no number
            print(f"{sampled.cell.name}: already measured")
        else:
            todo.append((cfg, sampled, fingerprint))
    return todo


def _evaluator(cfg: Config) -> "CellEvaluator":
    """Extractor and reference, loaded once for all cells."""
    from ddim.evaluation.features import load_extractor
    from ddim.evaluation.measure import CellEvaluator
    from ddim.evaluation.reference import Reference
    from ddim.runtime.device import torch_device

    device = torch_device(cfg.trainer.accelerator)
    return CellEvaluator(
        load_extractor(cfg.features, paths.features(cfg), device),
        Reference.load(paths.reference(cfg), neighbours=cfg.evaluate.neighbours),
        cfg.evaluate,
        seed=cfg.seed,
        batch_size=cfg.features.batch_size,
        device=device,
        work=paths.WORK,
    )


def _measure(cfg: Config, sampled: Sampled, fingerprint: str, evaluator: "CellEvaluator") -> None:
    """Measure and draw one cell; the record is written last."""
    from ddim.runtime.progress import track

    path, name = paths.cell_record(cfg), sampled.cell.name
    images = np.load(paths.samples_file(cfg), mmap_mode="r")
    with track(len(images), name) as advance:
        measured = evaluator.measure(images, advance, counts=cfg.sample.counts)
    _draw(cfg)
    Cell(sampled=sampled, measured=measured, fingerprint=fingerprint).write(path)
    print(f"{name}: FID {measured.fid:.2f}, KID {measured.kid:.4f}")


def _draw(cfg: Config) -> None:
    """The picture of the cell's first images, beside its record."""
    from ddim.plotting.grids import cell_picture, save_png

    images = np.load(paths.samples_file(cfg), mmap_mode="r")
    save_png(paths.cell_record(cfg).with_suffix(".png"), cell_picture(images))


if __name__ == "__main__":
    stage(run)
