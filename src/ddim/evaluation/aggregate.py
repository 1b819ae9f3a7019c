"""Cells -> one estimate per (S, eta) and measure, and comparisons of them in pairs.

The one aggregation: tables, figures, verdicts, the analysis, comparisons and W&B read this.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import TypeVar

from ddim.config import paths
from ddim.config.schema import Config
from ddim.evaluation.hypotheses import Comparison, z_test
from ddim.records.cell import Cell, CellKey, Interval, Measured, Subset
from ddim.records.covariances import Covariances

K = TypeVar("K", bound=Hashable)
Column = tuple[int, str]  # (S, eta): a place in Table 1


@dataclass(frozen=True)
class Measure:
    """A number of `Measured`: its key there, its title, and which end is good."""

    key: str
    title: str
    lower_is_better: bool
    has_interval: bool = True
    is_paired: bool = False  # whether cells compare image by image, and first n' images have one


FID = Measure("fid", "FID", True, is_paired=True)
KID = Measure("kid", "KID × 10³", True, is_paired=True)
PRECISION = Measure("precision", "Precision", False)
RECALL = Measure("recall", "Recall", False)
SCORE = Measure("inception_score", "Inception score", False, has_interval=False)
MEASURES = (FID, KID, PRECISION, RECALL, SCORE)


@dataclass(frozen=True)
class CellEstimate:
    """Mean over the seeds, its 95 % interval, and the standard deviation between seeds."""

    mean: float
    interval: Interval | None
    std: float | None  # None where there is one seed
    n: int = 0  # images of each seed
    # By n' < n: the estimate of the first n' images.
    subsets: Mapping[int, "CellEstimate"] = field(default_factory=dict)

    def at(self, n: int) -> "CellEstimate":
        """The estimate of the first n images: FID falls with n, whatever the images are.

        Itself for a measure of which no subset is measured. Raises ValueError for another n.
        """
        if n == self.n or not (self.subsets or self.interval):
            return self
        if n not in self.subsets:
            accepts = ", ".join(map(str, sorted({self.n, *self.subsets})))
            raise ValueError(
                f"there is no number of n = {n} images of this cell, only of {accepts}"
            )
        return self.subsets[n]


def estimate(cells: Sequence[Cell], measure: Measure) -> CellEstimate | None:
    """The estimate of one cell from its repeats; None where it was not measured."""
    numbers = [cell.measured for cell in cells]
    if any(getattr(one, measure.key) is None for one in numbers):
        return None
    n = min(one.n_generated for one in numbers)
    pooled = _pooled(n, numbers, measure)
    if not measure.is_paired:
        return pooled
    counts = sorted({subset.n for one in numbers for subset in one.subsets})
    subsets = {k: _pooled(k, [_subset(one, k) for one in numbers], measure) for k in counts}
    return replace(pooled, subsets=subsets)


def _subset(measured: Measured, n: int) -> Subset:
    match = [subset for subset in measured.subsets if subset.n == n]
    if len(match) != 1:
        raise ValueError(
            f"the seeds of a cell have other numbers of images: one lacks those of the first {n}; "
            "run the stages sample and evaluate for all of sweep.seeds"
        )
    return match[0]


def _pooled(n: int, numbers: Sequence[Measured | Subset], measure: Measure) -> CellEstimate:
    """The mean over independent seeds; its standard error falls with the root of their number."""
    values = [getattr(one, measure.key) for one in numbers]
    std = stdev(values) if len(values) > 1 else None
    if not measure.has_interval:
        return CellEstimate(fmean(values), None, std, n)
    ends = [getattr(one, f"{measure.key}_interval") for one in numbers]
    if len(values) == 1:
        return CellEstimate(values[0], ends[0], None, n)
    mean, half = fmean(values), math.hypot(*_halves(measure, values, ends)) / len(values)
    low = mean - half if measure is KID else max(mean - half, 0.0)
    high = mean + half if measure.is_paired else min(mean + half, 1.0)
    return CellEstimate(mean, (low, high), std, n)


def _halves(measure: Measure, values: Sequence[float], ends: Sequence[Interval]) -> list[float]:
    """Half the width of each interval: above the number, which is not cut, or of a share's both."""
    if measure.is_paired:
        return [high - value for value, (_, high) in zip(values, ends, strict=True)]
    return [(high - low) / 2 for low, high in ends]


@dataclass(frozen=True)
class Grid:
    """Every estimate of one measure, by (S, eta) in the grid's order, and their covariances.

    Empty unless every cell has the measure.
    """

    measure: Measure
    values: Mapping[Column, CellEstimate]
    seeds: Sequence[int]
    covariances: Covariances

    def __bool__(self) -> bool:
        return bool(self.values)

    def n(self, columns: Sequence[Column]) -> int:
        """The number of images at which cells can be compared: that of the smallest of them."""
        return min(self.values[column].n for column in columns)

    def contrast(
        self, name: str, weights: Mapping[Column, float], n: int | None = None
    ) -> Comparison:
        """The sum of weight x number over cells, at equal n, and its standard error.

        Cells of one seed share their noise image by image; seeds are independent. n: of images; if
        not given, those of the smallest of these cells.
        """
        assert self.measure.is_paired, self.measure
        n = self.n(list(weights)) if n is None else n
        value = math.fsum(w * self.values[column].at(n).mean for column, w in weights.items())
        variances = (self._variance(n, seed, weights) for seed in self.seeds)
        return z_test(name, value, math.sqrt(math.fsum(variances)) / len(self.seeds))

    def _variance(self, n: int, seed: int, weights: Mapping[Column, float]) -> float:
        names = {
            CellKey(steps=steps, eta=eta, seed=seed).name: weight
            for (steps, eta), weight in weights.items()
        }
        return self.covariances.variance(self.measure.key, n, seed, names)

    def difference(self, name: str, first: Column, second: Column) -> Comparison:
        """first - second: below 0 where the first is lower."""
        return self.contrast(name, {first: 1.0, second: -1.0})


def grid(
    cells: Mapping[CellKey, Cell], cfg: Config, measure: Measure, covariances: Covariances
) -> Grid:
    """The estimates of every (S, eta) of the sweep, with what comparing them takes."""
    return Grid(measure, table(cells, cfg, measure), cfg.sweep.seeds, covariances)


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


def best(values: Mapping[K, float], lower_is_better: bool) -> set[K]:
    """The keys with the best number."""
    if not values:
        return set()
    top = (min if lower_is_better else max)(values.values())
    return {key for key, value in values.items() if value == top}
