"""Owner of uint8 <-> [-1, 1] <-> [0, 1], and of how images become pictures: grids, animations.

The U-Net and the samplers see float images on [-1, 1]; files, feature extractors and people see
uint8. (Extractors scale their own input: an edit here leaves the reference's features alone.)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ddim.runtime.files import replacing

HALF = 127.5  # 0 and 255 are the ends of [-1, 1]
BACKGROUND = 255  # of grids: white


def to_uint8(x: Tensor) -> Tensor:
    """Quantise images on [-1, 1]: floor((x + 1) 127.5 + 0.5), clamped to 0..255.

    So -1 -> 0, 0 -> 128 (halves go up), 1 -> 255, and 1.3 -> 255.

    Args:
        x: floating point, any shape. Half precision is widened first.
    Raises ValueError for NaN, or if `x` is not floating point.
    """
    if not x.is_floating_point():
        raise ValueError(f"to_uint8 takes floating-point images on [-1, 1], got {x.dtype}")
    if x.isnan().any():
        raise ValueError("to_uint8 got NaN: the network or the sampler diverged")
    x = x if x.dtype == torch.float64 else x.float()
    return ((x + 1) * HALF + 0.5).floor().clamp(0, 255).to(torch.uint8)


def to_float(images: Tensor) -> Tensor:
    """uint8 images, any shape -> float32 on [-1, 1]: u / 127.5 - 1. `to_uint8` inverts it exactly.

    Raises ValueError if `images` is not uint8.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"to_float takes uint8 images, got {images.dtype}")
    return images.float() / HALF - 1


def squared_errors(x: Tensor, y: Tensor) -> np.ndarray:
    """Of each pair of images [N,...] on [-1, 1]: the mean squared error on the [0, 1] scale, [N].

    Table 2's scale: a difference there is half of that on [-1, 1], hence the quarter.
    """
    assert x.shape == y.shape, (x.shape, y.shape)
    squared = (x.double() - y.double()).square() / 4
    return np.asarray(squared.flatten(1).mean(1).numpy())


def grid(images: np.ndarray, columns: int, pad: int = 2, scale: int = 1) -> Image.Image:
    """Images side by side, row by row, on white.

    Args:
        images: uint8 [N,C,H,W], C = 1 (grey) or 3 (RGB), N >= 1; a torch CPU tensor will do.
        columns: images in a row; the last row may be shorter.
        pad: pixels between neighbours (none around the outside).
        scale: whole number by which each image is enlarged, pixels staying square.
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
    n, channels, height, width = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    down, right = height + pad, width + pad  # from one cell to the next
    canvas = np.full((rows * down - pad, columns * right - pad, channels), BACKGROUND, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * down, i % columns * right
        canvas[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)


def save_png(path: Path, image: Image.Image, text: Mapping[str, str] | None = None) -> None:
    """Write `image` to `path`, whole or not at all; `text` becomes the PNG's text entries."""
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    with replacing(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=info, optimize=True)


def save_animation(path: Path, frames: Sequence[Image.Image], milliseconds: int) -> None:
    """Write `frames` (same size and mode) as an endless animated PNG, whole or not at all.

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
