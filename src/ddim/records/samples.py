"""A cell's images and the record beside them, checked against each other where they are read."""

from pathlib import Path

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import commands
from ddim.records.cell import CellKey, Sampled
from ddim.runtime.array_file import open_array


def record(cfg: Config, folder: Path | None = None) -> Sampled:
    """The record beside the configured cell's images; `folder` as in `load`."""
    return Sampled.read(
        (folder or paths.samples(cfg)) / paths.SAMPLED, commands.sample(CellKey.of(cfg))
    )


def load(cfg: Config, folder: Path | None = None) -> tuple[Sampled, np.ndarray]:
    """The configured cell's record, and its images: uint8 [n,C,H,W], a memory map.

    folder: where they lie, if not where the configured cell does. The file of images is read once,
    to compare its checksum with the record's. Raises FileNotFoundError for a missing file, and
    ValueError for images that are not those of the record, or of another cell; both say how to
    sample the cell again.
    """
    key = CellKey.of(cfg)
    command = commands.sample(key)
    folder = folder or paths.samples(cfg)
    sampled, path = record(cfg, folder), folder / paths.SAMPLES
    if sampled.cell != key:
        raise ValueError(f"{folder} holds {sampled.cell.name}, not {key.name}: run `{command}`")
    if sampled.n != (asked := cfg.sample.count(key.steps)):
        raise ValueError(f"{folder} holds {sampled.n} images of {asked}: run `{command}`")
    shape = (sampled.n, *cfg.image_shape)
    again = f"run `{command}`"
    images = open_array(path, shape=shape, dtype=np.uint8, sha256=sampled.sha256, again=again)
    return sampled, images
