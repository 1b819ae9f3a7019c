"""Weights & Biases while training: offline by default, never asking, everything in one folder.

The metric files are the truth; W&B is a view of them. wandb is imported only where it is used.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddim.config import schema

if TYPE_CHECKING:
    from pytorch_lightning.loggers import WandbLogger


@contextmanager
def training_run(
    logger: schema.Logger, *, name: str, group: str, folder: Path, config: Mapping[str, Any]
) -> "Iterator[WandbLogger | None]":
    """A W&B run for ddim.training.fit.fit, finished at the end, as failed if the block raised.

    Args:
        name, group: of the run.
        folder: W&B's files go to <folder>/wandb, caches included (out/<name>).
        config: the full resolved configuration, recorded with the run.

    Yields None where logger.mode is `disabled`. Raises ValueError where it is `online` and there is
    no account to log in with.
    """
    if logger.mode is schema.WandbMode.disabled:
        yield None
        return
    keep_home_clean(folder)
    if logger.mode is schema.WandbMode.online:
        require_account()
    import wandb

    run = _logger(logger, name=name, group=group, folder=folder, config=config)
    try:
        yield run
    except BaseException:
        wandb.finish(exit_code=1)
        raise
    wandb.finish()


def keep_home_clean(folder: Path) -> None:
    """Send what W&B would write to the user's home to `<folder>/wandb`; the user's own choice wins.

    Call before wandb is imported.
    """
    base = (folder / "wandb").absolute()
    for name in ("DATA", "CACHE", "CONFIG"):
        os.environ.setdefault(f"WANDB_{name}_DIR", str(base / name.lower()))
    base.mkdir(parents=True, exist_ok=True)


def require_account() -> None:
    """Raise ValueError unless W&B can log in without asking."""
    import wandb

    if not wandb.login(prompt=False):
        raise ValueError(
            "logger.mode is online, but there is no W&B account here: run `wandb login`, set"
            " WANDB_API_KEY, or use logger=offline"
        )


def _logger(
    logger: schema.Logger, *, name: str, group: str, folder: Path, config: Mapping[str, Any]
) -> "WandbLogger":
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    offline = logger.mode is schema.WandbMode.offline
    run = WandbLogger(
        project=logger.project,
        entity=logger.entity,
        tags=logger.tags,
        name=name,
        group=group,
        job_type="train",
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
