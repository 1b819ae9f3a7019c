"""A column of Table 2: images encoded with S steps and decoded with the same S."""

from typing import ClassVar

from ddim.records.base import NotNegative, Positive, Record, require_order
from ddim.records.cell import Interval, Trajectory, Weights


class Reconstruction(Record, frozen=True):
    """What the stage `reconstruct` wrote: `reports/<name>/reconstruct/S<steps>.json`."""

    KIND: ClassVar[str] = "reconstruction"

    steps: Positive
    n: Positive  # images
    split: str
    mse: NotNegative  # per dimension
    interval: Interval
    scale: str  # of the error
    nfe: Positive  # network evaluations an image, up and down
    trajectory: Trajectory
    precision: str
    weights: Weights
    fingerprint: str  # of everything that the error depends on

    def __post_init__(self) -> None:
        require_order(interval=self.interval)
