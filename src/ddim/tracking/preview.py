"""A picture of a cell's first images, to look at after sampling by hand."""

from pathlib import Path

import numpy as np

from ddim.plotting.grids import cell_picture, save_png


def save_preview(samples: Path, path: Path) -> None:
    """Draw the first images of the file `samples` into `path` and print where that is."""
    images = np.load(samples, mmap_mode="r")
    save_png(path, cell_picture(images))
    print(f"first images: {path}")
