"""Two processes: one training and one cell, each against the same thing done by one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny

HERE = Path(__file__).parent.parent / "helpers"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder in which two processes trained and sampled, and what they printed."""
    folder = tmp_path_factory.mktemp("ddp")
    paths = os.pathsep.join([str(HERE.parent.parent / "src"), str(HERE.parent)])
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | {"PYTHONPATH": paths}
    program = [sys.executable, str(HERE / "training_program.py"), "ddp", str(folder)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_over_two_processes_equals_the_loop_written_out(two):
    folder, _ = two
    first, second = (torch.load(folder / f"rank{r}.pt", weights_only=True) for r in range(2))
    raw, ema = tiny.by_hand(tiny.net(), tiny.recipe(), seed=0, world=2)
    assert tiny.same(first["raw"], second["raw"])
    for name in raw:
        torch.testing.assert_close(first["raw"][name], raw[name], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(first["ema"][name], ema[name], rtol=1e-4, atol=1e-5)
    assert (first["exports"], second["exports"]) == (True, False)


def test_a_cell_over_two_processes_is_the_cell_of_one(two, tmp_path):
    from helpers.training_program import walk
    from test_generation import cell, close

    folder, out = two
    cell(tmp_path, walk())
    assert close(np.load(folder / "samples.npy"), np.load(tmp_path / "samples.npy"))
    assert not (folder / "shards").exists()
    assert out.count("two (1 of 2 processes): done") == 1
    assert out.count("training: done") == 1


def test_only_one_process_merges(two):
    folder, _ = two
    merged = [torch.load(folder / f"rank{r}.pt", weights_only=True)["merges"] for r in range(2)]
    assert merged == [True, False]
