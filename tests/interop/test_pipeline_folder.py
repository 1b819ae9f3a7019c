"""Export: a diffusers pipeline that samples what we sample, and the command that writes it."""

import json
import runpy
import sys

import pytest
import torch
import yaml
from helpers.networks import randomised, reads, same, tiny

from ddim import weights
from ddim.interop import diffusers_layout, pipeline_folder
from ddim.runtime import files
from ddim.sampler import sample
from ddim.schedule import alpha_bar, trajectory

INFO = {
    "trained_steps": 7,
    "source": "trained here",
    "diffusion": {"T": 1000, "beta_start": 1e-4, "beta_end": 0.02},
}


@pytest.fixture
def saved(tmp_path):
    unet = randomised(tiny())
    weights.save(tmp_path / "ema.safetensors", unet, kind="ema", info=INFO)
    return tmp_path / "ema.safetensors", unet


@pytest.fixture(scope="module")
def diffusers():
    return pytest.importorskip("diffusers")


def test_export_is_a_pipeline_that_samples_what_we_sample(diffusers, saved, tmp_path):
    path, unet = saved
    folder = tmp_path / "pipeline"
    pipeline_folder.export(path, folder)
    pipeline = diffusers.DDIMPipeline.from_pretrained(folder)
    assert type(pipeline.scheduler).__name__ == "DDIMScheduler"
    abar = alpha_bar()
    theirs = pipeline.scheduler.alphas_cumprod.double()
    torch.testing.assert_close(theirs, abar[1:], atol=1e-6, rtol=1e-5)

    pipeline.set_progress_bar_config(disable=True)
    for S, eta in ((10, 0.0), (5, 1.0)):
        options = {"eta": eta, "num_inference_steps": S, "output_type": "np"}
        images = pipeline(2, torch.Generator().manual_seed(3), **options).images
        generator = torch.Generator().manual_seed(3)
        x_T = torch.randn(2, 1, 8, 8, generator=generator)

        def randn_like(x, generator=generator):
            return torch.randn(x.shape, generator=generator, dtype=x.dtype)

        with torch.no_grad():
            tau = trajectory(1000, S, "linear")
            x_0 = sample(unet, x_T, abar, tau, eta, randn_like=randn_like)
        ours = (x_0 / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
        assert ours.std() > 0.05
        torch.testing.assert_close(ours, torch.from_numpy(images), atol=1e-4, rtol=0)


def test_export_and_import_are_inverse(saved, tmp_path):
    path, unet = saved
    pipeline_folder.export(path, tmp_path / "pipeline")
    sha256 = files.sha256(tmp_path / "pipeline" / "unet" / diffusers_layout.WEIGHTS)
    assert same(reads(tmp_path / "pipeline", sha256=sha256), unet)


def test_export_command(saved, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "pipeline"
    monkeypatch.setattr(sys, "argv", ["ddim.export", str(saved[0]), str(folder)])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("ddim.export", run_name="__main__")
    assert end.value.code == 0
    assert "DDIMPipeline.from_pretrained" in capsys.readouterr().out
    scheduler = json.loads((folder / "scheduler/scheduler_config.json").read_text())
    assert not scheduler["clip_sample"]
    assert scheduler["set_alpha_to_one"]
    with pytest.raises(SystemExit, match=r"^error: .*/pipeline exists already: name a new folder"):
        runpy.run_module("ddim.export", run_name="__main__")
    assert {p.name for p in tmp_path.iterdir()} == {"ema.safetensors", "pipeline"}
    card = (folder / "README.md").read_text()
    assert yaml.safe_load(card.split("---")[1])["license"] == "mit"
    assert "so this card has no numbers" in card


def test_export_names_the_reports_that_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports" / "digits").mkdir(parents=True)
    (tmp_path / "reports" / "digits" / "ema.safetensors").touch()
    monkeypatch.setattr(sys, "argv", ["ddim.export", "digist", "pipeline"])
    with pytest.raises(SystemExit, match=r"^error: weights=digist is no report; did you mean wei"):
        runpy.run_module("ddim.export", run_name="__main__")
    assert not (tmp_path / "pipeline").exists()


def test_export_needs_the_schedule(tmp_path):
    weights.save(tmp_path / "w.safetensors", tiny(), kind="ema", info={})
    with pytest.raises(ValueError, match=r"w.safetensors does not say its schedule .*lacks T"):
        pipeline_folder.export(tmp_path / "w.safetensors", tmp_path / "pipeline")
    assert not (tmp_path / "pipeline").exists()
