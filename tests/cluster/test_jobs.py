"""What a launcher sends away, and what it is told of it: without Slurm."""

import subprocess
import sys
from pathlib import Path

from helpers.pipeline import ROOT, environment

import ddim.stages
from ddim.runtime.slurm import Queue

FILES = sorted(Path(ddim.stages.__file__).parent.glob("*.py"))
STAGES = [path.stem for path in FILES if "__main__" in path.read_text()]

# As `python -m` runs a stage, its module is __main__, which launchers pickle by value.
PICKLE = """
import runpy, sys
import cloudpickle
from ddim.runtime import cli
cli.stage = lambda run, *_, **__: print(len(cloudpickle.dumps(run)))
for stage in sys.argv[1:]:
    runpy.run_module(f"ddim.stages.{stage}", run_name="__main__")
"""


def test_every_stage_can_be_sent_to_another_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PICKLE, *STAGES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(STAGES)


def test_a_job_has_ended_when_squeue_says_so_or_has_forgotten_it() -> None:
    queue = Queue()
    for job in ("7_0", "7_1", "7_2", "7_3", "8"):
        queue.register_job(job)
    told = "7_0|COMPLETED\n7_1|FAILED\n7_2|SUSPENDED\n7_3|PENDING\n9|RUNNING\n"
    queue._info_dict = queue.read_info(told)
    done = {job: queue.is_done(job, mode="cache") for job in sorted(queue._registered)}
    assert done == {"7_0": True, "7_1": True, "7_2": False, "7_3": False, "8": True}
    assert queue.get_state("8", mode="cache") == "GONE"


def test_an_end_that_was_seen_stays_known_when_slurm_forgets_the_job() -> None:
    queue = Queue()
    for job in ("7", "8"):
        queue.register_job(job)
    queue._info_dict.update(queue.read_info("7|OUT_OF_MEMORY\n8|RUNNING\n"))
    queue._info_dict.update(queue.read_info(""))
    states = {job: queue.get_state(job, mode="cache") for job in ("7", "8")}
    assert states == {"7": "OUT_OF_MEMORY", "8": "GONE"}


def test_without_srun_the_launcher_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    path = str(Path(sys.executable).parent)  # no srun there
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ddim.stages.sample",
            "-m",
            "hydra/launcher=slurm",
            "cell.steps=2,4",
        ],
        cwd=tmp_path,
        env=environment() | {"PATH": path, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: hydra/launcher=slurm: ")
    assert "srun" in line
