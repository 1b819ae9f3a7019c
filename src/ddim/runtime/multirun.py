"""What a Hydra multirun owes its user: every job is tried, and failures are listed at the end."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from ddim.runtime import gpu_lock
from ddim.runtime.errors import USER_ERRORS, one_line
from ddim.runtime.files import write_text
from ddim.runtime.overrides import Setting, to_object

FAILURE = "failure.txt"  # in a failed job's own folder; jobs may run in other processes


class TrainerSettings(Protocol):
    """The part of ddim.config.schema.Trainer that says how many processes a job starts."""

    accelerator: Any  # an enumeration of auto, cpu, cuda, mps
    devices: int
    num_nodes: int
    strategy: str


def check_jobs(config: str, settings: Sequence[Setting], conf: Path) -> None:
    """Raise ValueError, before the first job, for a value that no job can have.

    Every value is composed and checked once, with the first ones of the other sweeps.
    """
    ours = [setting for setting in settings if not setting.key.startswith("hydra")]
    fixed = [setting.argument for setting in ours if setting.values is None]
    sweeps = [_jobs(setting) for setting in ours if setting.values]
    first = [jobs[0] for jobs in sweeps]
    jobs = [fixed + first]
    for i, values in enumerate(sweeps):
        jobs += [[*fixed, *first[:i], value, *first[i + 1 :]] for value in values[1:]]
    with initialize_config_dir(str(conf), version_base="1.3"):
        for job in jobs:
            to_object(compose(config, overrides=job))


def _jobs(setting: Setting) -> list[str]:
    key = setting.argument.partition("=")[0]
    return [f"{key}={value}" for value in setting.values or ()]


def in_multirun() -> bool:
    """Whether this job is one of a multirun."""
    return HydraConfig.get().mode is RunMode.MULTIRUN


def claim_device(trainer: TrainerSettings) -> None:
    """Get this process ready for one job of a multirun: a GPU of its own, if GPUs there are.

    Raises ValueError for several processes under `ddp`, which starts them by repeating the command.
    """
    if trainer.devices * trainer.num_nodes == 1:
        if trainer.accelerator.value in ("auto", "cuda"):
            gpu_lock.claim()
    elif trainer.strategy != "ddp_spawn":
        raise ValueError(
            f"trainer.strategy is {trainer.strategy} with {trainer.devices} devices in a multirun:"
            " every process would start the whole multirun again; use trainer.devices=1, or run"
            " one cell at a time"
        )


def record_failure(error: Exception) -> None:
    """Keep `error` for the list at the end, so that the other jobs go on."""
    job = HydraConfig.get()
    lines = [f"{job.job.override_dirname or job.job.name}: {one_line(error)}"]
    if not isinstance(error, USER_ERRORS) and not _out_of_time(error):
        # A bug: whoever mends it needs the trace.
        lines += traceback.format_exception(error)
    write_text(Path(job.runtime.output_dir) / FAILURE, "\n".join(lines))


def _out_of_time(error: Exception) -> bool:
    """Whether submitit raised it because Slurm's time limit came once too often."""
    submitit = sys.modules.get("submitit.core.utils")  # in its jobs alone
    return submitit is not None and isinstance(error, submitit.UncompletedJobError)


class ListFailures(Callback):
    """Hydra callback: after the last job, list which failed and why, and exit with 1."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """List the failures of this sweep's folder."""
        failures = sorted(Path(config.hydra.sweep.dir).glob(f"*/{FAILURE}"), key=_job_number)
        if not failures:
            return
        print(f"\n{len(failures)} of the jobs failed; the others are kept:", file=sys.stderr)
        for path in failures:
            print(f"  {path.read_text(encoding='utf-8').rstrip()}", file=sys.stderr)
        sys.exit(1)


def _job_number(path: Path) -> int:
    return int(path.parent.name)
