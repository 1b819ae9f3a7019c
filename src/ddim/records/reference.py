"""What every cell is measured against: the data, the features, the reference and its floor."""

from typing import ClassVar

from ddim.records.base import Count, Part, Record
from ddim.records.cell import Measured
from ddim.records.features import FeatureSpace
from ddim.records.prepared import PreparedData


class Floor(Part, frozen=True):
    """What held-out real images score at some number of images."""

    n_asked: Count  # the cells' number of images
    what: str
    measured: Measured

    @property
    def n(self) -> int:
        """The number that there were: fewer than asked where the split has no more."""
        return self.measured.n_generated


class Reference(Record, frozen=True):
    """What the stage `reference` wrote: `reports/<name>/reference.json`."""

    KIND: ClassVar[str] = "reference"

    data: PreparedData
    features: FeatureSpace
    split: str  # the one that the reference images are of
    n: Count
    sha256: str  # of that split's images
    floors: tuple[Floor, ...]  # by falling number of images

    def floor(self, n: int) -> Floor:
        """The floor of cells with n images."""
        (match,) = [floor for floor in self.floors if floor.n_asked == n]
        return match
