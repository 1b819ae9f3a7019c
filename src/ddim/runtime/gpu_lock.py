"""One GPU a job: the jobs of a multirun share this machine's GPUs, and no two meet on one.

A job takes a GPU by locking that GPU's file and keeps the lock until its process ends, however it
ends. Imports no torch: CUDA_VISIBLE_DEVICES must be set before torch looks at it.
"""

import getpass
import os
import subprocess
import tempfile
import time
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_POLL_SECONDS = 0.5
_held: BaseFileLock | None = None  # this process's lock


def present() -> list[str]:
    """The UUIDs of the GPUs that this process may use, [] where there is none.

    Those that the driver lists; where CUDA_VISIBLE_DEVICES is set (a cluster does that, a user
    may), those of them that it names, by number or by UUID.
    """
    listed = _listed()
    visible = os.environ.get(_VISIBLE)
    if visible is None:
        return listed
    named = [_uuid(token.strip(), listed) for token in visible.split(",") if token.strip()]
    return [uuid for uuid in named if uuid]


def claim(folder: Path | None = None) -> str | None:
    """Take a GPU for this process alone, waiting until one is free; return its UUID.

    The process then sees no other one. None where there is no GPU, or this process has one already.
    `folder` holds the lock files (by default one of this user's in the system's temporary folder).
    """
    uuids = present()
    if _held is not None or not uuids:
        return None
    folder = folder or Path(tempfile.gettempdir()) / f"ddim-gpus-{_user()}"
    folder.mkdir(parents=True, exist_ok=True)
    uuid = _take_one(uuids, folder)
    if uuid is None:
        print(f"waiting for a GPU: {len(uuids)} here, all taken by other jobs", flush=True)
    while uuid is None:
        time.sleep(_POLL_SECONDS)
        uuid = _take_one(uuids, folder)
    os.environ[_VISIBLE] = uuid
    return uuid


def _take_one(uuids: list[str], folder: Path) -> str | None:
    """Lock the first free GPU; None if other processes have them all."""
    global _held
    for uuid in uuids:
        # No soft lock: it would outlive a killed process.
        lock = FileLock(folder / f"{uuid}.lock", timeout=0, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            continue
        _held = lock
        return uuid
    return None


def _user() -> str:
    """Who this is, also where a number has no name (in a container) or there are no numbers."""
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()


def _listed() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.split() if done.returncode == 0 else []


def _uuid(token: str, listed: list[str]) -> str | None:
    """The UUID that one entry of CUDA_VISIBLE_DEVICES means; None if there is no such GPU."""
    if token.isdigit():
        return listed[int(token)] if int(token) < len(listed) else None
    return next((uuid for uuid in listed if uuid.startswith(token)), None)
