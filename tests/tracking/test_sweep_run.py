"""W&B: what an offline run recorded of a sweep, and the workspace built over it."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from helpers import report_fixture as fixture
from helpers import wandb_file

from ddim.config import paths, schema
from ddim.records import results
from ddim.report import build
from ddim.runtime.cli import command
from ddim.tracking import sweep_run, workspace

OVERRIDES = ("sweep.steps=[10,20]", "sweep.eta=[0.0,hat]", "analysis.sections=[consistency]")


@pytest.fixture
def cfg(no_wandb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> schema.Config:
    """A finished experiment in an empty folder, on a machine that never heard of W&B."""
    configured = fixture.config(*OVERRIDES)
    monkeypatch.chdir(tmp_path)
    finish(configured)
    return configured


def finish(cfg: schema.Config) -> None:
    """Records and report, as the pipeline leaves them for `track`."""
    shutil.rmtree(paths.reports(cfg), ignore_errors=True)
    fixture.experiment(paths.reports(cfg), cfg)
    build.build(load(cfg))


def load(cfg: schema.Config) -> Any:
    return results.load(paths.reports(cfg))


def rows(run: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The rows of a recorded table."""
    (path,) = [row[f"{key}.path"] for row in run["history"] if f"{key}.path" in row]
    table = json.loads((run["files"] / path).read_text())
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def test_a_run_holds_every_cell_the_curves_and_the_configuration(
    cfg: schema.Config, capfd: pytest.CaptureFixture[str]
) -> None:
    sweep_run.run(cfg)
    printed = capfd.readouterr()
    assert printed.err == ""
    line = r"W&B run filled: (out/digits/wandb/offline-run-\S+) \(`wandb sync \1` sends it\)\n"
    assert re.fullmatch(line, printed.out)
    run = wandb_file.load(paths.out(cfg))
    assert (run["name"], run["group"], run["job"]) == ("digits: report", "digits", "report")
    assert run["exit"] == 0
    assert run["tags"] == ["digits"]
    assert run["config"]["sweep"] == {"steps": [10, 20], "eta": [0.0, "hat"], "seeds": [0]}

    table = rows(run, "cells")
    assert {(row["S"], row["eta"]): row["FID"] for row in table} == {
        (steps, str(eta)): fixture.fid(steps, eta) for steps in (10, 20) for eta in (0.0, "hat")
    }
    assert table[0]["FID low"] < table[0]["FID"] < table[0]["FID high"]
    assert "inception score" not in table[0]  # measured nowhere: no empty column
    picture = run["history"][0]["samples/S10_etahat_seed0.path"]
    grid = paths.reports(cfg) / "cells" / "S10_etahat_seed0.png"
    assert (run["files"] / picture).read_bytes() == grid.read_bytes()
    assert run["summary"]["S10.etahat.fid"] == fixture.fid(10, "hat")  # as DVC prints it
    analysed = {key.split(".")[1] for key in run["summary"] if key.startswith("analysis.")}
    assert analysed == {"consistency"}

    curve = [row for row in rows(run, "charts/fid_table") if row["lineKey"] == "η = 0.0, n = 360"]
    assert [(row["step"], row["lineVal"]) for row in curve] == [
        (10, fixture.fid(10, 0.0)),
        (20, fixture.fid(20, 0.0)),
    ]
    assert len(rows(run, "charts/error_table")) == len(cfg.reconstruct.steps)
    table_2 = rows(run, "reconstructions")
    assert [row["S"] for row in table_2] == cfg.reconstruct.steps
    assert table_2[0]["mse low"] < table_2[0]["mse"] < table_2[0]["mse high"]
    assert rows(run, "charts/loss_table")


def test_filling_again_replaces_and_a_new_network_is_a_new_run(cfg: schema.Config) -> None:
    def runs() -> list[str]:
        folders = (paths.out(cfg) / "wandb").glob("offline-run-*")
        return [folder.name.split("-")[-1] for folder in folders]

    sweep_run.run(cfg)
    before = runs()
    sweep_run.run(cfg)
    assert runs() == before
    recorded = wandb_file.load(paths.out(cfg))
    assert len(recorded["history"]) == 1
    assert any(key.startswith("figures/fid.") for key in recorded["history"][0])

    other = load(cfg)
    training = msgspec.structs.replace(other.training, sha256={"ema": "b" * 64})
    assert sweep_run.run_id(cfg, replace(other, training=training)) not in before


STALE = r"metrics\.csv is of other records: run `python -m ddim\.stages\.report -cn stage` first"


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
@pytest.mark.parametrize("which", [0, -1])
def test_a_report_older_than_one_cell_is_refused(
    cfg: schema.Config, seeds: list[int], which: int
) -> None:
    cfg.sweep.seeds = seeds
    finish(cfg)
    key, cell = list(load(cfg).cells.items())[which]
    better = msgspec.structs.replace(cell.measured, recall=cell.measured.recall / 2)
    record = paths.reports(cfg) / "cells" / f"{key.name}.json"
    msgspec.structs.replace(cell, measured=better).write(record)
    with pytest.raises(ValueError, match=STALE):
        sweep_run.run(cfg)
    assert not list((paths.out(cfg) / "wandb").glob("offline-run-*"))
    build.build(load(cfg))
    sweep_run.run(cfg)


def test_a_report_older_than_a_section_or_table_2_is_refused(cfg: schema.Config) -> None:
    read = load(cfg)
    section, steps = read.sections[0], cfg.reconstruct.steps[0]
    record = read.section_folder(section) / "section.json"
    before = record.read_bytes()
    msgspec.structs.replace(section, numbers={"other": 1.0}).write(record)
    with pytest.raises(ValueError, match=STALE):
        sweep_run.run(cfg)
    record.write_bytes(before)
    error = msgspec.structs.replace(read.reconstructions[steps], mse=0.5, interval=(0.4, 0.6))
    error.write(paths.reports(cfg) / "reconstruct" / f"S{steps}.json")
    with pytest.raises(ValueError, match=STALE):
        sweep_run.run(cfg)


@pytest.mark.parametrize(
    "name",
    [
        "metrics.json",
        "figures/fid.csv",
        "figures/error.png",
        "timings/time.png",
        "timings/S20_etahat_seed0.json",
    ],
)
def test_a_missing_file_is_one_line_and_costs_no_earlier_run(cfg: schema.Config, name: str) -> None:
    sweep_run.run(cfg)
    (paths.reports(cfg) / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing: .*`python -m ddim\.stages\."):
        sweep_run.run(cfg)
    assert wandb_file.load(paths.out(cfg))["exit"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["logger.mode=online"], "logger.mode is online, but there is no W&B account here"),
        (["logger.mod=online"], "logger.mod is no setting; did you mean logger.mode?"),
        (["name=other"], "reports/other/experiment.json is missing"),
    ],
)
@pytest.mark.parametrize("main", [sweep_run.main, workspace.main])
def test_misuse_is_one_line(
    cfg: schema.Config, monkeypatch: pytest.MonkeyPatch, main: Any, arguments: Any, message: str
) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(schema.as_dict(cfg)))
    monkeypatch.setattr(sys, "argv", ["ddim", *arguments])
    with pytest.raises(SystemExit) as exit_:
        command(main)
    error = str(exit_.value)
    assert re.fullmatch(r"error: .+", error)
    if main is workspace.main and "name" in arguments[0]:
        message = "logger.mode is offline, but a workspace lives on W&B's server"
    assert message in error


def test_disabled_does_without_wandb(
    cfg: schema.Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    cfg.logger.mode = schema.WandbMode.disabled
    sweep_run.run(cfg)
    assert "disabled" in capsys.readouterr().out
    assert not paths.out(cfg).exists()


def test_the_workspace_shows_what_the_runs_record(cfg: schema.Config) -> None:
    """Its panels are found by key: each key must be one that a run really has."""
    sweep_run.run(cfg)
    recorded = wandb_file.load(paths.out(cfg))["history"][0]
    model = workspace.workspace(load(cfg), "ddim", "team")._to_model()
    spec = json.loads(model.model_dump_json())["spec"]
    assert '"digits"' in json.dumps(spec["section"]["run_sets"])  # this experiment's runs alone
    sections = {s["name"]: s["panels"] for s in spec["section"]["panel_bank_config"]["sections"]}
    assert list(sections)[:3] == ["Every cell", "Curves", "Samples"]
    assert load(cfg).sections[0].title in sections

    def has(key: str) -> bool:
        return any(name.startswith(f"{key}.") for name in recorded)

    media = [
        key
        for name, panels in sections.items()
        if name != "Samples while training"
        for panel in panels
        for key in panel["config"].get("media_keys") or []
    ]
    assert len(media) == 4 + len(cfg.reconstruct.steps) + 2  # the section has two figures
    assert all(map(has, media))
    charts = [
        panel["config"]["user_query"]["query_fields"][0]["fields"][0]["args"][0]["value"]
        for panel in sections["Curves"]
    ]
    assert charts == [f"charts/{name}_table" for name in ("fid", "error", "loss", "time")]
    assert all(map(has, charts))
    plots = [*sections["Training"], *sections["Validation"]]
    assert {panel["config"]["x_axis"] for panel in plots} == {"trainer/global_step"}
