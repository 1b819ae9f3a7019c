"""One cell from the configuration: its plan, its files, and Table 2's round trip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.oracle import eps_model
from helpers.report_fixture import config

from ddim import sampler, schedule, weights
from ddim.config import paths, schema
from ddim.images import squared_errors, to_float, to_uint8
from ddim.noise import Noise
from ddim.records import samples
from ddim.sampling import cell
from ddim.sampling.round_trip import round_trip
from ddim.sampling.shards import sample_missing
from ddim.unet import UNet


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> schema.Config:
    """A tiny network's weights where the pipeline has them, and a small cell of the grid."""
    cfg = config(
        "model.channels=8",
        "sample.num_images=6",
        "sweep.steps=[2,4]",
        "cell.steps=2",
        "trainer.accelerator=cpu",
    )
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    info = {"trained_steps": 3, "source": "trained here"}
    weights.save(paths.weights_file(cfg), UNet(**cfg.network), kind="ema", info=info)
    return cfg


def planned(cfg: schema.Config) -> cell.CellPlan:
    return cell.plan(cfg, cell.weights_in_use(cfg))


def sample(cfg: schema.Config) -> cell.CellPlan:
    plan = planned(cfg)
    job = cell.shard_job(cfg, plan, cell.load_network(cfg))
    sample_missing(job, plan.name, cfg.trainer)
    assert cell.collect(cfg, plan, job) > 0
    return plan


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


def test_the_round_trip_is_encoding_and_decoding_image_by_image(cfg: schema.Config) -> None:
    tau = schedule.trajectory(1000, 10, "linear")
    images = to_uint8(0.5 * Noise(3, range(5), (1, 8, 8)).draw()).numpy()
    cfg = replace(cfg, reconstruct=replace(cfg.reconstruct, batch_size=2))
    squared, decoded = round_trip(cfg, eps_model, tau, images, 3)
    alpha_bar = schedule.alpha_bar()
    for i, image in enumerate(images):
        x_0 = to_float(torch.from_numpy(image[None]))
        back = sampler.sample(
            eps_model, sampler.encode(eps_model, x_0, alpha_bar, tau), alpha_bar, tau
        )
        assert squared[i] == pytest.approx(squared_errors(x_0, back)[0], abs=1e-7)
        if i < 3:
            apart = np.abs(decoded[i].astype(int) - to_uint8(back)[0].numpy().astype(int))
            assert apart.max() <= 1
    assert len(decoded) == 3


def test_the_round_trip_gets_better_with_every_step_on_the_oracle(cfg: schema.Config) -> None:
    images = to_uint8(0.5 * Noise(3, range(8), (1, 8, 8)).draw()).numpy()
    errors = [
        round_trip(cfg, eps_model, schedule.trajectory(1000, S, "linear"), images, 0)[0].mean()
        for S in (10, 100, 1000)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
