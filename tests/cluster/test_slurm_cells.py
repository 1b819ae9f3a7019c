"""Cells as jobs of a real Slurm: failures listed, a time-out and a lost process survived."""

import sys

import numpy as np
import pytest
from helpers import pipeline
from helpers.cluster import Cluster, until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

LONG = (
    "cell.steps=1000",
    "cell.eta=0.0",
    "sample.num_images_at={1000:100}",
    "sample.shard_size=20",
)
SHARDS = "work/cell-*/shard_*.np?"


def test_a_grid_and_a_failing_cell_then_adopt_then_the_report(cluster: Cluster) -> None:
    """The failing cell's name is known, the others are kept, and DVC computes nothing again."""
    grid = cluster.sample("cell.steps=2,4", "cell.eta=0.0,hat")
    broken = cluster.project / "out/digits/samples/S4_eta0.0_seed0"
    broken.parent.mkdir(parents=True)
    broken.write_text("in the way of this cell's folder")
    done = cluster.run(*grid)
    assert done.returncode == 1, done.stdout + done.stderr + cluster.logs()
    assert done.stdout.startswith("4 jobs sent to Slurm, their output: out/hydra/")
    listed = done.stderr.splitlines()
    assert listed[1] == "1 of the jobs failed; the others are kept:"
    assert listed[2].startswith("  cell.eta=0.0,cell.steps=4: ")
    assert "sacct" not in done.stdout + done.stderr
    names = [path.parent.name for path in cluster.files("out/digits/samples/*/samples.npy")]
    assert names == ["S2_eta0.0_seed0", "S2_etahat_seed0", "S4_etahat_seed0"]

    broken.unlink()
    again = cluster.run(*grid)
    assert again.returncode == 0, again.stdout + again.stderr + cluster.logs()
    assert cluster.logs().count("already there") == 3
    measured = cluster.run(*[word.replace("stages.sample", "stages.evaluate") for word in grid])
    assert measured.returncode == 0, measured.stdout + measured.stderr + cluster.logs()
    adopted = cluster.run(sys.executable, "-m", "ddim.adopt")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert not pipeline.stale(cluster.project) & {"sample", "evaluate"}


def test_a_time_out_is_requeued_and_goes_on_from_its_shards(cluster: Cluster) -> None:
    """Slurm's warning before the time limit, sent by hand: one shard is not sampled again."""
    command = cluster.start(*cluster.sample(*LONG))
    until(lambda: cluster.files(SHARDS), "no shard")
    first = cluster.files(SHARDS)[0]
    written = first.stat().st_mtime_ns
    assert cluster.run("scancel", "--signal=USR2", "--name=ddim-digits").returncode == 0
    until(lambda: "Requeued job" in cluster.logs(), "not requeued")
    until(lambda: len(cluster.files(SHARDS)) > 2, "not started again")
    assert first.stat().st_mtime_ns == written
    status, out, err = cluster.finish(command)
    assert status == 0, out + err + cluster.logs()
    assert "this job is timed-out" in cluster.logs()
    (requeued,) = cluster.files("out/digits/extra/*/samples.npy")
    images = np.load(requeued)

    requeued.unlink()
    stage = (sys.executable, "-m", "ddim.stages.sample", "-cn", "stage")
    assert cluster.run(*stage, *LONG).returncode == 0
    assert np.array_equal(np.load(requeued), images)


def test_a_lost_process_is_a_line_of_the_list_and_costs_one_shard(cluster: Cluster) -> None:
    sampled = cluster.sample(*LONG[:1], "cell.eta=0.0,1.0", *LONG[2:])
    command = cluster.start(*sampled)
    until(lambda: len({path.parent for path in cluster.files(SHARDS)}) == 2, "no two cells")
    job = cluster.run("squeue", "--noheader", "--array", "--format=%i").stdout.split()[0]
    cluster.kill(job)
    status, out, err = cluster.finish(command)
    assert status == 1, out + err + cluster.logs()
    lost = f"its process was lost (FAILED, Slurm job {job}): see out/hydra/"
    assert "1 of the jobs failed" in err
    assert lost in err
    assert len(cluster.files("out/digits/extra/*/samples.npy")) == 1
    kept = {path: path.stat().st_mtime_ns for path in cluster.files(SHARDS)}
    assert kept

    command = cluster.start(*sampled)
    until(lambda: len(cluster.files(SHARDS)) > len(kept) or command.poll() is not None, "no shard")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    status, out, err = cluster.finish(command)
    assert status == 0, out + err + cluster.logs()
    assert len(cluster.files("out/digits/extra/*/samples.npy")) == 2


def test_what_slurm_does_not_take_is_a_line_after_sbatchs_own(cluster: Cluster) -> None:
    done = cluster.run(*cluster.sample("hydra.launcher.partition=gpus", "cell.steps=2"))
    assert done.returncode == 1
    *sbatch, line = done.stderr.splitlines()
    assert all(told.startswith("sbatch: error: ") for told in sbatch)
    assert line.startswith("error: Slurm did not take the jobs (hydra.launcher.*): ")
    assert "invalid partition" in line
