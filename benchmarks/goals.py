"""The goals, all of them: what each is about, and between which limits a measurement meets it.

Ratios where nothing else is said. A part names its goals by their keys.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """Limits of a measured figure, in its unit; both are part of the range."""

    least: float = -math.inf
    most: float = math.inf

    def __str__(self) -> str:
        if math.isinf(self.most):
            return f"at least {self.least:g}"
        if math.isinf(self.least):
            return f"at most {self.most:g}"
        return f"{self.least:g} to {self.most:g}"

    def met(self, value: float) -> bool:
        """Whether `value` lies within the limits."""
        return self.least <= value <= self.most


LINEAR = Goal(least=0.95, most=1.05)  # an exponent

GOALS = {
    # --- seconds of a command
    "pipeline.whole": Goal(most=600),
    "pipeline.nothing": Goal(most=3),
    "pipeline.one_more_cell": Goal(most=6),  # beyond its sampling
    "pipeline.per_cell": Goal(most=5),  # of a grid of 300, beyond the sampling
    "startup.sample": Goal(most=0.7),  # beyond torch's own import
    "startup.light": Goal(most=1.5),
    # --- the sampler's time / that of as many bare forward passes
    "sampling.overhead.eta0": Goal(most=1.02),
    "sampling.overhead.eta1": Goal(most=1.05),
    # --- how many times faster than others
    "sampling.diffusers.float32": Goal(least=1.15),
    "sampling.diffusers.fastest": Goal(least=2),
    "sampling.diffusers.cuda": Goal(least=3),
    "sampling.plain": Goal(least=1.5),
    "training.diffusers.float32": Goal(least=1.2),
    "training.diffusers.bfloat16": Goal(least=1.8),
    "training.diffusers.cuda": Goal(least=2),
    # --- the rest
    "sampling.difference": Goal(most=1e-4),  # between images, both sides in float32
    "training.peak": Goal(least=0.35),  # share of the GPU's peak in bfloat16, at batch 128
    "statistics": Goal(most=0.5),  # ours / torch-fidelity's
    "scaling.memory": Goal(most=1.1),  # peak memory at the largest / at the smallest n
    "scaling.time": LINEAR,
}

# Operations per second in bfloat16 without sparsity, from the vendor's data sheets.
BFLOAT16_PEAK = {"A100": 312e12, "H100": 989e12, "H200": 989e12}
