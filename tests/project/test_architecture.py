"""The directions in which the house is built: what may import what, and that the map is whole."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.imports import closure, imported, modules, own

import ddim

PACKAGE = Path(ddim.__file__).parent
LIBRARY = (
    "schedule", "sampler", "objective", "variational", "multinomial", "noise", "unet", "images",
    "weights",
)  # fmt: skip
# From below to above: a room imports rooms of lower levels, and the library.
LEVELS = (
    ("runtime",),
    ("config",),
    ("records",),
    ("data", "training", "sampling", "evaluation", "interop", "for_diffusers", "plotting"),
    ("analysis",),
    ("report",),
    ("tracking",),
    ("stages",),
    ("commandline",),
)
COMMANDS = ("adopt", "compose", "dashboard", "export", "main", "track")
MATHEMATICS = tuple(
    f"ddim.{name}" for name in ("schedule", "sampler", "noise", "unet", "variational", "objective")
)


def room(module: str) -> str:
    """The room, or the root module, that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def level(name: str) -> int:
    """How high a room lies; the library lies below all of them, commands above."""
    if name in LIBRARY or not name:
        return -1
    if name in COMMANDS:
        return len(LEVELS)
    (height,) = [i for i, rooms in enumerate(LEVELS) if name in rooms]
    return height


def test_every_module_belongs_to_the_library_a_room_or_is_a_command() -> None:
    rooms = {room for level in LEVELS for room in level}
    assert {room(name) for name in modules()} - {""} == rooms | set(LIBRARY) | set(COMMANDS)


def test_the_map_names_every_room_and_root_module_and_nothing_else() -> None:
    assert ddim.__doc__ is not None
    named = set(re.findall(r"^    (\w+)(?:\.py|/)?  +\S", ddim.__doc__, re.MULTILINE))
    there = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] != "_"}
    there |= {path.stem for path in PACKAGE.glob("*.py") if path.stem[0] != "_"}
    assert named >= there, there - named
    symbols = {"here", "a_prev", "x0_hat"}  # of the table above the map
    assert named - there <= symbols


@pytest.mark.parametrize("module", sorted(modules()))
def test_no_module_imports_one_above_it(module: str) -> None:
    mine = room(module)
    for name in own(module):
        other = room(name)
        if other == mine or (mine in LIBRARY and other in ("runtime", "interop", *LIBRARY)):
            continue
        assert level(other) < level(mine), f"{module} imports {name}"


def test_no_room_depends_on_itself_through_another() -> None:
    """A cycle of rooms: whoever edits one of them would have to know the others."""
    edges = {
        room(module): {room(name) for name in own(module)} - {room(module), ""}
        for module in modules()
    }
    for module in modules():
        edges[room(module)] |= {room(name) for name in own(module)} - {room(module), ""}

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        left = list(edges[start])
        while left:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                left += edges[name]
        return seen

    assert [name for name in edges if name in reach(name)] == []


@pytest.mark.parametrize("module", MATHEMATICS)
def test_the_mathematics_knows_no_configuration_and_nothing_above_it(module: str) -> None:
    assert closure(module) <= {"ddim", *MATHEMATICS}


def test_the_sampler_knows_no_network_and_the_network_no_schedule() -> None:
    assert "ddim.unet" not in closure("ddim.sampler")
    assert closure("ddim.unet") <= {"ddim", "ddim.unet"}


def test_composing_and_reporting_need_no_torch() -> None:
    reporting = [name for name in modules() if name.startswith("ddim.report")]
    for module in ("ddim.compose", "ddim.config.schema", "ddim.stages.report", *reporting):
        for name in at_start(module):
            heavy = {n for n in imported(name, True) if n.split(".")[0] in ("torch", "torchvision")}
            assert not heavy, f"{module} imports {heavy} through {name}"


def at_start(module: str) -> set[str]:
    """`module` and all of ddim that is imported with it, functions aside."""
    seen: set[str] = set()
    left = [module]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += [n for n in imported(name, top_level_only=True) if n in modules()]
    return seen


@pytest.mark.parametrize("stage", ["sample", "reconstruct", "evaluate"])
def test_the_stages_of_a_cell_start_without_lightning_and_torchvision(stage: str) -> None:
    """25 cells: every second of import is half a minute of the pipeline."""
    heavy = ("pytorch_lightning", "torchvision", "torchmetrics", "torch_fidelity", "wandb")
    script = f"import sys, ddim.stages.{stage}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_module_says_what_it_owns_and_is_small() -> None:
    for module, path in modules().items():
        text = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), f"{module} does not say what it owns"
        assert len(text) < 24_000, f"{module} is too large for one owner's job"


def test_no_function_is_longer_than_forty_lines_and_no_test_file_than_400() -> None:
    """From `def` to its last line: signature, docstring and comments count."""
    too_long = []
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                too_long += [f"{module}.{node.name} has {lines} lines"] if lines > 40 else []
    assert too_long == []
    for path in (PACKAGE.parent.parent / "tests").rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


@pytest.mark.parametrize(
    "command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join
)
def test_the_code_is_clean(command: list[str]) -> None:
    root = PACKAGE.parent.parent
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
