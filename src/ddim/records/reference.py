"""What every cell is measured against: the data, the features, the reference and its floor."""

from typing import ClassVar

from ddim.records.base import Count, NotNegative, Part, Record, Share
from ddim.records.cell import Interval
from ddim.records.features import FeatureSpace
from ddim.records.prepared import PreparedData


class Floor(Part, frozen=True):
    """What n held-out real images score: the mean over disjoint blocks of them.

    Of recall there is none: held-out images are no bound of it.
    """

    n: Count  # images of a block
    blocks: Count
    fid: NotNegative
    fid_interval: Interval
    kid: float
    kid_interval: Interval
    precision: Share
    precision_interval: Interval


class Reference(Record, frozen=True):
    """What the stage `reference` wrote: `reports/<name>/reference.json`."""

    KIND: ClassVar[str] = "reference"
    VERSION: ClassVar[int] = 2

    data: PreparedData
    features: FeatureSpace
    split: str  # the one that the reference images are of
    n: Count
    sha256: str  # of that split's images
    floors: tuple[Floor, ...]  # by falling number of images

    def floor(self, n: int) -> Floor | None:
        """The floor at n images; None where there are fewer held-out ones."""
        return next((floor for floor in self.floors if floor.n == n), None)
