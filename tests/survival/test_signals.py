"""SIGINT, SIGTERM and Slurm's warning in the programs: one line, the status, nothing lost."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.pipeline import ROOT, copy, environment
from helpers.pipeline import compose as compose_pipeline
from helpers.survival import Repeated, Server, left_over, new_project, results, with_weights

SAMPLE = ("ddim.stages.sample", "-cn", "stage")
SWEEP = (*SAMPLE, "-m", "cell.steps=2,3", "cell.eta=hat")
TRAIN = ("ddim.stages.train", "-cn", "stage")
EACH = pytest.mark.parametrize(
    ("number", "name", "status"), [(2, "SIGINT", 130), (15, "SIGTERM", 143), (10, "SIGUSR1", 138)]
)


def line(name: str) -> str:
    return f"interrupted by {name}: run the same command to go on\n"


@EACH
def test_an_interrupted_cell_goes_on_from_its_shards(
    light: Server, project: Path, tmp_path: Path, number: int, name: str, status: int
) -> None:
    log = tmp_path / "log"
    ended = light.run(project, *SAMPLE, end=[1, "after", number], log=str(log))
    assert (ended.status, ended.output) == (status, line(name))
    assert not (project / "out/digits/samples").exists()
    assert light.run(project, *SAMPLE, log=str(log)).status == 0
    assert Repeated.of(log).images == 0  # of the two shards that were there
    assert left_over(project) == []


def test_a_multirun_ends_at_once_and_not_with_its_next_job(light: Server, project: Path) -> None:
    ended = light.run(project, *SWEEP, end=[0, "after", 15])
    assert (ended.status, ended.output) == (143, line("SIGTERM"))
    assert not (project / "out/digits/samples").exists()


def test_a_check_that_is_interrupted_leaves_the_record_as_it_was(
    light: Server, project: Path
) -> None:
    check = ("ddim.compose", "--check")
    assert light.run(project, *check).status == 0
    before = results(project)
    ended = light.run(project, *check, end=[0, "half", 2])
    assert (ended.status, ended.output) == (130, line("SIGINT"))
    assert results(project) == before
    assert left_over(project) == []


# --- with Lightning, joblib and DVC --------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(full: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny project with its images prepared."""
    folder = new_project(full, tmp_path_factory.mktemp("project"))
    assert full.run(folder, "ddim.stages.data", "-cn", "stage").status == 0
    return folder


@pytest.mark.slow
@EACH
def test_the_stage_train_exports_nothing_when_interrupted(
    full: Server, trained: Path, number: int, name: str, status: int
) -> None:
    """The signal comes while the resume point of step 5 is saved; another seed, another folder."""
    seed = f"seed={number}"
    ended = full.run(trained, *TRAIN, seed, end=[0, "after", number])
    told = f"training: interrupted by {name} at step 6, which is saved: run the same command to go"
    assert (ended.status, ended.output) == (status, f"{told} on\n")
    assert not (trained / "out/digits/train").exists()


def two_processes(project: Path, *program: str) -> subprocess.Popen[str]:
    """The program over two processes, which is running: the first is the one that is returned."""
    command = [sys.executable, "-m", *program, "trainer.strategy=ddp", "trainer.devices=2"]
    return subprocess.Popen(
        [*command, "trainer.accelerator=cpu"],
        cwd=project,
        env=environment() | {"PYTHONPATH": str(ROOT / "src"), "CI": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_end_at_the_same_step(trained: Path) -> None:
    """The signal comes to the first process alone, in the middle of the training."""
    settings = ("seed=3", "train.steps=9000", "train.checkpoint_every=9000")
    running = two_processes(trained, *TRAIN, *settings)
    assert running.stdout is not None
    for text in running.stdout:
        if text.startswith("training: "):
            break
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=300)
    assert running.returncode == 143, said
    told = r"^training: interrupted by SIGTERM at step (\d+), which is saved: run the same command"
    (step,) = re.findall(told, said, re.MULTILINE)
    folders = [path.parent for path in trained.glob("work/train-*/last.ckpt")]
    steps = [
        torch.load(folder / "last.ckpt", weights_only=True)["global_step"] for folder in folders
    ]
    assert int(step) in steps


def ended(process: int) -> bool:
    """Within ten seconds; a process without its parent is there until the system has seen to it."""
    status = Path(f"/proc/{process}/stat")
    for _ in range(100):
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["first", "second"])
def test_a_signal_to_one_of_two_processes_that_sample_ends_both(
    light: Server, tmp_path: Path, whom: str
) -> None:
    """Lightning's own handler would wait for the process that got none, for ever."""
    project = with_weights(new_project(light, tmp_path))
    running = two_processes(project, *SAMPLE, "cell.steps=999", "sample.num_images=9000")
    assert running.stdout is not None
    next(text for text in running.stdout if "(1 of 2 processes)" in text)
    listed = subprocess.run(
        ["pgrep", "-P", str(running.pid)], capture_output=True, text=True, check=True
    )
    second = int(listed.stdout.split()[-1])
    os.kill(running.pid if whom == "first" else second, signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    if whom == "first":
        assert (running.returncode, said) == (143, line("SIGTERM"))
    else:  # Lightning kills the first when it sees that the second is gone
        assert running.returncode != 0
    assert ended(second)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_ends_the_workers_of_joblib_too(light: Server, project: Path) -> None:
    """A terminal sends it to every process."""
    sweep = (*SAMPLE, "-m", "hydra/launcher=joblib", "cell.steps=900,901", "cell.eta=0.0")
    running = light.start(project, *sweep, "sample.num_images=2000")
    time.sleep(15)
    os.killpg(running.number, signal.SIGINT)
    ended = running.wait()
    assert (ended.status, ended.output) == (130, line("SIGINT"))


@pytest.mark.slow
def test_a_worker_of_joblib_that_is_killed_is_one_line(light: Server, project: Path) -> None:
    sweep = (*SAMPLE, "-m", "hydra/launcher=joblib", "cell.steps=900,901", "cell.eta=0.0")
    running = light.start(project, *sweep, "sample.num_images=2000")
    for _ in range(1000):
        if list((project / "work").glob("cell-*")):
            break
        time.sleep(0.2)
    listed = subprocess.run(
        ["pgrep", "-P", str(running.number), "-f", "popen_loky"], capture_output=True, text=True
    )
    os.kill(int(listed.stdout.split()[0]), signal.SIGKILL)
    ended = running.wait()
    assert ended.status == 1
    assert ended.output.startswith("error: a process of the multirun was killed")
    assert "Traceback" not in ended.output


@pytest.mark.slow
def test_dvc_says_that_the_stage_was_interrupted_and_goes_on_with_it(tmp_path: Path) -> None:
    project = copy(tmp_path)
    compose_pipeline(project, "logger=disabled", "train.steps=4000", "train.checkpoint_every=4000")
    running = subprocess.Popen(
        ["dvc", "repro", "train"],
        cwd=project,
        env=environment() | {"CI": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert running.stdout is not None
    for text in running.stdout:
        if text.startswith("training: "):
            break
    os.killpg(running.pid, signal.SIGINT)
    said = running.communicate(timeout=120)[0]
    assert running.returncode != 0
    assert "which is saved: run the same command to go on" in said
    assert "Traceback" not in said
