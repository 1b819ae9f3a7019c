"""Precision and recall over k-nearest-neighbour manifolds, as Kynkaanniemi et al. 2019 define them.

torch-fidelity's numbers (tests/evaluation/test_engines.py), but in blocks whose memory does not
grow with n, and with the reference's radii computed once for all cells: at 50,000 images they are
most of the work.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ddim.evaluation.feature_arrays import check_features, subsample

MAX_IMAGES = 50_000  # on either side: the paper's number, and every pair is looked at
BLOCK_ROWS = 4096  # features on either side of a block of distances


def precision_recall(
    generated: np.ndarray,
    reference: np.ndarray,
    *,
    neighbours: int,
    reference_radii: np.ndarray | None = None,
    device: torch.device | str = "cpu",
) -> tuple[float, float]:
    """Share of generated images on the reference's manifold, and of the reference's on theirs.

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
    precision = coverage(generated, reference, reference_radii, device)
    recall = coverage(reference, generated, radii(generated, neighbours, device), device)
    return precision, recall


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


def coverage(
    points: np.ndarray,
    centres: np.ndarray,
    radii: np.ndarray,
    device: torch.device | str = "cpu",
) -> float:
    """Share of points [n,D] within radii [m] of at least one of centres [m,D]."""
    radius_blocks = torch.from_numpy(np.array(radii)).to(device).split(BLOCK_ROWS)
    inside = 0
    for block in _blocks(points, device):
        hit = torch.zeros(len(block), dtype=torch.bool, device=device)
        for around, radius in zip(_blocks(centres, device), radius_blocks, strict=True):
            hit |= (torch.cdist(block, around) <= radius).any(1)
        inside += int(hit.sum())
    return inside / len(points)


def _blocks(features: np.ndarray, device: torch.device | str) -> Iterator[Tensor]:
    """BLOCK_ROWS features at a time, float32 on `device`; of a memory map no more is read."""
    for start in range(0, len(features), BLOCK_ROWS):
        block = np.array(features[start : start + BLOCK_ROWS], np.float32)
        yield torch.from_numpy(block).to(device)
