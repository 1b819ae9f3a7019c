"""One cell from the configuration: its plan, its files, and Table 2's round trip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cells import cfg as cfg
from helpers.cells import planned, sample
from helpers.oracle import eps_model

from ddim import sampler, schedule
from ddim.config import paths, schema
from ddim.evaluation.reconstruction import squared_errors
from ddim.images import to_float, to_uint8
from ddim.noise import Noise
from ddim.records import samples
from ddim.sampling import cell
from ddim.sampling.round_trip import num_redrawn, round_trip


def test_a_cell_is_there_once_it_is_collected_and_for_its_plan_alone(cfg: schema.Config) -> None:
    assert not cell.is_sampled(cfg, planned(cfg))
    plan = sample(cfg)
    assert cell.is_sampled(cfg, plan)
    other = replace(cfg, diffusion=schema.Diffusion(1000, 1e-4, 0.03))
    assert not cell.is_sampled(cfg, planned(other))
    record = samples.record(cfg)
    assert (record.n, record.nfe, record.cell.name) == (6, 2, "S2_eta0.0_seed0")
    assert record.trajectory is not None
    assert record.trajectory.tau == (1, 501)
    assert np.load(paths.samples_file(cfg)).shape == (6, 1, 8, 8)


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        ({"sample": {"batch_size": 3}}, False),
        ({"sample": {"shard_size": 3}}, False),
        ({"sample": {"num_images": 7}}, True),
        ({"sampler": {"trajectory": "quadratic"}}, True),
        ({"cell": {"eta": 1.0}}, True),
        ({"cell": {"seed": 1}}, True),
        ({"sampler": {"clip_x0": [0.0]}}, True),
        ({"evaluate": {"neighbours": 5}}, False),
    ],
)
def test_the_fingerprint_follows_what_moves_the_images(
    cfg: schema.Config, change: dict[str, dict[str, object]], moves: bool
) -> None:
    sections = {name: replace(getattr(cfg, name), **values) for name, values in change.items()}
    other = planned(replace(cfg, **sections))
    assert (other.fingerprint != planned(cfg).fingerprint) == moves


def test_cells_outside_the_grid_and_of_a_scheduler_lie_apart(cfg: schema.Config) -> None:
    inside, outside = Path("out/digits/samples"), Path("out/digits/extra")
    assert paths.samples(cfg) == inside / "S2_eta0.0_seed0"
    odd = replace(cfg, cell=replace(cfg.cell, steps=3))
    assert paths.samples(odd) == outside / "S3_eta0.0_seed0"
    assert paths.cell_record(odd).parent == paths.cell_timing(odd).parent == paths.samples(odd)
    heun = replace(cfg, sampler=replace(cfg.sampler, scheduler="HeunDiscreteScheduler"))
    assert paths.samples(heun) == outside / "S2_HeunDiscreteScheduler_seed0"
    plan = sample(heun)
    assert "trajectory" not in plan.fields
    assert samples.record(heun).nfe == 3  # Heun's method looks twice at every step but the last
    assert not inside.exists()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone", "record"])
def test_damaged_images_are_named_and_count_as_absent(
    cfg: schema.Config, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, path = sample(cfg), paths.samples_file(cfg)
    capsys.readouterr()
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "truncated":
        path.write_bytes(content[:-5])
    elif damage == "gone":
        path.unlink()
    elif damage == "record":
        paths.sampled_record(cfg).write_text("[1, 2")
    assert not cell.is_sampled(cfg, plan)
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert str(paths.samples(cfg)) in told
    assert "python -m ddim.stages.sample -cn stage cell.steps=2" in told


def test_images_of_another_cell_are_not_measured_as_this_one(cfg: schema.Config) -> None:
    other = replace(cfg, cell=replace(cfg.cell, steps=4))
    plan = sample(cfg)
    sample(other)
    for name in (paths.SAMPLES, paths.SAMPLED):
        (paths.samples(other) / name).replace(paths.samples(cfg) / name)
    assert not cell.is_sampled(cfg, plan)
    with pytest.raises(ValueError, match=r"holds S4_eta0\.0_seed0, not S2"):
        samples.load(cfg)


def test_the_place_of_a_cell(cfg: schema.Config) -> None:
    assert paths.extra(cfg) == Path("out/digits/extra")
    assert paths.cell_lock(cfg).name == "digits-S2_eta0.0_seed0.lock"


def round_trips(cfg: schema.Config, images: np.ndarray, S: int) -> tuple[np.ndarray, np.ndarray]:
    """(squared error [N], decoded uint8 [N,C,H,W]) on the oracle."""
    pairs = list(round_trip(cfg, eps_model, schedule.trajectory(1000, S, "linear"), images))
    squared = [squared_errors(x_0, decoded) for x_0, decoded in pairs]
    return np.concatenate(squared), to_uint8(torch.cat([back for _, back in pairs])).numpy()


def test_the_round_trip_is_encoding_and_decoding_image_by_image(cfg: schema.Config) -> None:
    tau = schedule.trajectory(1000, 10, "linear")
    images = to_uint8(0.5 * Noise(3, range(5), (1, 8, 8)).draw()).numpy()
    cfg = replace(cfg, reconstruct=replace(cfg.reconstruct, batch_size=2))
    squared, decoded = round_trips(cfg, images, 10)
    alpha_bar = schedule.alpha_bar()
    for i, image in enumerate(images):
        x_0 = to_float(torch.from_numpy(image[None]))
        back = sampler.sample(
            eps_model, sampler.encode(eps_model, x_0, alpha_bar, tau), alpha_bar, tau
        )
        assert squared[i] == pytest.approx(squared_errors(x_0, back)[0], abs=1e-7)
        apart = np.abs(decoded[i].astype(int) - to_uint8(back)[0].numpy().astype(int))
        assert apart.max() <= 1
    assert len(decoded) == 5


@pytest.mark.parametrize(("batch_size", "needed"), [(3, 9), (8, 16), (50, 100)])
def test_a_picture_is_redrawn_from_the_batches_that_were_measured(
    cfg: schema.Config, batch_size: int, needed: int
) -> None:
    cfg = replace(cfg, reconstruct=replace(cfg.reconstruct, batch_size=batch_size))
    assert num_redrawn(cfg) == needed


def test_the_round_trip_gets_better_with_every_step_on_the_oracle(cfg: schema.Config) -> None:
    images = to_uint8(0.5 * Noise(3, range(8), (1, 8, 8)).draw()).numpy()
    errors = [round_trips(cfg, images, S)[0].mean() for S in (10, 100, 1000)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
