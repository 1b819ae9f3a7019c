"""For comparisons bit for bit: one thread, and no progress line."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Sums must be taken in the same order in every process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory):
    """An uninterrupted training: (its result, its folder)."""
    from helpers import tiny

    work = tmp_path_factory.mktemp("whole")
    return tiny.fit(tiny.net(), work), work
