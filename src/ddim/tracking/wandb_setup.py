"""What every W&B run of an experiment shares: its names, its folder, its account, its end.

An experiment is a group of two runs: the training, and the report with every cell's numbers. wandb
is imported only where it is used.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ddim.config.schema import Config, WandbMode
from ddim.runtime.errors import one_line

if TYPE_CHECKING:
    import wandb

TRAINING, REPORT = "train", "report"  # job types; the group of both is the experiment's name
STEP = "trainer/global_step"  # the key under which Lightning logs the step of a training
FINISH_SECONDS = 60.0  # then the rest stays on disk; shorter than the warning before a time limit


def run_name(cfg: Config, job_type: str) -> str:
    """What a run is called: the experiment, and which of its two runs this is."""
    if job_type == TRAINING:
        return f"{cfg.name}: training, seed {cfg.seed}"
    return f"{cfg.name}: report"


def settings(cfg: Config) -> "wandb.Settings":
    """Quiet; gives up sending what it cannot send, which stays on disk."""
    import wandb

    online = cfg.logger.mode is WandbMode.online
    return wandb.Settings(
        mode="online" if online else "offline",
        console="off",
        silent=True,
        x_disable_stats=True,
        finish_timeout=FINISH_SECONDS if online else 0.0,
        finish_timeout_raises=True,
    )


def keep_home_clean(folder: Path) -> None:
    """Send what W&B would write to the user's home to `<folder>/wandb`; the user's own choice wins.

    Call before wandb is imported.
    """
    base = (folder / "wandb").absolute()
    for name in ("DATA", "CACHE", "CONFIG"):
        os.environ.setdefault(f"WANDB_{name}_DIR", str(base / name.lower()))
    base.mkdir(parents=True, exist_ok=True)


def require_account() -> None:
    """Raise ValueError unless W&B's server lets this user in, without asking anything.

    Asks the server: a refused key or a network that is away costs no training.
    """
    import wandb

    try:
        logged_in = wandb.login(prompt=False, verify=True)
    except wandb.errors.Error as error:
        raise ValueError(
            f"logger.mode is online, but W&B does not let us in ({one_line(error)}): check"
            " WANDB_API_KEY or run `wandb login`, or use logger=offline"
        ) from None
    if not logged_in:
        raise ValueError(
            "logger.mode is online, but there is no W&B account here: run `wandb login`, set"
            " WANDB_API_KEY, or use logger=offline"
        )


def folder_of(run: "wandb.Run") -> Path:
    """Where a run's files lie, from here."""
    return relative(Path(run.settings.sync_dir))


def sent_by_hand(folder: Path) -> str:
    """Where an offline run is, and the command that sends it."""
    return f"{folder} (`wandb sync {folder}` sends it)"


def say_unsent(run: "wandb.Run") -> None:
    """One line where not everything was sent in time; what was computed is not concerned."""
    print(unsent(folder_of(run)), file=sys.stderr, flush=True)


def unsent(folder: Path) -> str:
    """That a run's data is not with the server yet, and how it gets there."""
    return (
        f"W&B: not everything was sent within {FINISH_SECONDS:.0f} s; it is kept, and"
        f" `wandb sync --include-online {folder}` sends it"
    )


def relative(path: Path) -> Path:
    """`path` as seen from here, if it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
