"""The weights of the one network, how they were trained or where they were imported from."""

from typing import ClassVar

from ddim.records.base import Count, NotNegative, Part, Positive, Record, Sha256, Share


class Recipe(Part, frozen=True):
    """How the network was trained."""

    steps: Positive
    batch_size: Positive
    lr: NotNegative
    ema_decay: Share
    flip: bool
    precision: str
    lr_decay: str = "none"  # what every training had before there was a choice


class Training(Record, frozen=True):
    """What the stage `train` wrote: `reports/<name>/train.json`."""

    KIND: ClassVar[str] = "training"

    source: str  # "trained here", or the file that was imported
    parameters: Positive
    seed: Count
    recipe: Recipe | None  # None: imported
    sha256: dict[str, Sha256]  # of the weights, by kind: ema, raw; only one kind is ever imported
    loss: tuple[tuple[Count, float], ...]  # (step, training loss)
