"""Which code a result depends on, computed from the imports: nobody writes it down.

The unit is what invalidates together: a module of the library (src/ddim/sampler.py), or a room
(src/ddim/training). What a unit imports, at module level or inside a function, it depends on.
PLUMBING changes no result, by the rule of the house: it is neither counted nor looked into.

Used by the fingerprints of ddim.records.fingerprints, and by the test that holds dvc.yaml's
`deps` against it.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
PLUMBING = ("config", "records", "runtime", "stages", "tracking")


def units(*start: str) -> frozenset[str]:
    """The units that the modules `start`, such as "ddim.stages.train", depend on.

    Names are relative to src/ddim: "sampler.py", "training". A unit's own name counts unless it is
    plumbing.
    """
    needed: set[str] = set()
    left = {path for name in start for path in _files(name)}
    seen: set[Path] = set()
    while left:
        path = left.pop()
        seen.add(path)
        for module in imports(path) if path.suffix == ".py" else ():
            unit = unit_of(module)
            if unit is not None and unit not in PLUMBING and unit not in needed:
                needed.add(unit)
                left |= set(_members(unit)) - seen
    own = {unit for name in start if (unit := unit_of(name)) and unit not in PLUMBING}
    return frozenset(needed | own)


@cache  # a process asks for that of the same modules once for each cell
def checksum(*start: str) -> str:
    """Hex digest of the source of every unit that the modules `start` depend on."""
    digest = hashlib.sha256()
    for unit in sorted(units(*start)):
        for path in _members(unit):
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def unit_of(module: str) -> str | None:
    """The unit of a module: `ddim.sampling.network` is of "sampling"; None outside of ddim."""
    parts = module.split(".")
    if len(parts) < 2 or parts[0] != "ddim":
        return None
    room = PACKAGE / parts[1]
    if room.is_dir():
        return parts[1]
    return f"{parts[1]}.py" if room.with_suffix(".py").is_file() else None


def imports(path: Path) -> Iterator[str]:
    """Modules of ddim that the file imports, anywhere in it, but not for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("ddim."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ddim":
            # `from ddim import sampler` names a module, `from ddim.sampler import sample` does not.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(module: str) -> list[Path]:
    """The file of a module; all files of a room."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return _members(path.name) if path.is_dir() else [path.with_suffix(".py")]


@cache
def _members(unit: str) -> list[Path]:
    path = PACKAGE / unit
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if _is_source(p))


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
