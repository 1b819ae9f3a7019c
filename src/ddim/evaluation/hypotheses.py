"""From differences to one word: tests, Holm's correction, the verdict. Imports no torch.

A claim is a set of comparisons, each written so that the claim says "below 0". It is
- reproduced if every one of them is below 0,
- contradicted if at least one is above 0,
- undecided otherwise
(a claim that one of them is below 0: reproduced if one is, contradicted if all are above 0),
where below and above mean: by a two-sided test at LEVEL for all comparisons of the claim together
(Holm 1979). Which test, the constructor of the comparison says: Student's t of paired
differences, an exact sign test of paired shares, a z test of numbers with a standard error that
comes of many images. What share noise are differences of the same images: their standard error
comes from the differences of what each image contributes (common random numbers), not from two
intervals.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ddim.records.verdict import CONTRADICTED, REPRODUCED, UNDECIDED, Word

LEVEL = 0.05  # of all comparisons of one claim together
SMALLEST_P = 0.001  # smaller ones are written as below it


@dataclass(frozen=True)
class Comparison:
    """A difference that a claim says is below 0, and how likely it is to be no difference."""

    name: str  # "S = 10: η = 0.0 against η = 0.2"
    difference: float
    standard_error: float
    p_value: float  # two-sided

    @property
    def z(self) -> float:
        """The difference in standard errors; 0 for two equal numbers without error."""
        if self.standard_error == 0:
            return math.copysign(math.inf, self.difference) if self.difference else 0.0
        return self.difference / self.standard_error


def z_test(name: str, difference: float, standard_error: float) -> Comparison:
    """A difference with a standard error, both of so many images that it is normal."""
    return _tested(name, difference, standard_error, math.inf)


def unpaired(
    name: str, first: tuple[float, float], second: tuple[float, float], degrees: float = math.inf
) -> Comparison:
    """first - second, each a (value, standard error) of its own images.

    degrees: of freedom of the smaller one's standard error; Student's t with no more is the
    cautious choice.
    """
    error = math.hypot(first[1], second[1])
    return _tested(name, first[0] - second[0], error, degrees)


def paired(name: str, differences: np.ndarray) -> Comparison:
    """Student's test of independent paired differences [N], as of image i under two samplers."""
    assert differences.ndim == 1, differences.shape
    assert len(differences) > 1, differences.shape
    values = np.asarray(differences, np.float64)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return _tested(name, float(values.mean()), error, len(values) - 1)


def paired_shares(name: str, first: np.ndarray, second: np.ndarray) -> Comparison:
    """The share of trues in first [N] less that in second [N], bool, image by image.

    The exact sign test of the images on which they differ (McNemar's): it holds its level for any
    N, and errs towards no difference. The standard error is that of the paired differences.
    """
    from scipy.stats import binomtest

    assert first.shape == second.shape == (len(first),), (first.shape, second.shape)
    more, less = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = float(binomtest(more, more + less).pvalue) if more + less else 1.0
    share = (more - less) / len(first)
    error = math.sqrt(max(more + less - len(first) * share**2, 0.0)) / len(first)
    return Comparison(name, share, error, p_value)


def _tested(name: str, difference: float, standard_error: float, degrees: float) -> Comparison:
    """By Student's t; the normal distribution for infinite degrees of freedom."""
    untested = Comparison(name, difference, standard_error, math.nan)
    t = -abs(untested.z)
    if math.isinf(t) or math.isinf(degrees):
        p_value = 2 * NormalDist().cdf(t)
    else:
        from scipy.special import stdtr  # takes a second to import

        p_value = 2 * float(stdtr(degrees, t))
    return Comparison(name, difference, standard_error, p_value)


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
        """'12 of 16 as claimed, 3 against, largest p = 0.4'."""
        of = "" if len(self.comparisons) == 1 else "largest "
        return self._counts(of, max(c.p_value for c in self.comparisons))

    @property
    def summary_of_any(self) -> str:
        """'1 of 3 as claimed, the clearest: p = 0.002': that of the one furthest below 0."""
        of = "" if len(self.comparisons) == 1 else "the clearest: "
        return self._counts(of, min(self.comparisons, key=lambda c: c.z).p_value)

    def _counts(self, of: str, p_value: float) -> str:
        against = f", {len(self.above)} against" if self.above else ""
        p = f"p < {SMALLEST_P:g}" if p_value < SMALLEST_P else f"p = {p_value:.2g}"
        return f"{len(self.below)} of {len(self.comparisons)} as claimed{against}, {of}{p}"

    def _pairs(self) -> list[tuple[Comparison, bool]]:
        return list(zip(self.comparisons, self.decided, strict=True))


def decide(comparisons: Sequence[Comparison]) -> Decision:
    """Test all comparisons of one claim together; there must be one at least."""
    assert comparisons
    decided = holm([comparison.p_value for comparison in comparisons])
    return Decision(tuple(comparisons), tuple(decided))
