"""The resume point: one file from which a killed training goes on bit for bit.

It lies in a git-ignored folder named by ddim.records.fingerprints.training, outside DVC's outputs
(which DVC deletes before a stage runs). It holds tensors and plain containers only.
"""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor
from typing_extensions import override

from ddim.runtime.files import replacing
from ddim.training.callbacks import LossMonitor, check_finite

RESUME_FILE = "last.ckpt"
AVERAGED, RAW = "state_dict", "current_model_state"  # Lightning's keys of the two weight sets
MONITOR = LossMonitor.__qualname__  # Lightning's key of the losses, among "callbacks"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves a checkpoint atomically, whatever file system $TMPDIR is on."""

    @override
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

    Args:
        folder: where the file goes.
        step: of the resume point that is there already; 0 if there is none.
    """

    def __init__(self, folder: Path, *, every: int, monitor: LossMonitor, step: int = 0) -> None:
        self.step = step
        self._folder, self._every, self._monitor = folder, every, monitor

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step % self._every == 0 or step == trainer.max_steps:
            self._monitor.pending_losses(trainer)
            check_finite(pl_module.parameters(), step)
            trainer.save_checkpoint(self._folder / RESUME_FILE)
            self.step = step


def load_resume_point(folder: Path) -> dict[str, Any] | None:
    """The resume point in `folder` (tensors stay on disk until used), or None if there is none.

    Raises ValueError, naming the file, for one that is truncated, that no training here wrote, or
    whose weights are not finite.
    """
    path = folder / RESUME_FILE
    if not path.exists():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mmap of a read-only file
            checkpoint = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:
        raise _damaged(path, "not a file that torch.save wrote") from error
    if not isinstance(checkpoint, dict):
        raise _damaged(path, f"it holds a {type(checkpoint).__name__}")
    _check_structure(checkpoint, path)
    _check_weights(checkpoint, path)
    return checkpoint


def check_same_network(
    checkpoint: Mapping[str, Any], module: LightningModule, folder: Path
) -> None:
    """Raise ValueError unless the resume point's weights are those of a network like module's."""
    expected = {name: value.shape for name, value in module.state_dict().items()}
    actual = {name: value.shape for name, value in checkpoint[RAW].items()}
    different = sorted(set(expected.items()) ^ set(actual.items()))
    if different:
        raise ValueError(
            f"{folder / RESUME_FILE} is of another network (see {different[0][0]}), delete it to"
            " train from the start"
        )


def remove_partial_files(folder: Path) -> None:
    """Remove what a run killed in the middle of saving left behind."""
    for partial in folder.glob(f".{RESUME_FILE}.*.tmp"):
        partial.unlink(missing_ok=True)


def _check_structure(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Refuse a dictionary that lacks what a resumed training reads."""
    kinds = {
        "global_step": int,
        "loops": dict,
        "optimizer_states": list,
        "lr_schedulers": list,
        "averaging_state": dict,
        "callbacks": dict,
        AVERAGED: dict,
        RAW: dict,
    }
    for key, kind in kinds.items():
        if not isinstance(checkpoint.get(key), kind):
            raise _damaged(path, f"it holds no {key}")
    losses = checkpoint["callbacks"].get(MONITOR)
    if not isinstance(losses, dict) or not {"history", "pending", "seconds"} <= losses.keys():
        raise _damaged(path, "it holds no losses")


def _check_weights(checkpoint: Mapping[str, Any], path: Path) -> None:
    for key, description in ((AVERAGED, "averaged"), (RAW, "raw")):
        weights = checkpoint[key]
        if weights.keys() != checkpoint[RAW].keys():
            raise _damaged(path, "its averaged and raw weights have other names")
        if not all(isinstance(value, Tensor) for value in weights.values()):
            raise _damaged(path, f"its {description} weights are no tensors")
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise _damaged(path, f"its {description} weights are not finite")


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is damaged, delete it to train from the start: {reason}")
