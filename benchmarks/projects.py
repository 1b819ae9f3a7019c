"""Temporary projects, in which programs run that write: nothing is left in the checkout."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddim.runtime.files import read_json

ROOT = Path(__file__).resolve().parent.parent
NAME = "digits"  # of the default experiment

# Every stage does all that it does by default, of small amounts: what is left is their overhead.
SMALL = (
    "train.steps=20",
    "train.warmup=5",
    "train.batch_size=32",
    "train.sample_every=0",
    "model.channels=8",
    "features.epochs=1",
    "features.dim=8",
    "sample.num_images=20",
    "sample.batch_size=20",
    "evaluate.kid_subset_size=10",
    "evaluate.kid_subsets=4",
    "reconstruct.num_images=4",
    "reconstruct.steps=[2,4]",
    "analysis.num_images=8",
    "analysis.num_shown=2",
    "analysis.steps=4",
    "analysis.interpolate.points=3",
    "analysis.edit.per_class=2",
    "analysis.family.num_simulations=200",
    "analysis.ode.steps=[2,4,8]",
    "analysis/solvers=none",
    "analysis.solvers.steps=[2]",
)


@contextmanager
def clone() -> Iterator[Path]:
    """A clone of the checkout's last commit without its report: nothing is computed already."""
    with tempfile.TemporaryDirectory(prefix="ddim-") as folder:
        project = Path(folder) / "project"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(project)], check=True)
        shutil.rmtree(project / "reports" / NAME)
        yield project


@contextmanager
def copy() -> Iterator[Path]:
    """What programs read of the checkout as it is now: conf/, params.yaml and the report."""
    with tempfile.TemporaryDirectory(prefix="ddim-") as folder:
        project = Path(folder) / "project"
        shutil.copytree(ROOT / "conf", project / "conf")
        shutil.copytree(ROOT / "reports" / NAME, project / "reports" / NAME)
        shutil.copy2(ROOT / "params.yaml", project)
        yield project


def timings(project: Path) -> Path:
    """The folder of wall times, which are no results."""
    return project / "reports" / NAME / "timings"


def sampling_seconds(project: Path) -> dict[str, float]:
    """Wall seconds of sampling, by the cell's name, as the stage `sample` records them."""
    files = sorted(timings(project).glob("S*.json"))
    return {path.stem: float(read_json(path)["seconds"]) for path in files}
