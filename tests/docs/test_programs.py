"""The Python and YAML that the documents show work as they stand."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from helpers import documents

from ddim.config import conf

ROOT = documents.ROOT
PYTHON = [(d, block) for d in documents.DOCUMENTS for block in documents.blocks(d, "python")]
YAML = [(d, block) for d in documents.DOCUMENTS for block in documents.blocks(d, "yaml")]
EXPERIMENTS = [block for _, block in YAML if block.startswith("# @package _global_")]


def test_the_front_page_shows_a_program() -> None:
    assert any(document.name == "README.md" for document, _ in PYTHON)


@pytest.mark.parametrize("block", [b for _, b in PYTHON], ids=[d.name for d, _ in PYTHON])
def test_a_program_runs_and_samples_finite_images(
    block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    exec(compile(block, "document", "exec"), names)
    tensors = [value for value in names.values() if isinstance(value, torch.Tensor)]
    assert tensors
    assert all(value.isfinite().all() for value in tensors)


@pytest.mark.parametrize("block", [b for _, b in YAML], ids=[d.name for d, _ in YAML])
def test_settings_are_whole_yaml(block: str) -> None:
    assert isinstance(yaml.safe_load(block), dict)


@pytest.mark.parametrize("block", EXPERIMENTS)
def test_an_experiment_that_a_document_shows_composes(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf/experiment/mine.yaml").write_text(block)
    monkeypatch.chdir(tmp_path)
    cfg = conf.composed(["experiment=mine"])
    assert cfg.name == "mine"
    assert cfg.train.steps == yaml.safe_load(block)["train"]["steps"]
