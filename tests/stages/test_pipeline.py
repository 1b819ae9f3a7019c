"""dvc.yaml: its dependencies computed from the imports, and a whole tiny run by `dvc repro`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.imports import closure, modules
from helpers.pipeline import ROOT, commit, compose, copy, run, stale

from ddim.records import fingerprints

# Plumbing: names, files, messages and types. An edit here cannot change a number, and a stage
# whose *values* change is rerun through its params.
PLUMBING = {
    "ddim",
    "ddim.config.schema",
    "ddim.config.paths",
    "ddim.runtime.files",
    "ddim.runtime.gpu_lock",
    "ddim.compose",
    "ddim.runtime.errors",
    "ddim.records.fingerprints",
    "ddim.runtime.lightning",
    "ddim.runtime.progress",
    "ddim.runtime.git",
    "ddim.runtime.multirun",
    "ddim.tracking.run",
    "ddim.stages",
    "ddim.runtime.cli",
}
DVC: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def covered(dep: str) -> set[str]:
    """The modules that a dep stands for: a file's own, or all of a folder's."""
    files = {path.relative_to(ROOT).as_posix(): name for name, path in modules().items()}
    return {name for file, name in files.items() if file == dep or file.startswith(f"{dep}/")}


@pytest.mark.parametrize("name", DVC)
def test_a_stages_deps_are_the_modules_that_it_imports(name: str) -> None:
    """Missing: an edit would leave a stale number. Superfluous: it would retrain for nothing."""
    command = DVC[name]["cmd"]
    module = re.search(r"(ddim\.[\w.]+)", command)
    assert module
    needed = closure(module[1]) - PLUMBING
    if name == "config":
        needed = {"ddim.compose", "ddim.config.schema"}
    deps = {dep: covered(dep) for dep in DVC[name]["deps"] if dep.startswith("src/ddim")}
    assert needed - set().union(*deps.values()) == set(), "missing"
    assert [dep for dep, stands_for in deps.items() if not stands_for & needed] == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sample", fingerprints.SAMPLING_CODE),
        ("evaluate", fingerprints.MEASURING_CODE),
        ("reconstruct", fingerprints.RECONSTRUCTING_CODE),
    ],
)
def test_what_makes_dvc_compute_a_cell_again_gives_it_another_key(
    name: str, code: tuple[str, ...]
) -> None:
    """A multirun skips, and ddim.adopt takes over, by the key alone."""
    deps = set().union(*(covered(dep) for dep in DVC[name]["deps"]))
    assert {f"ddim.{module.replace('/', '.')}" for module in code} == deps


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = copy(tmp_path_factory.mktemp("project"))
    compose(folder)
    run(folder, "dvc", "repro")
    commit(folder, "a run")
    return folder


def test_one_command_makes_the_report(project: Path) -> None:
    report = project / "reports/digits"
    metrics = json.loads((report / "metrics.json").read_text())
    cell = json.loads((report / "cells/S2_etahat_seed0.json").read_text())
    assert metrics["S2"]["etahat"]["fid"] == pytest.approx(cell["fid"])
    assert metrics["reconstruct"]["S4"]["error"] > 0
    for file in ("README.md", "index.html", "tables/table1_fid.csv"):
        assert (report / file).stat().st_size > 0


def test_nothing_to_do_is_nothing_done(project: Path) -> None:
    assert stale(project) == set()


def test_a_changed_grid_computes_its_new_cells_and_never_retrains(project: Path) -> None:
    compose(project, "sweep.steps=[2,3,4]")
    new = {f"{stage}@3-{eta}-0" for stage in ("sample", "evaluate") for eta in ("0.0", "hat")}
    assert {name for name in stale(project) if "@" in name and "reconstruct" not in name} == new
    assert not stale(project) & {"data", "features", "train", "reference", "sample@2-0.0-0"}
    compose(project)


def test_cells_of_a_multirun_are_adopted_and_not_computed_again(project: Path) -> None:
    compose(project, "sweep.steps=[2,5]", "reconstruct.steps=[2,3]")
    sweep = ("-cn", "stage", "-m", "cell.steps=5", "cell.eta=0.0,hat")
    for stage in ("sample", "evaluate"):
        run(project, "python", "-m", f"ddim.stages.{stage}", *sweep)
    column = ("python", "-m", "ddim.stages.reconstruct", "-cn", "stage", "cell.steps=3")
    assert "S = 3: error" in run(project, *column)
    assert "S = 3: already there" in run(project, *column)
    images = project / "out/digits/samples/S5_eta0.0_seed0/samples.npy"
    made = images.stat().st_mtime_ns
    (project / "reports/digits/cells/S5_etahat_seed0.json").unlink()
    output = run(project, "python", "-m", "ddim.adopt")
    assert "evaluate@5-hat-0: not there" in output
    assert "recorded 9 of 10 stages" in output
    left = {name for name in stale(project) if "@" in name}
    assert left == {"evaluate@5-hat-0"}
    run(project, "dvc", "repro", "-q", "evaluate@5-hat-0")
    assert images.stat().st_mtime_ns == made

    # Other images under the same name are not taken over.
    report = project / "reports/digits/samples/S5_eta0.0_seed0.json"
    report.write_text(report.read_text().replace('"key": "', '"key": "0'))
    output = run(project, "python", "-m", "ddim.adopt")
    assert "sample@5-0.0-0: made by another configuration, code or weights" in output
    compose(project)


def test_a_changed_model_retrains(project: Path) -> None:
    compose(project, "model.channels=16")
    stages = stale(project)
    assert {"train", "report"} <= stages  # and then whatever uses the new weights
    assert not stages & {"data", "features", "reference"}
    compose(project)


def test_a_stale_params_file_is_refused(project: Path) -> None:
    config = project / "conf/experiment/digits.yaml"
    before = config.read_text()
    config.write_text(before.replace("ema_decay: 0.999", "ema_decay: 0.99"))
    output = run(project, "dvc", "repro", fails=True)
    assert "train.ema_decay: params.yaml has 0.999, conf/ gives 0.99" in output
    config.write_text(before)


def test_a_missing_cell_is_named_by_the_report(project: Path) -> None:
    cell = project / "reports/digits/cells/S2_etahat_seed0.json"
    kept = cell.read_text()
    cell.unlink()
    output = run(project, "python", "-m", "ddim.stages.report", "-cn", "stage", fails=True)
    assert "S2_etahat_seed0" in output
    assert "Traceback" not in output
    cell.write_text(kept)
