"""Owner of uint8 <-> [-1, 1].

The U-Net and the samplers see float images on [-1, 1]; files, feature extractors and people see
uint8. (Extractors scale their own input: an edit here leaves the reference's features alone.)
"""

import torch
from torch import Tensor

HALF_RANGE = 127.5  # 0 and 255 are the ends of [-1, 1]


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
    return ((x + 1) * HALF_RANGE + 0.5).floor().clamp(0, 255).to(torch.uint8)


def to_float(images: Tensor) -> Tensor:
    """uint8 images, any shape -> float32 on [-1, 1]: u / 127.5 - 1. `to_uint8` inverts it exactly.

    Raises ValueError if `images` is not uint8.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"to_float takes uint8 images, got {images.dtype}")
    return images.float() / HALF_RANGE - 1
