"""From differences to one word: paired z tests, Holm's correction, the verdict. Imports no torch.

A claim is a set of comparisons, each written so that the claim says "below 0". It is
- reproduced if every one of them is below 0,
- contradicted if at least one is above 0,
- undecided otherwise,
where below and above mean: by a two-sided z test at LEVEL for all comparisons of the claim together
(Holm 1979). What share noise are differences of the same images: their standard error comes from
the differences of what each image contributes (common random numbers), not from
two intervals.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ddim.records.verdict import CONTRADICTED, REPRODUCED, UNDECIDED, Word

LEVEL = 0.05  # of all comparisons of one claim together


@dataclass(frozen=True)
class Comparison:
    """A difference that a claim says is below 0, and its standard error."""

    name: str  # "S = 10: η = 0.0 against η = 0.2"
    difference: float
    standard_error: float

    @property
    def z(self) -> float:
        """The difference in standard errors; 0 for two equal numbers without error."""
        if self.standard_error == 0:
            return math.copysign(math.inf, self.difference) if self.difference else 0.0
        return self.difference / self.standard_error

    @property
    def p_value(self) -> float:
        """Two-sided."""
        return 2 * NormalDist().cdf(-abs(self.z))


def paired(name: str, differences: np.ndarray) -> Comparison:
    """The mean of independent paired differences [N], such as those of image i under two samplers.

    Shares are compared so too: differences of 0 and 1.
    """
    assert differences.ndim == 1, differences.shape
    assert len(differences) > 1, differences.shape
    values = np.asarray(differences, np.float64)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return Comparison(name, float(values.mean()), error)


def unpaired(name: str, first: tuple[float, float], second: tuple[float, float]) -> Comparison:
    """first - second, each a (value, standard error) of its own images."""
    return Comparison(name, first[0] - second[0], math.hypot(first[1], second[1]))


def holm(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which hypotheses are rejected, at `level` for all of them together."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    rejected = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


@dataclass(frozen=True)
class Decision:
    """The comparisons of one claim, decided together."""

    comparisons: tuple[Comparison, ...]
    decided: tuple[bool, ...]  # whether each is apart from 0

    @property
    def below(self) -> list[Comparison]:
        """Those that are below 0, as the claim says."""
        return [c for c, apart in self._pairs() if apart and c.difference < 0]

    @property
    def above(self) -> list[Comparison]:
        """Those that are above 0, against the claim."""
        return [c for c, apart in self._pairs() if apart and c.difference > 0]

    @property
    def word(self) -> Word:
        """The verdict of a claim about all comparisons."""
        if len(self.below) == len(self.comparisons):
            return REPRODUCED
        return CONTRADICTED if self.above else UNDECIDED

    @property
    def word_of_any(self) -> Word:
        """The verdict of a claim that one comparison at least is below 0."""
        if self.below:
            return REPRODUCED
        return CONTRADICTED if len(self.above) == len(self.comparisons) else UNDECIDED

    @property
    def summary(self) -> str:
        """'12 of 16 as claimed, 3 against, smallest |z| 0.4'."""
        against = f", {len(self.above)} against" if self.above else ""
        smallest = min(abs(c.z) for c in self.comparisons)
        close = f", smallest |z| {smallest:.1f}" if math.isfinite(smallest) else ""
        return f"{len(self.below)} of {len(self.comparisons)} as claimed{against}{close}"

    def _pairs(self) -> list[tuple[Comparison, bool]]:
        return list(zip(self.comparisons, self.decided, strict=True))


def decide(comparisons: Sequence[Comparison]) -> Decision:
    """Test all comparisons of one claim together; there must be one at least."""
    assert comparisons
    decided = holm([comparison.p_value for comparison in comparisons])
    return Decision(tuple(comparisons), tuple(decided))
