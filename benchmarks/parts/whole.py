"""Part `whole`: the default pipeline from nothing, and where its time goes.

`dvc repro -f` in a clone of the last commit, without data, weights, samples or any record.
With --out, `whole.svg` shows the stages; --quick runs the same stages with small amounts.
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import commands, projects
from benchmarks.findings import Findings
from benchmarks.parts import Options
from ddim.runtime import git
from ddim.runtime.files import read_json, replacing

STARTED = re.compile(r"^Running stage '([^']+)'")
REST = "DVC itself"


class Clock:
    """The seconds between one stage's first line and the next one's, by the stage's name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = REST, time.perf_counter()

    def line(self, text: str) -> None:
        """Look at a line that `dvc repro` prints."""
        if started := STARTED.match(text):
            self.stop()
            self._stage = started[1]

    def stop(self) -> None:
        """End the stage that runs."""
        now = time.perf_counter()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._since = now


def run(options: Options, findings: Findings) -> None:
    """One run: it takes minutes."""
    if git.revision().endswith("-dirty"):
        findings.note("what is not committed is not in the clone, and not measured")
    with projects.clone() as project:
        if options.quick:
            small = [*projects.SMALL, "sweep.steps=[2,4]", "sweep.eta=[0.0,hat]"]
            commands.run(["python", "-m", "ddim.compose", *small], project)
        clock = Clock()
        finished = commands.run(["dvc", "repro", "-f"], project, on_line=clock.line)
        clock.stop()
        work = computing(project)
    findings.add("`dvc repro -f`", [finished.wall], "s", "pipeline.whole")
    findings.add("`dvc repro -f`: processor", [finished.cpu], "s")
    findings.add("peak memory of the largest process", [finished.peak / 1e6], "MB")
    for stage, seconds in clock.seconds.items():
        findings.add(f"stage `{stage}`" if stage != REST else REST, [seconds], "s")
    for stage, seconds in work.items():
        findings.add(f"stage `{stage}`: of that, computing", [seconds], "s")
    if options.out is not None:
        draw(clock.seconds, work, options.out / "whole.svg")


def computing(project: Path) -> dict[str, float]:
    """Seconds of training steps and of sampling, without the stages' start-up and files."""
    training = float(read_json(projects.timings(project) / "train.json")["seconds"])
    return {"train": training, "sample": sum(projects.sampling_seconds(project).values())}


def draw(seconds: Mapping[str, float], work: Mapping[str, float], path: Path) -> None:
    """Bars of the stages in their order, what they computed darker than the rest."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.6 + 0.3 * len(seconds)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(seconds), list(seconds.values()), color="#a6c8e4", label="stage")
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.barh(list(work), list(work.values()), color="#1f6fb0", label="of that, computing")
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
