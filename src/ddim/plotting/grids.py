"""Images as pictures: grids, PNG files, animations."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ddim.runtime.files import replacing

BACKGROUND = 255  # of grids: white
FRAME = 154  # of the line round a framed image: grey, apart from black and white
NUM_SHOWN, COLUMNS = 20, 4  # of a cell's picture: ten of them side by side fit a slide
CELL_SIDE, PAIR_SIDE = 64, 96  # pixels that the side of an image takes in a picture, at least


def grid(
    images: np.ndarray, columns: int, pad: int = 2, scale: int = 1, *, framed: bool = False
) -> Image.Image:
    """Images side by side, row by row, on white.

    Args:
        images: uint8 [N,C,H,W], C = 1 (grey) or 3 (RGB), N >= 1; a torch CPU tensor will do.
        columns: images in a row; the last row may be shorter.
        pad: pixels between neighbours (none around the outside).
        scale: whole number by which each image is enlarged, pixels staying square.
        framed: a grey line of one pixel round every image.
    Returns a picture of mode "L" or "RGB". Raises ValueError for anything else.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        got = f"{images.dtype} {list(images.shape)}"
        raise ValueError(f"grid takes uint8 [N,C,H,W] with C = 1 or 3, got {got}")
    if min(len(images), columns, scale) < 1 or pad < 0:
        got = f"{len(images)} images, columns={columns}, scale={scale}, pad={pad}"
        raise ValueError(f"grid needs an image, columns >= 1, scale >= 1 and pad >= 0, got {got}")
    images = images.repeat(scale, axis=2).repeat(scale, axis=3)
    if framed:
        images = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=FRAME)
    n, channels, height, width = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    down, right = height + pad, width + pad  # from one cell to the next
    canvas = np.full((rows * down - pad, columns * right - pad, channels), BACKGROUND, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * down, i % columns * right
        canvas[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)


def enlargement(images: np.ndarray, side: int) -> int:
    """The whole number by which images [N,C,H,W] are enlarged to about `side` pixels."""
    return max(1, side // images.shape[-1])


def cell_picture(images: np.ndarray) -> Image.Image:
    """The first NUM_SHOWN images of a cell, uint8 [N,C,H,W], in rows; may be a memory map."""
    shown = np.array(images[:NUM_SHOWN])
    return grid(shown, COLUMNS, pad=4, scale=enlargement(shown, CELL_SIDE), framed=True)


def pairs_picture(above: np.ndarray, below: np.ndarray) -> Image.Image:
    """Two rows of as many images, uint8 [N,C,H,W]."""
    assert above.shape == below.shape, (above.shape, below.shape)
    rows = np.concatenate([above, below])
    return grid(rows, len(above), pad=4, scale=enlargement(rows, PAIR_SIDE), framed=True)


def save_png(path: Path, image: Image.Image, text: Mapping[str, str] | None = None) -> None:
    """Write `image` to `path`, atomically; `text` becomes the PNG's text entries."""
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    with replacing(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=info, optimize=True)


def save_animation(path: Path, frames: Sequence[Image.Image], milliseconds: int) -> None:
    """Write `frames` (same size and mode) as an endless animated PNG, atomically.

    PNG because it is exact and because DVC, W&B and browsers all show it.

    Args:
        path: ends in .png.
        milliseconds: how long each frame stays, at least 1. Equal neighbours may be stored as one
            longer frame.
    Raises ValueError for another suffix, no frames, or frames that differ in size or mode.
    """
    if path.suffix != ".png":
        raise ValueError(f"an animation's file name ends in .png, got {path.name}")
    kinds = {(frame.size, frame.mode) for frame in frames}
    if len(kinds) != 1 or milliseconds < 1:
        got = f"{len(frames)} frames of {len(kinds)} kinds, {milliseconds} ms"
        raise ValueError(f"an animation needs frames of one size and mode and a time, got {got}")
    with replacing(path) as temporary:
        frames[0].save(
            temporary,
            format="PNG",
            save_all=True,
            append_images=list(frames[1:]),
            duration=milliseconds,
            loop=0,  # endless
        )
