"""python -m ddim.adopt: commit the existing outputs of a multirun to DVC, not computed again.

DVC knows only what it ran itself. This looks at every cell of params.yaml's grid and every column
of Table 2. A stage (sample, evaluate, reconstruct) whose results were all computed with exactly
this configuration, this code and these weights (their fingerprints tell: ddim.records.fingerprints)
is recorded in DVC, and `dvc repro` counts it as done. Of the others, the first result that is left
to do is named; `dvc repro` computes those alone and keeps the rest.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddim.config import params, paths
from ddim.config.schema import Config
from ddim.records import fingerprints, samples
from ddim.records.cell import CellKey, Weights
from ddim.records.existing import has_picture, is_measured, is_reconstructed
from ddim.runtime.cli import Parser, command
from ddim.runtime.usage import filled
from ddim.sampling import cell

ABSENT, OTHER = "not there", "made by another configuration, code or weights"


@dataclass(frozen=True)
class Output:
    """What one stage has written: DVC's name of the stage, and what is wrong."""

    target: str
    problem: str | None


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.adopt`."""
    parser = Parser(prog="ddim adopt", description=filled(__doc__))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.parse_args(arguments)
    adopt(params.read([]))


def adopt(cfg: Config) -> None:
    """Have DVC record the finished outputs; ValueError if there are none, or if it cannot."""
    outputs = list(look(cfg))
    good = [output.target for output in outputs if output.problem is None]
    for output in outputs:
        if output.problem is not None:
            print(f"{output.target}: {output.problem}")
    if not good:
        raise ValueError("nothing of params.yaml's grid is finished; `dvc repro` computes it")
    commit(good)
    rest = len(outputs) - len(good)
    left = f"; {rest} left for `dvc repro`" if rest else ""
    print(f"recorded {len(good)} of {len(outputs)} stages in dvc.lock{left}")


def commit(targets: list[str]) -> None:
    """Have DVC record the stages. ValueError with what it says if it cannot: --quiet says nothing.

    --force: although DVC did not make the files, which is the point.
    """
    command = [sys.executable, "-m", "dvc", "commit", "--force", *targets]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:200] or f"exit status {done.returncode}"
        lock = "if that is about dvc.lock, restore it with `git checkout dvc.lock`, or delete it"
        raise ValueError(f"dvc commit failed ({said}); {lock}: `dvc repro` writes it anew")


def look(cfg: Config) -> Iterator[Output]:
    """Images of all cells, then their measurements, then Table 2: each is one stage of DVC."""
    if not paths.weights_file(cfg).is_file():
        for target in ("sample", "evaluate", "reconstruct"):
            yield Output(target, f"the network is {ABSENT}")
        return
    weights, cells = cell.weights_in_use(cfg), cfg.cells()
    yield Output("sample", _first({CellKey.of(c).name: _sampled(c, weights) for c in cells}))
    yield Output("evaluate", _grid(cfg))
    columns = cfg.columns()
    yield Output("reconstruct", _first({f"S{c.cell.steps}": _column(c, weights) for c in columns}))


def _first(problems: dict[str, str | None]) -> str | None:
    """The first of the problems, with the name of what has it."""
    return next((f"{name} is {text}" for name, text in problems.items() if text), None)


def _grid(cfg: Config) -> str | None:
    """What keeps the grid's numbers from being committed."""
    try:
        against = fingerprints.reference(cfg)
    except (OSError, ValueError) as error:
        return str(error)
    problem = _first({CellKey.of(c).name: _measured(c, against) for c in cfg.cells()})
    if problem is None and not paths.covariances(cfg).is_file():
        return f"{paths.covariances(cfg).name} is {ABSENT}"
    return problem


def _sampled(cfg: Config, weights: Weights) -> str | None:
    """What keeps the configured cell's images from being committed."""
    if not (paths.samples_file(cfg).is_file() and paths.sampled_record(cfg).is_file()):
        return ABSENT
    return None if cell.is_sampled(cfg, cell.plan(cfg, weights)) else OTHER


def _measured(cfg: Config, against: str) -> str | None:
    """What keeps the configured cell's numbers from being committed."""
    record = paths.cell_record(cfg)
    if not (paths.sampled_record(cfg).is_file() and _with_picture(record)):
        return ABSENT
    try:
        fingerprint = fingerprints.measurement(cfg, samples.record(cfg), against)
    except ValueError as error:  # a damaged record is no reason not to look at the others
        return f"unreadable: {error}"
    return None if is_measured(cfg, fingerprint) else OTHER


def _column(cfg: Config, weights: Weights) -> str | None:
    """What keeps the error of cell.steps steps from being committed."""
    if not _with_picture(paths.reconstruction_record(cfg)):
        return ABSENT
    fingerprint = fingerprints.reconstruction(cfg, cell.trajectory(cfg), weights)
    return None if is_reconstructed(cfg, fingerprint) else OTHER


def _with_picture(record: Path) -> bool:
    """Whether a record, and the picture beside it, are there."""
    return record.is_file() and has_picture(record.with_suffix(".png"))


if __name__ == "__main__":
    command(main)
