"""A whole tiny run by `dvc repro`, and what an edit, a multirun or a missing file does after it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import network
from helpers.pipeline import commit, compose, copy, run, stale

from ddim.records.cell import Cell


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy(tmp_path_factory.mktemp("project"))
    network.watched(folder)
    compose(folder)
    run(folder, *network.cut(), "dvc", "repro")
    commit(folder, "a run")
    return folder


@contextmanager
def edited(path: Path) -> Iterator[None]:
    """`path` with another comment at its end."""
    before = path.read_text()
    path.write_text(f"{before}\n# edited\n")
    yield
    path.write_text(before)


def test_one_command_makes_the_report(project: Path) -> None:
    report = project / "reports/digits"
    metrics = json.loads((report / "metrics.json").read_text())
    cell = Cell.read(report / "cells/S2_etahat_seed0.json", "")
    assert metrics["S2"]["etahat"]["fid"] == pytest.approx(cell.measured.fid)
    assert metrics["reconstruct"]["S4"]["mse"] > 0
    for file in ("README.md", "index.html", "tables/table1_fid.csv", "timings/train.json"):
        assert (report / file).stat().st_size > 0
    weights = project / "out/digits/train/ema.safetensors"
    assert (report / "ema.safetensors").read_bytes() == weights.read_bytes()


def test_nothing_was_asked_from_the_network(project: Path) -> None:
    asked = network.watched(project)
    assert asked.read_text() == ""
    speak = "import sys; sys.audit('socket.connect', None, ('192.0.2.1', 80))"
    run(project, "python", "-c", speak)  # so the watcher does watch
    assert asked.read_text().startswith("socket.connect ('192.0.2.1', 80): ")


def test_nothing_to_do_is_nothing_done(project: Path) -> None:
    assert stale(project) == set()


def test_dvc_reads_every_metric_and_plot(project: Path) -> None:
    shown = run(project, "dvc", "metrics", "show", "--json")
    assert "failed" not in shown
    [headline] = [file["data"] for file in json.loads(shown)[""]["data"].values()]
    assert headline.keys() == {"S2", "S4", "reconstruct", "claims"}
    assert "failed" not in run(project, "dvc", "plots", "show", "-o", "out/plots")
    drawn = (project / "out/plots/index.html").read_text()
    titles = ["FID against S", "Error of reconstruction against S", "training step"]
    places = [drawn.index(f'"title": "{title}"') for title in titles]
    assert places == sorted(places)
    assert len(list((project / "out/plots/static").iterdir())) == 3


def test_a_clone_that_pulls_has_nothing_to_do(project: Path, tmp_path: Path) -> None:
    clone, remote = tmp_path / "clone", str(tmp_path / "remote")
    run(project, "git", "clone", "-q", str(project), str(clone))
    for each, transfer in ((project, "push"), (clone, "pull")):
        run(each, "dvc", "remote", "add", "--local", "--force", "shared", remote)
        run(each, "dvc", transfer, "-r", "shared")
    assert "Running stage" not in run(clone, "dvc", "repro")
    assert stale(clone) == set()


@pytest.mark.parametrize(
    "file",
    [
        "sampling/generate.py",
        "tracking/training_progress.py",
        "runtime/progress.py",
        "plotting/grids.py",
    ],
)
def test_what_shows_or_samples_leaves_the_training_fresh(project: Path, file: str) -> None:
    with edited(project / "src/ddim" / file):
        assert not stale(project) & {"train", "data", "features", "reference"}


def test_another_classifier_leaves_the_training_fresh(project: Path) -> None:
    """`train` needs the feature space for previews alone: no weight depends on it."""
    source = project / "src/ddim/evaluation/classifier.py"
    space = project / "out/digits/features/classifier.safetensors"
    before, classifier = source.read_text(), space.read_bytes()
    source.write_text(before.replace("LEARNING_RATE = 3e-3", "LEARNING_RATE = 2e-3"))
    run(project, "dvc", "repro", "features")
    assert space.read_bytes() != classifier
    stages = stale(project)
    assert {"reference", "evaluate"} <= stages
    assert not stages & {"train", "sample"}
    source.write_text(before)
    run(project, "dvc", "repro", "features")
    assert space.read_bytes() == classifier


@pytest.mark.parametrize("file", ["evaluation/fid.py", "records/fingerprints.py"])
def test_what_measures_leaves_the_samples_fresh(project: Path, file: str) -> None:
    with edited(project / "src/ddim" / file):
        stages = stale(project)
        assert not stages & {"sample", "train"}
        assert ("evaluate" in stages) == file.startswith("evaluation/")


def test_an_old_record_is_measured_again_and_a_picture_is_redrawn(project: Path) -> None:
    """What another version of ddim left, or damaged, costs its own cell and no more."""
    cells = project / "reports/digits/cells"
    record, picture = cells / "S2_etahat_seed0.json", cells / "S4_etahat_seed0.png"
    kept = record.read_text(), picture.read_bytes()
    record.write_text('{"fid": 1.0}')
    picture.write_bytes(b"another style")
    output = run(project, "python", "-m", "ddim.stages.evaluate", "-cn", "stage")
    assert "S2_etahat_seed0.json: no record of this version of ddim" in output
    assert "S2_etahat_seed0: FID" in output
    assert output.count("already measured") == 3
    assert (record.read_text(), picture.read_bytes()) == kept


def test_a_missing_picture_of_table_2_is_drawn_again_and_nothing_measured(project: Path) -> None:
    folder = project / "reports/digits/reconstruct"
    picture, record = folder / "S4.png", folder / "S4.json"
    pixels, written = picture.read_bytes(), record.stat().st_mtime_ns
    picture.unlink()
    output = run(project, "python", "-m", "ddim.stages.reconstruct", "-cn", "stage")
    assert output.count("already there") == 2
    assert "error" not in output
    assert picture.read_bytes() == pixels
    assert record.stat().st_mtime_ns == written


ANALYSIS = ("python", "-m", "ddim.stages.analysis", "-cn", "stage")


def test_a_section_is_kept_until_it_is_damaged_or_something_that_it_reads_moves(
    project: Path,
) -> None:
    folder = project / "reports/digits/analysis"
    record = folder / "invert/section.json"
    kept, sections = record.read_bytes(), {path.name for path in folder.iterdir()}
    assert run(project, *ANALYSIS).count("already there") == len(sections) == 10
    picture = next((folder / "path").glob("*.png"))
    pixels = picture.read_bytes()
    picture.write_bytes(pixels[:-1])
    left = folder / f".speed.{2**22 + 1}.tmp"  # of a process that was killed
    left.mkdir()
    compose(project, "analysis.invert.draws=3")
    output = run(project, *ANALYSIS)
    assert f"{picture.name}: is not the file that section.json describes" in output
    assert output.count("already there") == 8  # all but path and invert
    assert not left.exists()
    assert picture.read_bytes() == pixels
    assert record.read_bytes() != kept
    compose(project)
    run(project, *ANALYSIS)
    assert record.read_bytes() == kept
    assert stale(project) == set()


def test_a_section_that_is_not_configured_does_not_run_and_does_not_stay(project: Path) -> None:
    folder = project / "reports/digits/analysis"
    compose(project, "analysis.sections=[speed]")
    assert run(project, *ANALYSIS).splitlines() == ["speed: already there"]
    assert [path.name for path in folder.iterdir()] == ["speed"]
    compose(project, "analysis.sections=[]")
    run(project, *ANALYSIS)
    assert list(folder.iterdir()) == []  # and the folder is there: DVC expects it
    compose(project)
    assert run(project, *ANALYSIS).count("already there") == 0
    assert stale(project) == set()


def test_a_changed_grid_computes_its_new_cells_and_never_retrains(project: Path) -> None:
    compose(project, "sweep.steps=[2,3,4]")
    stages = stale(project)
    assert {"sample", "evaluate"} <= stages
    assert not stages & {"data", "features", "train", "reference"}
    output = run(project, "python", "-m", "ddim.stages.sample", "-cn", "stage")
    assert output.count("already there") == 4
    compose(project)
    run(project, "dvc", "repro", "sample", "evaluate")
    assert {path.name for path in (project / "out/digits/extra").iterdir()} >= {
        "S3_eta0.0_seed0",
        "S3_etahat_seed0",
    }
    assert stale(project) == set()


@pytest.mark.slow
def test_cells_outside_the_grid_make_no_stage_stale(project: Path) -> None:
    for stage in ("sample", "evaluate"):
        run(project, "python", "-m", f"ddim.stages.{stage}", "-cn", "stage", "cell.steps=3")
    folder = project / "out/digits/extra/S3_eta0.0_seed0"
    names = {"samples.npy", "sampled.json", "timing.json"}
    measured = {f"S3_eta0.0_seed0.{kind}" for kind in ("json", "npz", "png")}
    assert {path.name for path in folder.iterdir()} == names | measured
    scheduler = ("sampler.scheduler=DDIMScheduler", "cell.steps=2")
    output = run(project, "python", "-m", "ddim.stages.sample", "-cn", "stage", *scheduler)
    assert "S2_DDIMScheduler_seed0" in output
    assert stale(project) == set()


@pytest.mark.slow
def test_cells_of_a_multirun_are_committed_and_not_computed_again(project: Path) -> None:
    compose(project, "sweep.steps=[2,5]", "reconstruct.steps=[2,3]")
    sweep = ("-cn", "stage", "-m", "cell.steps=5", "cell.eta=0.0,hat")
    for stage in ("sample", "evaluate"):
        run(project, "python", "-m", f"ddim.stages.{stage}", *sweep)
    column = ("python", "-m", "ddim.stages.reconstruct", "-cn", "stage", "cell.steps=3")
    assert "S = 3: error" in run(project, *column)
    assert "S = 3: already there" in run(project, *column)
    cell = project / "reports/digits/cells/S5_etahat_seed0.json"
    kept = cell.read_text()
    cell.unlink()
    output = run(project, "python", "-m", "ddim.adopt")
    assert "evaluate: S5_etahat_seed0 is not there" in output
    assert "recorded 2 of 3 stages" in output
    cell.write_text(kept)
    assert "recorded 3 of 3 stages" in run(project, "python", "-m", "ddim.adopt")
    assert not {name for name in stale(project) if name in ("sample", "evaluate", "reconstruct")}

    # Other images under the same name are not committed.
    record = project / "out/digits/samples/S5_eta0.0_seed0/sampled.json"
    record.write_text(record.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    output = run(project, "python", "-m", "ddim.adopt")
    assert "sample: S5_eta0.0_seed0 is made by another configuration, code or weights" in output
    compose(project)


def test_a_changed_model_retrains(project: Path) -> None:
    compose(project, "model.channels=16")
    stages = stale(project)
    assert "train" in stages  # and then whatever uses the new weights
    assert not stages & {"data", "features", "reference"}
    compose(project)


def test_a_stale_params_file_is_refused(project: Path) -> None:
    config = project / "conf/experiment/digits.yaml"
    before = config.read_text()
    config.write_text(before.replace("ema_decay: 0.999", "ema_decay: 0.99"))
    output = run(project, "dvc", "repro", fails=True)
    assert "train.ema_decay: params.yaml has 0.999, conf/ gives 0.99" in output
    config.write_text(before)


def test_a_missing_cell_is_named_by_the_report(project: Path) -> None:
    cell = project / "reports/digits/cells/S2_etahat_seed0.json"
    kept = cell.read_text()
    cell.unlink()
    output = run(project, "python", "-m", "ddim.stages.report", "-cn", "stage", fails=True)
    assert "S2_etahat_seed0" in output
    assert "Traceback" not in output
    cell.write_text(kept)


# the last one: it leaves another grid
@pytest.mark.slow
def test_a_grid_that_shrinks_drops_the_records_of_its_cells(project: Path) -> None:
    compose(project, "sweep.steps=[2]")
    run(project, "dvc", "repro", "-q", "evaluate")
    names = {path.name for path in (project / "reports/digits/cells").iterdir()}
    cells = ("S2_eta0.0_seed0", "S2_etahat_seed0")
    assert names == {f"{cell}{suffix}" for cell in cells for suffix in (".json", ".png")}
