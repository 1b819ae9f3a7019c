"""What happens around a training step: its seed, the average, the losses, the line, the pictures.

None of these makes the GPU wait except every `log_every` steps.
"""

import math
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn

from ddim import schedule
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.plotting.grids import grid
from ddim.runtime.progress import track
from ddim.sampler import sample
from ddim.sampling.network import EpsModel


class DivergedError(ValueError):
    """The loss or the weights are no longer finite."""


class StepSeed(Callback):
    """All randomness of a step (t, eps, flips, dropout) is a function of (seed, rank, step).

    One step is one batch, so this is (seed, rank, epoch, batch) in other words, and a resumed run
    needs no generator's state.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        words = np.random.SeedSequence([self._seed, trainer.global_rank, trainer.global_step])
        torch.manual_seed(int(words.generate_state(1, np.uint64)[0] >> np.uint64(1)))


class EMA(WeightAveraging):
    """The exponential moving average of the weights, from the initial ones on.

    After step n it moves by 1 - min(decay, (1 + n) / (10 + n)) towards the new weights (the ramp
    of TensorFlow's moving average: a constant 0.9999 would still hold the initial weights after
    thousands of steps). Lightning keeps the average in the checkpoint and swaps it in for
    validation; the module itself keeps its raw weights at the end.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False)
        self._decay = decay

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the module itself moves there only later
        super().setup(trainer, pl_module, stage)

    @property
    def average(self) -> LightningModule:
        """A copy of the trained module that holds the averaged weights."""
        assert self._average_model is not None
        module = self._average_model.module
        assert isinstance(module, LightningModule)
        return module

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect the weights once: walking the module tree at every step costs milliseconds."""
        self._averages = [p.detach() for p in self.average.parameters()]
        self._currents = [p.detach() for p in pl_module.parameters()]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        n = trainer.global_step
        decay = min(self._decay, (1 + n) / (10 + n))
        torch._foreach_lerp_(self._averages, self._currents, 1 - decay)
        self._latest_update_step = n

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning would overwrite the raw weights here; both sets are exported."""


class LossMonitor(Callback):
    """Collects the losses, stops a run that diverges, and logs the curves every `every` steps.

    history: [(step, mean loss of the steps since the point before)], kept through a resume.
    seconds: time spent training, that of the runs before a resume included.
    """

    def __init__(self, *, every: int, batch_size: int) -> None:
        self.history: list[tuple[int, float]] = []
        self.seconds = 0.0
        self._every, self._batch_size = every, batch_size
        self._pending: list[Tensor] = []  # losses on the device, not yet looked at
        self._looked = self._last_time = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._looked = self._last_time = time.monotonic()
        self._pending = [loss.to(pl_module.device) for loss in self._pending]  # after a resume

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._pending.append(outputs["loss"].detach())
        if trainer.global_step % self._every == 0:
            losses = self.check(trainer)
            self._pending.clear()
            self.history.append((trainer.global_step, sum(losses) / len(losses)))
            self._log(trainer, pl_module, len(losses))

    def check(self, trainer: Trainer) -> list[float]:
        """The losses since the last point, over all processes; raises for the first bad one."""
        if not self._pending:
            return []
        mine = torch.stack(self._pending)
        losses: list[float] = trainer.strategy.reduce(mine, reduce_op="mean").tolist()
        first = trainer.global_step - len(losses) + 1
        for step, loss in enumerate(losses, start=first):
            if not math.isfinite(loss):
                raise DivergedError(_advice(f"the loss became {loss} at step {step}"))
        return losses

    def _log(self, trainer: Trainer, pl_module: LightningModule, steps: int) -> None:
        now = time.monotonic()
        since, self._looked = now - self._looked, now
        if trainer.logger is None:
            return
        curves = {
            "train/loss": self.history[-1][1],
            "train/lr": trainer.optimizers[0].param_groups[0]["lr"],
            "train/grad_norm": float(pl_module.grad_norm),  # type: ignore[arg-type]
            "train/images_per_second": steps * self._batch_size / max(since, 1e-9),
        }
        trainer.logger.log_metrics(curves, step=trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        now = time.monotonic()
        self.seconds += now - self._last_time
        self._last_time = now
        pending = torch.stack(self._pending).tolist() if self._pending else []
        return {"history": self.history, "pending": pending, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = [(step, loss) for step, loss in state_dict["history"]]
        self.seconds = state_dict["seconds"]
        self._pending = [torch.tensor(loss) for loss in state_dict["pending"]]


def check_finite(parameters: Iterable[Tensor], step: int) -> None:
    """Raise DivergedError for a NaN or infinite weight (a finite loss can have such gradients)."""
    norms = torch._foreach_norm([p.detach() for p in parameters])
    if not bool(torch.stack(norms).isfinite().all()):
        raise DivergedError(_advice(f"the weights are no longer finite after step {step}"))


def _advice(what: str) -> str:
    return f"{what}: lower train.lr or raise train.warmup; no weights were written"


class ProgressLine(Callback):
    """The line that says how far training is; process 0 only."""

    def __init__(self, monitor: LossMonitor) -> None:
        self._monitor = monitor
        self._open = ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            line = track(trainer.max_steps, "training", done=trainer.global_step)
            self._advance = self._open.enter_context(line)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero:
            history = self._monitor.history
            self._advance(1, f"loss {history[-1][1]:.4f}" if history else "")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._open.__exit__(type(exception), exception, exception.__traceback__)  # not "done"


class SampleGrid(Callback):
    """Every `every` steps, what the averaged weights draw: a grid of images for the logger.

    The same 36 latents each time, 20 DDIM steps (all T where there are fewer): the pictures show
    one set of images becoming sharper. Draws nothing from torch's generators.
    """

    COUNT, STEPS = 36, 20

    def __init__(self, ema: EMA, *, every: int, seed: int, precision: str) -> None:
        self._ema, self._every, self._seed, self._precision = ema, every, seed, precision

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        due = trainer.global_step % self._every == 0
        if due and trainer.is_global_zero and trainer.logger is not None:
            images = self._draw(batch)
            picture = grid(images, columns=6, scale=max(1, 64 // images.shape[-1]))
            trainer.logger.log_image("samples", [picture], step=trainer.global_step)  # type: ignore[attr-defined]

    def _draw(self, batch: Tensor) -> np.ndarray:
        module = self._ema.average
        network, alpha_bar = module.network, module.alpha_bar
        assert isinstance(network, nn.Module)
        assert isinstance(alpha_bar, Tensor)
        T = len(alpha_bar) - 1
        tau = schedule.trajectory(T, min(self.STEPS, T))
        noise = Noise(self._seed, range(self.COUNT), batch.shape[1:], batch.device)
        eps_model = EpsModel(network, precision=self._precision)
        return to_uint8(sample(eps_model, noise.draw(), alpha_bar, tau)).cpu().numpy()
