"""What every cell is measured against: the data, the features, the reference and its floor."""

from typing import ClassVar

from ddim.records.base import (
    NotNegative,
    Part,
    Positive,
    Record,
    Sha256,
    Share,
    require_order,
)
from ddim.records.cell import Interval
from ddim.records.features import FeatureSpace
from ddim.records.prepared import PreparedData


class Floor(Part, frozen=True):
    """What n held-out real images score: the mean over disjoint blocks of them.

    Of recall there is none: held-out images are no bound of it.
    """

    n: Positive  # images of a block
    blocks: Positive
    fid: NotNegative
    fid_interval: Interval
    kid: float
    kid_interval: Interval
    precision: Share
    precision_interval: Interval

    def __post_init__(self) -> None:
        names = ("fid", "kid", "precision")
        require_order(**{f"{name}_interval": getattr(self, f"{name}_interval") for name in names})


class Reference(Record, frozen=True):
    """What the stage `reference` wrote: `reports/<name>/reference.json`."""

    KIND: ClassVar[str] = "reference"
    VERSION: ClassVar[int] = 3

    data: PreparedData
    features: FeatureSpace
    split: str  # the one that the reference images are of
    n: Positive
    sha256: Sha256  # of that split's images
    floors: tuple[Floor, ...]  # by falling number of images

    def floor(self, n: int) -> Floor | None:
        """The floor at n images; None where there are fewer held-out ones."""
        return next((floor for floor in self.floors if floor.n == n), None)
