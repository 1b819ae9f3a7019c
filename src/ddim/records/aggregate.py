"""Cells -> one estimate per (S, eta) and measure, and which neighbours differ beyond chance."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev
from typing import TypeVar

from ddim.evaluation.intervals import overlap
from ddim.records.results import Cell, Interval, Key, Results
from ddim.report import numbers

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Measure:
    """A column of numbers: its key in JSON, its title, and which end is good."""

    key: str
    title: str
    lower_is_better: bool
    text: Callable[[float], str]

    @property
    def has_interval(self) -> bool:
        """Whether the cells carry an interval for it."""
        return self.key in ("fid", "kid")


FID = Measure("fid", "FID", True, numbers.fid)
KID = Measure("kid", "KID × 10³", True, numbers.kid)
PRECISION = Measure("precision", "Precision", False, numbers.share)
RECALL = Measure("recall", "Recall", False, numbers.share)
SCORE = Measure("inception_score", "Inception score", False, numbers.fid)


@dataclass(frozen=True)
class Estimate:
    """Mean over the seeds, the hull of their intervals, and their standard deviation."""

    mean: float
    interval: Interval | None
    spread: float | None  # None where there is one seed

    def overlaps(self, other: "Estimate") -> bool:
        """Whether the difference to `other` may be chance: the intervals share a point."""
        if self.interval is None or other.interval is None:
            return False
        return overlap(self.interval, other.interval)


def estimate(cells: Sequence[Cell], measure: Measure) -> Estimate | None:
    """The estimate of one cell from its repeats; None where the measure was not taken."""
    values = [getattr(cell.measured, measure.key) for cell in cells]
    if any(value is None for value in values):
        return None
    interval = None
    if measure.has_interval:
        intervals = [getattr(cell.measured, f"{measure.key}_interval") for cell in cells]
        interval = (min(low for low, _ in intervals), max(high for _, high in intervals))
    return Estimate(fmean(values), interval, stdev(values) if len(values) > 1 else None)


def grid(results: Results, measure: Measure) -> dict[tuple[int, str], Estimate]:
    """{(S, eta): estimate} in the grid's order; empty unless every cell took the measure."""
    found = {}
    for eta in results.etas:
        for steps in results.steps:
            repeats = [results.cells[Key(steps, eta, seed)] for seed in results.seeds]
            value = estimate(repeats, measure)
            if value is None:
                return {}
            found[steps, eta] = value
    return found


@dataclass(frozen=True)
class Neighbours:
    """Two cells side by side: in a row (the next S) or in a column (the next eta)."""

    first: tuple[int, str]
    second: tuple[int, str]
    apart: bool  # the difference is larger than the intervals

    @property
    def text(self) -> str:
        """'η = 0.0: S = 100 → 1000' or 'S = 100: η = 0.0 → σ̂'."""
        (s, eta), (s_next, eta_next) = self.first, self.second
        if eta == eta_next:
            return f"{numbers.eta_label(eta)}: S = {s} → {s_next}"
        return f"S = {s}: {numbers.eta_label(eta)} → {numbers.eta_label(eta_next)}"


def neighbours(
    values: Mapping[tuple[int, str], Estimate], steps: Sequence[int], etas: Sequence[str]
) -> list[Neighbours]:
    """Every pair of neighbouring cells of the grid, rows first."""
    ordered = sorted(steps)
    pairs = [((s, eta), (s_next, eta)) for eta in etas for s, s_next in pairwise(ordered)]
    pairs += [((s, eta), (s, eta_next)) for s in ordered for eta, eta_next in pairwise(etas)]
    return [Neighbours(a, b, not values[a].overlaps(values[b])) for a, b in pairs]


def best(values: Mapping[K, float], lower_is_better: bool) -> set[K]:
    """The keys with the best number."""
    if not values:
        return set()
    top = (min if lower_is_better else max)(values.values())
    return {key for key, value in values.items() if value == top}
