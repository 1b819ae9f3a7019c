"""Stage `evaluate`: FID, KID, precision and recall of every cell of the grid.

A cell that was measured with the same fingerprint is kept; what left the grid is dropped. With
cell.* on the command line, or in a multirun, that cell alone is measured. When the whole grid is
there, how the cells' errors hang together is worked out for paired comparisons, and what each
section of the analysis reads of them.
"""

from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, prepared, samples, section_inputs
from ddim.records.cell import Cell, Sampled
from ddim.records.covariances import Covariances
from ddim.records.existing import is_measured
from ddim.records.results import read_cells
from ddim.runtime import files
from ddim.runtime.cli import selects, stage

if TYPE_CHECKING:
    from ddim.evaluation.measure import CellEvaluator


def run(cfg: Config) -> None:
    """Measure what is missing, or was measured of something else."""
    cells, against = cfg.cells(), fingerprints.reference(cfg)
    by_hand = selects("cell") or cfg.sampler.scheduler is not None
    if not by_hand:
        files.remove_others(paths.cells(cfg), _outputs(cells))
        influences = {paths.influences(cell).name for cell in cells}
        files.remove_others(paths.influences(cells[0]).parent, influences)
    todo = _todo([cfg] if by_hand else cells, against)
    if todo:
        evaluator = _evaluator(cfg)
        for cell, sampled, fingerprint in todo:
            _measure(cell, sampled, (fingerprint, against), evaluator)
    if not by_hand or (paths.in_grid(cfg) and _is_whole(cells, against)):
        _write_covariances(cfg, cells)


def _outputs(cells: list[Config]) -> set[str]:
    records = [paths.cell_record(cell) for cell in cells]
    return {path.with_suffix(suffix).name for path in records for suffix in (".json", ".png")}


def _todo(cells: list[Config], against: str) -> list[tuple[Config, Sampled, str]]:
    """The cells that are to be measured; which of them were already is printed."""
    todo = []
    for cfg in cells:
        sampled, _ = samples.load(cfg)  # verified; a map of every cell would hold its file open
        fingerprint = fingerprints.measurement(cfg, sampled, against)
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


def _measure(
    cfg: Config, sampled: Sampled, of: tuple[str, str], evaluator: "CellEvaluator"
) -> None:
    """Measure and draw one cell; the record is written last. of: fingerprint, and reference's."""
    from ddim.evaluation.influences import Influences
    from ddim.runtime.progress import track

    path, name, (fingerprint, against) = paths.cell_record(cfg), sampled.cell.name, of
    images = np.load(paths.samples_file(cfg), mmap_mode="r")
    counts = cfg.sample.counts_compared(prepared.read(paths.data(cfg)).test_n)
    with track(len(images), name) as advance:
        measured, estimates = evaluator.measure(images, advance, counts=counts)
    Influences(
        cell=name,
        seed=sampled.cell.seed,
        reference=against,
        fingerprint=fingerprint,
        parts={place: estimate.parts for place, estimate in estimates.items()},
    ).save(paths.influences(cfg))
    _draw(cfg)
    Cell(sampled=sampled, measured=measured, fingerprint=fingerprint).write(path)
    print(f"{name}: FID {measured.fid:.2f}, KID {measured.kid:.4f}")


def _is_whole(cells: list[Config], against: str) -> bool:
    """Whether every cell of the grid is sampled and measured."""
    return all(
        paths.sampled_record(cell).is_file()
        and is_measured(cell, fingerprints.measurement(cell, samples.record(cell), against))
        for cell in cells
    )


def _write_covariances(cfg: Config, cells: list[Config]) -> None:
    """Of the grid's cells, all of which are measured, and what each section reads of them."""
    from ddim.evaluation import influences

    records = {key: cell.fingerprint for key, cell in read_cells(paths.reports(cfg), cfg).items()}
    matrices = influences.covariances(
        [influences.Influences.load(paths.influences(cell)) for cell in cells]
    )
    names = {key.name: fingerprint for key, fingerprint in records.items()}
    Covariances(cells=names, matrices=matrices).write(paths.covariances(cfg))
    section_inputs.write(cfg, records)


def _draw(cfg: Config) -> None:
    """The picture of the cell's first images, beside its record."""
    from ddim.plotting.grids import cell_picture, save_png

    images = np.load(paths.samples_file(cfg), mmap_mode="r")
    save_png(paths.cell_record(cfg).with_suffix(".png"), cell_picture(images))


if __name__ == "__main__":
    stage(run)
