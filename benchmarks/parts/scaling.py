"""Part `scaling`: time and peak memory of sampling against images, steps and cells.

Each size in a process of its own, by the code of the stage `sample`, with a network so small that
whatever else grows would show.
"""

import json
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from benchmarks import commands, networks, projects
from benchmarks.findings import Findings
from benchmarks.measure import exponent
from benchmarks.parts import Options
from ddim.config import params

NETWORK = ("model.channels=4", "model.multipliers=[1]", "model.attention=[]", "model.groups=2")
SMALLEST = {"images": 1000, "steps": 5, "cells": 1}
LARGER = {"images": (10_000, 100_000), "steps": (50, 500), "cells": (10, 100)}
QUICK = {"images": (4000,), "steps": (10,), "cells": (3,)}


@dataclass(frozen=True)
class Sampling:
    """What one process took: seconds without its start-up, bytes with all of it."""

    seconds: float
    peak: int


def run(options: Options, findings: Findings) -> None:
    """One quantity grows, the others stay at their smallest."""
    larger = QUICK if options.quick else LARGER
    amounts = [SMALLEST]
    amounts += [SMALLEST | {what: size} for what, sizes in larger.items() for size in sizes]
    measured: list[list[Sampling]] = [[] for _ in amounts]
    with projects.copy() as project:
        prepare(project)
        for _ in range(options.repeats(3, 1)):
            for amount, runs in zip(amounts, measured, strict=True):
                runs.append(sample(project, **amount))
    for amount, runs in zip(amounts, measured, strict=True):
        label = ", ".join(f"{size:,} {what}" for what, size in amount.items())
        findings.add(label, [each.seconds for each in runs], "s")
        findings.add(f"{label}: peak memory", [each.peak / 1e6 for each in runs], "MB")
    for what in SMALLEST:
        chosen = [i for i, each in enumerate(amounts) if each == SMALLEST | {what: each[what]}]
        sizes = [amounts[i][what] for i in chosen]
        growth(what, sizes, [measured[i] for i in chosen], findings)


def growth(
    what: str, sizes: Sequence[int], runs: Sequence[Sequence[Sampling]], findings: Findings
) -> None:
    """The exponent of the time, and how much more memory the largest size takes."""
    rounds = list(zip(*runs, strict=True))
    exponents = [exponent(sizes, [each.seconds for each in one]) for one in rounds]
    findings.add(f"k of time ~ {what}^k", exponents, "", "scaling.time")
    more = [one[-1].peak / one[0].peak for one in rounds]
    label = f"peak memory, {sizes[-1]:,} {what} / {sizes[0]:,}"
    findings.add(label, more, "x", "scaling.memory" if what == "images" else None)


def prepare(project: Path) -> None:
    """params.yaml of the tiny network, and weights for it."""
    commands.run(["python", "-m", "ddim.compose", *NETWORK, "trainer=cpu"], project)
    with chdir(project):
        networks.save_as_trained(params.read([]))


def sample(project: Path, *, images: int, steps: int, cells: int) -> Sampling:
    """Sample `cells` cells of `images` images each."""
    grid = [f"sweep.steps=[{steps}]", "sweep.eta=[0.0]", f"sweep.seeds={list(range(cells))}"]
    amounts = [f"sample.num_images={images}", "sample.batch_size=500", "sample.shard_size=5000"]
    command = ["python", "-m", "benchmarks.sample_cells", *grid, *amounts]
    output = commands.run(command, project).output
    return Sampling(**json.loads(output.strip().rsplit("\n", 1)[-1]))
