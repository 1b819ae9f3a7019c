"""dvc.yaml against the imports: neither missing nor superfluous, and what an edit makes stale."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from helpers.pipeline import ROOT

from ddim.records import code

DVC: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SAMPLERS = {"sample", "reconstruct", "analysis"}  # stages that sample or encode


def deps(stage: str) -> set[str]:
    """The stage's deps among the package's modules and rooms, relative to src/ddim."""
    deps = {dep for dep in DVC[stage]["deps"] if dep.startswith("src/")}
    return {dep.removeprefix("src/ddim/") for dep in deps}


def module(stage: str) -> str:
    """The program that the stage runs."""
    match = re.search(r"(ddim\.[\w.]+)", DVC[stage]["cmd"])
    assert match
    return match[1]


@pytest.mark.parametrize("stage", sorted(set(DVC) - {"config", "track"}))
def test_a_stages_deps_are_what_it_imports(stage: str) -> None:
    """Missing: an edit would leave a stale number. Superfluous: it would retrain for nothing."""
    assert deps(stage) == code.units(module(stage))


def test_the_two_stages_of_plumbing_alone() -> None:
    """`config` checks conf/ against the schema; `track` mirrors the report, whatever wrote that."""
    assert deps("config") == {"compose.py", "config"}
    assert deps("track") == set()


def test_every_dep_exists_and_is_a_module_of_the_library_or_a_room() -> None:
    for stage in DVC:
        for dep in deps(stage):
            path = ROOT / "src/ddim" / dep
            assert path.exists(), (stage, dep)
            assert "/" not in dep, (stage, dep)


@pytest.mark.parametrize(
    ("edit", "stale"),
    [
        ("sampling", SAMPLERS),
        ("tracking", set()),
        ("runtime", set()),
        ("records", set()),
        ("stages", set()),
        ("report", {"report"}),
        ("analysis", {"analysis"}),
        ("evaluation", {"features", "reference", "evaluate", "reconstruct", "analysis", "report"}),
        ("training", {"train"}),
        ("plotting", {"evaluate", "reconstruct", "analysis", "report"}),
        ("interop", {"train"}),
        ("data", {"data"}),
        ("sampler.py", SAMPLERS),
        ("unet.py", {"train"} | SAMPLERS),
    ],
)
def test_what_an_edit_makes_stale(edit: str, stale: set[str]) -> None:
    """Directly; what follows, DVC decides by the checksums of the outputs."""
    assert {stage for stage in DVC if edit in deps(stage)} == stale


def test_the_files_of_the_pipeline_stay_readable() -> None:
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) < 250
    assert len((ROOT / "dvc.lock").read_text().splitlines()) < 2500


def test_a_change_of_the_users_own_images_prepares_them_again() -> None:
    """`data.watch` is their folder (conf/data/image_folder.yaml), and a constant for other sets."""
    assert DVC["data"]["deps"][-1] == "${data.watch}"
    node = yaml.safe_load((ROOT / "conf" / "data" / "image_folder.yaml").read_text())
    assert node["watch"] == "${data.root}"


def test_bytecode_beside_the_code_is_no_dependency() -> None:
    bytecode = "src/ddim/plotting/__pycache__/grids.cpython-311.pyc"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "check-ignore", bytecode], cwd=ROOT, check=False
    )
    assert done.returncode == 0
