"""SIGINT, SIGTERM and Slurm's warning signal: one line, exit status 128 + number, nothing lost.

A program that `handled` encloses gets such a signal as an exception of its main thread: `with`
blocks clean up, and the same command goes on from what was kept. A training ends at a point of its
own, after a step whose state it saves: `Deferred`.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

# SIGUSR1 is what Slurm is asked to send before the time limit: --signal=USR1@90.
_NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")
NUMBERS = tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))
_WARNING = int(getattr(signal, "SIGUSR1", 0))
_SAME = 1.0  # seconds within which a second signal is the first again (`timeout` sends two)


class Interrupted(KeyboardInterrupt):
    """A signal ended the work. A KeyboardInterrupt, as libraries clean up after one.

    what: "training: interrupted by SIGTERM at step 18", say, where there is more to tell.
    """

    def __init__(self, number: int, what: str = "") -> None:
        super().__init__(number)
        self.number = number
        self.what = what or f"interrupted by {signal.Signals(number).name}"

    @property
    def status(self) -> int:
        """The exit status, as a shell reports it: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.number


@contextmanager
def handled() -> Iterator[None]:
    """A signal inside the block ends the process, with one line on standard error.

    The exit status is 128 + the signal's number, also where code swallowed the exception or made
    another of it: what follows in `train && sample` must not start. A job of Slurm that got the
    warning signal is put back into the queue.
    """
    handler, mine = _Raise(), _free()
    before = [signal.getsignal(number) for number in mine]
    _install(handler, mine)
    try:
        yield
    except BaseException as error:  # Lightning exits on a KeyboardInterrupt
        if isinstance(error, KeyboardInterrupt):
            handler.number = handler.number or signal.SIGINT
        if handler.number:
            _end(error if isinstance(error, Interrupted) else Interrupted(handler.number), mine)
        raise
    finally:
        if not handler.number:
            for number, earlier in zip(mine, before, strict=True):
                signal.signal(number, earlier)
    if handler.number:
        _end(Interrupted(handler.number), mine)


class _Restorer:
    """Puts the handlers back that there were; of the process that it is in, also if it is sent."""

    def __init__(self) -> None:
        self._before = {number: signal.getsignal(number) for number in NUMBERS}

    def __call__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # where nobody can have changed them
        for number, handler in self._before.items():
            if handler is not None:  # one that is not Python's cannot be put back
                signal.signal(number, handler)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()  # a process that is spawned has handlers of its own


def restorer() -> Callable[[], None]:
    """What puts today's handlers back, once a library has put its own in their place.

    Lightning's answer a SIGTERM by a broadcast among the processes: where one alone gets the
    signal, or another waits for something else, all of them wait for ever.
    """
    return _Restorer()


class Deferred:
    """The signal that came since `install`, for work that ends at a point of its own.

    Who sends another one later does not wait for that point.
    """

    def __init__(self) -> None:
        self.number = 0  # 0 for none
        self._at, self._mine = 0.0, _free()

    def install(self) -> None:
        """Note signals from here on, those that were nobody else's when this was created."""
        _install(self._note, self._mine)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.number and now - self._at > _SAME:
            raise Interrupted(number)
        if not self.number:
            self.number, self._at = number, now


class _Raise:
    """Raises the first signal, and again for whoever insists; remembers that there was one."""

    def __init__(self) -> None:
        self.number, self._at = 0, 0.0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.number or now - self._at > _SAME:
            self.number, self._at = self.number or number, now
            raise Interrupted(number)


def _free() -> list[int]:
    """The signals that are neither ignored (of a background job) nor handled by somebody else.

    submitit, for one, has handlers of its own in its jobs. None outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    handlers = {number: signal.getsignal(number) for number in NUMBERS}
    default = (signal.SIG_DFL, signal.default_int_handler)
    return [n for n, handler in handlers.items() if handler in default or type(handler) is _Raise]


def _install(handler: Any, numbers: Iterable[int]) -> None:
    for number in numbers:
        signal.signal(number, handler)


def _end(interrupted: Interrupted, mine: Iterable[int]) -> NoReturn:
    """Exit with one line (of the first of several processes), and requeue where that is asked."""
    _install(signal.SIG_DFL, mine)  # what comes while Python exits needs no words
    logging.disable()  # nor do torch's statistics of an import that was cut short
    if all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID")):
        sys.stdout.flush()
        requeued = _requeue() if interrupted.number == _WARNING else None
        next_step = requeued or "run the same command to go on"
        print(f"{interrupted.what}: {next_step}", file=sys.stderr, flush=True)
    raise SystemExit(interrupted.status) from None


def _requeue() -> str | None:
    """Put this job of Slurm back into the queue; what came of it, None where there is no job."""
    job = _slurm_job()
    if job is None:
        return None
    command = ["scontrol", "requeue", job]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        problem: str | None = str(error)
    else:
        problem = " ".join(done.stderr.split()) if done.returncode else None
    if problem is None:
        return f"Slurm's job {job} is requeued and goes on"
    return f"Slurm's job {job} cannot be requeued ({problem}), submit it again to go on"


def _slurm_job() -> str | None:
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is not None:
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID")
