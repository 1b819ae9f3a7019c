"""Multiruns: every job is tried, failures are listed at the end, and a GPU belongs to one job."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.pipeline import ROOT, environment
from helpers.report_fixture import config

from ddim.runtime import gpu_lock
from ddim.runtime import multirun as jobs

PROGRAM = """
from ddim.runtime.cli import stage

def run(cfg):
    if cfg.cell.steps == 7:
        raise ValueError("no seven")
    if cfg.cell.steps == 8:
        raise RuntimeError("a bug")
    threads = "not asked"
    if cfg.cell.seed == 1:
        import torch

        threads = torch.get_num_threads()
    print(f"S{cfg.cell.steps} threads: {threads}", flush=True)

stage(run)
"""


def multirun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A stage that fails for S = 7 and 8, with the real conf/, as a multirun."""
    (folder / "conf").symlink_to(ROOT / "conf")
    (folder / "program.py").write_text(PROGRAM)
    keep = {k: v for k, v in environment().items() if not k.endswith("_NUM_THREADS")}
    return subprocess.run(
        [sys.executable, "program.py", "-m", *arguments],
        cwd=folder,
        env=keep | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_the_other_jobs_are_kept_and_failures_are_listed(tmp_path: Path, launcher: str) -> None:
    seed = int(launcher == "joblib")
    done = multirun(tmp_path, f"hydra/launcher={launcher}", "cell.steps=7,5,8", f"cell.seed={seed}")
    assert done.returncode == 1, done.stdout + done.stderr
    listed = done.stderr[done.stderr.index("2 of the jobs failed") :]
    assert "cell.steps=7: no seven\n" in listed
    assert "cell.steps=8: a bug" in listed
    assert "RuntimeError: a bug" in listed  # a bug is shown with its trace
    assert 'raise ValueError("no seven")' not in listed
    logs = (path.read_text() for path in tmp_path.rglob("*_log.out"))  # submitit prints there
    printed = done.stdout + "".join(logs)
    assert "S5 threads: " in printed
    if launcher == "joblib":  # one job for each core, so one core for each job
        assert "S5 threads: 1\n" in printed
    assert {path.name for path in tmp_path.iterdir()} <= {"conf", "out", "program.py"}


def test_processes_that_would_start_the_multirun_again_are_refused() -> None:
    cfg = config("trainer=ddp", "trainer.devices=2")
    with pytest.raises(ValueError, match=r"strategy is ddp with 2 devices in a multirun"):
        jobs.claim_device(cfg.trainer)


# --- GPUs ----------------------------------------------------------------------------------------

CLAIM = "from ddim.runtime import gpu_lock; from pathlib import Path; import sys; \
print(gpu_lock.claim(Path(sys.argv[1])), flush=True); sys.stdin.read()"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose driver lists two GPUs."""
    fake = tmp_path / "bin" / "nvidia-smi"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho GPU-aa11\necho GPU-bb22\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("driver")
def test_two_jobs_take_two_gpus_and_a_third_waits_for_the_first_to_end(tmp_path: Path) -> None:
    def job() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CLAIM, str(tmp_path / "locks")]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def line(process: subprocess.Popen[str]) -> str:
        assert process.stdout
        return process.stdout.readline().strip()

    first, second = job(), job()
    took = line(first)
    assert {took, line(second)} == {"GPU-aa11", "GPU-bb22"}
    third = job()
    assert line(third).startswith("waiting for a GPU: 2 here")
    first.kill()
    assert line(third) == took
    for process in (first, second, third):
        process.communicate()


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["GPU-aa11", "GPU-bb22"]),
        ("1", ["GPU-bb22"]),
        ("1,0", ["GPU-bb22", "GPU-aa11"]),
        ("GPU-bb", ["GPU-bb22"]),
        ("", []),
        ("7", []),
    ],
)
def test_the_users_and_the_clusters_choice_of_gpus_is_kept(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, expected: list[str]
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_lock.present() == expected


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_lock.present() == []
    assert gpu_lock.claim(tmp_path) is None
