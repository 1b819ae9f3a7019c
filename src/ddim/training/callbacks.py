"""What happens around a training step and matters to the result: its seed, and its loss.

What only shows a training is in ddim.tracking.training_progress. None of these makes the GPU wait
except every `log_every` steps.
"""

import math
import time
from collections.abc import Iterable
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from ddim.runtime.interrupt import Deferred
from ddim.training.seeds import step_seed


class DivergedError(ValueError):
    """The loss or the weights are no longer finite."""


class StepSeed(Callback):
    """All randomness of a step (t, eps, flips, dropout) is a function of (seed, rank, step).

    One step is one batch, so this is (seed, rank, epoch, batch) in other words, and a resumed run
    needs no generator's state.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        torch.manual_seed(step_seed(self._seed, trainer.global_rank, trainer.global_step))


class SignalMonitor(Callback):
    """Whether a signal asked for the end: the training ends after a step, on all processes alike.

    Takes the place of Lightning's handlers, which save inside a step at Slurm's warning signal and
    may leave several processes waiting for each other.
    """

    def __init__(self) -> None:
        self._deferred = Deferred()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._deferred.install()

    @property
    def own(self) -> int:
        """The number of the signal that this process got, 0 for none."""
        return self._deferred.number

    def agreed(self, trainer: Trainer) -> int:
        """The number that any process got; called by all of them at the same step."""
        if trainer.world_size == 1:
            return self.own
        number = torch.tensor(self.own, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(number, reduce_op="max"))


class LossMonitor(Callback):
    """Collects the losses, stops a run that diverges, and logs the curves every `every` steps.

    history: [(step, mean loss of the steps since the point before)], kept through a resume.
    seconds: time spent training, that of the runs before a resume included.
    """

    def __init__(self, *, every: int, batch_size: int) -> None:
        self.history: list[tuple[int, float]] = []
        self.seconds = 0.0
        self._every, self._batch_size = every, batch_size
        self._pending: list[Tensor] = []  # losses on the device since the last point of the curve
        self._logged_at = self._counted_until = time.monotonic()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._logged_at = self._counted_until = time.monotonic()
        self._pending = [loss.to(pl_module.device) for loss in self._pending]  # after a resume

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._pending.append(outputs["loss"].detach())
        if trainer.global_step % self._every == 0:
            losses = self.pending_losses(trainer)
            self._pending.clear()
            self.history.append((trainer.global_step, sum(losses) / len(losses)))
            self._log(trainer, pl_module, len(losses))

    def pending_losses(self, trainer: Trainer) -> list[float]:
        """The losses since the last point of the curve, averaged over all processes.

        Raises DivergedError that names the first step whose loss is not finite.
        """
        if not self._pending:
            return []
        own = torch.stack(self._pending)
        losses: list[float] = trainer.strategy.reduce(own, reduce_op="mean").tolist()
        first = trainer.global_step - len(losses) + 1
        for step, loss in enumerate(losses, start=first):
            if not math.isfinite(loss):
                raise DivergedError(_advice(f"the loss became {loss} at step {step}"))
        return losses

    def _log(self, trainer: Trainer, pl_module: LightningModule, steps: int) -> None:
        now = time.monotonic()
        seconds, self._logged_at = now - self._logged_at, now
        if trainer.logger is None:
            return
        curves = {
            "train/loss": self.history[-1][1],
            "train/lr": trainer.optimizers[0].param_groups[0]["lr"],
            "train/grad_norm": float(pl_module.grad_norm),  # type: ignore[arg-type]
            "train/images_per_second": steps * self._batch_size / max(seconds, 1e-9),
        }
        trainer.logger.log_metrics(curves, step=trainer.global_step)

    @override
    def state_dict(self) -> dict[str, Any]:
        now = time.monotonic()
        self.seconds += now - self._counted_until
        self._counted_until = now
        pending = torch.stack(self._pending).tolist() if self._pending else []
        return {"history": self.history, "pending": pending, "seconds": self.seconds}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = [(step, loss) for step, loss in state_dict["history"]]
        self.seconds = state_dict["seconds"]
        self._pending = [torch.tensor(loss) for loss in state_dict["pending"]]


def check_finite(parameters: Iterable[Tensor], step: int) -> None:
    """Raise DivergedError for a NaN or infinite weight (a finite loss can have such gradients)."""
    norms = torch._foreach_norm([p.detach() for p in parameters])
    if not bool(torch.stack(norms).isfinite().all()):
        raise DivergedError(_advice(f"the weights are no longer finite after step {step}"))


def _advice(problem: str) -> str:
    return f"{problem}: lower train.lr or raise train.warmup; no weights were written"
