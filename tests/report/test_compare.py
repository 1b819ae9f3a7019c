"""Several reports side by side, out of folders and out of git."""

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import report_fixture as fixture

from ddim.evaluation.influences import Influences
from ddim.records.cell import Cell
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Reference
from ddim.report import compare, runs
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
    *_, page = compare.compare([str(folder) for folder in two], out)
    assert page == str(out / "index.html")
    assert Path(page).is_file()
    return (out / "README.md").read_text()


def commit(folder: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "reports"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True, cwd=folder)


def test_it_shows_differences_and_curves(two: tuple[Path, Path], tmp_path: Path) -> None:
    text = compared(two, tmp_path / "out")
    # half the interval: sqrt(1 + 4) = 2.24
    assert "|η = 0.0|**+13.0**<br><sub>10.8 to 15.2</sub>|" in text
    assert "|+0.00<br><sub>0.00 to 0.00</sub>|" in text  # one and the same measurement
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
    fixture.edit(Cell, two[1] / CELL, measured=more, sampled__n=720)
    text = compared(two, tmp_path / "out")
    first = 20 * (1 + 40 / 360 - 40 / 720)
    assert f"+{first - 13:.1f}" in text
    with (tmp_path / "out" / "figures" / "fid_eta0.0.csv").open() as file:
        values = [float(row["value"]) for row in csv.DictReader(file) if row["S"] == "10"]
    assert values == pytest.approx([13.0, first])


def test_it_subtracts_no_cells_without_a_common_n(two: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.rmtree(two[1])
    fixture.experiment(two[1], fixture.config(*fixture.SMALL, "sample.num_images=240"))
    text = compared(two, tmp_path / "out")
    numbers = "360 and 240 images at (S = 10, η = 0.0), (S = 100, η = 0.0), (S = 10, σ̂) and "
    assert f"where no n is common**: {numbers}" in text
    assert "they share no comparable cell" in text


def test_several_differences_are_decided_together(two: tuple[Path, Path], tmp_path: Path) -> None:
    """|z| = 2.2 alone would be apart from 0; among four it is not (Holm)."""
    measured = {"measured__fid": 15.2, "measured__fid_interval": (14.2, 16.2)}
    first = {"measured__fid": 13.0, "measured__fid_interval": (11.3, 14.7)}
    fixture.edit(Cell, two[0] / CELL, **first)
    fixture.edit(Cell, two[1] / CELL, **measured)
    assert "|η = 0.0|+2.2<br>" in compared(two, tmp_path / "out")


def contributions(two: tuple[Path, Path], noise: float, fingerprint: str = "") -> None:
    """What each image contributes to one cell of both reports: the same in both, but for noise."""
    shared = np.random.default_rng(1).normal(0, 10, 360)
    for i, folder in enumerate(two):
        part = shared + np.random.default_rng(2 + i).normal(0, noise, 360)
        record = Cell.read(folder / CELL, "")
        Influences(
            cell=record.key.name,
            seed=0,
            reference="r",
            fingerprint=fingerprint or record.fingerprint,
            parts={("fid", 360): (part,)},
        ).save(folder.parent.parent / "out" / folder.name / "influences" / f"{record.key.name}.npz")


def test_cells_that_share_their_noise_are_compared_image_by_image(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    contributions(two, noise=0.1)
    text = compared(two, tmp_path / "out")
    # sqrt(2) 0.1 / sqrt(360) = 0.0075, times 1.96: 0.015, where the reports' own intervals give 2.2
    assert "|**+13.000**<br><sub>12.98" in text
    assert "image by image, as the noise is the same. Bold" in text  # the other cells are the same


def test_contributions_of_other_measurements_are_not_used(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    contributions(two, noise=0.1, fingerprint="f" * 16)
    text = compared(two, tmp_path / "out")
    assert "|**+13.0**<br><sub>10.8 to 15.2</sub>|" in text
    others = "the errors of two reports being taken as independent"
    assert f"in 3 of 4 cells; in the others {others}" in text


def test_it_says_which_verdicts_changed(two: tuple[Path, Path], tmp_path: Path) -> None:
    worse = {"measured__fid": 500.0, "measured__fid_interval": (499.0, 501.0)}
    fixture.edit(Cell, two[1] / CELL, **worse)
    *told, _ = compare.compare([str(folder) for folder in two], tmp_path / "out")
    claim = "At the smallest S, σ̂ has the highest FID"
    assert f"  {claim}: reproduced -> contradicted" in told
    assert re.fullmatch(r"\d of \d+ verdicts differ", told[0])
    text = (tmp_path / "out" / "README.md").read_text()
    assert f"|{claim} (paper, Table 1)|reproduced|contradicted|" in text
    assert (tmp_path / "out" / "tables" / "verdicts.csv").is_file()


def test_what_cannot_be_compared_is_told_in_the_terminal(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    fixture.edit(Reference, two[1] / "reference.json", data__train_sha256="0" * 64)
    told = compare.compare([str(folder) for folder in two], tmp_path / "out")
    assert told[0].startswith(f"FID of {two[1]} is not compared: the data differs")
    assert told[1].startswith(f"Reconstruction error of {two[1]} is not compared")


def test_reports_go_by_name_and_revisions_by_the_other_report(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commit(tmp_path)
    assert runs.addresses(["a", "HEAD:b", "reports/b"]) == [
        "reports/a",
        "HEAD:reports/b",
        "reports/b",
    ]
    assert runs.addresses(["HEAD", "b"]) == ["HEAD:reports/b", "reports/b"]
    with pytest.raises(ValueError, match="HEAD is a revision: say of which report, as in HEAD:dig"):
        runs.addresses(["HEAD", "HEAD^{}"])


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
    same = compare.read("reports/a")
    assert run.label == "HEAD:reports/a"
    assert run.results == replace(same.results, folder=run.results.folder)
    assert run.influences == same.influences
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
        (["reports/a", "HEAD:nowhere"], "git has no HEAD:reports/nowhere"),
        (["a", "bb"], "no folder bb: did you mean b? reports here are a, b; name one of them, or"),
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
