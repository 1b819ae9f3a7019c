"""Feature arrays [n,D], one row per image: what is accepted, a subsample, blocks in float64."""

from collections.abc import Iterator

import numpy as np

BLOCK_ROWS = 4096  # features that are in memory at a time


def check_features(**sides: np.ndarray) -> None:
    """Refuse what is no feature array [n,D], flattened ones above all, or is not finite.

    sides: each array under the word that the message has for it. Raises ValueError.
    """
    for side, features in sides.items():
        assert features.ndim == 2, (side, features.shape)
        if len(features) < 2:
            raise ValueError(
                f"statistics need at least 2 {side} images (sample.num_images), got {len(features)}"
            )
        with np.errstate(invalid="ignore"):  # inf - inf is an answer here
            total = features.sum(dtype=np.float64)
        if not np.isfinite(total):
            image = int(np.flatnonzero(~np.isfinite(features).all(1))[0])
            raise ValueError(
                f"the {side} features of image {image} are not finite: "
                "check the images and the extractor"
            )
    check_same_dim(**{side: features.shape[1] for side, features in sides.items()})


def check_same_dim(**dims: int) -> None:
    """Refuse sides of different feature spaces: other numbers of dimensions D."""
    if len(set(dims.values())) > 1:
        raise ValueError(
            f"{' and '.join(dims)} features have {' and '.join(map(str, dims.values()))} "
            "dimensions: they come from different extractors; run the reference stage again"
        )


def subsample(features: np.ndarray, most: int) -> np.ndarray:
    """The features [n,D] themselves or, of more than `most`, that many evenly spaced rows.

    Evenly, because a real split may be sorted by class.
    """
    if len(features) <= most:
        return features
    return features[np.linspace(0, len(features) - 1, most).astype(int)]


def centred_blocks(features: np.ndarray, mean: np.ndarray | float = 0.0) -> Iterator[np.ndarray]:
    """BLOCK_ROWS rows less the mean at a time, in float64, all in the same memory."""
    buffer = np.empty((min(BLOCK_ROWS, len(features)), features.shape[1]))
    for start in range(0, len(features), BLOCK_ROWS):
        block = features[start : start + BLOCK_ROWS]
        yield np.subtract(block, mean, out=buffer[: len(block)])
