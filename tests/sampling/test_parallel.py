"""Batches side by side: order, threads, progress, and what a batch that fails does."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from ddim.runtime.progress import Advance
from ddim.sampling.parallel import map_batches

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_their_batches() -> None:
    def slow_first(batch: int, advance: Advance) -> int:
        time.sleep(0.05 if batch == 0 else 0)
        return batch

    assert list(map_batches(slow_first, range(8), CPU)) == list(range(8))


def test_each_batch_has_one_thread_and_the_caller_keeps_its_own() -> None:
    counts = list(map_batches(lambda batch, _: torch.get_num_threads(), range(4), CPU))
    assert counts == [1] * 4
    assert torch.get_num_threads() == 2


def test_one_batch_alone_has_all_threads() -> None:
    assert list(map_batches(lambda batch, _: torch.get_num_threads(), [0], CPU)) == [2]


def test_progress_is_told_from_one_thread_at_a_time() -> None:
    total, inside = 0.0, threading.Lock()

    def advance(amount: float = 1, note: str = "") -> None:
        nonlocal total
        assert inside.acquire(blocking=False)
        total += amount
        inside.release()

    def work(batch: int, advance: Advance) -> None:
        for _ in range(200):
            advance(0.5)

    list(map_batches(work, range(6), CPU, advance))
    assert total == 600


@pytest.mark.parametrize("bad", [0, 1])
def test_a_batch_that_fails_ends_the_others(bad: int) -> None:
    steps = 0

    def work(batch: int, advance: Advance) -> None:
        nonlocal steps
        if batch == bad:
            raise ValueError("x_t is not finite")
        for _ in range(500):
            time.sleep(0.01)
            advance()
            steps += 1

    with pytest.raises(ValueError, match="x_t is not finite"):
        list(map_batches(work, range(3), CPU))
    assert steps < 50
