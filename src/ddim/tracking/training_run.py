"""Weights & Biases while training: offline by default, never asking, everything in one folder.

The metric files are the truth; W&B is a view of them. wandb is imported only where it is used.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ddim.config import paths
from ddim.config.schema import Config, WandbMode, as_dict
from ddim.runtime.errors import one_line
from ddim.tracking import wandb_setup

if TYPE_CHECKING:
    from pytorch_lightning.loggers import WandbLogger


@contextmanager
def training_run(cfg: Config, key: str) -> "Iterator[WandbLogger | None]":
    """A W&B run for ddim.training.fit.fit, finished at the end, as failed if the block raised.

    W&B's files go to `out/<name>/wandb`, caches included; the last line says where the run is.

    Args:
        cfg: its `logger` says how to reach W&B; all of it is recorded with the run.
        key: names the training (its folder's name): one that goes on is the same run.

    Yields None where logger.mode is `disabled`. Raises ValueError where it is `online` and there is
    no account to log in with, OSError where W&B fails to open the run.
    """
    if cfg.logger.mode is WandbMode.disabled:
        yield None
        return
    wandb_setup.keep_home_clean(paths.out(cfg))
    if cfg.logger.mode is WandbMode.online:
        wandb_setup.require_account()
    import wandb

    try:
        yield _logger(cfg, key)
    except wandb.errors.Error as error:
        _finish(exit_code=1)
        raise OSError(f"W&B cannot be reached ({one_line(error)}): try logger=offline") from error
    except BaseException:
        _finish(exit_code=1)
        raise
    _finish(exit_code=0)


def _finish(exit_code: int) -> None:
    """End this process's run, if there is one, and say where it is."""
    import wandb

    run = wandb.run
    if run is None:
        return
    folder, offline = wandb_setup.folder_of(run), run.settings.mode == "offline"
    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        wandb_setup.say_unsent(run)
        return
    print(f"W&B run: {wandb_setup.sent_by_hand(folder) if offline else run.url}", flush=True)


def _logger(cfg: Config, key: str) -> "WandbLogger":
    """Lightning's logger; it opens the run when the first number comes."""
    from pytorch_lightning.loggers import WandbLogger

    logger = WandbLogger(
        project=cfg.logger.project,
        entity=cfg.logger.entity,
        tags=[*cfg.logger.tags, cfg.data.name],
        name=wandb_setup.run_name(cfg, wandb_setup.TRAINING),
        group=cfg.name,
        job_type=wandb_setup.TRAINING,
        id=hashlib.sha256(f"{cfg.name} {key}".encode()).hexdigest()[:12],
        save_dir=paths.out(cfg),
        config=as_dict(cfg),
        offline=cfg.logger.mode is WandbMode.offline,
        settings=wandb_setup.settings(cfg),  # Lightning sets the mode by the environment alone
    )
    logger._wandb_init.pop("anonymous", None)  # Lightning passes it; wandb only warns about it
    return logger
