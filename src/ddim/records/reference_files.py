"""The files of `out/<name>/reference`: how they are written, read, and held against each other.

train.npy         features of the reference images, float32 [m,D]
statistics.npz    what FID needs of them
radii.npz         what precision and recall need of them, and for which number of neighbours

The last two say of which features they are (the SHA-256 of train.npy), and of which images and
which network those are.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import commands, prepared
from ddim.records import features as features_
from ddim.runtime import files
from ddim.runtime.array_file import Arrays, open_array, read_arrays, require_file, write_arrays

FEATURES, STATISTICS, RADII = "train.npy", "statistics.npz", "radii.npz"
ARRAYS = {STATISTICS: {"n", "mean", "factor"}, RADII: {"radii", "neighbours"}}
VERSION = 2  # of the two .npz files; version 1 had no checksum
AGAIN = f"make it again with `{commands.REFERENCE}`"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a reference is made of: SHA-256 of the images and of the network of the features."""

    images: str | None = None  # None: not said
    network: str | None = None


def source_of(cfg: Config) -> Source:
    """What the configured reference is made of: the images and the network that are there."""
    images = prepared.read(paths.data(cfg)).train_sha256
    return Source(images=images, network=features_.read(paths.features(cfg)).sha256)


@dataclass(frozen=True, kw_only=True)
class ReferenceFiles:
    """What the files hold, checked against each other."""

    features: np.ndarray  # float32 [m,D], a memory map
    statistics: Arrays
    radii: Arrays
    features_sha256: str

    def checksums(self, folder: Path) -> dict[str, str]:
        """SHA-256 of every file, by name; `folder`: where they were read."""
        small = {name: files.sha256(folder / name) for name in (STATISTICS, RADII)}
        return {FEATURES: self.features_sha256, **small}


def write(folder: Path, source: Source, statistics: Arrays, radii: Arrays) -> None:
    """Write the two .npz files of the features that `folder` holds already."""
    about = {**asdict(source), "features": files.sha256(folder / FEATURES)}
    for name, arrays in ((STATISTICS, statistics), (RADII, radii)):
        assert arrays.keys() == ARRAYS[name], arrays.keys()
        write_arrays(folder / name, name, VERSION, about, arrays)


def read(folder: Path, source: Source | None = None) -> ReferenceFiles:
    """The files in `folder`; source: what they must be made of, where that is known.

    Raises FileNotFoundError or ValueError, naming the file, if one is missing, was changed after it
    was written, or does not belong to the others or to `source`.
    """
    for name in (FEATURES, STATISTICS, RADII):
        require_file(folder / name, AGAIN)
    about, statistics = read_statistics(folder, source)
    shape = (int(statistics["n"]), *statistics["mean"].shape)
    sha256 = about["features"]
    features = open_array(
        folder / FEATURES, shape=shape, dtype=np.float32, sha256=sha256, again=AGAIN
    )
    of_radii, radii = _read(folder / RADII)
    if of_radii != about:
        raise ValueError(f"{folder / RADII} is of other features than {STATISTICS}: {AGAIN}")
    return ReferenceFiles(
        features=features, statistics=statistics, radii=radii, features_sha256=sha256
    )


def read_statistics(folder: Path, source: Source | None = None) -> tuple[dict[str, Any], Arrays]:
    """(what it says of its making, arrays) of statistics.npz alone; errors as `read`'s."""
    path = folder / STATISTICS
    about, arrays = _read(path)
    for what, sha256 in asdict(source).items() if source else ():
        if about[what] != sha256:
            got = f"the reference is of other {what}"
            raise ValueError(f"{path}: {got} than those here: {AGAIN}")
    return about, arrays


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    about, arrays = read_arrays(path, path.name, VERSION, AGAIN)
    if about.keys() != {"images", "network", "features"} or arrays.keys() != ARRAYS[path.name]:
        raise ValueError(f"{path} is damaged (it holds {', '.join(arrays)}): {AGAIN}")
    return about, arrays
