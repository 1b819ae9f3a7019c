"""A project on a Slurm of one node: commands in it, and what its jobs leave."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers import pipeline

SECONDS = 900  # the longest that anything here is waited for


@dataclass
class Cluster:
    """Slurm, and a project on it."""

    slurm: dict[str, str]
    project: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a command of the project needs to find both."""
        path = pipeline.environment()["PATH"]
        return pipeline.environment() | self.slurm | {"PATH": f"{path}:{self.slurm['PATH']}"}

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command in the project."""
        pipe = subprocess.PIPE
        where = {"cwd": self.project, "env": self.environment, "text": True}
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, **where)  # type: ignore[call-overload]

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the project to its end."""
        return subprocess.CompletedProcess(command, *self.finish(self.start(*command)))

    def sample(self, *overrides: str) -> tuple[str, ...]:
        """The command that samples cells as jobs of one core each."""
        launcher = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1")
        stage = (sys.executable, "-m", "ddim.stages.sample", "-cn", "stage")
        return (*stage, "-m", *launcher, "hydra.launcher.timeout_min=5", *overrides)

    def finish(self, process: "subprocess.Popen[str]") -> tuple[int, str, str]:
        """(Exit status, standard output, standard error) of what was started."""
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def kill(self, job: str) -> None:
        """End a job's Python process as a lack of memory does: SIGKILL, to that process alone."""
        (number,) = self.run("squeue", "--noheader", f"--job={job}", "--format=%A").stdout.split()
        rows = self.run("scontrol", "listpids", number).stdout.splitlines()
        tasks = [row.split() for row in rows if row.split()[3] == "0"]  # the first of each step
        for pid, *_ in tasks:
            if b"submitit" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(int(pid), signal.SIGKILL)

    def files(self, pattern: str) -> list[Path]:
        """Files of the project."""
        return sorted(self.project.glob(pattern))

    def logs(self) -> str:
        """What the jobs wrote."""
        logs = self.files("out/hydra/*/*/.submitit/*/*_log.*") + self.files("*.log")
        return "\n".join(f"{path}:\n{path.read_text()}" for path in logs)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for `condition`."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)
