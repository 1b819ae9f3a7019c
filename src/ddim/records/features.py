"""The feature space of FID, KID, precision and recall: which network, and how it was trained."""

from pathlib import Path
from typing import ClassVar

from ddim.records import commands
from ddim.records.base import Count, Part, Record, Sha256, Share

FILE = "about.json"


class ClassifierTraining(Part, frozen=True):
    """How the classifier was trained."""

    epochs: Count
    train_n: Count
    seed: Count


class FeatureSpace(Record, frozen=True):
    """What the stage `features` wrote: about.json in `out/<name>/features`."""

    KIND: ClassVar[str] = "features"

    name: str  # features.name: classifier or inception
    description: str
    dim: Count
    sha256: Sha256  # of the network's weights
    test_accuracy: Share | None = None  # on the held-out images; None for Inception
    training: ClassifierTraining | None = None  # None: not trained here


def read(folder: Path) -> FeatureSpace:
    """The record of `out/<name>/features`; FileNotFoundError or ValueError names what is wrong."""
    return FeatureSpace.read(folder / FILE, commands.FEATURES)
