"""Where a number comes from: the git revision, the code and the settings that made it."""

import hashlib
import importlib.util
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def revision() -> str:
    """Short git revision of the working folder, "-dirty" if src/ differs, "unknown" without git."""
    head = _git("rev-parse", "--short", "HEAD")
    if head is None:
        return "unknown"
    return f"{head}-dirty" if _git("status", "--porcelain", "--", "src", "conf") else head


def key(settings: Any, modules: Iterable[str]) -> str:
    """Hex digest of JSON-able `settings` and the source of `modules`: equal keys, equal results."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(modules):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git on this machine: the revision is unknown, and said so
        return None
    return done.stdout.strip() if done.returncode == 0 else None
