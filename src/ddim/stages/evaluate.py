"""Stage `evaluate`: FID, KID, precision and recall of every cell of the grid.

A cell that was measured with the same fingerprint is kept; what left the grid is dropped. With
cell.* on the command line, or in a multirun, that cell alone is measured. When the whole grid is
there, how the cells' errors hang together is worked out for paired comparisons.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, prepared, samples
from ddim.records.cell import Cell, Sampled
from ddim.records.covariances import Covariances
from ddim.records.existing import is_measured
from ddim.records.results import read_cells
from ddim.runtime import files
from ddim.runtime.cli import selects, stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready

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
    todo = []
    for cell in [cfg] if by_hand else cells:  # all of them, before anything heavy is loaded
        with _lock(cell):
            todo += [cell] if _unmeasured(cell, against) else []
    if todo:
        evaluator = _evaluator(cfg)
        for cell in todo:
            with _lock(cell):
                if left := _unmeasured(cell, against):  # not by another process, meanwhile
                    _measure(cell, *left, evaluator)
    if not by_hand or (paths.in_grid(cfg) and _is_whole(cells, against)):
        with exclusive(paths.lock(cfg, "covariances"), f"the covariances of {cfg.name}"):
            _write_covariances(cfg, cells)


def _lock(cfg: Config) -> AbstractContextManager[None]:
    """For the cell's files: no other process samples or measures it meanwhile."""
    return exclusive(paths.cell_lock(cfg), paths.configured_cell(cfg))


def _outputs(cells: list[Config]) -> set[str]:
    records = [paths.cell_record(cell) for cell in cells]
    return {path.with_suffix(suffix).name for path in records for suffix in (".json", ".png")}


def _unmeasured(cfg: Config, against: str) -> tuple[Sampled, tuple[str, str]] | None:
    """What the cell is to be measured of: its images' record, its and the reference's fingerprint.

    None, with a line, where that was done already.
    """
    sampled, _ = samples.load(cfg)  # verified; a map of every cell would hold its file open
    fingerprint = fingerprints.measurement(cfg, sampled, against)
    if not is_measured(cfg, fingerprint):
        return sampled, (fingerprint, against)
    _draw(cfg)  # an edit of how pictures are drawn moves no number
    print(f"{sampled.cell.name}: already measured")
    return None


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
    try:
        with track(len(images), name) as advance:
            measured, estimates = evaluator.measure(
                images, advance, counts=counts, repeat=sampled.cell.seed
            )
    except ValueError as error:  # features that are not finite name an image, not its cell
        raise ValueError(f"{name}: {error}") from None
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
    try:
        return all(
            is_measured(cell, fingerprints.measurement(cell, samples.record(cell), against))
            for cell in cells
        )
    except FileNotFoundError:  # a cell that nobody has sampled, or that another process samples now
        return False


def _write_covariances(cfg: Config, cells: list[Config]) -> None:
    """Of the grid's cells, all of which are measured."""
    from ddim.evaluation import influences

    records = {key: cell.fingerprint for key, cell in read_cells(paths.reports(cfg), cfg).items()}
    matrices = influences.covariances(
        [influences.Influences.load(paths.influences(cell)) for cell in cells]
    )
    names = {key.name: fingerprint for key, fingerprint in records.items()}
    Covariances(cells=names, matrices=matrices).write(paths.covariances(cfg))


def _draw(cfg: Config) -> None:
    """The picture of the cell's first images, beside its record."""
    from ddim.plotting.grids import cell_picture, save_png

    images = np.load(paths.samples_file(cfg), mmap_mode="r")
    save_png(paths.cell_record(cfg).with_suffix(".png"), cell_picture(images))


if __name__ == "__main__":
    stage(run, ready=ready)
