"""What the report reads: the configured grid, whole, of one set of weights, or one clear line."""

from pathlib import Path

import pytest
from helpers import report_fixture as fixture

from ddim.records.cell import Cell
from ddim.records.results import load
from ddim.report import build
from ddim.runtime.files import read_json, write_json

CELL = "cells/S10_eta0.0_seed0.json"


def test_a_missing_cell_is_named_with_the_command_that_makes_it(small: Path) -> None:
    (small / "cells" / "S100_etahat_seed0.json").unlink()
    with pytest.raises(FileNotFoundError) as error:
        load(small)
    assert "S100_etahat_seed0.json is missing" in str(error.value)
    command = "python -m ddim.stages.evaluate -cn stage cell.steps=100 cell.eta=hat cell.seed=0"
    assert command in str(error.value)


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("experiment.json", "compose --check"),
        ("reference.json", "stages.reference -cn stage"),
        ("train.json", "stages.train -cn stage"),
        ("cells/S10_eta0.0_seed0.png", "stages.evaluate -cn stage"),
        ("reconstruct/S100.json", "stages.reconstruct -cn stage"),
        ("timings/S10_etahat_seed0.json", "stages.sample -cn stage cell.steps=10 cell.eta=hat"),
        ("timings/train.json", "stages.train -cn stage"),
    ],
)
def test_every_missing_file_names_its_command(small: Path, file: str, command: str) -> None:
    (small / file).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{Path(file).name} is missing.*ddim\.{command}"):
        build.build(load(small))


def test_a_missing_section_is_named(small: Path) -> None:
    cfg = fixture.config(*fixture.SMALL, "analysis.sections=[ode]")
    fixture.experiment(small, cfg)
    (small / "analysis" / "ode" / "section.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"ode/section\.json is missing.*section=ode"):
        load(small)


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("train.json", "stages.train -cn stage"),
        (CELL, "stages.evaluate -cn stage cell.steps=10 cell.eta=0.0 cell.seed=0"),
        ("reconstruct/S100.json", "stages.reconstruct -cn stage cell.steps=100"),
        ("timings/S10_eta0.0_seed0.json", "stages.sample -cn stage cell.steps=10"),
    ],
)
def test_a_file_of_an_old_report_is_refused_with_the_command_that_makes_it(
    small: Path, file: str, command: str
) -> None:
    content = read_json(small / file)
    del content["record"], content["version"]
    write_json(small / file, content)
    with pytest.raises(ValueError, match=rf"no record of this version of ddim.*{command}") as error:
        build.build(load(small))
    assert str(small / file) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_left_the_grid_leaves_the_report(small: Path) -> None:
    key = fixture.CellKey(steps=37, eta="0.7", seed=0)
    fixture.write_cell(small, fixture.cell(key))
    stale = small / "figures" / "old.png"
    stale.parent.mkdir()
    stale.write_bytes(b"")
    build.build(load(small))
    for name in ("README.md", "index.html", "metrics.json"):
        text = (small / name).read_text()
        assert "S = 37" not in text
        assert "S37" not in text
    assert not stale.exists()


def test_a_truncated_file_is_named(small: Path) -> None:
    path = small / CELL
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=r"S10_eta0\.0_seed0\.json: invalid JSON"):
        load(small)


@pytest.mark.parametrize("value", ["NaN", "null", '"12"', "-1.0"])
def test_a_number_that_is_none_is_refused(small: Path, value: str) -> None:
    path = small / CELL
    fid = read_json(path)["measured"]["fid"]
    text = path.read_text()
    assert f'"fid": {fid}' in text
    path.write_text(text.replace(f'"fid": {fid}', f'"fid": {value}'))
    with pytest.raises(ValueError, match=r"S10_eta0\.0_seed0\.json.*stages\.evaluate"):
        load(small)


def test_a_cell_under_another_name_is_refused(small: Path) -> None:
    (small / "cells" / "S10_etahat_seed0.json").write_text((small / CELL).read_text())
    with pytest.raises(ValueError, match="describes another cell"):
        load(small)


def test_cells_of_other_weights_do_not_mix(small: Path) -> None:
    fixture.edit(Cell, small / CELL, sampled__weights__sha256="0" * 64)
    with pytest.raises(ValueError, match=r"S10_eta0\.0_seed0.*other weights"):
        load(small)


def test_weights_of_the_other_kind_are_refused(small: Path) -> None:
    fixture.imported(small, "raw")  # the configuration samples with EMA
    with pytest.raises(ValueError, match=r"train\.json: no ema weights"):
        load(small)
