"""The reference that every cell is measured against, as files of `out/<name>/reference`.

train.npy         features of the reference images, float32 [m,D]
statistics.npz    what FID needs of them
radii.npz         what precision and recall need of them, and for which number of neighbours
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from ddim.evaluation.fid import ReferenceStatistics
from ddim.evaluation.precision_recall import manifold_radii
from ddim.runtime.files import replacing

FEATURES, STATISTICS, RADII = "train.npy", "statistics.npz", "radii.npz"


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

    def save(self, folder: Path) -> None:
        """Write statistics and radii to `folder`; the features are written as they are extracted.

        The same features give the same bytes.
        """
        statistics = self.statistics
        _write(folder / STATISTICS, n=statistics.n, mean=statistics.mean, factor=statistics.factor)
        _write(folder / RADII, neighbours=self.neighbours, radii=self.radii)

    @classmethod
    def load(cls, folder: Path, *, neighbours: int) -> "Reference":
        """What the reference stage left in `folder`; the features are a memory map.

        Raises FileNotFoundError or ValueError, naming the file, if one is missing or broken, or
        if radii are there for another number of neighbours.
        """
        with _reading(folder / FEATURES) as path:
            features = np.load(path, mmap_mode="r")
        statistics = load_statistics(folder)
        if statistics.n != len(features):
            raise ValueError(
                f"{folder / STATISTICS} is of {statistics.n} images, {FEATURES} has "
                f"{len(features)}: run the reference stage"
            )
        with _reading(folder / RADII) as path, np.load(path) as arrays:
            k, radii = int(arrays["neighbours"]), arrays["radii"]
        if k != neighbours:
            raise ValueError(
                f"{folder / RADII} is for evaluate.neighbours={k}, the configuration has "
                f"{neighbours}: run the reference stage"
            )
        return cls(features, statistics, neighbours, radii)


def load_statistics(folder: Path) -> ReferenceStatistics:
    """FID's part of the reference in `folder`, alone; errors as `Reference.load`'s."""
    with _reading(folder / STATISTICS) as path, np.load(path) as arrays:
        return ReferenceStatistics(int(arrays["n"]), arrays["mean"], arrays["factor"])


def _write(path: Path, **arrays: np.ndarray | int) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


@contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """Name `path`, and the stage to run, in every error of reading it."""
    try:
        yield path
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: run the reference stage") from None
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} is broken ({error}): run the reference stage") from None
