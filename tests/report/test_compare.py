"""Several reports side by side, out of folders and out of git."""

import csv
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import report_fixture as fixture

from ddim.records.cell import Cell
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Reference
from ddim.report import compare
from ddim.runtime.cli import command
from ddim.runtime.files import read_json, write_json

CELL = "cells/S10_eta0.0_seed0.json"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """reports/a and reports/b, which differ in one cell."""
    home = tmp_path_factory.mktemp("two")
    cfg = fixture.config(*fixture.SMALL)
    for name, factor in (("a", 1.0), ("b", 2.0)):
        folder = home / "reports" / name
        fixture.experiment(folder, cfg)
        changes = {"fid": factor * 13, "fid_interval": (factor * 12, factor * 14)}
        measured = {f"measured__{key}": value for key, value in changes.items()}
        fixture.edit(Cell, folder / CELL, **measured)
    return home


@pytest.fixture
def two(records: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of both."""
    shutil.copytree(records / "reports", tmp_path / "reports")
    return tmp_path / "reports" / "a", tmp_path / "reports" / "b"


def compared(two: tuple[Path, Path], out: Path) -> str:
    page = compare.compare([str(folder) for folder in two], out)
    assert page == out / "index.html"
    assert page.is_file()
    return (out / "README.md").read_text()


def commit(folder: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "reports"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True, cwd=folder)


def test_it_shows_differences_and_curves(two: tuple[Path, Path], tmp_path: Path) -> None:
    text = compared(two, tmp_path / "out")
    # half the interval: sqrt(1 + 4) = 2.24
    assert "|η = 0.0|**+13.0**<br><sub>10.8 to 15.2</sub>|" in text
    assert "|+0.00<br><sub>−0.42 to 0.42</sub>|" in text  # sqrt(2) x 6 % of 4.9
    assert "Bold: apart from 0, by z tests at 5 % for the whole table together (Holm)." in text
    assert (tmp_path / "out" / "figures" / "fid_eta0.0.png").is_file()
    assert (tmp_path / "out" / "tables" / "fid_2.csv").is_file()


def test_it_subtracts_nothing_across_features(two: tuple[Path, Path], tmp_path: Path) -> None:
    fixture.edit(Reference, two[1] / "reference.json", features__sha256="0" * 64)
    text = compared(two, tmp_path / "out")
    assert "is not comparable" in text
    assert "the features differ" in text
    assert "+13.0" not in text
    assert not (tmp_path / "out" / "figures" / "fid_eta0.0.png").exists()
    assert (tmp_path / "out" / "figures" / "error.png").is_file()


@pytest.mark.parametrize(
    ("change", "text"),
    [({"sha256": "0" * 64}, "the reference differs"), ({"data__train_sha256": "0" * 64}, "data")],
)
def test_it_subtracts_no_fid_across_references(
    two: tuple[Path, Path], tmp_path: Path, change: dict[str, str], text: str
) -> None:
    fixture.edit(Reference, two[1] / "reference.json", **change)
    page = compared(two, tmp_path / "out")
    assert text in page
    assert "+13.0" not in page


def test_it_subtracts_at_equal_n(two: tuple[Path, Path], tmp_path: Path) -> None:
    """A cell with more images is compared by its first ones, of which FID is measured."""
    more = fixture.measured(20.0, 720, counts=[360])
    fixture.edit(Cell, two[1] / CELL, measured=more)
    text = compared(two, tmp_path / "out")
    first = 20 * (1 + 40 / 360 - 40 / 720)
    assert f"+{first - 13:.1f}" in text
    with (tmp_path / "out" / "figures" / "fid_eta0.0.csv").open() as file:
        values = [float(row["value"]) for row in csv.DictReader(file) if row["S"] == "10"]
    assert values == pytest.approx([13.0, first])


def test_it_subtracts_no_cells_without_a_common_n(two: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("S10_eta0.0_seed0", "S100_etahat_seed0"):
        fixture.edit(Cell, two[1] / "cells" / f"{name}.json", measured__n_generated=720)
    text = compared(two, tmp_path / "out")
    numbers = "360 and 720 images at (S = 10, η = 0.0) and (S = 100, σ̂)."
    assert f"where no n is common**: {numbers}" in text
    assert "+13.0" not in text
    assert "|+0.00<br><sub>−0.42 to 0.42</sub>|" in text
    with (tmp_path / "out" / "figures" / "fid_eta0.0.csv").open() as file:
        assert [(row["run"], row["S"]) for row in csv.DictReader(file)] == [
            (str(two[0]), "100"),
            (str(two[1]), "100"),
        ]


def test_several_differences_are_decided_together(two: tuple[Path, Path], tmp_path: Path) -> None:
    """|z| = 2.2 alone would be apart from 0; among four it is not (Holm)."""
    measured = {"measured__fid": 15.2, "measured__fid_interval": (14.2, 16.2)}
    first = {"measured__fid": 13.0, "measured__fid_interval": (11.3, 14.7)}
    fixture.edit(Cell, two[0] / CELL, **first)
    fixture.edit(Cell, two[1] / CELL, **measured)
    assert "|η = 0.0|+2.2<br>" in compared(two, tmp_path / "out")


def test_an_error_is_judged_by_its_interval(two: tuple[Path, Path], tmp_path: Path) -> None:
    path = two[1] / "reconstruct" / "S10.json"
    fixture.edit(Reconstruction, path, mse=0.028, interval=(0.026, 0.030))
    text = compared(two, tmp_path / "out")
    assert "|error|**+0.0140**<br><sub>0.0116 to 0.0164</sub>|+0" in text


def test_a_file_of_an_old_report_is_refused(two: tuple[Path, Path]) -> None:
    content = read_json(two[1] / CELL)
    del content["record"]
    write_json(two[1] / CELL, content)
    with pytest.raises(ValueError, match=r"no record of this version of ddim.*stages\.evaluate"):
        compare.read(str(two[1]))


def test_it_reads_a_revision(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commit(tmp_path)
    run = compare.read("HEAD:reports/a")
    assert run == replace(compare.read("reports/a"), label="HEAD:reports/a")
    assert run.fid != compare.read("HEAD:reports/b").fid


def test_what_is_wrong_in_a_revision_is_named_by_it(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (two[0] / CELL).unlink()
    content = read_json(two[1] / CELL)
    write_json(two[1] / CELL, content | {"version": 0})
    commit(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"^HEAD:reports/a/{CELL} is missing"):
        compare.read("HEAD:reports/a")
    with pytest.raises(ValueError, match=f"^HEAD:reports/b/{CELL}: version 0 of 'cell'"):
        compare.read("HEAD:reports/b")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["reports/a"], "name two or more"),
        (["reports/a", "reports/a"], "two or more different"),
        (["reports/a", "nowhere"], "no folder nowhere"),
        (["reports/a", "HEAD:nowhere"], "git has no HEAD:nowhere"),
        (["--bad"], "required: reports"),
    ],
)
def test_mistakes_are_one_line(
    two: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as error:
        command(compare.main)
    assert text in str(error.value)
    assert len(str(error.value).splitlines()) == 1
