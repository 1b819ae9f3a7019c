"""Batches on every core at once: on a CPU, a thread for each core, which has it to itself.

The operations of a small network are too short to be shared out: two threads inside each of them
wait for each other longer than they compute, two batches side by side do not.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TypeVar

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
    lock, stopped = Lock(), Event()

    def advance_alone(amount: float = 1, note: str = "") -> None:
        if stopped.is_set():
            raise InterruptedError("another batch failed, or nobody waits for this one")
        with lock:
            advance(amount, note)

    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(lambda batch: function(batch, advance_alone), batches)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
