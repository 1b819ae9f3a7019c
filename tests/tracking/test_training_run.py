"""W&B while training: what an offline run records, and the error without an account."""

import os
import sys

import pytest
from helpers import tiny, wandb_file

from ddim.config import schema
from ddim.tracking.training_progress import ProgressLine, SampleGrid
from ddim.tracking.training_run import training_run


def tracked(mode, tmp_path):
    settings = schema.Logger(mode=schema.WandbMode[mode], project="ddim", tags=["try"])
    config = {"train": {"lr": 0.01}}
    return training_run(settings, group="digits", folder=tmp_path, config=config)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and no trace of W&B in the environment."""
    for name in [name for name in os.environ if name.startswith(("WANDB_", "NETRC"))]:
        monkeypatch.delenv(name)
    for name in ("DATA", "CACHE", "CONFIG"):  # so that what the code sets is undone
        monkeypatch.setenv(f"WANDB_{name}_DIR", "")
        monkeypatch.delenv(f"WANDB_{name}_DIR")
    monkeypatch.setenv("WANDB_MODE", "")
    monkeypatch.delenv("WANDB_MODE")
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


def test_wandb_offline_records_curves_pictures_and_configuration(
    home, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("CI", "true")
    out = tmp_path / "out"
    with tracked("offline", out) as logger:
        callbacks = [ProgressLine(), SampleGrid(every=15, seed=0)]
        result = tiny.fit(tiny.net(), tmp_path / "work", logger=logger, callbacks=callbacks)
    alone = tiny.fit(tiny.net(), tmp_path / "alone")
    assert tiny.same(result.raw, alone.raw)  # pictures on the way change nothing

    run = wandb_file.load(out)
    assert (run["name"], run["group"], run["project"]) == ("train", "digits", "ddim")
    assert run["tags"] == ["try"]
    assert run["config"]["train"] == {"lr": 0.01}
    assert run["exit"] == 0
    rows = [row for row in run["history"] if "train/loss" in row]
    curve = [(row["trainer/global_step"], row["train/loss"]) for row in rows]
    assert curve == result.loss
    assert rows[0]["train/lr"] == pytest.approx(5e-3)  # step 5 of 10 comes next
    assert all(row["train/grad_norm"] > 0 for row in rows)
    assert all(row["train/images_per_second"] > 0 for row in rows)
    pictures = [row["samples.filenames"] for row in run["history"] if "samples.filenames" in row]
    assert len(pictures) == 2
    assert (run["files"] / pictures[1][0]).stat().st_size > 0
    assert list(home.rglob("*")) == []
    assert capfd.readouterr() == ("", "")


def test_wandb_disabled_does_without_wandb(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with tracked("disabled", tmp_path) as logger:
        assert logger is None
    assert list(tmp_path.iterdir()) == []


def test_wandb_online_without_an_account_fails_at_once_even_on_a_terminal(
    home, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    with pytest.raises(ValueError, match=r"logger.mode is online, but there is no W&B account"):
        tracked("online", tmp_path).__enter__()
