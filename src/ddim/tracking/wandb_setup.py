"""What every W&B run of an experiment shares: its names, its folder, its account.

An experiment is a group of two runs: the training, and the sweep with the report. wandb is imported
only where it is used.
"""

import os
from pathlib import Path

# Name and job type of a run; its group is the experiment's name.
TRAINING = "train"
SWEEP = "sweep"


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
