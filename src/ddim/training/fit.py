"""Training: the LightningModule, and `fit`, which trains, resumes and hands back both weight sets.

Nothing here knows where the weights are exported to, nor what they are used for.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from ddim import objective
from ddim.config import schema
from ddim.images import to_float
from ddim.runtime.lightning import placement, quiet
from ddim.training.batches import ImageData
from ddim.training.callbacks import EMA, LossMonitor, ProgressLine, SampleGrid, StepSeed
from ddim.training.checkpoint import FILE, AtomicCheckpointIO, ResumePoint, read, sweep

__all__ = ["EMA", "AtomicCheckpointIO", "DiffusionModule", "Fitted", "ImageData", "fit"]

HISTORY = 200  # points of the loss curve that are kept


class DiffusionModule(LightningModule):
    """One training step of any network eps = network(x [N,C,H,W], t int64 [N] in 1..T).

    Args:
        network: what is trained.
        alpha_bar: float64 [T+1], from ddim.schedule.
        lr: Adam's step size after `warmup` steps of linear rise.
        flip: mirror half of the images.
    """

    def __init__(
        self, network: nn.Module, alpha_bar: Tensor, *, lr: float, warmup: int, flip: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.alpha_bar = alpha_bar  # stays on the CPU: not every device has float64
        self.grad_norm = torch.tensor(0.0)  # of the last step, before clipping; on the device
        self._lr, self._warmup, self._flip = lr, warmup, flip

    def training_step(self, images: Tensor, batch_idx: int) -> Tensor:
        """The loss of uint8 images [N,C,H,W], each at a t drawn uniformly from 1..T."""
        x0 = to_float(images)
        n, device = len(x0), x0.device
        if self._flip:
            x0 = objective.hflip(x0, torch.rand(n, device=device) < 0.5)
        t = torch.randint(1, len(self.alpha_bar), (n,))
        eps = torch.randn_like(x0)
        return objective.loss(self.network, x0, t, eps, self.alpha_bar)

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Lightning's own clipping by the global norm, but keeping the norm for the curves."""
        limit = math.inf if gradient_clip_val is None else gradient_clip_val
        self.grad_norm = nn.utils.clip_grad_norm_(self.network.parameters(), limit)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam, whose step size rises linearly over the first `warmup` steps."""
        # Fused Adam would take the loss scaler of 16-mixed out of the clipping's hands.
        fused = self.device.type == "cuda" and self.trainer.precision != "16-mixed"
        adam = torch.optim.Adam(self.network.parameters(), lr=self._lr, fused=fused)
        rise = torch.optim.lr_scheduler.LambdaLR(
            adam, lambda step: min(1.0, (step + 1) / max(self._warmup, 1))
        )
        return {"optimizer": adam, "lr_scheduler": {"scheduler": rise, "interval": "step"}}


@dataclass(frozen=True)
class Fitted:
    """What training leaves: both weight sets on the CPU and the curve behind them."""

    ema: dict[str, Tensor]
    raw: dict[str, Tensor]
    loss: list[tuple[int, float]]  # at most 200 points (step, mean loss since the point before)
    steps: int
    seconds: float


def fit(
    network: nn.Module,
    images: np.ndarray,
    *,
    alpha_bar: Tensor,
    train: schema.Train,
    trainer: schema.Trainer,
    flip: bool,
    seed: int,
    work: Path,
    logger: Logger | None = None,
) -> Fitted | None:
    """Train `network` for train.steps steps, going on from the resume point in `work`, if any.

    Args:
        network: freshly initialised, the same on every process (seed before making it).
        images: uint8 [N,C,H,W], in memory or memory-mapped.
        alpha_bar: float64 [T+1].
        flip: mirror half of the images.
        seed: of the order and of every step's randomness; 0 is a seed.
        work: this training's own folder (named by ddim.records.fingerprints.training_key). A finished run's resume
            point is kept there; training the same again then only reads it.
        logger: Lightning's; gets curves and sample grids.

    Returns None on every process but the first of a `ddp` run: only that one exports. Raises
    ValueError for a batch that does not fit the data or the devices, for a damaged resume point,
    and (DivergedError) when the loss or the weights stop being finite.
    """
    before = read(work)
    done = before["global_step"] if before else 0
    del before  # unmaps the file
    if done > train.steps:
        raise ValueError(
            f"train.steps is {train.steps}, but the resume point in {work} is at step {done}: "
            "set train.steps higher, or delete that folder to train from the start"
        )
    if done < train.steps:
        module = DiffusionModule(network, alpha_bar, lr=train.lr, warmup=train.warmup, flip=flip)
        data = ImageData(images, batch_size=train.batch_size, seed=seed, steps=train.steps)
        if not _run(module, data, train, trainer, seed, work, logger, resumed=done > 0):
            return None
    else:
        print(f"training: already done, reading {work} (delete it to train again)", flush=True)
    checkpoint = read(work)
    assert checkpoint is not None
    return _fitted(checkpoint)


def _run(
    module: DiffusionModule,
    data: ImageData,
    train: schema.Train,
    trainer: schema.Trainer,
    seed: int,
    work: Path,
    logger: Logger | None,
    *,
    resumed: bool,
) -> bool:
    """Let Lightning train up to the last resume point; True on the process that exports."""
    monitor = LossMonitor(every=train.log_every, batch_size=train.batch_size)
    ema = EMA(train.ema_decay)
    callbacks = [StepSeed(seed), ema, monitor, ProgressLine(monitor)]
    if train.sample_every and logger is not None:
        grids = SampleGrid(ema, every=train.sample_every, seed=seed, precision=trainer.precision)
        callbacks.append(grids)
    callbacks.append(ResumePoint(work, every=train.checkpoint_every, monitor=monitor))
    sweep(work)
    with quiet():
        runner = Trainer(
            **placement(trainer),
            precision=trainer.precision,  # type: ignore[arg-type]
            max_steps=train.steps,
            gradient_clip_val=train.grad_clip,
            logger=logger or False,
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO()],
            limit_val_batches=0,
            default_root_dir=work,
        )
        _prepare(module.network, runner.strategy.root_device, compiled=trainer.compile)
        checkpoint = work / FILE if resumed else None
        runner.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return runner.is_global_zero


def _prepare(network: nn.Module, device: torch.device, *, compiled: bool) -> None:
    """What makes a GPU fast: tensor cores for float32 too, tuned convolutions, compilation."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    if compiled:
        network.compile()  # in place: the state dict keeps its keys


def _fitted(checkpoint: Mapping[str, Any]) -> Fitted:
    """Read a finished run's resume point: Lightning keeps the average under `state_dict`."""
    monitor = checkpoint["callbacks"][LossMonitor.__qualname__]
    return Fitted(
        ema=_weights(checkpoint["state_dict"]),
        raw=_weights(checkpoint["current_model_state"]),
        loss=thinned(monitor["history"], HISTORY),
        steps=checkpoint["global_step"],
        seconds=monitor["seconds"],
    )


def _weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's own state dict, in memory and contiguous."""
    prefix = "network."
    return {
        name.removeprefix(prefix): value.clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
        if name.startswith(prefix)
    }


def thinned(history: list[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most `most` points: neighbours averaged, each group standing at its last step."""
    size = max(1, math.ceil(len(history) / most))
    groups = [history[i : i + size] for i in range(0, len(history), size)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]
