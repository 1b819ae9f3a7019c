"""python -m ddim.adopt: commit the existing outputs of a multirun to DVC, not computed again.

DVC knows only what it ran itself. This looks at every cell of params.yaml's grid and every column
of Table 2, and has DVC record those that were computed with exactly this configuration, this code
and these weights (their fingerprints tell: ddim.records.fingerprints); `dvc repro` then counts them
as done. It lists which are left to do.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ddim.config import params, paths
from ddim.config.schema import Config
from ddim.records import fingerprints
from ddim.records.cell import CellKey, Sampled, Weights
from ddim.records.measured import is_measured, is_reconstructed
from ddim.runtime import files
from ddim.runtime.cli import command
from ddim.sampling import cell

ABSENT, OTHER = "not there", "made by another configuration, code or weights"


@dataclass(frozen=True)
class Output:
    """What one stage has written for one cell, or for all: DVC's name of it, and what is wrong."""

    target: str
    problem: str | None


def main(arguments: Sequence[str]) -> int:
    """The command line of `python -m ddim.adopt`. Returns the exit status."""
    if arguments:
        raise ValueError(f"ddim.adopt takes no arguments, got {' '.join(arguments)}")
    return adopt(params.read([]))


def adopt(cfg: Config) -> int:
    """Have DVC record the finished outputs; returns the exit status."""
    outputs = list(look(cfg))
    good = [output.target for output in outputs if output.problem is None]
    for output in outputs:
        if output.problem is not None:
            print(f"{output.target}: {output.problem}")
    if not good:
        raise ValueError("nothing of params.yaml's grid is finished; `dvc repro` computes it")
    # --force: record the files although DVC did not make them, which is the point.
    command = [sys.executable, "-m", "dvc", "commit", "--quiet", "--force", *good]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        rest = len(outputs) - len(good)
        left = f"; {rest} left for `dvc repro`" if rest else ""
        print(f"recorded {len(good)} of {len(outputs)} stages in dvc.lock{left}")
    return status


def look(cfg: Config) -> Iterator[Output]:
    """Every cell's images, then the measurement of all of them, then Table 2."""
    cells = cfg.cells()
    problems = {}
    for configured in cells:
        key = CellKey.of(configured)
        problems[key.name] = _sampled(configured)
        yield Output(f"sample@{key.steps}-{key.eta}-{key.seed}", problems[key.name])
    for configured in cells:
        name = CellKey.of(configured).name
        problems[name] = problems[name] and f"its images are {problems[name]}"
        problems[name] = problems[name] or _measured(configured)
    yield Output("evaluate", _first(problems))
    yield Output("reconstruct", _first(_columns(cfg)))


def _first(problems: dict[str, str | None]) -> str | None:
    """The first of the problems, with the name of what has it."""
    return next((f"{name} is {text}" for name, text in problems.items() if text), None)


def _sampled(cfg: Config) -> str | None:
    """What keeps the configured cell's images from being committed."""
    images = paths.samples_file(cfg)
    if not (images.is_file() and paths.sampled_record(cfg).is_file()):
        return ABSENT
    if not cell.is_sampled(cfg, cell.plan(cfg)):
        return OTHER
    same = Sampled.beside(cfg).sha256 == files.sha256(images)
    return None if same else f"not the images that {paths.sampled_record(cfg)} describes"


def _measured(cfg: Config) -> str | None:
    """What keeps the configured cell's numbers from being committed."""
    if not paths.cell_record(cfg).is_file():
        return ABSENT
    fingerprint = fingerprints.measurement(cfg, Sampled.beside(cfg))
    return None if is_measured(cfg, fingerprint) else OTHER


def _columns(cfg: Config) -> dict[str, str | None]:
    """What keeps each column of Table 2 from being committed."""
    if not paths.weights_file(cfg).is_file():
        return {"the network": ABSENT}
    weights = cell.weights_in_use(cfg)
    return {f"S{c.cell.steps}": _reconstructed(c, weights) for c in cfg.columns()}


def _reconstructed(cfg: Config, weights: Weights) -> str | None:
    if not paths.reconstruction_record(cfg).is_file():
        return ABSENT
    fingerprint = fingerprints.reconstruction(cfg, cell.trajectory(cfg), weights)
    return None if is_reconstructed(cfg, fingerprint) else OTHER


if __name__ == "__main__":
    command(main)
