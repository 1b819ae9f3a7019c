"""The resume point: one file from which a killed training goes on bit for bit.

It lies in a git-ignored folder named by ddim.records.fingerprints.training_key, outside DVC's outputs (which DVC
deletes before a stage runs). It holds tensors and plain containers only.
"""

import os
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from ddim.runtime.files import replacing
from ddim.training.callbacks import LossMonitor, check_finite

FILE = "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves a checkpoint whole or not at all, whatever file system $TMPDIR is on."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write to a sibling, reach the disk, then take the final name."""
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


class ResumePoint(Checkpoint):
    """Saves every `every` steps and after the last one, and never a run that has diverged.

    A `Checkpoint` runs after all other callbacks, so the average and the losses are up to date.
    """

    def __init__(self, folder: Path, *, every: int, monitor: LossMonitor) -> None:
        self._folder, self._every, self._monitor = folder, every, monitor

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step % self._every == 0 or step == trainer.max_steps:
            self._monitor.check(trainer)
            check_finite(pl_module.parameters(), step)
            trainer.save_checkpoint(self._folder / FILE)


def read(folder: Path) -> dict[str, Any] | None:
    """The resume point in `folder` (tensors stay on disk until used), or None if there is none.

    Raises ValueError for a file that is not a whole checkpoint.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mmap of a read-only file
            checkpoint: dict[str, Any] = torch.load(
                path, map_location="cpu", mmap=True, weights_only=True
            )
            return checkpoint
    except Exception as error:
        raise ValueError(f"{path} is damaged, delete it to train from the start") from error


def sweep(folder: Path) -> None:
    """Remove what a run killed in the middle of saving left behind."""
    for left_over in folder.glob(f".{FILE}.*.tmp"):
        left_over.unlink(missing_ok=True)
