"""A training as a job of a real Slurm: warned or preempted, requeued, and the same weights."""

import sys
from pathlib import Path

import pytest
from helpers.cluster import Cluster, until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TRAIN = f"srun {sys.executable} -m ddim.stages.train -cn stage"
SUBMIT = ("sbatch", "--parsable", "--requeue", "--open-mode=append", "--output=train.log")
WEIGHTS = ("ema.safetensors", "raw.safetensors")


@pytest.mark.parametrize(
    "interrupt",
    [
        ["scancel", "--signal=USR1"],  # as --signal=USR1@90 does before the time limit
        ["scontrol", "requeue"],  # as a preemption does: SIGTERM, then SIGKILL
    ],
    ids=["time limit", "preemption"],
)
def test_a_requeued_training_ends_in_the_same_weights(
    untrained_cluster: Cluster, trained: Path, interrupt: list[str]
) -> None:
    here = untrained_cluster
    done = here.run(*SUBMIT, "--wrap", TRAIN)
    job = done.stdout.strip()
    assert done.returncode == 0, done.stderr
    until(lambda: here.files("work/train-*/last.ckpt"), f"no resume point\n{here.logs()}")
    assert here.run(*interrupt, job).returncode == 0
    until(lambda: "restarts=1" in restarts(here, job), f"not requeued\n{here.logs()}")
    until(lambda: not here.run("squeue", "--noheader").stdout, f"no end\n{here.logs()}")
    for name in WEIGHTS:
        path = f"out/digits/train/{name}"
        assert (here.project / path).is_file(), here.logs()
        assert (here.project / path).read_bytes() == (trained / path).read_bytes()
    assert not here.files("work/train-*/hpc_ckpt*")


def restarts(cluster: Cluster, job: str) -> str:
    """What Slurm tells of a job, in lower case."""
    return cluster.run("scontrol", "show", "job", job).stdout.lower()
