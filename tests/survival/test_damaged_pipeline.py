"""Every file that a stage reads, damaged: its programs refuse it in one line, or make it again.

With the programs themselves, as a user runs them; the doors one by one: test_damaged_*.py beside.
"""

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import damage
from helpers.survival import Done, Server, new_project, results

from ddim import adopt

STAGE = ("-cn", "stage")
DATA = ("ddim.stages.data", *STAGE)
FEATURES = ("ddim.stages.features", *STAGE)
TRAIN = ("ddim.stages.train", *STAGE)
REFERENCE = ("ddim.stages.reference", *STAGE)
SAMPLE = ("ddim.stages.sample", *STAGE)
EVALUATE = ("ddim.stages.evaluate", *STAGE)
RECONSTRUCT = ("ddim.stages.reconstruct", *STAGE)
ANALYSIS = ("ddim.stages.analysis", *STAGE, "analysis.section=consistency")
SECTIONS = ("ddim.stages.analysis", *STAGE)
REPORT = ("ddim.stages.report", *STAGE)
PIPELINE = (("ddim.compose", "--check"), DATA, FEATURES, TRAIN, REFERENCE, SAMPLE, EVALUATE)
PIPELINE += (RECONSTRUCT, SECTIONS, REPORT)

CELL = "S2_eta0.0_seed0"
# A file of every kind, and the programs that read it.
READERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "out/digits/data/about.json": (FEATURES, TRAIN, REFERENCE, RECONSTRUCT),
    "out/digits/data/train.npy": (FEATURES, REFERENCE),
    "out/digits/data/test.npy": (REFERENCE, RECONSTRUCT),
    "out/digits/data/train_labels.npy": (FEATURES,),
    "out/digits/features/about.json": (REFERENCE, EVALUATE),
    "out/digits/features/classifier.safetensors": (REFERENCE, ANALYSIS),
    "out/digits/train/ema.safetensors": (SAMPLE, RECONSTRUCT),
    "out/digits/reference/train.npy": (EVALUATE,),
    "out/digits/reference/statistics.npz": (EVALUATE,),
    "out/digits/reference/radii.npz": (EVALUATE,),
    f"out/digits/samples/{CELL}/samples.npy": (SAMPLE, EVALUATE),
    f"out/digits/samples/{CELL}/sampled.json": (SAMPLE, EVALUATE),
    f"out/digits/influences/{CELL}.npz": (EVALUATE,),
    f"reports/digits/cells/{CELL}.json": (EVALUATE, REPORT),
    f"reports/digits/cells/{CELL}.png": (EVALUATE, REPORT),
    "reports/digits/reconstruct/S2.json": (RECONSTRUCT, REPORT),
    "reports/digits/reconstruct/S2.png": (REPORT,),
    "reports/digits/covariances.json": (REPORT,),
    "reports/digits/reference.json": (REPORT,),
    "reports/digits/train.json": (SAMPLE, REPORT),
    "reports/digits/experiment.json": (REPORT,),
    "reports/digits/analysis/consistency/section.json": (SECTIONS, REPORT),
    f"reports/digits/timings/{CELL}.json": (REPORT,),
    "work/train-*/last.ckpt": (TRAIN,),
}
DAMAGES: dict[str, damage.Damage] = {
    "emptied": lambda _: b"",
    "cut in the middle": lambda content: content[: len(content) // 2],
    "one bit": lambda content: damage.flipped(content, len(content) * 2 // 3, 2),
    "null": lambda _: b"null",
    "a list": lambda _: b"[1, 2]",
    "nested": lambda _: b"[" * 100_000,
    "zeros": lambda content: bytes(len(content)),
}


@dataclass(frozen=True)
class Project:
    """A finished pipeline, to be copied."""

    folder: Path
    results: dict[str, str]
    server: Server

    def copy(self, place: Path) -> Path:
        ignore = shutil.ignore_patterns("output.*")
        return Path(shutil.copytree(self.folder, place, symlinks=True, ignore=ignore))


@pytest.fixture(scope="module")
def project(full: Server, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project") / "project"
    folder.mkdir()
    grid = ("sweep.steps=[2,3]", "sweep.eta=[0.0,1.0]", "analysis.sections=[consistency]")
    new_project(full, folder, *grid)
    for program in PIPELINE:
        done = full.run(folder, *program)
        assert done.status == 0, (program, done.output)
    return Project(folder, results(folder), full)


def place(project: Path, pattern: str) -> Path:
    (path,) = project.glob(pattern)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize("pattern", READERS)
def test_a_damaged_file_is_refused_in_one_line_or_made_again(
    project: Project, tmp_path: Path, pattern: str, what: str
) -> None:
    for number, program in enumerate(READERS[pattern]):
        here = project.copy(tmp_path / str(number))
        path = place(here, pattern)
        path.write_bytes(DAMAGES[what](path.read_bytes()))
        done = project.server.run(here, *program)
        assert "Traceback" not in done.output, (program, done.output)
        if done.status == 0:
            assert results(here) == project.results, (program, done.output)
            continue
        line = refusal(done)
        assert path.name in line, (program, line)
        assert any(way in line for way in damage.WAYS_OUT), (program, line)


def refusal(done: Done) -> str:
    """The last line, and no other is an error."""
    lines = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert done.status == 1, done.output
    assert lines == [done.output.splitlines()[-1]], done.output
    return lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", READERS)
def test_the_way_out_that_the_line_names_ends_in_the_same_results(
    project: Project, tmp_path: Path, pattern: str
) -> None:
    """What a line says to run is run, until the program ends well: at most one for each file."""
    here = project.copy(tmp_path / "here")
    path = place(here, pattern)
    path.write_bytes(b"null")
    for program in READERS[pattern]:
        for _ in range(4):
            done = project.server.run(here, *program)
            if done.status == 0:
                break
            line = refusal(done)
            if delete := re.search(r"or delete (\S+) and run", line):
                shutil.rmtree(here / delete[1])
            way = project.server.run(here, *way_out(line))
            assert way.status == 0, way.output
        assert done.status == 0, done.output
    shutil.rmtree(here / "out/digits/previews", ignore_errors=True)  # of a cell sampled by hand
    assert results(here) == project.results


def way_out(line: str) -> list[str]:
    """The first command of the line that is no git's; DVC's are those of its stages."""
    commands = [each for each in re.findall(r"`([^`]+)`", line) if not each.startswith("git ")]
    if not commands:
        stage = re.search(r"run the (?:stage )?(\w+)", line)
        assert stage is not None, line
        return [f"ddim.stages.{stage[1]}", *STAGE]
    words = shlex.split(commands[0])
    if words[0] == "dvc":
        return [f"ddim.stages.{words[-1]}", *STAGE]
    assert words[:2] == ["python", "-m"], line
    return words[2:]


@pytest.mark.slow
@pytest.mark.parametrize("change", ["samples", "cells", "fewer", "kinds"])
def test_files_that_are_swapped_are_refused_or_made_again(
    project: Project, tmp_path: Path, change: str
) -> None:
    """Of another cell, of fewer images, of the other kind of weights; each is whole."""
    here = project.copy(tmp_path / "here")
    other = "S3_eta0.0_seed0"
    if change in ("samples", "fewer"):
        source = here / f"out/digits/samples/{other}"
        if change == "fewer":
            project.server.run(here, *SAMPLE, *cell_of(other), "sample.num_images=19")
            shutil.rmtree(here / "out/digits/previews")
        for name in ("samples.npy", "sampled.json"):
            shutil.copyfile(source / name, here / f"out/digits/samples/{CELL}" / name)
    elif change == "cells":
        shutil.copyfile(
            here / f"reports/digits/cells/{other}.json", here / f"reports/digits/cells/{CELL}.json"
        )
    else:
        folder = here / "out/digits/train"
        shutil.copyfile(folder / "raw.safetensors", folder / "ema.safetensors")
    programs = {"cells": (REPORT, EVALUATE), "kinds": (SAMPLE, RECONSTRUCT)}
    for program in programs.get(change, (EVALUATE, SAMPLE)):
        done = project.server.run(here, *program)
        assert "Traceback" not in done.output
        if done.status != 0:
            assert refusal(done)
        else:
            assert program in (SAMPLE, EVALUATE)
    if change != "kinds":
        assert project.server.run(here, *SAMPLE).status == 0
        assert project.server.run(here, *EVALUATE).status == 0
        assert results(here) == project.results


def cell_of(name: str) -> list[str]:
    match = re.fullmatch(r"S(\d+)_eta([\d.]+)_seed(\d+)", name)
    assert match is not None
    keys = ("cell.steps", "cell.eta", "cell.seed")
    return [f"{key}={value}" for key, value in zip(keys, match.groups(), strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "[]", "{", "\tx"])
def test_adopt_says_that_dvc_lock_is_damaged(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC's --quiet left a user with status 1 and not a word."""
    monkeypatch.chdir(tmp_path)
    for command in (("git", "init", "-q"), (sys.executable, "-m", "dvc", "init", "-q")):
        subprocess.run(command, check=True)
    Path("dvc.yaml").write_text("stages: {a: {cmd: echo 1 > f, outs: [f]}}\n")
    Path("f").write_text("1\n")
    Path("dvc.lock").write_text(content)
    with pytest.raises(ValueError, match=r"dvc\.lock' .*restore it with `git checkout dvc\.lock`"):
        adopt.commit(["a"])
    Path("dvc.lock").unlink()
    adopt.commit(["a"])
    assert "md5" in Path("dvc.lock").read_text()
