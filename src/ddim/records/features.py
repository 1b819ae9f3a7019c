"""The feature space of FID, KID, precision and recall: which network, and how it was trained."""

from pathlib import Path
from typing import ClassVar

from ddim.records import commands
from ddim.records.base import Count, Part, Positive, Record, Sha256, Share

FILE = "about.json"
LITTLE = 0.2  # of the way from chance to always right


class ClassifierTraining(Part, frozen=True):
    """How the classifier was trained."""

    epochs: Positive
    train_n: Positive
    seed: Count


class FeatureSpace(Record, frozen=True):
    """What the stage `features` wrote: about.json in `out/<name>/features`."""

    KIND: ClassVar[str] = "features"

    name: str  # features.name: classifier or inception
    description: str
    dim: Positive
    sha256: Sha256  # of the network's weights
    test_accuracy: Share | None = None  # on the held-out images; None for Inception
    chance: Share | None = None  # of who always names the commonest label there
    training: ClassifierTraining | None = None  # None: not trained here


def knows_little(space: FeatureSpace) -> bool:
    """Whether a classifier trained here is hardly better than chance: its FIDs rank little."""
    if space.test_accuracy is None or space.chance is None:
        return False
    return space.test_accuracy - space.chance < LITTLE * (1 - space.chance)


def read(folder: Path) -> FeatureSpace:
    """The record of `out/<name>/features`; FileNotFoundError or ValueError names what is wrong."""
    return FeatureSpace.read(folder / FILE, commands.FEATURES)
