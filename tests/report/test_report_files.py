"""The files of a report: the records' numbers, the same bytes everywhere, timings apart."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest
from helpers import report_fixture as fixture

from ddim.records.cell import Cell
from ddim.records.results import Results, load
from ddim.records.timing import Timing
from ddim.report import build, metrics_json, verdicts

TIMING = {
    "seconds": 777.25,
    "device": "another device",
    "date": "2031-01-02T03:04:05+00:00",
    "revision": "0ther15",
}


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.reader(file))


def dicts(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_metrics_are_the_inputs(built: Results) -> None:
    metrics = metrics_json.everything(built)
    for steps in built.steps:
        assert metrics[f"S{steps}"]["n"] == 360
        for eta in built.etas:
            path = built.folder / "cells" / f"S{steps}_eta{eta}_seed0.json"
            measured = Cell.read(path, "").measured
            expected = {
                key: getattr(measured, key) for key in ("fid", "kid", "precision", "recall")
            }
            assert metrics[f"S{steps}"][f"eta{eta}"] == expected
    assert metrics["reconstruct"]["S20"] == {"mse": pytest.approx(1.4 / 400)}
    floor = {"fid": 2.31, "kid": 0.0004, "precision": 0.97}
    assert metrics["floor"] == {"n360": floor, "n250": {**floor, "fid": 3.2}}
    assert metrics["train"] == {"loss": fmean(value for _, value in built.training.loss[-20:])}
    assert metrics["analysis"]["consistency"] == {"distance": 0.0213}
    listed = dict(rows(built.folder / "tables" / "metrics.csv")[1:])
    assert float(listed["S10.eta0.0.fid"]) == metrics["S10"]["eta0.0"]["fid"]
    assert listed.keys() == dict(metrics_json.flat(metrics)).keys()


def test_the_headline_is_few_of_them(built: Results) -> None:
    headline = json.loads((built.folder / "metrics.json").read_text())
    everything = dict(metrics_json.flat(metrics_json.everything(built)))
    claims = headline.pop("claims")
    assert sum(claims.values()) == len(verdicts.panel(built))
    few = dict(metrics_json.flat(headline))
    assert few.items() <= everything.items()
    fids = [f"S{s}.eta{eta}.fid" for s in (10, 50, 1000) for eta in ("0.0", "1.0", "hat")]
    errors = [f"reconstruct.S{s}.mse" for s in (10, 1000)]
    assert few.keys() == {*fids, *errors, *(f"S{s}.n" for s in (10, 50, 1000))}


def test_csv_holds_full_numbers_in_the_papers_layout(built: Results) -> None:
    table = rows(built.folder / "tables" / "table1_fid.csv")
    assert table[0] == ["η", *(f"S = {s}" for s in built.steps)]
    names = [f"eta{eta}" for eta in built.etas]
    assert [row[0] for row in table[1:]] == [*names, "floor_n360", "best_n360", "floor_n250"]
    assert float(table[2][2]) == fixture.fid(20, 0.2)
    assert float(table[7][1]) == fixture.fid(1000, 0.0)  # the best cell of as many images


def test_a_curves_numbers_lie_beside_its_figure_and_nowhere_else(built: Results) -> None:
    points = dicts(built.folder / "figures" / "fid.csv")
    assert list(points[0]) == ["S", "eta", "fid", "low", "high", "n"]
    assert len(points) == 25
    assert {point["n"] for point in points} == {"360"}
    assert float(points[0]["low"]) == pytest.approx(0.94 * float(points[0]["fid"]))
    errors = dicts(built.folder / "figures" / "error.csv")
    assert [float(e["mse"]) for e in errors] == [1.4 / s**2 for s in built.cfg.reconstruct.steps]
    assert len(dicts(built.folder / "figures" / "loss.csv")) == len(built.training.loss)
    assert not (built.folder / "plots").exists()


def test_every_cell_has_a_row_with_its_intervals(tmp_path: Path) -> None:
    fixture.experiment(tmp_path, fixture.config(*fixture.SMALL, "sweep.seeds=[0,1]"))
    build.build(load(tmp_path))
    cells = dicts(tmp_path / "tables" / "cells.csv")
    assert len(cells) == 2 * 2 * 2
    one = next(c for c in cells if (c["S"], c["eta"], c["seed"]) == ("10", "hat", "0"))
    fid = fixture.fid(10, "hat")
    assert [float(one[key]) for key in ("FID", "FID low", "FID high")] == pytest.approx(
        [fid, 0.94 * fid, 1.06 * fid]
    )
    assert float(one["KID high"]) == pytest.approx(1.09 * fid / 2000)
    assert float(one["FID infinite"]) == pytest.approx(0.9 * fid)
    assert float(one["recall high"]) - float(one["recall"]) == pytest.approx(0.02)
    assert one["inception score"] == ""  # not measured


def test_the_verdicts_have_a_table_of_their_own(built: Results) -> None:
    verdicts = dicts(built.folder / "tables" / "verdicts.csv")
    assert list(verdicts[0]) == ["claim", "source", "paper", "ours", "test", "word"]
    assert len(verdicts) == 6 + len(built.sections)
    assert verdicts[-1]["word"] == "reproduced"


def test_links_exist(built: Results) -> None:
    for folder in (built.folder, built.folder / "timings"):
        links = re.findall(r"\]\(([^)]+)\)", (folder / "README.md").read_text())
        assert len(links) >= 3
        assert [link for link in links if not (folder / link).is_file()] == []


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    both = []
    for name in ("one", "two"):
        folder = tmp_path / name / "digits"
        fixture.experiment(folder, fixture.config(*fixture.SMALL, "analysis.sections=[ode]"))
        build.build(load(folder))
        both.append(contents(folder))
    assert both[0].keys() == both[1].keys()
    assert [name for name in both[0] if both[0][name] != both[1][name]] == []


def test_results_hold_no_timing(small: Path) -> None:
    """Another machine's times, device, date and revision change timings/ and the page alone."""
    build.build(load(small))
    before = contents(small)
    for path in (small / "timings").glob("*.json"):
        fixture.edit(Timing, path, **TIMING)
    build.build(load(small))
    after = contents(small)
    assert before.keys() == after.keys()
    changed = {name for name in after if after[name] != before[name]}
    results = {name for name in changed if not name.startswith("timings/")}
    assert results == {"index.html"}
    assert {f"timings/{name}" for name in ("README.md", "time.csv", "time.png")} <= changed


def test_timings_tell_times_device_date_and_revision(small: Path) -> None:
    for path in (small / "timings").glob("*.json"):
        fixture.edit(Timing, path, **TIMING)
    fixture.edit(Timing, small / "timings" / "train.json", seconds=7200.0, revision="7ra1n")
    build.build(load(small))
    page = (small / "timings" / "README.md").read_text()
    assert "another device; 2031-01-02; revision `0ther15`." in page
    assert "4,000 steps in 2.0 h; another device; 2031-01-02; revision `7ra1n`." in page
    embedded = (small / "index.html").read_text()
    assert "2031-01-02" in embedded
    assert "0ther15" in embedded
    points = dicts(small / "timings" / "time.csv")
    assert {float(point["seconds"]) for point in points} == {777.25}
    assert {float(point["seconds_per_image"]) for point in points} == {777.25 / fixture.N}


def test_timings_of_several_devices_and_revisions_are_counted(small: Path) -> None:
    path = small / "timings" / "S10_etahat_seed0.json"
    fixture.edit(Timing, path, date="2026-11-22T00:00:00+00:00", revision="bbbbbbb", processes=2)
    build.build(load(small))
    page = (small / "timings" / "README.md").read_text()
    assert "2026-11-20 to 2026-11-22; revision `3da4b30` (3 cells) and `bbbbbbb` (1 cells)." in page
    assert "cpu (2 threads), 2 processes (1 cells)" in page


def test_the_stage_ends_with_the_path_and_needs_no_torch(small: Path) -> None:
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from helpers import report_fixture as f;"
        "cfg = f.config(*f.SMALL); os.chdir(sys.argv[2]);"
        "from ddim.stages import report; import ddim.report.compare; report.run(cfg);"
        "sys.stderr.write(str(sorted({'torch', 'pytorch_lightning'} & set(sys.modules))))"
    )
    tests, home = Path(__file__).parent.parent, small.parent.parent
    command = [sys.executable, "-c", program, str(tests), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]"
    assert done.stdout.splitlines()[-1] == "reports/digits/index.html"
    assert "13.0" in done.stdout
    assert "reproduced   At the smallest S, σ̂ has the highest FID" in done.stdout


def test_the_room_depends_on_records_estimates_and_plotting_alone() -> None:
    from ddim.records import code

    assert code.units("ddim.report") == {"evaluation", "plotting", "report", "schedule.py"}


def test_an_unfinished_report_leaves_no_page(small: Path) -> None:
    """A missing timing is told before README.md and index.html say anything new."""
    build.build(load(small))
    before = (small / "index.html").read_bytes()
    shutil.rmtree(small / "timings")
    with pytest.raises(FileNotFoundError, match="timings"):
        build.build(load(small))
    assert (small / "index.html").read_bytes() == before
