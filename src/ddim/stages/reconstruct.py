"""Stage `reconstruct`: Table 2. Encode held-out images with S steps, decode with the same S.

An S that is there with the same fingerprint is kept; what left reconstruct.steps is dropped. With
cell.steps on the command line, or in a multirun, that S alone is measured.
"""

from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints
from ddim.records.cell import Weights
from ddim.records.measured import is_reconstructed
from ddim.records.reconstruction import SCALE, Reconstruction
from ddim.runtime import files
from ddim.runtime.cli import selects, stage

if TYPE_CHECKING:
    from ddim.sampling.network import EpsModel

NUM_SHOWN = 8  # images of the picture: originals above, decoded below
SPLIT = "test"


def run(cfg: Config) -> None:
    """Measure what is missing, or was measured of something else."""
    images = _images(cfg)
    columns = [cfg] if selects("cell") else cfg.columns()
    if not selects("cell"):
        files.remove_others(paths.reconstructions(cfg), _outputs(columns))
    from ddim.sampling.cell import weights_in_use

    weights = weights_in_use(cfg)
    todo = [column for column in columns if not _is_there(column, weights)]
    if not todo:
        return
    from ddim.sampling.round_trip import load_network

    model = load_network(cfg)
    for column in todo:
        _measure(column, images, model, weights)


def _outputs(columns: list[Config]) -> set[str]:
    records = [paths.reconstruction_record(column) for column in columns]
    return {path.with_suffix(suffix).name for path in records for suffix in (".json", ".png")}


def _images(cfg: Config) -> np.ndarray:
    """The first reconstruct.num_images held-out images, uint8 [N,C,H,W]."""
    from ddim.records.prepared import load

    images = load(paths.data(cfg), SPLIT).images[: cfg.reconstruct.num_images]
    if len(images) < cfg.reconstruct.num_images:
        raise ValueError(
            f"reconstruct.num_images must be at most the {len(images)} held-out images, "
            f"got {cfg.reconstruct.num_images}"
        )
    return images


def _is_there(cfg: Config, weights: Weights) -> bool:
    if is_reconstructed(cfg, _fingerprint(cfg, weights)):
        print(f"S = {cfg.cell.steps}: already there")
        return True
    return False


def _fingerprint(cfg: Config, weights: Weights) -> str:
    from ddim.sampling.cell import trajectory

    return fingerprints.reconstruction(cfg, trajectory(cfg), weights)


def _measure(cfg: Config, images: np.ndarray, model: "EpsModel", weights: Weights) -> None:
    """Measure and draw one S; the record is written last."""
    from ddim.evaluation.intervals import reconstruction_error
    from ddim.sampling.cell import trajectory
    from ddim.sampling.round_trip import PRECISION, round_trip

    taken, path = trajectory(cfg), paths.reconstruction_record(cfg)
    squared, decoded = round_trip(cfg, model, taken.tau, images, NUM_SHOWN)
    error = reconstruction_error(squared)
    _draw(cfg, images[:NUM_SHOWN], decoded)
    Reconstruction(
        steps=cfg.cell.steps,
        n=len(images),
        split=SPLIT,
        mse=error.value,
        interval=error.interval,
        scale=SCALE,
        nfe=2 * len(taken.tau),
        trajectory=taken,
        precision=PRECISION,
        weights=weights,
        fingerprint=_fingerprint(cfg, weights),
    ).write(path)
    print(f"S = {cfg.cell.steps}: error {error.value:.6f} on {SCALE}, {len(images)} images")


def _draw(cfg: Config, images: np.ndarray, decoded: np.ndarray) -> None:
    from ddim.plotting.grids import grid, save_png

    rows = np.concatenate([images, decoded])
    picture = grid(rows, columns=len(images), scale=cfg.data.enlargement)
    save_png(paths.reconstruction_record(cfg).with_suffix(".png"), picture)


if __name__ == "__main__":
    stage(run)
