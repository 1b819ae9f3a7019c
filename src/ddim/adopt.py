"""Let DVC keep the cells that a multirun made, instead of computing them again.

    python -m ddim.adopt

DVC knows only what it ran itself. This looks at every cell of params.yaml's grid and every column
of Table 2, and has DVC record those that were made by exactly this configuration, this code and
these weights (their keys, ddim.records.cells, say so); `dvc repro` then takes them as done. It says which
are left to do.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ddim.config import params, paths
from ddim.config.schema import Cell, Config
from ddim.records import cells
from ddim.runtime import files
from ddim.runtime.errors import USER_ERRORS, one_line

ABSENT, OTHER = "not there", "made by another configuration, code or weights"


@dataclass(frozen=True)
class Found:
    """One stage of one cell: what DVC calls it, and what is wrong with its files."""

    target: str
    wrong: str | None


def main(arguments: list[str]) -> int:
    """The command line. Returns the exit status."""
    try:
        if arguments:
            raise ValueError(f"ddim.adopt takes no arguments, got {' '.join(arguments)}")
        return adopt(params.read([]))
    except USER_ERRORS as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1


def adopt(cfg: Config) -> int:
    """Have DVC record the finished stages of every cell; returns the exit status."""
    found = list(look(cfg))
    good = [stage.target for stage in found if stage.wrong is None]
    for stage in found:
        if stage.wrong is not None:
            print(f"{stage.target}: {stage.wrong}")
    if not good:
        raise ValueError("no finished cell of params.yaml's grid to adopt; `dvc repro` makes them")
    # --force: record the files although DVC did not make them, which is the point.
    command = [sys.executable, "-m", "dvc", "commit", "--quiet", "--force", *good]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        left = f"; {len(found) - len(good)} left for `dvc repro`" if len(good) < len(found) else ""
        print(f"recorded {len(good)} of {len(found)} stages in dvc.lock{left}")
    return status


def look(cfg: Config) -> Iterator[Found]:
    """Every cell's two stages, sampling first, then Table 2's columns."""
    for steps in cfg.sweep.steps:
        for eta in cfg.sweep.eta:
            for seed in cfg.sweep.seeds:
                cell = replace(cfg, cell=Cell(steps, eta, seed))
                target = f"{steps}-{paths.eta_name(eta)}-{seed}"
                sampled = _sampled(cell)
                yield Found(f"sample@{target}", sampled)
                wrong = f"its images are {sampled}" if sampled else _measured(cell)
                yield Found(f"evaluate@{target}", wrong)
    for steps in cfg.reconstruct.steps:
        column = replace(cfg, cell=replace(cfg.cell, steps=steps))
        yield Found(f"reconstruct@{steps}", _reconstructed(column))


def _sampled(cfg: Config) -> str | None:
    """What keeps the configured cell's images from being taken over."""
    images, report = paths.samples(cfg) / "samples.npy", paths.sample_report(cfg, ".json")
    if not all(path.is_file() for path in (images, report, paths.sample_report(cfg, ".png"))):
        return ABSENT
    if not cells.done(cfg, cells.plan(cfg).key):
        return OTHER
    same = files.read_json(report)["samples_sha256"] == files.sha256(images)
    return None if same else f"not the images that {report} describes"


def _measured(cfg: Config) -> str | None:
    """What keeps the configured cell's numbers from being taken over."""
    if not paths.cell_report(cfg).is_file():
        return ABSENT
    sha256 = files.read_json(paths.sample_report(cfg, ".json"))["samples_sha256"]
    return None if cells.measured(cfg, cells.measurement_key(cfg, sha256)) else OTHER


def _reconstructed(cfg: Config) -> str | None:
    """What keeps the error of cell.steps steps from being taken over."""
    needed = [paths.reconstruct_report(cfg, suffix) for suffix in (".json", ".png")]
    needed += [paths.data(cfg) / "about.json", cells.weights_file(cfg)]
    if not all(path.is_file() for path in needed):
        return ABSENT
    return None if cells.reconstructed(cfg, cells.reconstruction_key(cfg)) else OTHER


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
