"""What every image contributes to a cell's FID and KID, kept so that cells compare in pairs.

A file of influences holds the parts of each Estimate (ddim.evaluation.intervals) at every number of
images that is compared, and what they must have in common with another cell's to be paired with
them: n, the seed of the noise, the reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ddim.evaluation.intervals import covariance
from ddim.records import influences_file
from ddim.records.covariances import Covariance

Parts = tuple[np.ndarray, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Influences:
    """Of one cell.

    cell: its name. seed: of its noise. reference: identifies what it was measured against.
    fingerprint: of the measurement. parts: float32 arrays by measure ("fid", "kid") and n.
    """

    cell: str
    seed: int
    reference: str
    fingerprint: str
    parts: Mapping[tuple[str, int], Parts] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file, atomically."""
        about = {key: value for key, value in vars(self).items() if key != "parts"}
        arrays = {
            f"{measure}-{n}-{i}": part.astype(np.float32)
            for (measure, n), parts in self.parts.items()
            for i, part in enumerate(parts)
        }
        influences_file.write(path, about, arrays)

    @classmethod
    def load(cls, path: Path) -> "Influences":
        """The influences in `path`.

        Raises FileNotFoundError, or ValueError for what is damaged, in one line.
        """
        about, arrays = influences_file.read(path)
        return cls(**about, parts=_by_measure(arrays))


def _by_measure(arrays: Mapping[str, np.ndarray]) -> dict[tuple[str, int], Parts]:
    parts: dict[tuple[str, int], Parts] = {}
    for name in sorted(arrays):
        measure, n, _ = name.split("-")
        parts[measure, int(n)] = (*parts.get((measure, int(n)), ()), arrays[name])
    return parts


def covariances(influences: Sequence[Influences]) -> tuple[Covariance, ...]:
    """A matrix for every measure, n and seed, over the cells that have them, in their order.

    Raises ValueError if cells were measured against different references, or if two of one seed
    have influences of other n than they say.
    """
    for each in influences[1:]:
        _check_reference(influences[0], each)
    places = {(measure, n, each.seed) for each in influences for measure, n in each.parts}
    return tuple(
        _matrix(measure, n, seed, [e for e in influences if e.seed == seed])
        for measure, n, seed in sorted(places)
    )


def _matrix(measure: str, n: int, seed: int, influences: Sequence[Influences]) -> Covariance:
    having = [each for each in influences if (measure, n) in each.parts]
    for each in having:
        check_pairing(having[0], each, measure, n)
    parts = [each.parts[measure, n] for each in having]
    upper = tuple(
        tuple(covariance(parts[i], parts[j]) for j in range(i, len(parts)))
        for i in range(len(parts))
    )
    return Covariance(measure, n, seed, tuple(each.cell for each in having), upper)


def check_pairing(one: Influences, other: Influences, measure: str, n: int) -> None:
    """Raise ValueError unless the two cells' first n images can be compared image by image."""
    _check_reference(one, other)
    who = _cannot_pair(one, other)
    if one.seed != other.seed:
        raise ValueError(f"{who}: their noise is of seeds {one.seed} and {other.seed}")
    for each in (one, other):
        if (measure, n) not in each.parts:
            there = ", ".join(str(k) for m, k in sorted(each.parts) if m == measure)
            raise ValueError(f"{who} at n = {n}: {each.cell} has {measure} of n = {there} alone")
        if len(each.parts[measure, n][0]) != n:
            got = len(each.parts[measure, n][0])
            raise ValueError(f"{who}: {each.cell} has influences of {got} images under n = {n}")


def _check_reference(one: Influences, other: Influences) -> None:
    if one.reference != other.reference:
        why = "they were measured against different references"
        raise ValueError(f"{_cannot_pair(one, other)}: {why}")


def _cannot_pair(one: Influences, other: Influences) -> str:
    return f"{one.cell} and {other.cell} cannot be compared image by image"
