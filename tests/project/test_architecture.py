"""The directions in which the house is built, and its tidiness: ruff and mypy run here."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.imports import closure, imported, modules, own

ROOT = Path(__file__).parent.parent.parent
MATHEMATICS = ("ddim.schedule", "ddim.sampler", "ddim.noise", "ddim.unet", "ddim.variational")
NO_TORCH = (
    "ddim.config.schema",
    "ddim.compose",
    "ddim.config.paths",
    "ddim.runtime.files",
    "ddim.stages.report",
)


@pytest.mark.parametrize("module", MATHEMATICS)
def test_the_mathematics_knows_no_configuration_and_nothing_above_it(module: str) -> None:
    assert closure(module) <= {"ddim", *MATHEMATICS}


def test_the_sampler_knows_no_network_and_the_network_no_schedule() -> None:
    assert "ddim.unet" not in closure("ddim.sampler")
    assert closure("ddim.unet") <= {"ddim", "ddim.unet"}


def test_nothing_but_a_stage_imports_a_stage() -> None:
    for module in modules():
        stages = {name for name in own(module) if name.startswith("ddim.stages")}
        assert not stages or module.startswith("ddim.stages"), (module, stages)
        assert stages <= {"ddim.stages", "ddim.runtime.cli"}, (module, stages)


def test_composing_and_reporting_need_no_torch() -> None:
    reporting = [name for name in modules() if name.startswith("ddim.report")]
    for module in (*NO_TORCH, *reporting):
        for name in closure(module):
            heavy = {n for n in imported(name) if n.split(".")[0] in ("torch", "torchvision")}
            assert not heavy, f"{module} imports {heavy} through {name}"


@pytest.mark.parametrize("stage", ["sample", "reconstruct", "evaluate"])
def test_the_stages_of_a_cell_start_without_lightning_and_torchvision(stage: str) -> None:
    """25 cells, two processes each: every second of import is a minute of the pipeline."""
    heavy = ("pytorch_lightning", "torchvision", "torchmetrics", "torch_fidelity", "wandb")
    script = f"import sys, ddim.stages.{stage}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_module_says_what_it_owns_and_is_small() -> None:
    import ast

    for module, path in modules().items():
        text = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), f"{module} does not say what it owns"
        assert len(text) < 24_000, f"{module} is too large for one owner's job"


@pytest.mark.parametrize(
    "command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join
)
def test_the_code_is_clean(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
