"""Times of several sides in turn, and what is kept of them: median and quartiles. Imports no torch.

A ratio is taken within each repetition, in which both sides met the same machine, and then its
median over the repetitions.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Run = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of `repeats` values."""

    median: float
    lower: float
    upper: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value or more; quartiles interpolate between neighbours."""
        if not values:
            raise ValueError("no repetition was measured: there is no median")
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper, len(values))


def nothing() -> None:
    """What a processor does so that its clock can be read; a GPU has to finish first."""


def interleaved(
    sides: Mapping[str, Run], repeats: int, *, warmup: int = 1, finish: Run = nothing
) -> dict[str, list[float]]:
    """Seconds of each side's `repeats` calls: one round after the other, each side once a round.

    Every second round goes backwards, so that no side always follows the same one. The first
    `warmup` rounds are discarded. finish: waits until a device has done what it was told.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for i in range(warmup + repeats):
        for name in list(sides) if i % 2 == 0 else reversed(list(sides)):
            taken = timed(sides[name], finish)
            if i >= warmup:
                seconds[name].append(taken)
    return seconds


def timed(run: Run, finish: Run = nothing) -> float:
    """Seconds of one call."""
    finish()
    start = time.perf_counter()
    run()
    finish()
    return time.perf_counter() - start


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Of two sides that took turns, repetition by repetition."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """k of values ~ sizes^k: the slope of the least-squares line through the logarithms."""
    xs, ys = ([math.log(v) for v in side] for side in (sizes, values))
    return float(statistics.linear_regression(xs, ys).slope)
