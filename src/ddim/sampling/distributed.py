"""One cell's images over several processes, devices and nodes, through Lightning's Trainer.predict.

The processes share out the missing shards and write them to one folder; nothing is gathered.
"""

from collections.abc import Callable

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from typing_extensions import override

from ddim.config import schema
from ddim.runtime.interrupt import restorer
from ddim.runtime.lightning import (
    keep_interrupts,
    slurm_plugins,
    suppress_lightning_logs,
    trainer_kwargs,
)
from ddim.runtime.progress import Advance, silent, track
from ddim.sampling.shards import ShardJob, named


def sample_distributed(job: ShardJob, label: str, trainer: schema.Trainer) -> None:
    """Sample the missing shards of `job` on all processes; returns on each when all are there."""
    with suppress_lightning_logs():
        runner = Trainer(
            **trainer_kwargs(trainer),
            logger=False,
            enable_checkpointing=False,
            plugins=slurm_plugins(),
        )
        one = DataLoader(TensorDataset(torch.zeros(1)))
        with keep_interrupts():
            runner.predict(_ShardSampler(job, label, restorer()), one, return_predictions=False)


class _ShardSampler(LightningModule):
    """Its one prediction on each process is that process's share of the shards, sampled and kept.

    One prediction and not one per shard: Lightning skips a process that has no batches, and the
    others would wait for it for ever.
    """

    def __init__(self, job: ShardJob, label: str, restore_handlers: Callable[[], None]) -> None:
        super().__init__()
        self.eps_model = job.sampler.eps_model  # so that Lightning moves it with the process
        self._job, self._label, self._restore_handlers = job, label, restore_handlers

    @override
    def on_predict_start(self) -> None:
        self._restore_handlers()  # the Trainer has its own by now
        self._job.place(self.device)

    @override
    def predict_step(self, batch: list[Tensor], batch_idx: int) -> None:
        strategy = self.trainer.strategy
        # One process looks what is missing: the others would see its first shards appear.
        first = self.trainer.is_global_zero
        missing: list[range] = strategy.broadcast(self._job.shards.missing() if first else [])
        mine = missing[self.trainer.global_rank :: self.trainer.world_size]
        if self.trainer.is_global_zero:
            world = self.trainer.world_size
            with track(sum(map(len, mine)), f"{self._label} (1 of {world} processes)") as advance:
                self._sample(mine, advance)
        else:
            self._sample(mine, silent)
        strategy.barrier()  # all shards are there before anyone merges

    def _sample(self, mine: list[range], advance: Advance) -> None:
        with named(self._label):
            for indices in mine:
                self._job.sample(indices, self.device, advance)
