"""An extractor without a network: the pixels themselves are the features and the logits."""

import numpy as np
from torch import Tensor


class Pixels:
    """Features [N,D] of uint8 images [N,1,1,D]: their D pixels."""

    def __init__(self, num_features: int, *, has_inception_logits: bool = False) -> None:
        self.num_features, self.has_inception_logits = num_features, has_inception_logits

    def __call__(self, images: Tensor) -> Tensor:
        return images.flatten(1).float()

    def head(self, features: Tensor) -> Tensor:
        return features


def pixel_images(n: int, dim: int, seed: int, top: int = 255) -> np.ndarray:
    """uint8 images [n,1,1,dim] in 0..top, a different distribution for every `top`."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, top, (n, 1, 1, dim), dtype=np.uint8, endpoint=True)
