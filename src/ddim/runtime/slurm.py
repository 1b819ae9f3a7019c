"""`hydra/launcher=slurm`: the jobs of a multirun on Slurm, by submitit, none of them lost.

submitit asks sacct, which needs an accounting database, which jobs have ended; without one it waits
for ever for a job that was killed. And its launcher for Hydra ends at the first such job. Here
squeue answers, which every Slurm has, and a job that ended without an answer is one of the failures
that are listed at the end.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import submitit
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from submitit.core.utils import FailedJobError, FailedSubmissionError, UncompletedJobError
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

from ddim.runtime.files import write_text
from ddim.runtime.multirun import FAILURE

OWN = ("submitit_folder", "max_num_timeout")  # keys of the launcher that are not sbatch's
NAMES_OF_SUBMITIT = {"timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node"}
NAMES_OF_SUBMITIT |= {"tasks_per_node", "name", "stderr_to_stdout"}  # the others get a prefix
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"}
ENDED |= {"OUT_OF_MEMORY", "REVOKED", "TIMEOUT"}
GONE = "GONE"  # Slurm forgets a job some minutes after its end
SECONDS_BETWEEN_QUESTIONS = 60


class Queue(SlurmInfoWatcher):
    """The states of jobs, as squeue tells them."""

    def _make_command(self) -> list[str] | None:
        if not self._registered - self._finished:
            return None
        return ["squeue", "--me", "--array", "--noheader", "--states=all", "--format=%i|%T"]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """{job: {"State": ...}} of the jobs that are watched; any state but an end is RUNNING.

        An end that was seen stays known when Slurm forgets the job.
        """
        text = string.decode() if isinstance(string, bytes) else string
        there = dict(line.split("|") for line in text.split())
        states = {job: there.get(job) or self._known_end(job) for job in self._registered}
        over = ENDED | {GONE}
        return {job: {"State": s if s in over else "RUNNING"} for job, s in states.items()}

    def _known_end(self, job: str) -> str:
        state = self._info_dict.get(job, {}).get("State")
        return state if state in ENDED else GONE


def launch(
    task: Callable[..., JobReturn],
    params: Mapping[str, Any],
    sweep_dir: str,
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Send the jobs, wait for all, and leave a line in the folder of each that never answered.

    Args:
        task: what a job calls, with its overrides, number and the like: submitit's launcher.
        params: the launcher's keys, hydra.launcher.*.
        sweep_dir: hydra.sweep.dir; the jobs' folders are in it, by their numbers.
        job_overrides: those of each job.
        first: number of the first job.

    Raises ValueError where Slurm does not take the jobs.
    """
    numbers = range(first, first + len(job_overrides))
    SlurmJob.watcher = Queue(delay_s=SECONDS_BETWEEN_QUESTIONS)
    jobs = _send(task, params, job_overrides, numbers)
    logs = _relative(jobs[0].paths.folder.parent)
    print(f"{len(jobs)} jobs sent to Slurm, their output: {logs}", flush=True)
    returned = []
    for job, number, overrides in zip(jobs, numbers, job_overrides, strict=True):
        try:
            returned.append(job.results()[0])
        except UncompletedJobError:
            name = ",".join(sorted(filter_overrides(overrides)))
            write_text(Path(sweep_dir) / str(number) / FAILURE, f"{name}: {_lost(job)}")
            returned.append(JobReturn(overrides=overrides, status=JobStatus.COMPLETED))
    return returned


def _send(
    task: Callable[..., JobReturn],
    params: Mapping[str, Any],
    job_overrides: Sequence[Sequence[str]],
    numbers: range,
) -> list[Any]:
    """The jobs, as one array."""
    settings = {
        name if name in NAMES_OF_SUBMITIT else f"slurm_{name}": value
        for name, value in params.items()
        if name not in OWN
    }
    folder, retries = (params[name] for name in OWN)
    try:
        executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=retries)
        executor.update_parameters(**settings)
        return executor.map_array(
            task,
            [list(overrides) for overrides in job_overrides],
            ["hydra.sweep.dir"] * len(numbers),
            list(numbers),
            [f"job_id_for_{number}" for number in numbers],
            [Singleton.get_state()] * len(numbers),
        )
    except (FailedJobError, FailedSubmissionError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"Slurm did not take the jobs (hydra.launcher.*): {said}") from None
    except RuntimeError as error:  # submitit's, where there is no srun
        raise ValueError(f"hydra/launcher=slurm: {error}") from None


def _lost(job: Any) -> str:
    """What is known of a job that ended without an answer."""
    state = job.watcher.get_state(job.job_id, mode="cache")
    log = _relative(job.paths.stderr)
    return f"its process was lost ({state}, Slurm job {job.job_id}): see {log}"


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
