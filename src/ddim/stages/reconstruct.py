"""Stage `reconstruct`: Table 2. Encode held-out images with S steps, decode with the same S.

An S that is there with the same fingerprint is kept, and its picture drawn again where that is
missing; what left reconstruct.steps is dropped. With cell.steps on the command line, or in a
multirun, that S alone is measured.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints
from ddim.records.cell import Weights
from ddim.records.existing import has_picture, is_reconstructed
from ddim.records.reconstruction import Reconstruction
from ddim.runtime import files
from ddim.runtime.cli import selects, stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready

if TYPE_CHECKING:
    from torch import Tensor

    from ddim.sampling.network import EpsModel


def run(cfg: Config) -> None:
    """Measure what is missing, or was measured of something else."""
    images = _images(cfg)
    columns = [cfg] if selects("cell") else cfg.columns()
    if not selects("cell"):
        files.remove_others(paths.reconstructions(cfg), _outputs(columns))
    from ddim.sampling.cell import weights_in_use

    weights = weights_in_use(cfg)
    there = [column for column in columns if _is_there(column, weights)]
    todo = [column for column in columns if column not in there]
    bare = [column for column in there if not has_picture(_picture(column))]
    if not todo and not bare:
        return
    from ddim.sampling.round_trip import load_network

    model = load_network(cfg)
    for column in todo:
        with exclusive(paths.lock(cfg, f"S{column.cell.steps}"), f"S = {column.cell.steps}"):
            if not _is_there(column, weights):  # made by another process, meanwhile
                _measure(column, images, model, weights)
    for column in bare:
        _redraw(column, images, model)


def _outputs(columns: list[Config]) -> set[str]:
    records = [paths.reconstruction_record(column) for column in columns]
    return {path.name for path in records} | {_picture(column).name for column in columns}


def _images(cfg: Config) -> np.ndarray:
    """The first reconstruct.num_images held-out images, uint8 [N,C,H,W]."""
    from ddim.records.prepared import load
    from ddim.sampling.round_trip import SPLIT

    images = load(paths.data(cfg), SPLIT, cfg.image_shape).images[: cfg.reconstruct.num_images]
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
    from ddim.evaluation.reconstruction import SCALE, reconstruction_error, squared_errors
    from ddim.sampling.cell import trajectory
    from ddim.sampling.round_trip import PRECISION, SPLIT, num_redrawn, round_trip

    taken, squared, first = trajectory(cfg), [], []
    for i, (x_0, decoded) in enumerate(round_trip(cfg, model, taken.tau, images)):
        squared.append(squared_errors(x_0, decoded))
        if i * cfg.reconstruct.batch_size < num_redrawn(cfg):
            first.append(decoded)
    error = reconstruction_error(np.concatenate(squared))
    _draw(cfg, images, first)
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
    ).write(paths.reconstruction_record(cfg))
    print(f"S = {cfg.cell.steps}: error {error.value:.6f} on {SCALE}, {len(images)} images")


def _redraw(cfg: Config, images: np.ndarray, model: "EpsModel") -> None:
    """Draw the picture of an S that was measured before."""
    from ddim.sampling.cell import trajectory
    from ddim.sampling.round_trip import num_redrawn, round_trip

    pairs = round_trip(cfg, model, trajectory(cfg).tau, images[: num_redrawn(cfg)])
    _draw(cfg, images, [decoded for _, decoded in pairs])


def _draw(cfg: Config, images: np.ndarray, decoded: "Sequence[Tensor]") -> None:
    """The first images above, the same `decoded`, in batches on [-1, 1], below."""
    from ddim.images import to_uint8
    from ddim.plotting.grids import pairs_picture, save_png
    from ddim.sampling.round_trip import NUM_SHOWN

    below = np.concatenate([to_uint8(batch).numpy() for batch in decoded])[:NUM_SHOWN]
    save_png(_picture(cfg), pairs_picture(images[:NUM_SHOWN], below))


def _picture(cfg: Config) -> Path:
    return paths.reconstruction_record(cfg).with_suffix(".png")


if __name__ == "__main__":
    stage(run, ready=ready)
