"""The reference that every cell is measured against: computed once, kept, read again.

Its files, in `out/<name>/reference`: ddim.records.reference_files.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ddim.evaluation.fid import ReferenceStatistics
from ddim.evaluation.precision_recall import MAX_IMAGES, manifold_radii
from ddim.records import reference_files
from ddim.records.reference_files import AGAIN, RADII, STATISTICS, Source
from ddim.runtime.array_file import Arrays


@dataclass(frozen=True)
class Reference:
    """Features of the reference images, and what is computed of them once for all cells."""

    features: np.ndarray  # float32 [m,D]; may be a memory map
    statistics: ReferenceStatistics
    neighbours: int  # k of precision and recall
    radii: np.ndarray  # float32 [min(m, MAX_IMAGES)], see ddim.evaluation.precision_recall

    @classmethod
    def of(
        cls, features: np.ndarray, *, neighbours: int, device: torch.device | str = "cpu"
    ) -> "Reference":
        """From features float32 [m,D] of the reference images; distances on `device`."""
        statistics = ReferenceStatistics.of(features)
        return cls(features, statistics, neighbours, manifold_radii(features, neighbours, device))

    def save(self, folder: Path, source: Source | None = None) -> None:
        """Write statistics and radii to `folder`; the features were written as they were extracted.

        source: of which images and which network they are. The same features give the same bytes.
        """
        statistics = self.statistics
        reference_files.write(
            folder,
            source or Source(),
            {"n": np.array(statistics.n), "mean": statistics.mean, "factor": statistics.factor},
            {"neighbours": np.array(self.neighbours), "radii": self.radii},
        )

    @classmethod
    def load(cls, folder: Path, *, neighbours: int, source: Source | None = None) -> "Reference":
        """What the reference stage left in `folder`; the features are a memory map.

        source: what it must be of, where that is known. Raises FileNotFoundError or ValueError,
        naming the file, if one is missing, damaged or of something else, or if radii are there for
        another number of neighbours.
        """
        read = reference_files.read(folder, source)
        statistics = _statistics(folder / STATISTICS, read.statistics)
        k, radii, path = int(read.radii["neighbours"]), read.radii["radii"], folder / RADII
        if k != neighbours:
            raise ValueError(
                f"{path} is for evaluate.neighbours={k}, the configuration has "
                f"{neighbours}: {AGAIN}"
            )
        _require(path, "radii", radii, (min(statistics.n, MAX_IMAGES),))
        return cls(read.features, statistics, neighbours, radii)


def load_statistics(folder: Path) -> ReferenceStatistics:
    """FID's part of the reference in `folder`, alone; errors as `Reference.load`'s."""
    _, arrays = reference_files.read_statistics(folder)
    return _statistics(folder / STATISTICS, arrays)


def _statistics(path: Path, arrays: Arrays) -> ReferenceStatistics:
    mean, factor = arrays["mean"], arrays["factor"]
    _require(path, "mean", mean, (mean.size,))
    _require(path, "factor", factor, (mean.size, mean.size))
    return ReferenceStatistics(int(arrays["n"]), mean, factor)


def _require(path: Path, name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape, or one that holds NaN or infinity."""
    if array.shape != shape:
        raise ValueError(f"{path}: {name} has the shape {array.shape}, not {shape}: {AGAIN}")
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: {name} is not finite: {AGAIN}")
