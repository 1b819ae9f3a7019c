"""The exponential moving average of the weights, which the samplers use by default."""

from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from typing_extensions import override

from ddim.objective import ema_decay


class EMA(WeightAveraging):
    """The exponential moving average of the weights, from the initial ones on.

    After step n it keeps ddim.objective.ema_decay of itself and takes the rest of the new weights.
    Lightning keeps the average in the checkpoint and swaps it in for validation; the module itself
    keeps its raw weights at the end.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False)
        self._decay = decay

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the module itself moves there only later
        super().setup(trainer, pl_module, stage)

    @property
    def average(self) -> LightningModule:
        """A copy of the trained module that holds the averaged weights (not during validation)."""
        assert self._average_model is not None
        module = self._average_model.module
        assert isinstance(module, LightningModule)
        return module

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect the weights once: traversing the module tree at every step costs milliseconds."""
        self._averages = [p.detach() for p in self.average.parameters()]
        self._currents = [p.detach() for p in pl_module.parameters()]

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        n = trainer.global_step
        torch._foreach_lerp_(self._averages, self._currents, 1 - ema_decay(n, self._decay))
        self._latest_update_step = n

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning would overwrite the raw weights here; both sets are exported."""
