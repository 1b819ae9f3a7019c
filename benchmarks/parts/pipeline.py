"""Part `pipeline`: what DVC and the stages' start-up add to the work itself.

In a clone of the last commit, with every stage of the default experiment and small amounts.
"""

from pathlib import Path

from benchmarks import commands, projects
from benchmarks.findings import Findings
from benchmarks.parts import Options
from ddim.runtime import git

STEPS = 20  # S of the one more cell
ETA = [0.0, 0.25, 0.5, 1.0]  # of the grid of many
QUICK = ["sample"]  # the target of every run with --quick, which needs fewer stages


def run(options: Options, findings: Findings) -> None:
    """Nothing to do, one more cell, a grid of many."""
    if git.revision().endswith("-dirty"):
        findings.note("what is not committed is not in the clone, and not measured")
    target = QUICK if options.quick else []
    with projects.clone() as project:
        reproduce(project, [STEPS], [0.0], target)
        nothing(project, target, options.repeats(5, 1), findings)
        for each in [target] if options.quick else [["sample"], ["evaluate"], []]:
            one_more_cell(project, each, options.repeats(3, 1), findings)
        longest = 3 if options.quick else 75
        many_cells(project, list(range(1, longest + 1)), target, findings)


def grid(steps: list[int], eta: list[float]) -> list[str]:
    """All settings, with those of a grid."""
    return [*projects.SMALL, f"sweep.steps={steps}", f"sweep.eta={eta}"]


def reproduce(project: Path, steps: list[int], eta: list[float], target: list[str]) -> float:
    """Wall seconds of `dvc repro` with this grid."""
    commands.run(["python", "-m", "ddim.compose", *grid(steps, eta)], project)
    return commands.run(["dvc", "repro", *target], project).wall


def nothing(project: Path, target: list[str], repeats: int, findings: Findings) -> None:
    """`dvc repro` when everything is there."""
    command = ["dvc", "repro", *target]
    finished = [commands.run(command, project) for _ in range(repeats)]
    label = f"`{' '.join(command)}` with nothing to do"
    findings.add(f"{label}: wall", [each.wall for each in finished], "s", "pipeline.nothing")
    findings.add(f"{label}: processor", [each.cpu for each in finished], "s")


def one_more_cell(project: Path, target: list[str], repeats: int, findings: Findings) -> None:
    """`dvc exp run -S` with another eta in the grid, up to `target` or the report."""
    beyond = []
    for _ in range(repeats):
        before = projects.sampling_seconds(project)
        eta = [i / 100 for i in range(len(before) + 1)]
        settings = [word for each in grid([STEPS], eta) for word in ("-S", each)]
        finished = commands.run(["dvc", "exp", "run", *settings, *target], project)
        after = projects.sampling_seconds(project)
        (new,) = after.keys() - before.keys()
        beyond.append(finished.wall - after[new])
    end = f"`{target[0]}`" if target else "the report"
    label = f"one more cell at S = {STEPS}, `dvc exp run -S` up to {end}, beyond sampling"
    goal = None if target == ["sample"] else "pipeline.one_more_cell"
    findings.add(label, beyond, "s", goal)


def many_cells(project: Path, steps: list[int], target: list[str], findings: Findings) -> None:
    """A grid of len(steps) x len(ETA) cells, with all that follows from it up to `target`."""
    kept = projects.sampling_seconds(project).keys()
    seconds = reproduce(project, steps, ETA, target)
    sampled = {k: v for k, v in projects.sampling_seconds(project).items() if k not in kept}
    label = f"a grid of {len(sampled)} cells, `{' '.join(['dvc', 'repro', *target])}`"
    findings.add(label, [seconds], "s")
    findings.add(f"{label}: sampling", [sum(sampled.values())], "s")
    each = (seconds - sum(sampled.values())) / len(sampled)
    findings.add(f"{label}: each cell beyond sampling", [each], "s", "pipeline.per_cell")
