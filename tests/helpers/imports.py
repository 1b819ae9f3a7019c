"""Which modules of ddim import which, read from the source (imports inside functions too)."""

import ast
from functools import cache
from pathlib import Path

SRC = Path(__file__).parent.parent.parent / "src"


@cache
def modules() -> dict[str, Path]:
    """Every module of the package: dotted name -> file."""
    files = {}
    for path in sorted((SRC / "ddim").rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


@cache
def imported(module: str, top_level_only: bool = False) -> frozenset[str]:
    """Dotted names that `module` imports: of ddim's own modules, and of others' packages."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in modules() else node.module for name in inner}
    return frozenset(names)


def own(module: str) -> set[str]:
    """The modules of ddim that `module` imports."""
    return {name for name in imported(module) if name in modules()}


def closure(module: str) -> set[str]:
    """`module` and all of ddim that it imports, directly or not."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += own(name)
    return seen
