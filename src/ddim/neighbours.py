"""Distances between feature vectors: the balls behind precision and recall.

torch-fidelity's numbers (tests/test_metrics.py), but on the network's device, and with the
reference's radii computed once for all cells: at 50,000 images they are most of the work.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

ROWS = 1024  # features whose distances to all others are in memory at a time


def radii(features: np.ndarray, neighbours: int, device: torch.device | str = "cpu") -> np.ndarray:
    """Distance of each of features [n,D] to its `neighbours`-th nearest other one, float32 [n]."""
    own = _tensor(features, device)
    nearest = [
        rows.topk(neighbours + 1, largest=False).values[:, -1] for rows in _distances(own, own)
    ]
    return torch.cat(nearest).cpu().numpy()


def covered(
    points: np.ndarray,
    centres: np.ndarray,
    radii: np.ndarray,
    device: torch.device | str = "cpu",
) -> float:
    """Share of points [n,D] in at least one of the balls around centres [m,D] of radii [m]."""
    around, reach = _tensor(centres, device), _tensor(radii, device)
    rows = _distances(_tensor(points, device), around)
    return torch.cat([(row <= reach).any(1) for row in rows]).float().mean().item()


def _distances(points: Tensor, centres: Tensor) -> Iterator[Tensor]:
    """Blocks [ROWS,m] of the table of distances, which is never held whole."""
    for block in points.split(ROWS):
        yield torch.cdist(block, centres)


def _tensor(array: np.ndarray, device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32)).to(device)
