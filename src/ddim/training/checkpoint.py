"""The resume point: a file from which a killed training goes on bit for bit.

It lies in a git-ignored folder named by ddim.records.fingerprints.training, outside DVC's outputs
(which DVC deletes before a stage runs). It holds tensors and plain containers only, as a zip file
with a CRC-32 of each, which is checked before anything of it is used. The one before it is kept: a
damaged one costs what was trained since that.
"""

import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor
from typing_extensions import override

from ddim.runtime.files import is_not_read, replacing
from ddim.runtime.interrupt import Interrupted
from ddim.runtime.torch_file import is_finite
from ddim.training.callbacks import LossMonitor, SignalMonitor, check_finite

RESUME_FILE, PREVIOUS_FILE, DAMAGED_FILE = "last.ckpt", "previous.ckpt", "damaged.ckpt"
AVERAGED, RAW = "state_dict", "current_model_state"  # Lightning's keys of the two weight sets
MONITOR = LossMonitor.__qualname__  # Lightning's key of the losses, among "callbacks"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves a checkpoint atomically, whatever file system $TMPDIR is on."""

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write to a sibling, reach the disk, then take the final name; the file there is kept.

        Two are on the disk at a time, never three, and one of them is whole at every moment.
        """
        place, previous = Path(path), Path(path).with_name(PREVIOUS_FILE)
        if place.exists():
            previous.unlink(missing_ok=True)
        with replacing(place, durable=True) as temporary:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if place.exists():
                place.replace(previous)


class ResumePoint(Checkpoint):
    """Saves every `every` steps, after the last one, and where a signal ends the training.

    Never a run that has diverged. A `Checkpoint` runs after all other callbacks, so the average and
    the losses are up to date.

    Args:
        folder: where the file goes.
        step: of the resume point that is there already; 0 if there is none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        every: int,
        monitor: LossMonitor,
        signals: SignalMonitor,
        step: int = 0,
    ) -> None:
        self.step = step
        self._folder, self._every = folder, every
        self._monitor, self._signals = monitor, signals

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step, signal = trainer.global_step, self._signals.agreed(trainer)
        if step % self._every == 0 or step == trainer.max_steps or signal:
            self._monitor.pending_losses(trainer)
            check_finite(pl_module.parameters(), step)
            trainer.save_checkpoint(self._folder / RESUME_FILE)
            self.step = step
        if signal:
            raise Interrupted(signal)


def usable_resume_point(folder: Path, *, is_first: bool) -> dict[str, Any] | None:
    """The newest whole resume point in `folder`, which lies under RESUME_FILE by then, or None.

    A damaged one is put aside under another name, which a line says, and the one before it takes
    its place. is_first: of several processes; it alone moves files. Raises what the system says
    where it cannot read one, and moves nothing then.
    """
    last, previous = folder / RESUME_FILE, folder / PREVIOUS_FILE
    # The others may look for the one before it when the first process has moved it already.
    for path in (last, previous) if is_first else (last, previous, last):
        try:
            checkpoint = _read(path)
        except ValueError as error:
            if is_first:
                aside = _free_name(path.with_name(DAMAGED_FILE))
                print(f"{error}; put aside as {aside.name}", flush=True)
                path.replace(aside)
            continue
        if checkpoint is not None:
            if is_first and path == previous:
                del checkpoint  # closed before it moves
                previous.replace(last)
                return _read(last)
            return checkpoint
    return None


def _free_name(path: Path) -> Path:
    """`path`, or damaged-2.ckpt and so on: what was put aside earlier stays."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def load_resume_point(folder: Path) -> dict[str, Any] | None:
    """The resume point in `folder` (tensors stay on disk until used), or None if there is none.

    Raises ValueError, naming the file, for one that is damaged: that no training here wrote, whose
    bytes have changed, or that holds NaN or infinity.
    """
    try:
        return _read(folder / RESUME_FILE)
    except ValueError as error:
        raise ValueError(f"{error}: run the stage train again, which puts it aside") from None


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    changed: str | None = None
    try:
        with zipfile.ZipFile(path) as archive:
            changed = archive.testzip()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mmap of a read-only file
            checkpoint = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # bytes that are no checkpoint: zipfile and torch raise anything
        if changed is None and is_not_read(error):
            raise
        raise _damaged(path, "not a file that torch.save wrote") from None
    if changed is not None:
        raise _damaged(path, f"its part {changed} has changed")
    if not isinstance(checkpoint, dict):
        raise _damaged(path, f"it holds a {type(checkpoint).__name__}")
    _check_structure(checkpoint, path)
    _check_weights(checkpoint, path)
    _check_optimizer(checkpoint["optimizer_states"], path)
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
    parts = {"history": list, "pending": list, "seconds": float}
    if not isinstance(losses, dict) or any(
        not isinstance(losses.get(key), kind) for key, kind in parts.items()
    ):
        raise _damaged(path, "it holds no losses")
    if not all(isinstance(point, list | tuple) and len(point) == 2 for point in losses["history"]):
        raise _damaged(path, "its losses are no pairs of a step and a loss")


def _check_weights(checkpoint: Mapping[str, Any], path: Path) -> None:
    for key, description in ((AVERAGED, "averaged"), (RAW, "raw")):
        weights = checkpoint[key]
        if weights.keys() != checkpoint[RAW].keys():
            raise _damaged(path, "its averaged and raw weights have other names")
        if not all(isinstance(value, Tensor) for value in weights.values()):
            raise _damaged(path, f"its {description} weights are no tensors")
        if not all(map(is_finite, weights.values())):
            raise _damaged(path, f"its {description} weights are not finite")


def _check_optimizer(states: list[Any], path: Path) -> None:
    """NaN in Adam's averages would be in the weights one step later."""
    for state in states:
        if not isinstance(state, dict) or not isinstance(state.get("state"), dict):
            raise _damaged(path, "it holds no optimizer's state")
        for of_one in state["state"].values():
            if not isinstance(of_one, dict):
                raise _damaged(path, "it holds no optimizer's state")
            tensors = (value for value in of_one.values() if isinstance(value, Tensor))
            if not all(map(is_finite, tensors)):
                raise _damaged(path, "its optimizer's state is not finite")


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is damaged ({reason})")
