"""Cells -> one estimate per (S, eta) and measure, and which adjacent cells differ beyond chance.

The one aggregation: tables, figures, findings, the analysis, comparisons and W&B read this.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import fmean, stdev
from typing import TypeVar

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records.cell import Cell, CellKey, Interval, Measured, Subset

K = TypeVar("K", bound=Hashable)
Column = tuple[int, str]  # (S, eta): a place in Table 1


@dataclass(frozen=True)
class Measure:
    """A number of `Measured`: its key there, its title, and which end is good."""

    key: str
    title: str
    lower_is_better: bool
    has_interval: bool = False


FID = Measure("fid", "FID", True, has_interval=True)
KID = Measure("kid", "KID × 10³", True, has_interval=True)
PRECISION = Measure("precision", "Precision", False)
RECALL = Measure("recall", "Recall", False)
SCORE = Measure("inception_score", "Inception score", False)
MEASURES = (FID, KID, PRECISION, RECALL, SCORE)


@dataclass(frozen=True)
class CellEstimate:
    """Mean over the seeds, the union of their intervals, and their standard deviation."""

    mean: float
    interval: Interval | None
    std: float | None  # None where there is one seed
    n: int = 0  # images of each seed
    # By n' < n: the estimate of the first n' images.
    subsets: Mapping[int, "CellEstimate"] = field(default_factory=dict)

    def at(self, n: int) -> "CellEstimate":
        """The estimate of the first n images: FID falls with n, whatever the images are.

        Itself for a measure that has no interval: of those no subset is measured.
        """
        if n == self.n or not (self.subsets or self.interval):
            return self
        if n not in self.subsets:
            accepts = ", ".join(map(str, sorted({self.n, *self.subsets})))
            raise ValueError(f"there is no FID of n = {n} images of this cell, only of {accepts}")
        return self.subsets[n]

    def overlaps(self, other: "CellEstimate") -> bool:
        """Whether the difference to `other`, at equal n, may be chance: the intervals overlap."""
        n = min(self.n, other.n)
        one, two = self.at(n).interval, other.at(n).interval
        return one is not None and two is not None and overlap(one, two)


def overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether [low, high] and [low, high] share a point: the difference may be chance."""
    return max(one[0], other[0]) <= min(one[1], other[1])


def estimate(cells: Sequence[Cell], measure: Measure) -> CellEstimate | None:
    """The estimate of one cell from its repeats; None where it was not measured."""
    values = [getattr(cell.measured, measure.key) for cell in cells]
    if any(value is None for value in values):
        return None
    n = min(cell.measured.n_generated for cell in cells)
    if not measure.has_interval:
        return _pooled(n, values, None)
    numbers = [cell.measured for cell in cells]
    subsets = {
        count: _of(count, [_subset(one, count) for one in numbers], measure)
        for count in sorted({subset.n for one in numbers for subset in one.subsets})
    }
    return replace(_of(n, numbers, measure), subsets=subsets)


def _subset(measured: Measured, n: int) -> Subset:
    (match,) = [subset for subset in measured.subsets if subset.n == n]
    return match


def _of(n: int, numbers: Sequence[Measured | Subset], measure: Measure) -> CellEstimate:
    values = [getattr(one, measure.key) for one in numbers]
    return _pooled(n, values, [getattr(one, f"{measure.key}_interval") for one in numbers])


def _pooled(n: int, values: Sequence[float], intervals: Sequence[Interval] | None) -> CellEstimate:
    union = None
    if intervals is not None:
        union = (min(low for low, _ in intervals), max(high for _, high in intervals))
    return CellEstimate(fmean(values), union, stdev(values) if len(values) > 1 else None, n)


def table(
    cells: Mapping[CellKey, Cell], cfg: Config, measure: Measure
) -> dict[Column, CellEstimate]:
    """{(S, eta): estimate} in the grid's order; empty unless every cell has the measure."""
    estimates = {}
    for eta in map(paths.eta_name, cfg.sweep.eta):
        for steps in cfg.sweep.steps:
            repeats = [cells[CellKey(steps=steps, eta=eta, seed=seed)] for seed in cfg.sweep.seeds]
            value = estimate(repeats, measure)
            if value is None:
                return {}
            estimates[steps, eta] = value
    return estimates


def at_equal_n(values: Mapping[K, CellEstimate]) -> dict[K, CellEstimate]:
    """The same of as many images everywhere: those of the smallest cell."""
    n = min((value.n for value in values.values()), default=0)
    return {key: value.at(n) for key, value in values.items()}


@dataclass(frozen=True)
class Pair:
    """Two adjacent cells: in a row (the next S) or in a column (the next eta)."""

    first: Column
    second: Column
    differs: bool  # by more than the intervals


def adjacent_pairs(
    values: Mapping[Column, CellEstimate], steps: Sequence[int], etas: Sequence[str]
) -> list[Pair]:
    """Every pair of adjacent cells of the grid, rows first."""
    ordered = sorted(steps)
    pairs = [((s, eta), (s_next, eta)) for eta in etas for s, s_next in pairwise(ordered)]
    pairs += [((s, eta), (s, eta_next)) for s in ordered for eta, eta_next in pairwise(etas)]
    return [Pair(a, b, not values[a].overlaps(values[b])) for a, b in pairs]


def best(values: Mapping[K, float], lower_is_better: bool) -> set[K]:
    """The keys with the best number."""
    if not values:
        return set()
    top = (min if lower_is_better else max)(values.values())
    return {key for key, value in values.items() if value == top}
