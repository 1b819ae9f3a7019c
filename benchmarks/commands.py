"""Programs as child processes: their wall time, their processor time, and what they printed."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.projects import ROOT

# Wherever DVC and the tracker want to know who and how; PYTHONUNBUFFERED: lines come as printed.
SETTINGS = {"CI": "true", "WANDB_MODE": "offline", "PYTHONUNBUFFERED": "1"} | {
    f"GIT_{role}_{kind}": value
    for role in ("AUTHOR", "COMMITTER")
    for kind, value in (("NAME", "benchmarks"), ("EMAIL", "benchmarks@example.org"))
}


@dataclass(frozen=True)
class Finished:
    """A program that has ended, with all that it started and waited for."""

    wall: float  # seconds
    cpu: float  # seconds of all its threads, in user and kernel mode
    peak: int  # bytes of memory of the largest process
    output: str  # standard output and standard error


def run(
    command: Sequence[str],
    folder: Path,
    *,
    status: int = 0,
    on_line: Callable[[str], object] = lambda _: None,
) -> Finished:
    """Run `command` in `folder`; on_line: called with each line that it prints, as it comes.

    `python` and the programs beside it are those of this interpreter. Raises ValueError, with the
    last line, if it ends with another status.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    with process.stdout:
        for line in process.stdout:
            on_line(line)
            lines.append(line)
    _, ended, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(ended)
    output = "".join(lines)
    if process.returncode != status:
        last = output.strip().rsplit("\n", 1)[-1]
        raise ValueError(f"{shlex.join(command)} ended with {process.returncode}: {last}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Finished(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, output)


def environment(folder: Path) -> Mapping[str, str]:
    """This interpreter first on the PATH; ddim is that of `folder`, or else of the checkout.

    Bytecode is written and read, as a user's Python does it: without it a process that needs torch
    compiles its 2,000 modules each time. Where it is missing, the first process writes it.
    """
    source = folder / "src" if (folder / "src").is_dir() else ROOT / "src"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    modules = os.pathsep.join([str(source), str(ROOT)])
    cache = {"DVC_SITE_CACHE_DIR": str(folder.parent / "dvc-site-cache")}
    given = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return given | SETTINGS | cache | {"PATH": path, "PYTHONPATH": modules}
