"""`fit` trains and resumes; `load_result` reads what a finished training left.

Nothing here knows where the weights are exported to, what they are used for, or how a training is
shown: that is up to the callbacks that the caller hands in (ddim.tracking.training_progress).
"""

import math
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn

from ddim.config import schema
from ddim.runtime.interrupt import Interrupted
from ddim.runtime.lightning import (
    is_global_zero,
    keep_interrupts,
    slurm_plugins,
    suppress_lightning_logs,
    trainer_kwargs,
)
from ddim.training.batches import ImageData
from ddim.training.callbacks import LossMonitor, SignalMonitor, StepSeed
from ddim.training.checkpoint import (
    AVERAGED,
    MONITOR,
    RAW,
    RESUME_FILE,
    AtomicCheckpointIO,
    ResumePoint,
    check_same_network,
    load_resume_point,
    remove_partial_files,
    usable_resume_point,
)
from ddim.training.ema import EMA
from ddim.training.module import DiffusionModule

MAX_CURVE_POINTS = 200  # of the loss curve that are kept


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """What determines the weights besides network and images, and where a training runs.

    flip: mirror half of the images. seed: of the order and of every step's randomness; 0 is a seed.
    work: this training's own folder (named by ddim.records.fingerprints.training), which keeps
    the resume point, that of a finished training too.
    """

    alpha_bar: Tensor  # float64 [T+1]
    train: schema.Train
    trainer: schema.Trainer
    flip: bool
    seed: int
    work: Path


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves: both weight sets on the CPU and the curve behind them."""

    ema: dict[str, Tensor]
    raw: dict[str, Tensor]
    loss: list[tuple[int, float]]  # at most 200 points (step, mean loss since the point before)
    steps: int
    seconds: float


def fit(
    network: nn.Module,
    images: np.ndarray,
    setup: TrainingSetup,
    *,
    held_out: np.ndarray | None = None,
    logger: Logger | None = None,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train `network` for train.steps steps, going on from the resume point in setup.work, if any.

    The result is then in setup.work, for `load_result` on process 0 of a `ddp` run. A training that
    is finished already is not done again.

    Args:
        network: freshly initialised, the same on every process (seed before making it).
        images: uint8 [N,C,H,W], in memory or memory-mapped.
        held_out: uint8 [M,C,H,W]; every train.validate_every steps val/loss is measured on them.
        logger: Lightning's; gets the curves. Without one, nothing is validated.
        callbacks: what shows the training: they run when the average and the losses of a step are
            up to date, and find EMA and LossMonitor among trainer.callbacks.

    Raises ValueError for a batch that does not fit the data or the devices, a damaged resume point
    and (DivergedError) a loss or weights that are not finite. SIGINT, SIGTERM and SIGUSR1 end the
    training after the step that they came in, saved, with Interrupted; a second one at once.
    """
    train, module = setup.train, _module(network, setup)
    done = _resume_step(module, setup)
    if done == train.steps:
        where = f"{setup.work} (delete it to train again)"
        print(f"training: already done, reading {where}", flush=True)
        return
    validated = held_out if train.validate_every and logger is not None else None
    data = ImageData(
        images, validated, batch_size=train.batch_size, seed=setup.seed, steps=train.steps
    )
    _fit_from(done, module, data, setup, logger, callbacks)


def _module(network: nn.Module, setup: TrainingSetup) -> DiffusionModule:
    train = setup.train
    return DiffusionModule(
        network,
        setup.alpha_bar,
        lr=train.lr,
        warmup=train.warmup,
        decay_to=train.steps if train.lr_decay == "cosine" else None,
        flip=setup.flip,
        seed=setup.seed,
    )


def load_result(work: Path) -> TrainingResult:
    """What the finished training in `work` left: Lightning keeps the average under `state_dict`.

    Raises ValueError for a damaged file, FileNotFoundError for none.
    """
    checkpoint = load_resume_point(work)
    if checkpoint is None:
        raise FileNotFoundError(f"there is no training in {work}")
    losses = checkpoint["callbacks"][MONITOR]
    return TrainingResult(
        ema=_network_weights(checkpoint[AVERAGED]),
        raw=_network_weights(checkpoint[RAW]),
        loss=downsample(losses["history"], MAX_CURVE_POINTS),
        steps=checkpoint["global_step"],
        seconds=losses["seconds"],
    )


def downsample(history: list[tuple[int, float]], max_points: int) -> list[tuple[int, float]]:
    """At most `max_points`: neighbours averaged, each group standing at its last step."""
    size = max(1, math.ceil(len(history) / max_points))
    groups = [history[i : i + size] for i in range(0, len(history), size)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]


def _resume_step(module: DiffusionModule, setup: TrainingSetup) -> int:
    """The step of the resume point, 0 if there is none. Its file is closed on return."""
    checkpoint = usable_resume_point(setup.work, is_first=is_global_zero())
    if checkpoint is None:
        return 0
    check_same_network(checkpoint, module, setup.work)
    step: int = checkpoint["global_step"]
    if step > setup.train.steps:
        raise ValueError(
            f"train.steps is {setup.train.steps}, but the resume point in {setup.work} is at step"
            f" {step}: set train.steps higher, or delete that folder to train from the start"
        )
    return step


def _fit_from(
    step: int,
    module: DiffusionModule,
    data: ImageData,
    setup: TrainingSetup,
    logger: Logger | None,
    callbacks: Sequence[Callback],
) -> None:
    """Train from the resume point, which is at `step`, or from the start if that is 0."""
    train = setup.train
    monitor = LossMonitor(every=train.log_every, batch_size=train.batch_size)
    signals = SignalMonitor()
    resume = ResumePoint(
        setup.work, every=train.checkpoint_every, monitor=monitor, signals=signals, step=step
    )
    ours = [StepSeed(setup.seed), EMA(train.ema_decay), signals, monitor, *callbacks, resume]
    with suppress_lightning_logs():
        trainer = _trainer(setup, ours, logger, validate=data.held_out is not None)
        device = trainer.strategy.root_device
        _enable_fast_kernels(module.network, device, setup.trainer)
        remove_partial_files(setup.work)
        checkpoint = setup.work / RESUME_FILE if step else None
        try:
            with keep_interrupts():
                trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
            if signals.own:  # after the last step
                raise Interrupted(signals.own)
        except Interrupted as error:
            raise _told(error, trainer.global_step, resume.step) from None


def _told(interrupted: Interrupted, step: int, saved: int) -> Interrupted:
    """With the step that the training was in, and from which it will go on."""
    name = signal.Signals(interrupted.number).name
    kept = "which is saved" if step == saved else f"step {saved} is saved"
    what = f"training: interrupted by {name} at step {step}, {kept}"
    return Interrupted(interrupted.number, what)


def _trainer(
    setup: TrainingSetup, callbacks: Sequence[Callback], logger: Logger | None, *, validate: bool
) -> Trainer:
    validation: dict[str, Any] = {"limit_val_batches": 0}
    if validate:
        validation = {
            "val_check_interval": setup.train.validate_every,
            "check_val_every_n_epoch": None,  # the interval is in steps of the whole training
        }
    return Trainer(
        **trainer_kwargs(setup.trainer),
        **validation,
        precision=setup.trainer.precision,  # type: ignore[arg-type]
        max_steps=setup.train.steps,
        gradient_clip_val=setup.train.grad_clip,
        logger=logger or False,
        callbacks=list(callbacks),
        plugins=[AtomicCheckpointIO(), *slurm_plugins()],
        default_root_dir=setup.work,
    )


def _enable_fast_kernels(network: nn.Module, device: torch.device, trainer: schema.Trainer) -> None:
    """Tensor cores for float32 too, tuned convolutions, the faster memory format, compilation."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    elif device.type == "cpu" and trainer.precision != "32-true":
        # In bfloat16 all but the convolutions is slow in channels_last, 1.3 times as a whole.
        network.to(memory_format=torch.contiguous_format)
    if trainer.compile:
        network.compile()  # in place: the state dict keeps its keys


def _network_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's own state dict, in memory and contiguous."""
    prefix = "network."
    return {
        name.removeprefix(prefix): value.clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
        if name.startswith(prefix)
    }
