"""The example that searches trajectory and eta with Optuna."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.pipeline import ROOT, run

from ddim import schedule

EXAMPLE = ROOT / "examples" / "lowest_fid.py"


def module() -> object:
    spec = importlib.util.spec_from_file_location("lowest_fid", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize(("T", "S"), [(1000, 10), (1000, 1000), (8, 7), (5, 1)])
def test_a_trajectory_has_s_rising_steps_within_1_and_t(T: int, S: int, p: float) -> None:
    tau = module().trajectory(T, S, p)  # type: ignore[attr-defined]
    assert len(set(tau)) == S
    assert tau == sorted(tau)
    assert min(tau) >= 1
    assert max(tau) <= T
    if p == 1.0 and S in (10, 1000):
        linear = schedule.trajectory(T, S)
        assert max(abs(a - b) for a, b in zip(tau, linear, strict=True)) <= T / S


def test_a_mistyped_setting_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "train.stpes=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: train.stpes is no setting; did you mean train.steps?")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_search_measures_cells_outside_the_grid_and_checks_the_best(
    trained: Path, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    project = tmp_path / "project"
    shutil.copytree(trained, project, symlinks=True)
    printed = run(project, sys.executable, str(EXAMPLE), "-S", "4", "--trials", "3").splitlines()
    assert printed[0].startswith("eta 0.000, p 1.000: FID ")
    assert len(printed) == 5
    fids = [float(re.findall(r"FID ([\d.]+)", line)[0]) for line in printed[:3]]
    assert float(printed[3].split("FID ")[1]) == min(fids)
    assert not (project / "reports/digits/cells").exists()  # the grid's own are left alone
    assert len(list((project / "out/digits/extra").glob("S4_*"))) == 5
