"""Part `startup`: how long programs take before they do anything.

Wall time, and processor time, which other programs on the machine change less. The stage `sample`
runs until it first evaluates the network, of the default experiment.
"""

import shutil
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from benchmarks import commands, projects
from benchmarks.commands import Finished
from benchmarks.findings import Findings
from benchmarks.first_call import FIRST_CALL
from benchmarks.parts import Options
from ddim.config import params, paths

TORCH = ("python", "-c", "import torch")
SAMPLE = ("python", "-m", "benchmarks.first_call", "ddim.stages.sample", "-cn", "stage")
# Each with the status that it ends with.
LIGHT = {
    ("python", "-m", "ddim.stages.sample", "--help"): 0,
    ("python", "-m", "ddim.stages.sample", "cell.stpes=20"): 1,
    ("python", "-m", "ddim.compose", "--check"): 0,
    ("python", "-m", "ddim.stages.report", "-cn", "stage"): 0,
}


def run(options: Options, findings: Findings) -> None:
    """All programs in turn."""
    with projects.copy() as project:
        prepare(project)
        programs = {TORCH: 0, SAMPLE: 0, **LIGHT}
        finished = in_turn(programs, project, options, findings)
    torch, sample = finished.pop(TORCH), finished.pop(SAMPLE)
    assert all(FIRST_CALL in each.output for each in sample), "the network was never evaluated"
    report("import torch", torch, findings)
    report("stage `sample` up to the network's first evaluation", sample, findings)
    beyond = "stage `sample`, beyond import torch"
    walls = [a.wall - b.wall for a, b in zip(sample, torch, strict=True)]
    findings.add(f"{beyond}: wall", walls, "s", "startup.sample")
    cpus = [a.cpu - b.cpu for a, b in zip(sample, torch, strict=True)]
    findings.add(f"{beyond}: processor", cpus, "s")
    for command, each in finished.items():
        report(f"`{' '.join(command)}`", each, findings, "startup.light")


def prepare(project: Path) -> None:
    """A valid params.yaml of the default experiment, and the weights of its report."""
    commands.run(["python", "-m", "ddim.compose"], project)
    with chdir(project):
        cfg = params.read([])
        file = paths.weights_file(cfg)
        file.parent.mkdir(parents=True)
        shutil.copy2(paths.reports(cfg) / file.name, file)


def in_turn(
    programs: dict[tuple[str, ...], int], project: Path, options: Options, findings: Findings
) -> dict[tuple[str, ...], list[Finished]]:
    """Runs of each, without those that fill the disk's cache; a light one that fails is noted."""
    warmup = 0 if options.quick else 1
    finished: dict[tuple[str, ...], list[Finished]] = {command: [] for command in programs}
    for _ in range(warmup + options.repeats(7, 1)):
        for command in list(finished):
            try:
                finished[command].append(commands.run(command, project, status=programs[command]))
            except ValueError as error:
                if command not in LIGHT:
                    raise
                findings.note(str(error))
                del finished[command]
    return {command: runs[warmup:] for command, runs in finished.items()}


def report(
    what: str, runs: Sequence[Finished], findings: Findings, goal: str | None = None
) -> None:
    """Both times of one program."""
    findings.add(f"{what}: wall", [run.wall for run in runs], "s", goal)
    findings.add(f"{what}: processor", [run.cpu for run in runs], "s")
