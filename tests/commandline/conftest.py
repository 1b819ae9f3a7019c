"""A project with one report and its weights, as a fresh clone has it; the network is tiny."""

import contextlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.networks import randomised
from helpers.pipeline import ROOT
from omegaconf import OmegaConf

from ddim import weights
from ddim.commandline import inputs
from ddim.config import params, paths, schema
from ddim.data.prepare import prepare
from ddim.records import published
from ddim.records.experiment import Experiment
from ddim.records.training import Training
from ddim.runtime import files
from ddim.unet import UNet

TINY = (
    "model.channels=8",
    "sampler.trajectory=quadratic",
    "sample.num_images_at={1000: 250}",
    "analysis.interpolate.points=5",
    "analysis.edit.per_class=3",
    "cell.steps=6",
    "trainer.compile=true",  # on the machine of the report
)
Run = Callable[..., str]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report."""
    folder = tmp_path_factory.mktemp("reports") / "tiny"
    with contextlib.chdir(ROOT):
        cfg = schema.checked(params.from_conf([*TINY, "name=tiny"]))
    torch.manual_seed(5)
    unet = randomised(UNet(**cfg.network))
    info = {"trained_steps": 7, "source": "trained here", "diffusion": vars(cfg.diffusion)}
    weights.save(folder / "ema.safetensors", unet, kind="ema", info=info)
    record = Experiment(name="tiny", compose=TINY, config=schema.as_dict(cfg))
    record.write(folder / "experiment.json")
    Training(
        source="trained here",
        parameters=sum(p.numel() for p in unet.parameters()),
        seed=0,
        recipe=None,
        sha256={"ema": files.sha256(folder / "ema.safetensors")},
        loss=(),
    ).write(folder / "train.json")
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, report: Path) -> Path:
    """The prepared digits."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    prepare(Experiment.read(report / "experiment.json", "").cfg.data, folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, report: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: conf/, params.yaml, reports/tiny with its weights, nothing else."""
    for name in ("conf", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(report, tmp_path / "reports" / "tiny")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cfg(project: Path, data: Path) -> schema.Config:
    """What a program gets under weights=tiny, the images there already."""
    merged = OmegaConf.merge(OmegaConf.structured(schema.Config), published.settings("tiny"))
    config = OmegaConf.to_object(merged)
    assert isinstance(config, schema.Config)
    shutil.copytree(data, project / paths.data(config))
    (project / paths.data(config) / inputs.SETTINGS).write_text(inputs.settings(config))
    return config


@pytest.fixture
def ddim(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `ddim ...` in the project and returns what it printed; `fails`: its one line."""
    from ddim.main import main

    def run(*arguments: str, fails: bool = False) -> str:
        monkeypatch.setattr(sys, "argv", ["ddim", *arguments])
        capsys.readouterr()
        status: object = None
        try:
            main()
        except SystemExit as end:
            status = end.code
        out = capsys.readouterr().out
        if fails:
            assert isinstance(status, str), (status, out)
            assert "\n" not in status
            return status
        assert not status, status
        return out

    return run
