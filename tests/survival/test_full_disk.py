"""A full disk: one line that names the file, what was there stays, the same command goes on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.pipeline import ROOT, TINY, environment
from helpers.survival import SMALL, Server, left_over, new_project, results

STAGE = ("-cn", "stage")
SAMPLE = ("ddim.stages.sample", *STAGE)
LIMIT = "File too large for the limit of this process (ulimit -f)"


def refused(output: str, file: str, reason: str) -> bool:
    """Whether it is one line about the file."""
    return output.startswith(f"error: {file}") and reason in output and output.count("\n") == 1


@pytest.mark.parametrize(
    ("program", "limit", "file"),
    [
        (("ddim.compose",), 500, "params.yaml"),
        (("ddim.compose", "--check"), 500, "reports/digits/experiment.json"),
        (("ddim.stages.data", *STAGE), 20_000, "out/digits/data/train.npy"),
        (SAMPLE, 300, "work/cell-"),
        ((*SAMPLE, "sample.num_images=90"), 4000, "out/digits/samples/S2_etahat_seed0/samples.npy"),
        (("ddim.stages.sample", *TINY, *SMALL, "cell.steps=2"), 300, "out/hydra"),
    ],
)
def test_a_program_without_room_names_the_file_and_goes_on_with_room(
    light: Server, project: Path, program: tuple[str, ...], limit: int, file: str
) -> None:
    before = results(project)
    ended = light.run(project, *program, limit=limit)
    assert ended.status == 1
    assert refused(ended.output, file, f"cannot be written: {LIMIT}"), ended.output
    assert {name: value for name, value in results(project).items() if name in before} == before
    assert list(project.rglob(".*.tmp")) == []
    assert light.run(project, *program).status == 0
    assert left_over(project) == []


def test_a_job_of_a_multirun_without_room_is_one_of_the_failures(
    light: Server, project: Path
) -> None:
    sweep = (*SAMPLE, "-m", "cell.steps=2,3", "cell.eta=hat", "sample.num_images_at={2: 900}")
    ended = light.run(project, *sweep, limit=10_000)
    assert ended.status == 1
    assert "1 of the jobs failed" in ended.output
    assert "S2_etahat_seed0/samples.npy cannot be written" in ended.output
    assert "Traceback" not in ended.output
    assert (project / "out/digits/samples/S3_etahat_seed0/samples.npy").is_file()


# --- a file system that is full ------------------------------------------------------------------


@pytest.fixture
def small_work(project: Path) -> Iterator[Path]:
    """work/ as a file system of a few kB. Only root can mount one."""
    folder = project / "work"
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a file system of its own")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_cell_on_a_full_disk_keeps_its_shards(
    light: Server, project: Path, small_work: Path
) -> None:
    program = (*SAMPLE, "cell.steps=2", "sample.num_images=900", "sample.shard_size=100")
    ended = light.run(project, *program)
    assert ended.status == 1
    assert refused(ended.output, "work/cell-", "cannot be written: No space left on device")
    assert " free in work/cell-" in ended.output
    assert "make room and run the same command again" in ended.output
    kept = list(small_work.glob("cell-*/shard_*.npz"))
    assert kept
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_work)], check=True)
    log = project / "log"
    assert light.run(project, *program, log=str(log)).status == 0
    sampled = sum(line.startswith("image ") for line in log.read_text().splitlines())
    assert sampled == 900 - 100 * len(kept)
    assert left_over(project) == []


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (("ddim.compose",), "params.yaml"),
        (("ddim.stages.sample", *TINY, *SMALL, "cell.steps=2"), "out/hydra"),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_line(
    project: Path, arguments: tuple[str, ...], file: str
) -> None:
    """As for another user; root, who may write everywhere, gives that right up."""
    command = [sys.executable, "-m", *arguments]
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv for this")
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all", *command]
    for folder in (project, project / "out", project / "reports"):
        folder.chmod(0o555)
    env = environment() | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)
    for folder in (project, project / "out", project / "reports"):
        folder.chmod(0o755)
    assert done.returncode == 1
    assert done.stdout + done.stderr == f"error: {file} cannot be written: Permission denied\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit", "file"),
    [
        ("features", 300, "out/digits/features/classifier.safetensors"),
        ("train", 20_000, "work/train-"),
        ("reference", 9000, "work/scratch"),
        ("evaluate", 900, "out/digits/influences/S2_etahat_seed0.npz"),
        ("reconstruct", 400, "reports/digits/reconstruct/S2.png"),
        ("analysis", 3000, "reports/digits/analysis/path"),
        ("report", 20_000, "reports/digits/"),
    ],
)
def test_every_stage_without_room_names_the_file_and_goes_on_with_room(
    full: Server, pipeline: dict[str, Path], name: str, limit: int, file: str
) -> None:
    project, program = pipeline[name], (f"ddim.stages.{name}", *STAGE)
    before = results(project)
    ended = full.run(project, *program, limit=limit)
    assert ended.status == 1
    assert refused(ended.output, file, f"cannot be written: {LIMIT}"), ended.output
    now = results(project)
    assert {path: now.get(path) for path in before} == before
    done = full.run(project, *program)
    assert done.status == 0, done.output
    assert left_over(project) == []


@pytest.fixture(scope="module")
def pipeline(full: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{stage: a project in which all stages before it have run}."""
    folder, there = tmp_path_factory.mktemp("pipeline"), {}
    (folder / "config").mkdir()
    project = new_project(full, folder / "config", "analysis.sections=[path]")
    full.run(project, "ddim.compose", "--check")
    names = ("data", "features", "train", "reference", "sample", "evaluate", "reconstruct")
    for name in (*names, "analysis", "report"):
        there[name] = folder / name
        shutil.copytree(project, there[name], symlinks=True)
        done = full.run(project, f"ddim.stages.{name}", *STAGE)
        assert done.status == 0, done.output
    return there


@pytest.mark.slow
def test_wandb_without_room_says_so(full: Server, pipeline: dict[str, Path]) -> None:
    project = pipeline["report"]
    assert full.run(project, "ddim.stages.report", *STAGE).status == 0
    ended = full.run(project, "ddim.track", "logger.mode=offline", limit=2000)
    assert "Traceback" not in ended.output
    assert (ended.status, ended.output.count("\n")) == (1, 1), ended
    assert full.run(project, "ddim.track", "logger.mode=offline").status == 0
