"""What a stage looks at before it starts: the machine, and the images that were prepared."""

import ctypes
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.report_fixture import config

from ddim import compose
from ddim.config import params, paths
from ddim.config.schema import Accelerator, Config
from ddim.records import prepared
from ddim.runtime import device
from ddim.stages import data as stage_data
from ddim.stages import ready

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(cfg: Config) -> str:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        ready.ready(cfg)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- the machine ---------------------------------------------------------------------------------


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two cores and no driver."""

    def absent(name: str) -> None:
        raise OSError(f"{name}: no such library")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    monkeypatch.setattr(device, "Path", lambda path: Path("/nowhere") / path.lstrip("/"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for name in ("SLURM_JOB_ID", "MASTER_ADDR", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("project", "without_gpu")
@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"accelerator": Accelerator.cuda}, "trainer.accelerator is cuda, which this machine does"),
        (
            {"devices": 1000},
            "trainer.devices must be at most 2 here (the CPU has 2 cores), got 1000",
        ),
        ({"num_nodes": 4}, "trainer.num_nodes must be 1 unless a launcher starts this program"),
        ({"precision": "16-mixed"}, "trainer.precision must be 32-true or bf16-mixed on the CPU"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(settings: dict[str, Any], line: str) -> None:
    cfg = config()
    assert refusal(replace(cfg, trainer=replace(cfg.trainer, **settings))).startswith(line)


@pytest.mark.usefixtures("project", "without_gpu")
def test_what_the_machine_has_passes() -> None:
    for overrides in ([], ["trainer=cpu", "trainer.devices=2", "trainer.strategy=ddp_spawn"]):
        ready.ready(config(*overrides))


@pytest.mark.usefixtures("without_gpu")
def test_nodes_that_a_launcher_starts_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    device.require(config("trainer.num_nodes=2").trainer)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ("sample.num_images=100000000000", "sample.num_images=100000000000 needs at least 6,400"),
        ("train.batch_size=10000000000", "train.batch_size=10000000000 needs at least"),
        ("analysis.num_images=1000000000000", "analysis.num_images=1000000000000 needs at least"),
    ],
)
def test_what_no_machine_can_hold_is_one_line_with_what_there_is(overrides: str, key: str) -> None:
    line = refusal(config(overrides))
    assert line.startswith(key)
    assert "GB; this machine has " in line


# --- the prepared images -------------------------------------------------------------------------


@pytest.fixture
def digits(project: Path) -> Config:
    """The digits, prepared: 1,437 training and 360 held-out images."""
    cfg = config("analysis/solvers=none")
    stage_data.run(cfg)
    return cfg


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ("reconstruct.num_images=361", "reconstruct.num_images must be at most the 360 held-out"),
        ("analysis.num_images=361", "analysis.num_images must be at most the 360 held-out images"),
        ("evaluate.neighbours=359", None),
        ("train.batch_size=1438", "train.batch_size must be at most the 1437 training images"),
        ("sample.batch_size=5000", None),
    ],
)
def test_more_images_than_there_are_is_one_line(
    digits: Config, overrides: str, line: str | None
) -> None:
    cfg = config("analysis/solvers=none", overrides)
    if line is None:
        ready.ready(cfg)
    else:
        assert refusal(cfg).startswith(line)


def test_subsets_and_neighbours_are_sought_among_the_held_out_images_too(digits: Config) -> None:
    many = ("sample.num_images=2000", "sample.num_images_at={1000: 2000}")
    line = "evaluate.kid_subset_size must be at most 360, the 360 held-out images"
    assert refusal(config(*many, "evaluate.kid_subset_size=361")).startswith(line)
    line = "evaluate.neighbours must be less than 360, the 360 held-out images"
    assert refusal(config(*many, "evaluate.neighbours=360")).startswith(line)


def test_images_of_other_settings_are_named(digits: Config) -> None:
    other = replace(digits, data=replace(digits.data, image_size=16))
    assert "out/digits/data holds digits of 1x8x8, the settings data.* say digits of 1x16x16" in (
        refusal(other)
    )


def test_the_stage_data_itself_refuses(project: Path) -> None:
    with pytest.raises(ValueError, match=r"reconstruct\.num_images must be at most the 360"):
        stage_data.run(config("analysis/solvers=none", "reconstruct.num_images=361"))


def test_a_class_without_a_training_image_is_named_where_it_is_edited(
    digits: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = prepared.load(paths.data(digits), "train")
    labels = np.where(split.labels == 3, 4, split.labels)
    without = prepared.Split(images=split.images, labels=labels)
    monkeypatch.setattr(prepared, "load", lambda folder, name: without)
    with pytest.raises(ValueError, match="class 3 has no training image, and the section edit"):
        ready.every_class_has_images(digits)
    monkeypatch.setattr(prepared, "load", lambda folder, name: pytest.fail("read for nothing"))
    ready.every_class_has_images(config("analysis.sections=[speed]"))


def test_the_stage_config_asks_when_the_images_are_there_already(project: Path) -> None:
    compose.main(["analysis/solvers=none"])
    compose.main(["--check"])
    stage_data.run(params.read([]))
    compose.main(["analysis/solvers=none", "reconstruct.num_images=361"])
    with pytest.raises(ValueError, match=r"reconstruct\.num_images must be at most the 360"):
        compose.main(["--check"])
    # Of other data the stage `data` will tell: these images go.
    compose.main(["reconstruct.num_images=361", "data.held_out=0.5"])
    compose.main(["--check"])


def test_a_solver_that_cannot_be_built_is_one_line(project: Path) -> None:
    row = "analysis.solvers.rows.UniPC.options"
    cfg = config(f"{row}.use_karras_sigmas=true", f"{row}.use_beta_sigmas=true")
    with pytest.raises(ValueError, match=r"analysis\.solvers\.rows\.UniPC: .*do not suit UniPC"):
        ready.solvers_can_be_built(cfg)
