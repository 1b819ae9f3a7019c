"""Two processes sample the cell that one samples."""

import numpy as np
import pytest
import torch
from helpers import programs
from helpers.sampling_program import stochastic
from test_shards import close, sample_cell


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder in which two processes sampled, and what they printed."""
    folder = tmp_path_factory.mktemp("ddp")
    done = programs.run("sampling_program", str(folder), progress=True)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_cell_over_two_processes_is_the_cell_of_one(two, tmp_path):
    folder, out = two
    sample_cell(tmp_path, stochastic())
    assert close(np.load(folder / "samples.npy"), np.load(tmp_path / "samples.npy"))
    assert not (folder / "shards").exists()
    assert out.count("two (1 of 2 processes): done") == 1


def test_only_the_first_process_merges(two):
    folder, _ = two
    first = [torch.load(folder / f"rank{r}.pt", weights_only=True)["first"] for r in range(2)]
    assert first == [True, False]
