"""Lightning's other loggers by configuration alone: curves, previews, and the report's numbers."""

import csv
import importlib.util
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from helpers import report_fixture as fixture
from helpers import tiny
from PIL import Image

from ddim.config import paths, schema
from ddim.records import results
from ddim.report import build
from ddim.tracking import sweep_run, training_logger
from ddim.tracking.training_progress import ProgressLine, SampleGrid

SMALL = ("sweep.steps=[10,20]", "sweep.eta=[0.0,hat]", "analysis.sections=[consistency]")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CI", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(kind: str) -> tuple[schema.Config, Any]:
    """A tiny training with the logger that conf/logger/<kind>.yaml chooses."""
    cfg = fixture.config(f"logger={kind}", *SMALL)
    with training_logger.training_logger(cfg, "train-key") as logger:
        callbacks = [ProgressLine(), SampleGrid(every=15, seed=0)]
        return cfg, tiny.fit(tiny.net(), Path("work"), logger=logger, callbacks=callbacks)


def report(cfg: schema.Config) -> results.Results:
    """The report of made-up records."""
    fixture.experiment(paths.reports(cfg), cfg)
    read = results.load(paths.reports(cfg))
    build.build(read)
    return read


def test_csv(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cfg, result = train("csv")
    assert capsys.readouterr().out == (
        "curves of the training: out/digits/csv/version_0/metrics.csv\n"
    )
    folder = project / "out/digits/csv/version_0"
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    assert [(int(row["step"]), float(row["train/loss"])) for row in rows] == result.loss
    assert [path.name for path in sorted((folder / "samples").iterdir())] == [
        "0000015.png",
        "0000030.png",
    ]
    with Image.open(folder / "samples/0000030.png") as picture:
        assert min(picture.size) > 6 * 8

    sweep_run.run(cfg)
    assert "numbers are in reports/digits/tables" in capsys.readouterr().out


def test_tensorboard(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    cfg, result = train("tensorboard")
    printed = capsys.readouterr().out
    assert "out/digits/tensorboard/training (`tensorboard --logdir out/digits/tensor" in printed

    def read(run: str) -> Any:
        events = event_accumulator.EventAccumulator(f"out/digits/tensorboard/{run}")
        events.Reload()
        return events

    training = read("training")
    curve = [(event.step, event.value) for event in training.Scalars("train/loss")]
    assert [step for step, _ in curve] == [step for step, _ in result.loss]
    assert [value for _, value in curve] == pytest.approx([loss for _, loss in result.loss])
    assert [event.step for event in training.Images("samples")] == [15, 30]

    expected = report(cfg)
    for _ in range(2):  # filling it again replaces it
        sweep_run.run(cfg)
        shown = read("report")
        fids = shown.Scalars(f"fid/eta hat, n {fixture.N}")
        assert [event.step for event in fids] == list(expected.steps)
        assert fids[0].value == pytest.approx(fixture.fid(10, "hat"))
        assert "figures/fid" in shown.Tags()["images"]


def test_mlflow(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mlflow = pytest.importorskip("mlflow")
    cfg, result = train("mlflow")
    assert "mlflow ui --backend-store-uri sqlite:///out/digits/mlflow/runs.db" in (
        capsys.readouterr().out
    )
    report(cfg)
    sweep_run.run(cfg)
    client = mlflow.MlflowClient(f"sqlite:///{project}/out/digits/mlflow/runs.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "ddim"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"digits: training", "digits: report"}
    training = runs["digits: training"]
    history = client.get_metric_history(training.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == result.loss
    assert training.data.params["train.lr"] == str(cfg.train.lr)
    assert len(client.list_artifacts(training.info.run_id, "images")) >= 2
    metrics = runs["digits: report"].data.metrics
    assert metrics["S10.etahat.fid"] == pytest.approx(fixture.fid(10, "hat"))


def test_an_error_of_mlflow_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is installed or not: what its package calls its error."""

    class MlflowException(Exception):  # noqa: N818
        pass

    cfg = fixture.config("logger=mlflow", "logger.server=http://localhost:1")
    with pytest.raises(MlflowException), training_logger.mlflow_in_one_line(cfg):
        raise MlflowException("not mlflow's")
    exceptions = types.SimpleNamespace(MlflowException=MlflowException)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", exceptions)
    line = r"^MLflow cannot be reached or refuses \(no route\): logger.server=http://localhost:1$"
    with pytest.raises(OSError, match=line), training_logger.mlflow_in_one_line(cfg):
        raise MlflowException("no\nroute")


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow"])
def test_a_missing_package_is_one_line_before_anything(
    project: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == kind else find(name, *rest)
    )
    cfg = fixture.config(f"logger={kind}")
    message = rf"logger.kind is {kind}, .* is not installed: pip install 'ddim\[{kind}\]'"
    with pytest.raises(ValueError, match=message):
        training_logger.training_logger(cfg, "key").__enter__()
    assert not (project / "out").exists()


def test_a_training_that_fails_is_not_called_a_success(project: Path) -> None:
    cfg = fixture.config("logger=csv")
    statuses: list[str] = []
    opened = training_logger.training_logger(cfg, "key")
    logger = opened.__enter__()
    assert logger is not None
    logger.finalize = statuses.append  # type: ignore[method-assign]
    error = RuntimeError("stop")
    assert not opened.__exit__(RuntimeError, error, None)
    assert statuses == ["failed"]


def test_pictures_for_an_unknown_logger_are_an_error() -> None:
    with pytest.raises(TypeError, match=re.escape("no picture can be given to RecordingLogger")):
        training_logger.log_picture(tiny.RecordingLogger(), "samples", Image.new("L", (2, 2)), 0)
