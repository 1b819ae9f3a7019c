"""What every use of Lightning's Trainer here shares: its arguments, its silence, and the rank."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddim.runtime.multirun import TrainerSettings

_CHATTY = ("pytorch_lightning", "lightning_fabric")


def trainer_kwargs(trainer: "TrainerSettings") -> dict[str, Any]:
    """The Trainer's arguments that say where it runs, and that it shows and checks nothing."""
    return {
        "accelerator": trainer.accelerator.value,
        "devices": trainer.devices,
        "num_nodes": trainer.num_nodes,
        "strategy": trainer.strategy,
        "use_distributed_sampler": False,  # ours share out the work themselves
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }


def is_global_zero() -> bool:
    """Whether this process is the first of a distributed run, or the only one.

    The one that writes results; in a `ddp` run the others have done their share when training or
    sampling returns. Before a Trainer exists, what the launcher's environment says.
    """
    from pytorch_lightning.utilities import rank_zero_only

    rank: int = rank_zero_only.rank  # type: ignore[attr-defined]
    return rank == 0


def slurm_plugins() -> list[Any]:
    """Lightning's knowledge of the Slurm job that this is, if it is one, without its requeueing.

    That saves at any moment of a step, beside our resume points: ddim.runtime.interrupt has ours.
    """
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    chosen = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()  # as Lightning does
    return [SLURMEnvironment(auto_requeue=False)] if chosen else []


@contextmanager
def keep_interrupts() -> Iterator[None]:
    """Let a KeyboardInterrupt pass, which Lightning turns into an exit with status 1."""
    try:
        yield
    except SystemExit as exit_:
        if isinstance(exit_.__context__, KeyboardInterrupt):
            raise exit_.__context__ from None
        raise


@contextmanager
def suppress_lightning_logs() -> Iterator[None]:
    """Lightning without its tips: 'GPU available', loggers to install, worker counts."""
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for name in _CHATTY:
                warnings.filterwarnings("ignore", module=rf"{name}(\..*)?")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
