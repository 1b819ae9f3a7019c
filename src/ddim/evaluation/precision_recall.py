"""Precision and recall over k-nearest-neighbour manifolds, as Kynkaanniemi et al. 2019 define them.

torch-fidelity's numbers (tests/evaluation/test_engines.py), but in blocks whose memory does not
grow with n, and with the reference's radii computed once for all cells: at 50,000 images they are
most of the work.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ddim.evaluation.feature_arrays import check_features, subsample
from ddim.evaluation.intervals import Z, of_share

Interval = tuple[float, float, float]  # value, low, high

MAX_IMAGES = 50_000  # on either side: the paper's number, and every pair is looked at
BLOCK_ROWS = 4096  # features on either side of a block of distances


class PrecisionRecall(NamedTuple):
    """Both shares with their 95 % intervals over the generated images, the reference held fixed."""

    precision: Interval
    recall: Interval


def precision_recall(
    generated: np.ndarray,
    reference: np.ndarray,
    *,
    neighbours: int,
    reference_radii: np.ndarray | None = None,
    device: torch.device | str = "cpu",
) -> PrecisionRecall:
    """Share of generated images on the reference's manifold, and of the reference's on theirs.

    Precision is a share of independent images: Wilson's interval. Recall is no share of theirs; its
    interval is the jackknife's, an image taken away taking with it what it alone covers.

    Args:
        generated: features [n,D]; may be a memory map, as may the reference.
        reference: features [m,D].
        neighbours: k; an image's k-NN radius is its distance to the k-th nearest on its side.
        reference_radii: manifold_radii of the reference, where they are at hand.
        device: where distances are computed.
    """
    generated, reference = subsamples(generated, reference, neighbours=neighbours)
    if reference_radii is None:
        reference_radii = radii(reference, neighbours, device)
    on_reference, _ = covered(generated, reference, reference_radii, device)
    precision = of_share(int((on_reference > 0).sum()), len(generated))
    count, by = covered(reference, generated, radii(generated, neighbours, device), device)
    return PrecisionRecall(precision, _recall(count, by, len(generated)))


def _recall(count: np.ndarray, by: np.ndarray, n: int) -> Interval:
    """From `covered`'s answer [m] for the reference, of n generated images."""
    recall = float((count > 0).mean())
    lost = np.bincount(by[count == 1], minlength=n) / len(count)  # without each image
    half = Z * math.sqrt((n - 1) / n * float(np.square(lost - lost.mean()).sum()))
    return recall, max(recall - half, 0.0), min(recall + half, 1.0)


def subsamples(
    generated: np.ndarray, reference: np.ndarray, *, neighbours: int
) -> tuple[np.ndarray, np.ndarray]:
    """The features of either side that are compared: at most MAX_IMAGES, evenly spaced.

    Raises ValueError for features that cannot be compared, or fewer of them than neighbours.
    """
    check_features(generated=generated, reference=reference)
    generated, reference = (subsample(side, MAX_IMAGES) for side in (generated, reference))
    smallest = min(len(generated), len(reference))
    if neighbours >= smallest:
        raise ValueError(
            f"evaluate.neighbours must be less than the number of images on either side, "
            f"{smallest}, got {neighbours}: lower it or raise sample.num_images"
        )
    return generated, reference


def manifold_radii(
    reference: np.ndarray, neighbours: int, device: torch.device | str = "cpu"
) -> np.ndarray:
    """The radii of the images of reference [m,D] that are compared, float32 [min(m,MAX_IMAGES)]."""
    return radii(subsample(reference, MAX_IMAGES), neighbours, device)


def radii(features: np.ndarray, neighbours: int, device: torch.device | str = "cpu") -> np.ndarray:
    """Distance of each of features [n,D] to its `neighbours`-th nearest other one, float32 [n]."""
    distances = []
    for points in _blocks(features, device):
        nearest = torch.empty(len(points), 0, device=device)
        for others in _blocks(features, device):
            nearest = torch.cat([nearest, torch.cdist(points, others)], dim=1)
            k = min(neighbours + 1, nearest.shape[1])  # one more: each is its own nearest
            nearest = nearest.topk(k, largest=False).values
        distances.append(nearest[:, neighbours])
    return torch.cat(distances).cpu().numpy()


def covered(
    points: np.ndarray,
    centres: np.ndarray,
    radii: np.ndarray,
    device: torch.device | str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Of each of points [n,D]: how many centres [m,D] are within their radii [m], and which is.

    Returns int64 counts [n] and the index of one such centre [n], the only one where there is one.
    """
    radius_blocks = torch.from_numpy(np.array(radii)).to(device).split(BLOCK_ROWS)
    counts, centre = [], []
    for block in _blocks(points, device):
        count = torch.zeros(len(block), dtype=torch.int64, device=device)
        by = torch.zeros_like(count)
        first = 0
        for around, radius in zip(_blocks(centres, device), radius_blocks, strict=True):
            inside = torch.cdist(block, around) <= radius
            by = torch.where(inside.any(1), inside.int().argmax(1) + first, by)
            count += inside.sum(1)
            first += len(around)
        counts.append(count.cpu().numpy())
        centre.append(by.cpu().numpy())
    return np.concatenate(counts), np.concatenate(centre)


def _blocks(features: np.ndarray, device: torch.device | str) -> Iterator[Tensor]:
    """BLOCK_ROWS features at a time, float32 on `device`; of a memory map no more is read."""
    for start in range(0, len(features), BLOCK_ROWS):
        block = np.array(features[start : start + BLOCK_ROWS], np.float32)
        yield torch.from_numpy(block).to(device)
