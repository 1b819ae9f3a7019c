"""Two processes train as one does."""

import pytest
import torch
from helpers import programs, tiny

from ddim.training.fit import load_result


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder in which two processes trained, and what they printed."""
    folder = tmp_path_factory.mktemp("ddp")
    done = programs.run("training_program", "ddp", str(folder), progress=True)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_over_two_processes_equals_the_loop_written_out(two):
    folder, out = two
    first, second = (torch.load(folder / f"rank{r}.pt", weights_only=True) for r in range(2))
    raw, ema = tiny.by_hand(tiny.net(), tiny.recipe(), seed=0, world=2)
    result = load_result(folder / "work")
    assert tiny.same(first["raw"], second["raw"])
    for name in raw:
        torch.testing.assert_close(first["raw"][name], raw[name], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(result.ema[name], ema[name], rtol=1e-4, atol=1e-5)
    assert (first["exports"], second["exports"]) == (True, False)
    assert out.count("training: done") == 1


def test_every_process_validates_on_all_held_out_images(two):
    folder, _ = two
    first, second = (torch.load(folder / f"rank{r}.pt", weights_only=True) for r in range(2))
    assert [step for step, _ in first["val"]] == [10, 20, 30]
    assert second["val"] == first["val"]
