"""One process at a time: whoever finds a result being written by another one waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ddim.runtime.files import writing


@contextmanager
def exclusive(path: Path, what: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path` inside the block; the system frees it however the process ends.

    Where another process holds it, one line says that this one waits for `what`; without `wait`
    that is a ValueError.
    """
    lock = FileLock(path, fallback_to_soft=False)  # a soft one would outlive a killed process
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
    except Timeout:
        if not wait:
            raise ValueError(f"{what}: another process is at it; run again when it ends") from None
        print(f"{what}: another process is at it; waiting for that to end", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
