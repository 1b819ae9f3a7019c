"""What every use of Lightning's Trainer here shares: its placement, and its silence."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ddim.config import schema

_CHATTY = ("pytorch_lightning", "lightning_fabric")


def placement(trainer: schema.Trainer) -> dict[str, Any]:
    """The Trainer's arguments that say where it runs, and that it draws and samples nothing."""
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


@contextmanager
def quiet() -> Iterator[None]:
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
