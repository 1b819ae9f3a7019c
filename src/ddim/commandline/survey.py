"""A look at a folder or zip of images before anything is decided: how many, how large, what else.

Reads the list of files, and the headers of some images; decodes none.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from PIL import Image

from ddim.config.schema import Data
from ddim.data.decode import FORMATS, ImageFile
from ddim.data.image_folder import IMAGE_SUFFIXES, image_folder
from ddim.data.listing import listing
from ddim.data.source import Source

MOST = 200  # images whose headers are read
GREY = ("1", "L", "LA", "I", "I;16", "I;16B")  # Pillow's modes without colour


@dataclass(frozen=True)
class Survey:
    """What is there. The sizes and colours are those of up to MOST images, evenly spread."""

    source: Source
    held_out: float  # data.held_out, with which the splits are what they are
    sizes: tuple[tuple[int, int], ...]  # (width, height)
    is_grey: bool  # all of them

    @property
    def train_n(self) -> int:
        """Images to train on."""
        return self.source.train.n

    @property
    def test_n(self) -> int:
        """Held-out images."""
        return self.source.test.n

    @property
    def shorter_side(self) -> int:
        """The median of the shorter sides, in pixels."""
        return median_low(map(min, self.sizes))


def survey(data: Data) -> Survey:
    """Look at the user's own images in data.root; errors as `image_folder`'s.

    A file whose header cannot be read is passed over here: the stage `data` names every one.
    """
    source = image_folder(data)
    entries = [e for e in listing(Path(data.root)) if e.path.suffix.lower() in IMAGE_SUFFIXES]
    seen = [_header(e.file) for e in entries[:: -(-len(entries) // MOST)]]
    readable = [header for header in seen if header]
    if not readable:
        raise ValueError(f"data.root={data.root}: none of {len(seen)} files looked at is an image")
    sizes = tuple(size for size, _ in readable)
    return Survey(source, data.held_out, sizes, all(mode in GREY for _, mode in readable))


def _header(file: ImageFile) -> tuple[tuple[int, int], str] | None:
    """An image's size and Pillow's mode; None if it cannot be read or has no readable header."""
    try:
        with Image.open(io.BytesIO(file.read()), formats=list(FORMATS)) as image:
            return image.size, image.mode
    except (
        Exception
    ):  # Pillow's and zip's readers raise almost anything; the stage says what and where
        return None
