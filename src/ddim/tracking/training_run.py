"""Weights & Biases while training: offline by default, never asking, everything in one folder.

The metric files are the truth; W&B is a view of them. wandb is imported only where it is used.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddim.config import schema
from ddim.tracking import wandb_setup

if TYPE_CHECKING:
    from pytorch_lightning.loggers import WandbLogger


@contextmanager
def training_run(
    logger: schema.Logger, *, group: str, folder: Path, config: Mapping[str, Any]
) -> "Iterator[WandbLogger | None]":
    """A W&B run for ddim.training.fit.fit, finished at the end, as failed if the block raised.

    Args:
        group: the experiment's name.
        folder: W&B's files go to <folder>/wandb, caches included (out/<name>).
        config: the full resolved configuration, recorded with the run.

    Yields None where logger.mode is `disabled`. Raises ValueError where it is `online` and there is
    no account to log in with.
    """
    if logger.mode is schema.WandbMode.disabled:
        yield None
        return
    wandb_setup.keep_home_clean(folder)
    if logger.mode is schema.WandbMode.online:
        wandb_setup.require_account()
    import wandb

    run = _logger(logger, group=group, folder=folder, config=config)
    try:
        yield run
    except BaseException:
        wandb.finish(exit_code=1)
        raise
    wandb.finish()


def _logger(
    logger: schema.Logger, *, group: str, folder: Path, config: Mapping[str, Any]
) -> "WandbLogger":
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    offline = logger.mode is schema.WandbMode.offline
    run = WandbLogger(
        project=logger.project,
        entity=logger.entity,
        tags=logger.tags,
        name=wandb_setup.TRAINING,
        group=group,
        job_type=wandb_setup.TRAINING,
        save_dir=folder,
        config=dict(config),
        offline=offline,
        settings=wandb.Settings(
            mode="offline" if offline else "online",  # Lightning sets it by the environment alone
            console="off",
            silent=True,
            x_disable_stats=True,
        ),
    )
    run._wandb_init.pop("anonymous", None)  # Lightning passes it; wandb only warns about it
    return run
