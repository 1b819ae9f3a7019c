"""A tiny project: the real repository's files, a minute's configuration, and DVC to run it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

# Every stage runs for real; only the amounts are small.
TINY = [
    "train.steps=20",
    "train.log_every=5",
    "train.warmup=5",
    "train.batch_size=32",
    "train.sample_every=0",
    "model.channels=8",
    "features.epochs=1",
    "features.dim=8",
    "sample.num_images=20",
    "sample.num_images_at={1000: 20}",
    "sample.batch_size=20",
    "evaluate.kid_subset_size=10",
    "evaluate.kid_subsets=4",
    "reconstruct.num_images=4",
    "reconstruct.steps=[2,4]",
    "sweep.steps=[2,4]",
    "sweep.eta=[0.0,hat]",
    "analysis.num_images=8",
    "analysis.num_shown=2",
    "analysis.steps=4",
    "analysis.interpolate.points=3",
    "analysis.edit.per_class=2",
    "analysis.family.num_simulations=200",
    "analysis.ode.steps=[2,4,8]",
    "analysis/solvers=none",
    "analysis.solvers.steps=[2]",
]


def environment() -> dict[str, str]:
    """This interpreter first on the PATH, the project's own code (dvc.yaml says so too), quiet."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": "src", "CI": "true", "WANDB_MODE": "offline"}


def run(project: Path, *command: str, fails: bool = False) -> str:
    """Run a command in the project; returns what it printed. Its exit status must be as said."""
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, f"{command}: {done.returncode}\n{output}"
    return output


def copy(folder: Path) -> Path:
    """A git repository with what this one tracks (and has newly written), but no results."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        if name.startswith(("reports/", "tests/", "docs/")) or name == "dvc.lock":
            continue
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(folder, "git", "init", "-q")
    commit(folder, "start")
    return folder


def commit(project: Path, message: str) -> None:
    """Commit everything that git does not ignore."""
    run(project, "git", "add", "-A")
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run(project, "git", *author, "commit", "-q", "--no-verify", "--allow-empty", "-m", message)


def compose(project: Path, *overrides: str) -> str:
    """Write params.yaml for the tiny configuration and `overrides`."""
    return run(project, "python", "-m", "ddim.compose", *TINY, *overrides)


def stale(project: Path) -> set[str]:
    """The stages that are not up to date with their own code, params, inputs and outputs.

    (`dvc repro --dry` stops at the first stage whose input is still to be made.)
    """
    return set(json.loads(run(project, "dvc", "status", "--json")))
