"""A small grid of cells with a tiny network, and one cell sampled as the stage samples it."""

from pathlib import Path

import pytest
import torch

from ddim import weights
from ddim.config import paths, schema
from ddim.records.training import Training
from ddim.runtime import files
from ddim.sampling import cell
from ddim.sampling.shards import sample_missing
from ddim.unet import UNet
from helpers.report_fixture import config


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> schema.Config:
    """A tiny network's weights where the pipeline has them, and a small cell of the grid."""
    cfg = config(
        "model.channels=8",
        "sample.num_images=6",
        "evaluate.kid_subset_size=5",
        "sweep.steps=[2,4]",
        "cell.steps=2",
        "trainer.accelerator=cpu",
    )
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    info = {"trained_steps": 3, "source": "trained here"}
    unet = UNet(**cfg.network)
    weights.save(paths.weights_file(cfg), unet, kind="ema", info=info)
    record(cfg)
    return cfg


def record(cfg: schema.Config) -> None:
    """The training's record, of the weights that are there."""
    weights_file = paths.weights_file(cfg)
    Training(
        source="trained here",
        parameters=1,
        seed=0,
        recipe=None,
        sha256={weights_file.stem: files.sha256(weights_file)},
        loss=(),
    ).write(paths.training_record(cfg))


def planned(cfg: schema.Config) -> cell.CellPlan:
    return cell.plan(cfg, cell.weights_in_use(cfg))


def sample(cfg: schema.Config) -> cell.CellPlan:
    plan = planned(cfg)
    job = cell.shard_job(cfg, plan, cell.load_network(cfg))
    sample_missing(job, plan.name, cfg.trainer)
    cell.collect(cfg, plan, job)
    return plan
