"""The seeds of training's random numbers: functions of the run's seed and of where they are used.

No generator's state is carried from one step to the next, so none has to be restored on a resume.
"""

import numpy as np


def step_seed(seed: int, rank: int, step: int) -> int:
    """For torch, in 0..2**63-1: everything that process `rank` draws in the step after `step`."""
    return _to_torch(np.random.SeedSequence([seed, rank, step]))


def validation_seed(seed: int, batch_idx: int) -> int:
    """For torch, in 0..2**63-1: t and eps of validation batch `batch_idx`, the same every time."""
    return _to_torch(np.random.SeedSequence(seed, spawn_key=(batch_idx,)))


def _to_torch(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
