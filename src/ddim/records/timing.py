"""How long something took, where and when: apart from the results, which another machine repeats.

`reports/<name>/timings/` holds these, and no number that a result depends on.
"""

from datetime import UTC, datetime
from typing import ClassVar

from ddim.config.schema import Trainer
from ddim.records.base import NotNegative, Positive, Record
from ddim.runtime import git


class Timing(Record, frozen=True):
    """The wall time of a training, or of sampling a cell."""

    KIND: ClassVar[str] = "timing"

    seconds: NotNegative  # of all processes together, earlier killed runs included
    images: Positive  # sampled images; steps for a training
    processes: Positive
    device: str
    date: str  # ISO 8601, UTC, to the second
    revision: str  # of the code, ddim.runtime.git.revision

    @classmethod
    def now(cls, trainer: Trainer, seconds: float, images: int) -> "Timing":
        """The timing of what has just ended on the configured device. Imports torch."""
        from ddim.runtime.device import describe, torch_device

        return cls(
            seconds=round(seconds, 3),
            images=images,
            processes=trainer.devices * trainer.num_nodes,
            device=describe(torch_device(trainer.accelerator)),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            revision=git.revision(),
        )

    @property
    def seconds_per_image(self) -> float:
        """Seconds an image (a step, for a training)."""
        return self.seconds / self.images
