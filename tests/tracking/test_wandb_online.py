"""W&B online, against a stand-in of its server: what is sent, and what happens where it is not.

wandb's own process does the sending: what it asks and retries is real, what is answered is not.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import report_fixture as fixture
from helpers import tiny
from helpers.wandb_server import KEY, Server

from ddim.config import paths, schema
from ddim.records import results
from ddim.report import build
from ddim.tracking import sweep_run, wandb_setup
from ddim.tracking.training_progress import SampleGrid
from ddim.tracking.training_run import training_run

SMALL = ("sweep.steps=[10,20]", "sweep.eta=[0.0,hat]", "analysis.sections=[consistency]")


@pytest.fixture
def server(no_wandb: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """W&B's server, which wandb and its process will talk to."""
    import wandb

    wandb.teardown()  # its settings are read once
    stand_in = Server()
    monkeypatch.setenv("WANDB_BASE_URL", stand_in.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield stand_in
    wandb.teardown()
    stand_in.close()


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> schema.Config:
    configured = fixture.config("logger=online", *SMALL)
    monkeypatch.chdir(tmp_path)
    return configured


def fit(cfg: schema.Config, work: Path, **changes: Any) -> Any:
    with training_run(cfg, work.name) as logger:
        callbacks = [SampleGrid(every=15, seed=0)]
        return tiny.fit(tiny.net(), work, logger=logger, callbacks=callbacks, **changes)


def curve(history: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(r["trainer/global_step"], r["train/loss"]) for r in history if "train/loss" in r]


def test_a_training_is_one_run_with_its_curves_pictures_and_files_also_when_it_goes_on(
    server: Server, cfg: schema.Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(cfg, tmp_path / "work", steps=15)
    result = fit(cfg, tmp_path / "work", steps=30)
    ((name, run),) = server.runs.items()
    assert run.times_opened == 2
    assert run.opened["displayName"] == "digits: training, seed 0"
    assert (run.opened["groupName"], run.opened["jobType"]) == ("digits", "train")
    assert run.opened["tags"] == ["digits"]
    assert json.loads(run.opened["config"])["train"]["value"]["lr"] == cfg.train.lr
    assert curve(run.history) == result.loss
    assert [row["trainer/global_step"] for row in run.history if "samples" in row] == [15, 30]
    assert run.exit == 0
    pictures = [file for file in server.files if file.startswith(f"{name}/media/images/samples")]
    assert len(pictures) == 2
    assert all(server.files[file].startswith(b"\x89PNG") for file in pictures)
    assert f"/runs/{name}" in capsys.readouterr().out


@pytest.mark.slow
def test_the_report_is_sent_once_and_again_where_it_changed(
    server: Server, cfg: schema.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    fixture.experiment(paths.reports(cfg), cfg)
    build.build(results.load(paths.reports(cfg)))
    sweep_run.run(cfg)
    ((name, run),) = server.runs.items()
    assert (run.opened["displayName"], run.opened["groupName"]) == ("digits: report", "digits")
    assert run.summary["S10.etahat.fid"] == fixture.fid(10, "hat")
    tables = [file for file in server.files if file.startswith(f"{name}/media/table/cells")]
    assert len(tables) == 1
    rows = json.loads(server.files[tables[0]])["data"]
    assert len(rows) == len(cfg.cells())
    assert "W&B run filled: " in capsys.readouterr().out

    sweep_run.run(cfg)
    assert "W&B run is up to date: " in capsys.readouterr().out
    assert list(server.runs) == [name]
    assert len(run.history) == 1


def test_a_refused_key_is_one_line_before_anything(
    server: Server, cfg: schema.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    fixture.experiment(paths.reports(cfg), cfg)
    message = (
        r"^logger.mode is online, but W&B does not let us in \(.*invalid API key\): check [^\n]+$"
    )
    with pytest.raises(ValueError, match=message):
        training_run(cfg, "key").__enter__()
    with pytest.raises(ValueError, match=message):
        sweep_run.run(cfg)
    assert not server.runs


@pytest.mark.slow
def test_a_network_that_goes_away_costs_no_training_and_is_one_line(
    server: Server,
    cfg: schema.Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(wandb_setup, "FINISH_SECONDS", 2.0)

    def cut(call: int) -> None:
        server.away = call > 10

    with training_run(cfg, "work") as logger:
        result = tiny.fit(tiny.net(cut), tmp_path / "work", logger=logger)
    assert result.steps == 30
    alone = tiny.fit(tiny.net(), tmp_path / "alone")
    assert tiny.same(result.ema, alone.ema)
    (run,) = server.runs.values()
    assert run.exit is None
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("W&B")]
    (folder,) = (paths.out(cfg) / "wandb").glob("run-*")
    assert lines == [
        "W&B: not everything was sent within 2 s; it is kept, and"
        f" `wandb sync --include-online {folder}` sends it"
    ]

    server.away = False
    sync(server, "--include-online", str(folder))
    assert curve(run.history)[-1] == result.loss[-1]


def sync(server: Server, *arguments: str) -> str:
    """Run the command that our lines name, as a user does."""
    program = str(Path(sys.executable).with_name("wandb"))
    done = subprocess.run(
        [program, "sync", *arguments], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_offline_runs_are_sent_by_the_documented_command_as_one_run(
    server: Server, cfg: schema.Config, tmp_path: Path
) -> None:
    cfg.logger.mode = schema.WandbMode.offline
    fit(cfg, tmp_path / "work", steps=15)
    result = fit(cfg, tmp_path / "work", steps=30)
    assert not server.runs
    folders = sorted((paths.out(cfg) / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    sync(server, *map(str, folders))
    (run,) = server.runs.values()
    assert run.opened["displayName"] == "digits: training, seed 0"
    assert curve(run.history) == result.loss
