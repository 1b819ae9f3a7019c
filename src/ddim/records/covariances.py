"""How the errors of the cells' numbers hang together: what paired comparisons of cells need.

Cells of one seed start from the same x_T and draw the same noise, image by image, so their errors
are correlated and a difference is known better than either number. Between seeds nothing is shared.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

from ddim.records.base import Count, Part, Positive, Record


class Covariance(Part, frozen=True):
    """The covariance matrix of one measure over cells of one seed and n: its upper triangle."""

    measure: str  # a key of ddim.records.cell.Measured: fid, kid
    n: Positive
    seed: Count
    cells: tuple[str, ...]  # names, in the grid's order
    upper: tuple[tuple[float, ...], ...]  # row i: covariances of cell i with cells i, i + 1, ...

    def __post_init__(self) -> None:
        size = len(self.cells)
        if [len(row) for row in self.upper] != list(range(size, 0, -1)):
            raise ValueError(f"upper is no upper triangle of a matrix of {size} cells")
        if any(row[0] < 0 for row in self.upper):
            raise ValueError("a variance, the first of a row of upper, is below 0")

    def of(self, first: str, second: str) -> float:
        """The covariance of two cells' numbers; the variance of one if they are the same."""
        i, j = sorted((self.cells.index(first), self.cells.index(second)))
        return self.upper[i][j - i]


class Covariances(Record, frozen=True):
    """What the stage `evaluate` wrote of the grid: `reports/<name>/covariances.json`."""

    KIND: ClassVar[str] = "covariances"

    cells: dict[str, str]  # fingerprint of every cell's measurement, by name
    matrices: tuple[Covariance, ...]

    def variance(self, measure: str, n: int, seed: int, weights: Mapping[str, float]) -> float:
        """Of the sum of weight x number over cells, by name, at their first n images."""
        (matrix,) = [m for m in self.matrices if (m.measure, m.n, m.seed) == (measure, n, seed)]
        terms = (
            a * b * matrix.of(one, other)
            for one, a in weights.items()
            for other, b in weights.items()
        )
        return max(math.fsum(terms), 0.0)  # rounding can go below 0
