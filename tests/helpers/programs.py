"""Runs the programs of this folder in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run(name: str, *arguments: str, progress: bool = False) -> subprocess.CompletedProcess[str]:
    """Run helpers/<name>.py and return what it left; `progress`: with its progress lines."""
    paths = os.pathsep.join([str(HERE.parent.parent / "src"), str(HERE.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "CI": "" if progress else "true"}
    program = [sys.executable, str(HERE / f"{name}.py"), *arguments]
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
