"""W&B while training: what an offline run records, and the error without an account."""

import re
import sys
from pathlib import Path

import pytest
from helpers import report_fixture, tiny, wandb_file

from ddim.config import paths, schema
from ddim.tracking import training_run as training_run_module
from ddim.tracking.training_progress import ProgressLine, SampleGrid
from ddim.tracking.training_run import training_run


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> schema.Config:
    configured = report_fixture.config("logger.tags=[try]", "train.lr=0.01")
    monkeypatch.chdir(tmp_path)
    return configured


def fit(cfg: schema.Config, work: Path, **changes: object) -> object:
    """A tiny training with everything that the logger takes."""
    with training_run(cfg, work.name) as logger:
        callbacks = [ProgressLine(), SampleGrid(every=15, seed=0)]
        return tiny.fit(tiny.net(), work, logger=logger, callbacks=callbacks, **changes)


def test_an_offline_run_records_curves_pictures_and_configuration(
    no_wandb: Path, cfg: schema.Config, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = fit(cfg, tmp_path / "work")
    alone = tiny.fit(tiny.net(), tmp_path / "alone")
    assert tiny.same(result.raw, alone.raw)  # pictures on the way change nothing

    run = wandb_file.load(paths.out(cfg))
    assert run["name"] == "digits: training, seed 0"
    assert (run["group"], run["project"], run["job"]) == ("digits", "ddim", "train")
    assert run["tags"] == ["try", "digits"]
    assert run["config"]["train"]["lr"] == 0.01
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
    assert list(no_wandb.rglob("*")) == []
    printed = capfd.readouterr()
    assert printed.err == ""
    line = r"W&B run: (out/digits/wandb/offline-run-\S+) \(`wandb sync \1` sends it\)\n"
    assert re.fullmatch(line, printed.out)


def test_a_training_that_goes_on_is_the_same_run(
    no_wandb: Path, cfg: schema.Config, tmp_path: Path
) -> None:
    fit(cfg, tmp_path / "work", steps=15)
    fit(cfg, tmp_path / "work", steps=30)
    fit(cfg, tmp_path / "other", steps=15)
    folders = (paths.out(cfg) / "wandb").glob("offline-run-*")
    # offline-run-TIME-ID, and -1 after it for a second one within a second
    ids = [folder.name.split("-")[3] for folder in sorted(folders)]
    assert len(ids) == 3
    assert len(set(ids)) == 2


def test_a_run_that_wandb_breaks_is_finished_as_failed(
    no_wandb: Path, cfg: schema.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    statuses: list[int] = []
    monkeypatch.setattr(
        training_run_module, "_finish", lambda exit_code: statuses.append(exit_code)
    )
    error = pytest.raises(OSError, match=r"W&B cannot be reached \(gone\): try logger=offline")
    with error, training_run(cfg, "key"):
        raise wandb.errors.CommError("gone")
    assert statuses == [1]


def test_disabled_does_without_wandb(
    cfg: schema.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    cfg.logger.mode = schema.WandbMode.disabled
    with training_run(cfg, "key") as logger:
        assert logger is None
    assert list(tmp_path.iterdir()) == []


def test_online_without_an_account_fails_at_once_even_on_a_terminal(
    no_wandb: Path, cfg: schema.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    cfg.logger.mode = schema.WandbMode.online
    with pytest.raises(ValueError, match=r"logger.mode is online, but there is no W&B account"):
        training_run(cfg, "key").__enter__()
