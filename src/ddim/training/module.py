"""The LightningModule: one training step, one validation step, and the optimizer."""

import math
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from typing_extensions import override

from ddim import objective
from ddim.images import to_float
from ddim.training.seeds import validation_seed


class DiffusionModule(LightningModule):
    """Trains any network eps = network(x [N,C,H,W], t int64 [N] in 1..T).

    Args:
        network: what is trained.
        alpha_bar: float64 [T+1], from ddim.schedule.
        lr: Adam's step size after `warmup` steps of linear rise.
        decay_to: the step at which half a period of a cosine brings it down to 0; None: never.
        flip: mirror half of the training images.
        seed: of t and eps in validation; those of a training step come from torch's generators,
            which ddim.training.callbacks.StepSeed seeds.
    """

    def __init__(  # noqa: PLR0913
        self,
        network: nn.Module,
        alpha_bar: Tensor,
        *,
        lr: float,
        warmup: int,
        decay_to: int | None = None,
        flip: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.alpha_bar = alpha_bar  # stays on the CPU: not every device has float64
        self.grad_norm = torch.tensor(0.0)  # of the last step, before clipping; on the device
        self._lr, self._warmup, self._decay_to = lr, warmup, decay_to
        self._flip, self._seed = flip, seed

    @override
    def training_step(self, images: Tensor, batch_idx: int) -> Tensor:
        """The loss of uint8 images [N,C,H,W], each at a t drawn uniformly from 1..T."""
        x0 = to_float(images)
        n, device = len(x0), x0.device
        if self._flip:
            x0 = objective.hflip(x0, torch.rand(n, device=device) < 0.5)
        t = torch.randint(1, len(self.alpha_bar), (n,))
        eps = torch.randn_like(x0)
        return objective.loss(self.network, x0, t, eps, self.alpha_bar)

    @override
    def validation_step(self, images: Tensor, batch_idx: int) -> None:
        """Log val/loss: the same objective on held-out uint8 images [N,C,H,W], without flips.

        t and eps are functions of (seed, batch_idx), so that two points of a curve differ by the
        weights alone. They are drawn on the CPU, from a generator of their own: training's random
        numbers do not notice.
        """
        x0 = to_float(images)
        generator = torch.Generator().manual_seed(validation_seed(self._seed, batch_idx))
        t = torch.randint(1, len(self.alpha_bar), (len(x0),), generator=generator)
        eps = torch.randn(x0.shape, generator=generator).to(x0.device)
        loss = objective.loss(self.network, x0, t, eps, self.alpha_bar)
        self.log("val/loss", loss, batch_size=len(x0))
        # Lightning takes the metric `step` as the x axis; its own would be one step behind.
        self.log("step", float(self.trainer.global_step), reduce_fx="max", batch_size=1)

    @override
    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Lightning's own clipping by the global norm, but keeping the norm for the curves."""
        limit = math.inf if gradient_clip_val is None else gradient_clip_val
        self.grad_norm = nn.utils.clip_grad_norm_(self.network.parameters(), limit)

    @override
    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam, and its step size over the training."""
        # Fused Adam would take the loss scaler of 16-mixed out of the clipping's hands.
        fused = self.device.type in ("cuda", "cpu") and self.trainer.precision != "16-mixed"
        adam = torch.optim.Adam(self.network.parameters(), lr=self._lr, fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(adam, self.lr_factor)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def lr_factor(self, step: int) -> float:
        """What the step size of step + 1 is multiplied by."""
        return objective.lr_factor(step, warmup=self._warmup, decay_to=self._decay_to)
