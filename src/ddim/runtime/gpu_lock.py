"""One GPU a job: the jobs of a multirun share this machine's GPUs, and no two meet on one.

A job takes a GPU by locking that GPU's file and keeps the lock until its process ends, however it
ends. Imports no torch: CUDA_VISIBLE_DEVICES must be set before torch looks at it.
"""

import fcntl
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TextIO

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_held: TextIO | None = None  # this process's lock


def present() -> list[str]:
    """The UUIDs of the GPUs that this process may use, [] where there is none.

    Those that the driver lists; where CUDA_VISIBLE_DEVICES is set (a cluster does that, a user
    may), those of them that it names, by number or by UUID.
    """
    listed = _listed()
    named = os.environ.get(_VISIBLE)
    if named is None:
        return listed
    found = [_named(token.strip(), listed) for token in named.split(",") if token.strip()]
    return [uuid for uuid in found if uuid]


def claim(folder: Path | None = None) -> str | None:
    """Take a GPU for this process alone, waiting until one is free; return its UUID.

    The process then sees no other one. None where there is no GPU, or this process has one already.
    `folder` holds the lock files (by default one of this user's in the system's temporary folder).
    """
    global _held
    uuids = present()
    if _held is not None or not uuids:
        return None
    folder = folder or Path(tempfile.gettempdir()) / f"ddim-gpus-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    said = False
    while True:
        for uuid in uuids:
            lock = _lock(folder / f"{uuid}.lock")
            if lock is not None:
                _held, os.environ[_VISIBLE] = lock, uuid
                return uuid
        if not said:
            print(f"waiting for a GPU: {len(uuids)} here, all taken by other jobs", flush=True)
            said = True
        time.sleep(0.5)


def _lock(path: Path) -> TextIO | None:
    """The open, locked file, or None if another process has it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _listed() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.split() if done.returncode == 0 else []


def _named(token: str, listed: list[str]) -> str | None:
    """The UUID that one entry of CUDA_VISIBLE_DEVICES means; None if there is no such GPU."""
    if token.isdigit():
        return listed[int(token)] if int(token) < len(listed) else None
    return next((uuid for uuid in listed if uuid.startswith(token)), None)
