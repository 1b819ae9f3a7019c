"""Part `load`: memory, open files and time per unit of amounts beyond any experiment here.

A grid of 300 cells, a cell of 100,000 images and one of a million, a data set of a million images,
all of 8x8 pixels and with a network so small that what else grows shows. Each stage runs as it is,
once with a small amount and once with a large one: the difference is what the units cost.
"""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from benchmarks import commands, projects
from benchmarks.findings import Findings
from benchmarks.parts import Options
from benchmarks.parts.scaling import NETWORK, prepare
from ddim.config import params, paths
from ddim.data.arrays import write_array
from ddim.records import prepared

POLL = 0.02  # seconds between two looks at a program's memory and files
SMALL = ("train.steps=20", "train.warmup=5", "train.batch_size=64", "logger=disabled")
SMALL += ("features.epochs=1", "features.dim=8", "evaluate.kid_subsets=4", "sample.batch_size=500")
SMALL += ("sample.shard_size=5000", "sample.num_images_at={}", "analysis.sections=[]")


@dataclass(frozen=True)
class Load:
    """What one program took: seconds with its start, bytes of memory and open files at most."""

    seconds: float
    peak: int
    files: int


def run(options: Options, findings: Findings) -> None:
    """Cells, images of one cell, images of a data set."""
    if not Path("/proc/self/fd").is_dir():
        raise ValueError("load reads /proc, which only Linux has")
    quick = options.quick
    with projects.copy() as project:
        prepare(project)
        for stage in ("data", "features"):
            watched(stage, project, grid(1))
        cells(project, 3 if quick else 300, findings)
        for images in (2000,) if quick else (100_000, 1_000_000):
            one_cell(project, images, findings)
        data_set(project, 5000 if quick else 1_000_000, findings)


def cells(project: Path, most: int, findings: Findings) -> None:
    """A grid of cells of 20 images each, sampled in one evaluation; then with nothing to do."""
    watched("reference", project, grid(1))
    for stage in ("sample", "evaluate"):
        few, few_there = (watched(stage, project, grid(1)) for _ in range(2))
        many, many_there = (watched(stage, project, grid(most)) for _ in range(2))
        per_unit(f"{stage}, {most} cells of 20 images", (1, few), (most, many), "cell", findings)
        label = f"{stage}, {most} cells that are there"
        per_unit(label, (1, few_there), (most, many_there), "cell", findings)


def one_cell(project: Path, images: int, findings: Findings) -> None:
    """One cell of many images, sampled and measured."""
    small, stages = 1000, ("sample", "evaluate")
    few, many = (
        [watched(stage, project, [*grid(1), f"sample.num_images={n}"]) for stage in stages]
        for n in (small, images)
    )
    for stage, before, after in zip(stages, few, many, strict=True):
        label = f"{stage}, a cell of {images:,} images"
        per_unit(label, (small, before), (images, after), "1000 images", findings)


def data_set(project: Path, images: int, findings: Findings) -> None:
    """A prepared data set of many images: features of all of them, and a short training."""
    small = {stage: watched(stage, project, grid(1)) for stage in ("reference", "train")}
    few = replace_training_images(project, images)
    for stage, before in small.items():
        many = watched(stage, project, grid(1))
        label = f"{stage}, a data set of {images:,} images"
        per_unit(label, (few, before), (images, many), "1000 images", findings)


def grid(seeds: int) -> list[str]:
    """All settings: a grid that differs in the seed alone."""
    return [
        *NETWORK,
        *SMALL,
        "sweep.steps=[1]",
        "sweep.eta=[0.0]",
        f"sweep.seeds={seeds_of(seeds)}",
    ]


def seeds_of(number: int) -> str:
    """0 to number - 1 as a list of the configuration."""
    return str(list(range(number))).replace(" ", "")


def replace_training_images(project: Path, images: int) -> int:
    """Fill the training split of the prepared data with noise; returns how many there were."""
    noise = np.random.default_rng(0)
    with chdir(project):
        folder = paths.data(params.read([]))
        record = prepared.read(folder)
        shape = (record.channels, record.image_size, record.image_size)
        rows = (noise.integers(0, 256, shape, dtype=np.uint8) for _ in range(images))
        labels = (np.array(i % 10) for i in range(images))
        files = {
            "train.npy": write_array(folder / "train.npy", (images, *shape), np.uint8, rows),
            "train_labels.npy": write_array(
                folder / "train_labels.npy", (images,), np.int64, labels
            ),
        }
        msgspec.structs.replace(
            record,
            train_n=images,
            train_sha256=files["train.npy"].sha256,
            files=record.files | files,
        ).write(folder / prepared.FILE)
    return record.train_n


def watched(stage: str, project: Path, settings: Sequence[str]) -> Load:
    """Run a stage by hand; Linux tells its memory and open files while it runs."""
    commands.run(["python", "-m", "ddim.compose", *settings, "trainer=cpu"], project)
    start, peak, files = time.perf_counter(), 0, 0
    program = subprocess.Popen(
        [sys.executable, "-m", f"ddim.stages.{stage}", "-cn", "stage"],
        cwd=project,
        env=commands.environment(project),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    proc = Path("/proc") / str(program.pid)
    while program.poll() is None:
        with suppress(OSError):  # it has just ended
            peak = max(peak, peak_memory(proc / "status"))
            files = max(files, len(list((proc / "fd").iterdir())))
        time.sleep(POLL)
    seconds = time.perf_counter() - start
    assert program.stderr is not None
    if program.returncode != 0:
        last = program.stderr.read().strip().rsplit("\n", 1)[-1]
        raise ValueError(f"the stage {stage} ended with {program.returncode}: {last}")
    return Load(seconds, peak, files)


def peak_memory(status: Path) -> int:
    """Bytes that a process has held at most, as /proc/<number>/status says."""
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.M)
    return 1024 * int(peak[1]) if peak else 0


def per_unit(
    label: str, small: tuple[int, Load], large: tuple[int, Load], unit: str, findings: Findings
) -> None:
    """What a unit more costs in time and memory, and the most that the large amount took."""
    (few, before), (many, after) = small, large
    units = (many - few) / (1000 if unit.startswith("1000") else 1)
    findings.add(f"{label}: each {unit}", [(after.seconds - before.seconds) / units * 1e3], "ms")
    findings.add(f"{label}: peak memory", [after.peak / 1e6], "MB")
    findings.add(
        f"{label}: memory for each {unit}", [(after.peak - before.peak) / units / 1e3], "kB"
    )
    findings.add(f"{label}: open files", [after.files], "")
