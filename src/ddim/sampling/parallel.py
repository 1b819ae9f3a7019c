"""Batches on every core at once: on a CPU, a thread for each core, which has it to itself.

The operations of a small network are too short to be shared out: two threads inside each of them
wait for each other longer than they compute, two batches side by side do not.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Generic, TypeVar

import torch

from ddim.runtime.progress import Advance, silent

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def map_batches(
    function: Callable[[Batch, Advance], Result],
    batches: Sequence[Batch],
    device: torch.device,
    advance: Advance = silent,
) -> Iterator[Result]:
    """Yield function(batch, advance) of every batch, in their order.

    On a CPU as many batches at a time as torch has threads, each computed with one; on a GPU one
    after the other. function tells the `advance` that it is given what it has done, and often: a
    caller that stops early, or a batch that fails, ends the others there.
    """
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    if min(workers, len(batches)) <= 1:
        for batch in batches:
            yield function(batch, advance)
        return
    shared = _Shared(function, advance)
    # A worker's 1 becomes the default of threads that are started later; the caller keeps its own.
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(shared.call, batches)
    except _StoppedError:  # a later batch's fault
        raise shared.failures[0] from None
    finally:
        shared.stopped.set()
        pool.shutdown(cancel_futures=True)


class _Shared(Generic[Batch, Result]):
    """What the workers have in common: the progress, and whether they are to stop."""

    def __init__(self, function: Callable[[Batch, Advance], Result], advance: Advance) -> None:
        self._function, self._advance, self._lock = function, advance, Lock()
        self.stopped, self.failures = Event(), list[BaseException]()

    def call(self, batch: Batch) -> Result:
        """The function's result; its failure stops the other workers."""
        try:
            return self._function(batch, self._advance_alone)
        except BaseException as error:
            if not isinstance(error, _StoppedError):
                self.failures.append(error)
            self.stopped.set()
            raise

    def _advance_alone(self, amount: float = 1, note: str = "") -> None:
        if self.stopped.is_set():
            raise _StoppedError
        with self._lock:
            self._advance(amount, note)


class _StoppedError(Exception):
    """Raised in a batch whose result nobody wants any more."""
