"""A cell of Table 1: which one, how its images were sampled, and what was measured of them.

The stage `sample` writes `Sampled` beside the images; `evaluate` writes `Cell`, which carries it,
into the report.
"""

from typing import Annotated, Any, ClassVar

import msgspec

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records.base import (
    Count,
    NotNegative,
    Part,
    Positive,
    Record,
    Sha256,
    Share,
    require_order,
)

Interval = tuple[float, float]
Text = Annotated[str, msgspec.Meta(min_length=1)]
DDIM = "ddim"  # the sampler of the paper's grid; otherwise a scheduler of diffusers


class CellKey(Part, frozen=True):
    """Which cell: S, eta (a number as text, or 'hat'), seed, and who takes the steps."""

    steps: Count
    eta: Text
    seed: Count
    sampler: str = DDIM

    @classmethod
    def of(cls, cfg: Config) -> "CellKey":
        """The configured cell."""
        cell = cfg.cell
        sampler = cfg.sampler.scheduler or DDIM
        return cls(steps=cell.steps, eta=paths.eta_name(cell.eta), seed=cell.seed, sampler=sampler)

    @property
    def name(self) -> str:
        """The cell's file name without its ending: S10_eta0.0_seed0, S10_PNDMScheduler_seed0."""
        scheduler = None if self.sampler == DDIM else self.sampler
        return paths.cell_name(self.steps, self.eta, self.seed, scheduler)

    @property
    def overrides(self) -> str:
        """The Hydra overrides that select this cell."""
        cell = f"cell.steps={self.steps} cell.eta={self.eta} cell.seed={self.seed}"
        return cell if self.sampler == DDIM else f"{cell} sampler.scheduler={self.sampler}"

    @property
    def column(self) -> tuple[int, str]:
        """(S, eta): its place in Table 1, which its repeats share."""
        return self.steps, self.eta


class Weights(Part, frozen=True):
    """The weights behind the images."""

    kind: str  # ema or raw
    sha256: Sha256
    trained_steps: Count | None  # None: imported
    source: str


class Trajectory(Part, frozen=True):
    """tau: the steps that the sampler takes."""

    spacing: str
    tau: tuple[Positive, ...]
    repeats_dropped: Count  # by the published quadratic rule


class Sampled(Record, frozen=True, kw_only=True):
    """How a cell's images were sampled; beside them as sampled.json."""

    KIND: ClassVar[str] = "sampled"

    cell: CellKey
    n: Positive
    nfe: Positive  # network evaluations an image
    batch_size: Positive
    precision: str
    weights: Weights
    trajectory: Trajectory | None = None  # None: a scheduler of diffusers chooses its own
    clip_x0: bool | None = None
    options: dict[str, Any] | None = None  # of that scheduler
    sha256: Sha256  # of samples.npy
    fingerprint: str  # of everything that the images depend on


class Subset(Part, frozen=True):
    """FID and KID of a cell's first n images, to compare with cells that have no more."""

    n: Positive
    fid: NotNegative
    fid_interval: Interval
    kid: float
    kid_interval: Interval

    def __post_init__(self) -> None:
        require_order(fid_interval=self.fid_interval, kid_interval=self.kid_interval)


class Measured(Part, frozen=True):
    """The numbers of some images against the reference."""

    n_generated: Positive
    n_reference: Positive
    fid: NotNegative
    fid_interval: Interval
    fid_infinite: float | None  # extrapolated to n = infinity; None where n is too small for it
    kid: float
    kid_interval: Interval
    precision: Share
    precision_interval: Interval
    recall: Share
    recall_interval: Interval
    n_paired: tuple[Positive, Positive]  # of generated and reference: precision and recall's
    inception_score: NotNegative | None  # None where the features are not Inception's
    engine: str  # who computed them, evaluate.engine
    interval: str  # what the intervals are
    subsets: tuple[Subset, ...] = ()  # of every smaller number of images that is compared

    def __post_init__(self) -> None:
        names = ("fid", "kid", "precision", "recall")
        require_order(**{f"{name}_interval": getattr(self, f"{name}_interval") for name in names})
        if any(subset.n >= self.n_generated for subset in self.subsets):
            raise ValueError(f"a subset has not fewer images than n_generated = {self.n_generated}")


class Cell(Record, frozen=True):
    """One cell of Table 1: `reports/<name>/cells/<cell>.json`."""

    KIND: ClassVar[str] = "cell"
    VERSION: ClassVar[int] = 3

    sampled: Sampled
    measured: Measured
    fingerprint: str  # of everything that the numbers depend on

    def __post_init__(self) -> None:
        sampled, measured = self.sampled.n, self.measured.n_generated
        if sampled != measured:
            raise ValueError(f"{sampled} images were sampled, {measured} of them measured")

    @property
    def key(self) -> CellKey:
        """Which cell this is."""
        return self.sampled.cell
