"""Distances between feature vectors: the balls behind precision and recall.

torch-fidelity's numbers (tests/test_metrics.py), but on the network's device, in blocks (memory
does not grow with n), and with the reference's radii computed once for all cells: at 50,000 images
they are most of the work.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

MOST = 50_000  # images on either side: Kynkaanniemi et al.'s number, and every pair is looked at
ROWS = 4096  # features on either side of a block of distances


def some(features: np.ndarray) -> np.ndarray:
    """Features [n,D] as they are or, of more than MOST, that many, evenly spread."""
    if len(features) <= MOST:
        return features
    return features[np.linspace(0, len(features) - 1, MOST).astype(int)]


def radii(features: np.ndarray, neighbours: int, device: torch.device | str = "cpu") -> np.ndarray:
    """Distance of each of features [n,D] to its `neighbours`-th nearest other one, float32 [n]."""
    found = []
    for points in _blocks(features, device):
        nearest = torch.empty(len(points), 0, device=device)
        for others in _blocks(features, device):
            nearest = torch.cat([nearest, torch.cdist(points, others)], dim=1)
            kept = min(neighbours + 1, nearest.shape[1])  # one more: each is its own nearest
            nearest = nearest.topk(kept, largest=False).values
        found.append(nearest[:, neighbours])
    return torch.cat(found).cpu().numpy()


def covered(
    points: np.ndarray,
    centres: np.ndarray,
    radii: np.ndarray,
    device: torch.device | str = "cpu",
) -> float:
    """Share of points [n,D] in at least one of the balls around centres [m,D] of radii [m]."""
    reach = torch.from_numpy(np.array(radii)).to(device).split(ROWS)
    inside = 0
    for block in _blocks(points, device):
        hit = torch.zeros(len(block), dtype=torch.bool, device=device)
        for around, radius in zip(_blocks(centres, device), reach, strict=True):
            hit |= (torch.cdist(block, around) <= radius).any(1)
        inside += int(hit.sum())
    return inside / len(points)


def _blocks(features: np.ndarray, device: torch.device | str) -> Iterator[Tensor]:
    """ROWS features at a time, on `device`; a memory map is read no faster than that."""
    for start in range(0, len(features), ROWS):
        yield torch.from_numpy(np.array(features[start : start + ROWS], np.float32)).to(device)
