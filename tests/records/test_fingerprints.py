"""A fingerprint follows what moves the result, and nothing else."""

from types import SimpleNamespace

from helpers import tiny

from ddim.config import schema
from ddim.records import fingerprints


def configuration(**changes):
    sections = {
        "train": tiny.recipe(),
        "trainer": tiny.CPU,
        "model": schema.Model(8, [1, 2], 1, [4], 0.0, 8),
        "diffusion": schema.Diffusion(1000, 1e-4, 0.02),
        "data": schema.Data("digits", "data", 8, 1, False, 0.2, False),
        "seed": 0,
    }
    return SimpleNamespace(**(sections | changes))


def test_the_trainings_fingerprint_follows_what_moves_the_weights_and_nothing_else():
    base = fingerprints.training(configuration(), "abc")
    for name in ("steps", "log_every", "checkpoint_every", "sample_every", "validate_every"):
        same = configuration(train=tiny.recipe(**{name: 31}))
        assert base == fingerprints.training(same, "abc"), name
    others = [
        fingerprints.training(configuration(), "abd"),
        fingerprints.training(configuration(seed=1), "abc"),
        fingerprints.training(configuration(train=tiny.recipe(lr=2e-2)), "abc"),
        fingerprints.training(configuration(diffusion=schema.Diffusion(999, 1e-4, 0.02)), "abc"),
    ]
    assert len({base, *others}) == 5
