"""The report says what the JSON says: the grid rule, comparability, findings, and its files."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import report_fixture as fabricate
from hypothesis import given
from hypothesis import strategies as st

from ddim.config import schema
from ddim.records import aggregate
from ddim.records.aggregate import FID, Estimate
from ddim.records.results import load as read_results
from ddim.report import (
    build,
    comparability,
    compare,
    content,
    findings,
    numbers,
    paper,
    protocol,
    tables,
)
from ddim.report.document import Code
from ddim.report.render import latex, markdown
from ddim.runtime.cli import command

SMALL = ("sweep.steps=[10,100]", "sweep.eta=[0.0,hat]", "reconstruct.steps=[10,100]")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> results.Results:
    """A whole report: the full grid and a section of the lecture."""
    folder = tmp_path_factory.mktemp("built") / "reports" / "digits"
    cfg = fabricate.experiment(folder)
    fabricate.section(folder)
    results = read_results(cfg, folder, sections=["consistency"])
    build.build(results)
    return results


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, object]:
    folder = tmp_path / "reports" / "digits"
    return folder, fabricate.experiment(folder, fabricate.config(*SMALL))


def published(
    folder: Path, name: str = "cifar10", *overrides: str, rows: tuple[str, ...] = SMALL
) -> results.Results:
    """An experiment whose protocol is the paper's in every point."""
    cfg = fabricate.config(f"experiment={name}", *rows, *overrides)
    fabricate.experiment(folder, cfg)
    about = json.loads((folder / "protocol.json").read_text())
    about["data"] |= {"name": name, "train_n": paper.TRAIN_N[name]}
    about["reference"]["n"] = paper.TRAIN_N[name]
    about["features"] |= {"name": "inception", "sha256": "6726825d" + "0" * 56}
    fabricate.write_json(folder / "protocol.json", about)
    trained = json.loads((folder / "train.json").read_text())
    recipe = {"steps": cfg.train.steps, **paper.RECIPE[name]}
    fabricate.write_json(folder / "train.json", trained | recipe)
    for path in (folder / "cells").glob("*.json"):
        fabricate.write_json(path, json.loads(path.read_text()) | {"n_generated": 50000})
    for path in (folder / "samples").glob("*.json"):
        made = json.loads(path.read_text())
        made["trajectory"]["spacing"] = cfg.sampler.trajectory
        fabricate.write_json(path, made)
    return results.load(cfg, folder)


# The grid rule


def test_a_missing_cell_is_named_with_the_command_that_makes_it(small):
    folder, cfg = small
    (folder / "cells" / "S100_etahat_seed0.json").unlink()
    with pytest.raises(FileNotFoundError) as error:
        results.load(cfg, folder)
    assert "S100_etahat_seed0.json is missing" in str(error.value)
    command = "python -m ddim.stages.evaluate cell.steps=100 cell.eta=hat cell.seed=0"
    assert command in str(error.value)


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("protocol.json", "reference"),
        ("train.json", "train"),
        ("samples/S10_eta0.0_seed0.png", "sample"),
        ("reconstruct/S100.json", "reconstruct"),
    ],
)
def test_every_missing_file_names_its_stage(small, file, stage):
    folder, cfg = small
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{Path(file).name} is missing.*stages\.{stage}"):
        results.load(cfg, folder)


def test_a_missing_section_is_named(small):
    folder, cfg = small
    with pytest.raises(
        FileNotFoundError, match=r"lecture/ode/section\.json is missing.*stages\.ode"
    ):
        results.load(cfg, folder, sections=["ode"])


def test_what_left_the_grid_leaves_the_report(small):
    folder, cfg = small
    key = {"steps": 37, "eta": "0.7", "seed": 0, "sampler": "ddim"}
    fabricate.cell(folder, "S37_eta0.7_seed0", key, 1.0)
    stale = folder / "figures" / "old.png"
    stale.parent.mkdir()
    stale.write_bytes(b"")
    build.build(results.load(cfg, folder))
    for name in ("README.md", "index.html", "metrics.json"):
        text = (folder / name).read_text()
        assert "S = 37" not in text
        assert "S37" not in text
    assert not stale.exists()


def test_a_truncated_file_is_named(small):
    folder, cfg = small
    path = folder / "cells" / "S10_eta0.0_seed0.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=r"S10_eta0\.0_seed0\.json is no JSON"):
        results.load(cfg, folder)


@pytest.mark.parametrize("value", [float("nan"), None, "12"])
def test_a_number_that_is_none_is_refused(small, value):
    folder, cfg = small
    path = folder / "cells" / "S10_eta0.0_seed0.json"
    fabricate.write_json(path, json.loads(path.read_text()) | {"fid": value})
    with pytest.raises(ValueError, match="fid must be a finite number"):
        results.load(cfg, folder)


def test_a_cell_under_another_name_is_refused(small):
    folder, cfg = small
    source = folder / "cells" / "S10_eta0.0_seed0.json"
    (folder / "cells" / "S10_etahat_seed0.json").write_text(source.read_text())
    with pytest.raises(ValueError, match="describes another cell"):
        results.load(cfg, folder)


def test_cells_of_other_weights_do_not_mix(small):
    folder, cfg = small
    path = folder / "samples" / "S10_eta0.0_seed0.json"
    made = json.loads(path.read_text())
    made["weights"]["sha256"] = "0" * 64
    fabricate.write_json(path, made)
    with pytest.raises(ValueError, match=r"S10_eta0\.0_seed0.*other weights"):
        results.load(cfg, folder)


# Beside the paper


def test_the_papers_tables_have_their_size():
    assert {name: len(rows) for name, rows in paper.FID.items()} == {
        "cifar10": 5,
        "celeba": 5,
        "lsun_bedroom": 2,
        "lsun_church": 2,
    }
    assert paper.FID["cifar10"]["hat"][1000] == 3.17
    assert paper.FID["lsun_church"]["1.0"][100] == 8.27
    assert paper.RECONSTRUCTION["cifar10"][20] == 0.0065


def test_the_papers_protocol_stands_beside_the_paper(tmp_path):
    results = published(tmp_path / "reports" / "cifar10")
    assert comparability.why_not(results) == []
    table = tables.quality(results, FID)
    assert table is not None
    # 13.00 was made up for S = 10, eta = 0; the paper has 13.36
    assert table.rows[0].values[0].paper == "paper 13.36, −0.36"
    assert all(value.paper for row in table.rows for value in row.values)


def change(results: results.Results, what: str) -> results.Results:
    """The published protocol with one thing changed."""
    about = json.loads(json.dumps(results.protocol))
    key, cell = next(iter(results.cells.items()))
    match what:
        case "note":
            about["data"]["note"] = "JPEG copy"
        case "data":
            about["data"]["name"] = "image_folder"
        case "features":
            about["features"]["name"] = "classifier"
        case "inception":
            about["features"]["sha256"] = "0" * 64
        case "reference":
            about["reference"]["split"] = "test"
        case "part of the reference":
            about["reference"]["n"] = 49000
        case "part of the data":
            about["data"]["train_n"] = about["reference"]["n"] = 297
        case "batch size":
            results = replace(results, training={**results.training, "batch_size": 64})
        case "flips":
            results = replace(results, training={**results.training, "flip": False})
        case "training":
            results = replace(results, training={**results.training, "steps": 799_999})
        case "network" | "image size":
            part, name = ("model", "channels") if what == "network" else ("data", "image_size")
            changed = replace(getattr(results.cfg, part), **{name: 64})
            results = replace(results, cfg=replace(results.cfg, **{part: changed}))
        case "n":
            cell = replace(cell, measured=replace(cell.measured, n_generated=49984))
        case "trajectory":
            cell = replace(cell, sampled=replace(cell.sampled, spacing="quadratic-published"))
        case "raw":
            cell = replace(cell, sampled=replace(cell.sampled, kind="raw"))
        case "clipped":
            cell = replace(cell, sampled=replace(cell.sampled, clip_x0=True))
        case "sigma-hat not clipped":
            key = next(key for key in results.cells if key.eta == "hat")
            cell = results.cells[key]
            cell = replace(cell, sampled=replace(cell.sampled, clip_x0=False))
    return replace(results, protocol=about, cells={**results.cells, key: cell})


REFERENCE = ("reference", "part of the reference", "part of the data")
EXPERIMENT = ("note", "data", "features", "inception", *REFERENCE)
NETWORK = ("training", "batch size", "flips", "network", "image size")


@pytest.mark.parametrize("what", [*EXPERIMENT, *NETWORK])
def test_one_deviation_of_the_experiment_hides_every_value_of_the_paper(tmp_path, what):
    results = change(published(tmp_path / "reports" / "cifar10"), what)
    assert len(comparability.why_not(results)) == 1
    table = tables.quality(results, FID)
    assert table is not None
    assert not any(value.paper for row in table.rows for value in row.values)
    assert "Not comparable with the paper's Table 1" in tables.comparison(results)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("training", "trained for 799,999 steps, not 800,000"),
        ("batch size", "the training is not the paper's (batch_size 64, not 128)"),
        ("flips", "the training is not the paper's (flip False, not True)"),
        ("network", "the network is not the paper's (channels 64, not 128)"),
        ("image size", "the network is not the paper's (image_size 64, not 32)"),
    ],
)
def test_another_network_is_named_and_hides_table_2_too(tmp_path, what, said):
    results = change(published(tmp_path / "reports" / "cifar10"), what)
    assert said in tables.comparison(results)
    column = replace(results.reconstruct[10], n=10000)
    assert len(comparability.reconstruction(results, column)) == 1


def test_imported_weights_may_stand_beside_the_paper(tmp_path):
    folder = tmp_path / "reports" / "cifar10"
    cfg = published(folder).cfg
    fabricate.imported(folder, "ema")
    assert comparability.why_not(results.load(cfg, folder)) == []


@pytest.mark.parametrize("name", sorted(paper.NETWORK))
def test_the_presets_are_the_papers_network_and_recipe(name):
    cfg = fabricate.config(f"experiment={name}")
    assert cfg.network == paper.NETWORK[name]
    assert cfg.train.steps == paper.STEPS.get(name, cfg.train.steps)
    made = vars(cfg.train) | {"flip": cfg.data.flip}
    assert {key: made[key] for key in paper.RECIPE[name]} == paper.RECIPE[name]


def test_the_caption_of_table_3_is_told_only_where_comparable(tmp_path):
    few = ("sweep.steps=[10,100]", "reconstruct.steps=[10]")
    results = published(tmp_path / "reports" / "church", "lsun_church", rows=few)
    said = "1,000-step DDPM has FID 7.89"
    table = tables.quality(results, FID)
    assert table is not None
    assert said in " ".join(table.notes)
    other = tables.quality(change(results, "note"), FID)
    assert other is not None
    assert "7.89" not in " ".join(other.notes)


@pytest.mark.parametrize("what", ["n", "trajectory", "raw", "clipped", "sigma-hat not clipped"])
def test_one_deviation_of_a_cell_hides_the_paper_there_only(tmp_path, what):
    results = change(published(tmp_path / "reports" / "cifar10"), what)
    table = tables.quality(results, FID)
    assert table is not None
    hidden = [row.key for row in table.rows for value in row.values if not value.paper]
    assert hidden == ["etahat" if "sigma-hat" in what else "eta0.0"]
    assert "Some cells are not comparable" in tables.comparison(results)


def test_no_number_of_the_paper_is_printed_where_not_comparable(built):
    text = (built.folder / "README.md").read_text()
    assert "Not comparable with the paper's Table 1" in text
    assert "Not comparable with the paper's Table 2" in text
    for number in ("13.36", "367.43", "133.37", "41.07", "299.71"):
        assert number not in text
    assert not re.search(r"paper \d", text)


def test_table_2_stands_beside_the_paper_only_for_the_whole_test_split(tmp_path):
    results = published(tmp_path / "reports" / "cifar10")
    column = results.reconstruct[10]
    assert comparability.paper_reconstruction(results, column) is None  # n = 128
    whole = replace(column, n=10000)
    assert comparability.paper_reconstruction(results, whole) == 0.014
    assert comparability.paper_reconstruction(results, replace(whole, kind="raw")) is None


# Estimates


def _estimate(mean: float, half: float) -> Estimate:
    return Estimate(mean, (mean - half, mean + half), None)


@given(st.floats(-1e3, 1e3), st.floats(0, 1e2), st.floats(-1e3, 1e3), st.floats(0, 1e2))
def test_overlap_is_symmetric_and_means_a_shared_point(a, half_a, b, half_b):
    first, second = _estimate(a, half_a), _estimate(b, half_b)
    assert first.overlaps(second) == second.overlaps(first)
    if first.overlaps(second):
        assert abs(a - b) <= half_a + half_b + 1e-9
    else:
        assert abs(a - b) >= half_a + half_b - 1e-9


def test_neighbours_are_the_next_step_and_the_next_eta():
    values = {(s, e): _estimate(10 * s + i, 2) for s in (1, 2, 3) for i, e in enumerate("ab")}
    pairs = aggregate.neighbours(values, [3, 1, 2], ["a", "b"])
    assert [(p.first, p.second, p.apart) for p in pairs] == [
        ((1, "a"), (2, "a"), True),
        ((2, "a"), (3, "a"), True),
        ((1, "b"), (2, "b"), True),
        ((2, "b"), (3, "b"), True),
        ((1, "a"), (1, "b"), False),
        ((2, "a"), (2, "b"), False),
        ((3, "a"), (3, "b"), False),
    ]


def test_several_seeds_are_a_mean_and_a_spread(tmp_path):
    folder = tmp_path / "reports" / "digits"
    cfg = fabricate.experiment(folder, fabricate.config(*SMALL, "sweep.seeds=[0,1,2]"))
    results = read_results(cfg, folder)
    found = aggregate.grid(results, FID)[10, "0.0"]
    one = fabricate.fid(10, 0.0)
    assert found.mean == pytest.approx(1.02 * one)
    assert found.spread == pytest.approx(0.02 * one)
    assert found.interval == pytest.approx((0.94 * one, 1.06 * 1.04 * one))
    table = tables.quality(results, FID)
    assert table is not None
    assert table.rows[0].values[0].text == "13.26 ± 0.260"
    metrics = content.document(results).metrics
    assert metrics["S10"]["eta0.0"]["fid"] == pytest.approx(1.02 * one)


# Findings come out either way


def grid_of(rows: dict[str, list[float]], half: float = 0.1) -> dict[tuple[int, str], Estimate]:
    return {
        (s, eta): _estimate(value, half)
        for eta, row in rows.items()
        for s, value in zip((10, 100), row, strict=True)
    }


@pytest.mark.parametrize(
    ("hat", "said"),
    [(90.0, "is the worst by far"), (11.0, "worst, but not by far"), (5.0, "is not the worst")],
)
def test_sigma_hat_is_judged_by_the_numbers(hat, said):
    values = grid_of({"0.0": [8, 4], "1.0": [10, 5], "hat": [hat, 3]})
    assert said in findings.sigma_hat(values, [10, 100], ["0.0", "1.0", "hat"])


def test_the_first_row_is_judged_by_the_numbers():
    better, worse = (grid_of({"0.0": row}) for row in ([8, 4], [4, 8]))
    said = findings.more_steps(better, [10, 100], ["0.0"])
    assert "gets better with every" in said
    assert said.endswith("that is more than the intervals.")
    doubtful = findings.more_steps(grid_of({"0.0": [8, 4]}, half=3), [10, 100], ["0.0"])
    assert doubtful.endswith("no more than the intervals; within them are S = 10 → 100.")
    assert "does not get better" in findings.more_steps(worse, [10, 100], ["0.0"])
    near = grid_of({"0.0": [4, 4.1]})
    assert "within their intervals" in findings.more_steps(near, [10, 100], ["0.0"])


def test_the_reconstruction_is_judged_by_the_numbers():
    assert "falls with every" in findings.reconstruction({10: 0.1, 20: 0.01})
    contrary = findings.reconstruction({10: 0.01, 20: 0.1, 50: 0.001})
    assert "does not fall with every" in contrary
    assert "from 0.010 at S = 10 to 0.10 at S = 20" in contrary


def test_each_column_names_its_best_row():
    values = grid_of({"0.0": [8, 4], "hat": [90, 3]})
    said = findings.best_rows(values, [10, 100], ["0.0", "hat"])
    assert said == (
        "The best FID is that of η = 0.0 at S = 10 and σ̂ at S = 100. At S = 10 and 100 it is "
        "below every other row's by more than the intervals."
    )
    values[100, "hat"] = _estimate(3, half=2)
    assert "At S = 10 it is below" in findings.best_rows(values, [10, 100], ["0.0", "hat"])
    values[10, "0.0"] = _estimate(8, half=90)
    assert "Nowhere is it below" in findings.best_rows(values, [10, 100], ["0.0", "hat"])


def test_a_protocol_that_varies_names_rows_columns_or_cells():
    grid = [(s, e) for s in (10, 20) for e in ("0.0", "1.0", "hat")]
    assert protocol.vary(dict.fromkeys(grid, "a")) == "a"
    assert protocol.vary({p: "b" if p[1] == "hat" else "a" for p in grid}) == "a (σ̂: b)"
    assert protocol.vary({(s, "0.0"): str(s > 50) for s in (10, 20, 100)}) == (
        "False (S = 100: True)"
    )
    one = {p: "b" if p == (20, "1.0") else "a" for p in grid}
    assert protocol.vary(one) == "a (S = 20, η = 1.0: b)"


# Files


def test_metrics_are_the_inputs(built):
    metrics = json.loads((built.folder / "metrics.json").read_text())
    for steps in built.steps:
        for eta in built.etas:
            path = built.folder / "cells" / f"S{steps}_eta{eta}_seed0.json"
            cell = json.loads(path.read_text())
            expected = {key: cell[key] for key in ("fid", "kid", "precision", "recall")}
            assert metrics[f"S{steps}"][f"eta{eta}"] == expected
    assert metrics["reconstruct"]["S20"]["error"] == pytest.approx(1.4 / 400)
    assert metrics["floor"]["fid"] == 2.31
    assert metrics["lecture"] == {"consistency": {"distance": 0.0213}}


def test_csv_holds_full_numbers_in_the_papers_layout(built):
    with (built.folder / "tables" / "table1_fid.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["η", *(f"S = {s}" for s in built.steps)]
    assert [row[0] for row in rows[1:]] == [*(f"eta{e}" for e in built.etas), "floor_n360"]
    assert float(rows[2][2]) == fabricate.fid(20, 0.2)
    with (built.folder / "plots" / "fid.csv").open() as file:
        points = list(csv.DictReader(file))
    assert list(points[0]) == ["S", "eta", "fid", "low", "high", "n"]
    assert len(points) == 25
    assert {point["n"] for point in points} == {"360"}
    assert float(points[0]["low"]) == pytest.approx(0.94 * float(points[0]["fid"]))


def test_every_cell_has_a_row_with_its_intervals(tmp_path):
    folder = tmp_path / "reports" / "digits"
    cfg = fabricate.experiment(folder, fabricate.config(*SMALL, "sweep.seeds=[0,1]"))
    build.build(results.load(cfg, folder))
    rows = list(csv.DictReader((folder / "tables" / "cells.csv").open(encoding="utf-8")))
    assert len(rows) == 2 * 2 * 2
    one = next(r for r in rows if (r["S"], r["eta"], r["seed"]) == ("10", "hat", "0"))
    fid = fabricate.fid(10, "hat")
    assert [float(one[key]) for key in ("FID", "FID low", "FID high")] == pytest.approx(
        [fid, 0.94 * fid, 1.06 * fid]
    )
    assert float(one["KID high"]) == pytest.approx(1.1 * fid / 2000)
    assert one["inception score"] == ""  # not taken


def test_latex_is_balanced_and_regular(built):
    sources = sorted((built.folder / "tables").glob("*.tex"))
    assert len(sources) >= 7
    for path in sources:
        text = path.read_text()
        plain = re.sub(r"\\[\\{}%&#$_]", "", text)
        assert plain.count("{") == plain.count("}"), path
        assert plain.count("$") % 2 == 0, path
        begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
        assert begun == ended[::-1], path
        assert text.isascii(), path
        layout = re.search(r"\\begin{tabular}{(\w+)}", text)
        assert layout is not None
        for row in re.findall(r"^(.*) \\\\$", text, re.M):
            spanned = sum(int(n) - 1 for n in re.findall(r"\\multicolumn{(\d+)}", row))
            assert len(re.split(r"(?<!\\)&", row)) + spanned == len(layout[1]), row


def test_latex_escapes_what_it_must():
    assert latex.escape("50 % & σ̂_1 − 2·10⁻⁴") == (
        r"50 \% \& $\hat{\sigma}$\_1 $-$ 2$\cdot$10$^{-}$$^{4}$"
    )


def test_readme_links_exist(built):
    text = (built.folder / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 30
    assert [link for link in links if not (built.folder / link).is_file()] == []


def test_first_lines_say_what_it_is(built):
    head = (built.folder / "README.md").read_text().split("## ")[0]
    for said in ("digits", "1,797 scans", "figures/samples.png", "worst by far", "floor"):
        assert said in head


def test_a_note_on_the_data_stands_in_the_first_lines(small):
    folder, cfg = small
    about = json.loads((folder / "protocol.json").read_text())
    about["data"]["note"] = "JPEG copy"
    fabricate.write_json(folder / "protocol.json", about)
    text = markdown.render(content.document(results.load(cfg, folder)))
    assert "JPEG copy" in text.split("## ")[0]


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name / "digits"
        cfg = fabricate.experiment(folder, fabricate.config(*SMALL))
        fabricate.section(folder)
        build.build(results.load(cfg, folder, sections=["consistency"]))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        made.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert made[0].keys() == made[1].keys()
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []


@pytest.mark.parametrize(("kind", "said"), [("ema", "EMA"), ("raw", "raw")])
def test_imported_weights_have_no_training_to_tell(small, kind, said):
    folder, _ = small
    cfg = fabricate.config(*SMALL, f"sample.weights={kind}")
    fabricate.imported(folder, kind)
    text = markdown.render(content.document(results.load(cfg, folder)))
    assert f"{said}, imported from x.bin;" in text
    assert f"Weights, SHA-256: {said} `" in text
    assert "figures/loss.png" not in text


def test_weights_of_the_other_kind_are_refused(small):
    folder, cfg = small
    fabricate.imported(folder, "raw")  # the configuration samples with EMA
    with pytest.raises(ValueError, match=r"train\.json has no key 'ema_sha256'"):
        results.load(cfg, folder)


def test_a_measure_that_was_not_taken_leaves_no_table(small):
    folder, cfg = small
    score = "Inception score"
    assert score not in markdown.render(content.document(results.load(cfg, folder)))
    paths = sorted((folder / "cells").glob("*.json"))
    for path in paths:
        fabricate.write_json(path, json.loads(path.read_text()) | {"inception_score": 9.0})
    full = content.document(results.load(cfg, folder))
    assert score in markdown.render(full)
    assert full.metrics["S10"]["eta0.0"]["inception_score"] == 9.0
    fabricate.write_json(paths[0], json.loads(paths[0].read_text()) | {"inception_score": None})
    assert score not in markdown.render(content.document(results.load(cfg, folder)))


def commands(results: results.Results) -> list[str]:
    made = next(part for part in content.document(results).parts if part.anchor == "made")
    code = next(block for block in made.blocks if isinstance(block, Code))
    return [line for line in code.text.splitlines() if line and not line.startswith("#")]


def test_the_exact_commands_are_every_stage_in_order(built):
    lines = commands(built)
    assert lines[2:4] == ["python -m ddim.compose experiment=digits", "dvc repro"]
    modules = [re.search(r"-m ddim\.(\S+)", line)[1] for line in lines[4:]]
    names = ["data", "features", "train", "reference", "sample", "evaluate", "reconstruct"]
    names += ["consistency", "report"]
    assert modules == [*(f"stages.{name}" for name in names), "track"]
    assert all("-cn stage" in line for line in lines[4:-1])


@pytest.mark.parametrize("overrides", [(), ("experiment=cifar10_jpeg", "train.lr=1e-3")])
def test_the_command_to_compose_gives_this_very_configuration(small, overrides):
    from ddim.config.params import from_conf

    cfg = fabricate.config(*overrides, *SMALL, "analysis.sections=[]")
    (line,) = [x for x in commands(results.load(cfg, small[0])) if "ddim.compose" in x]
    assert schema.checked(from_conf(shlex.split(line)[3:])) == cfg


@pytest.mark.parametrize("override", ["name=mine", "+sample.num_images_at={1000: 10}"])
def test_no_command_to_compose_is_told_where_a_file_of_conf_is_needed(small, override):
    cfg = fabricate.config(*SMALL, override)
    assert "ddim.compose" not in "".join(commands(results.load(cfg, small[0])))


def test_the_preparation_says_which_files_were_left_out_if_any_were(small):
    folder, cfg = small
    about = json.loads((folder / "protocol.json").read_text())
    about["data"] |= {"split": "2 of 8 images held out", "crop": "centre 8x8"}
    fabricate.write_json(folder / "protocol.json", about)
    page = markdown.render(content.document(results.load(cfg, folder)))
    assert "Preparation of the data: split 2 of 8 images held out; crop centre 8x8\n" in page
    about["data"]["left_out"] = "500 files of other kinds (500 .heic)"
    fabricate.write_json(folder / "protocol.json", about)
    page = markdown.render(content.document(results.load(cfg, folder)))
    assert "; crop centre 8x8; left out 500 files of other kinds (500 .heic)\n" in page


def test_the_stage_ends_with_the_path_and_needs_no_torch(tmp_path):
    folder = tmp_path / "reports" / "digits"
    fabricate.experiment(folder, fabricate.config(*SMALL))
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from helpers import report_fixture as f;"
        "cfg = f.config(*sys.argv[3:]); os.chdir(sys.argv[2]);"
        "from ddim.stages import report; import ddim.report.compare; report.run(cfg);"
        "sys.stderr.write(str(sorted({'torch', 'pytorch_lightning'} & set(sys.modules))))"
    )
    command = [
        sys.executable,
        "-c",
        program,
        str(Path(__file__).parent.parent),
        str(tmp_path),
        *SMALL,
    ]
    command.append("analysis.sections=[]")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]"
    assert done.stdout.splitlines()[-1] == "reports/digits/index.html"
    assert "13.00" in done.stdout


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0141, "0.014"), (0.00049, "0.00049"), (3.46e-5, "3.5·10⁻⁵"), (12.0, "12")],
)
def test_small_numbers_keep_two_digits(value, text):
    assert numbers.small(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(367.43, "367.43"), (4.1, "4.10"), (0.2034, "0.203"), (0.0012, "0.0012")]
)
def test_fid_is_written_as_in_the_paper(value, text):
    assert numbers.fid(value) == text


# Compare


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """reports/a and reports/b, which differ in one cell."""
    home = tmp_path_factory.mktemp("two")
    folders = (home / "reports" / "a", home / "reports" / "b")
    for folder, change in zip(folders, (1.0, 2.0), strict=True):
        cfg = fabricate.experiment(folder, fabricate.config(*SMALL))
        path = folder / "cells" / "S10_eta0.0_seed0.json"
        cell = json.loads(path.read_text())
        cell |= {"fid": change * cell["fid"], "fid_interval": [change * 12, change * 14]}
        fabricate.write_json(path, cell)
        build.build(results.load(cfg, folder))
    return home


@pytest.fixture
def two(finished: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of both."""
    shutil.copytree(finished / "reports", tmp_path / "reports")
    return tmp_path / "reports" / "a", tmp_path / "reports" / "b"


def test_compare_shows_differences_and_curves(two, tmp_path):
    page = compare.compare([str(folder) for folder in two], tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "+13.00<br><sub>13.00 → 26.00</sub>" in text
    assert "≈ +0.00<br><sub>4.90 → 4.90</sub>" in text
    assert page.is_file()
    assert (tmp_path / "out" / "figures" / "fid_eta0.0.png").is_file()


def test_compare_subtracts_nothing_across_features(two, tmp_path):
    path = two[1] / "protocol.json"
    about = json.loads(path.read_text())
    about["features"]["sha256"] = "0" * 64
    fabricate.write_json(path, about)
    compare.compare([str(folder) for folder in two], tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "is not comparable" in text
    assert "the features differ" in text
    assert "26.00" not in text
    assert not (tmp_path / "out" / "figures" / "fid_eta0.0.png").exists()
    assert (tmp_path / "out" / "figures" / "error.png").is_file()


def test_compare_subtracts_only_cells_with_the_same_n(two, tmp_path):
    cfg = fabricate.config(*SMALL)
    for name in ("S10_eta0.0_seed0", "S100_etahat_seed0"):
        path = two[1] / "cells" / f"{name}.json"
        fabricate.write_json(path, json.loads(path.read_text()) | {"n_generated": 720})
    build.build(results.load(cfg, two[1]))
    compare.compare([str(folder) for folder in two], tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "where n differs**: 360 and 720 images at (S = 10, η = 0.0) and (S = 100, σ̂)." in text
    assert "26.00" not in text
    assert "≈ +0.00<br><sub>4.90 → 4.90</sub>" in text
    with (tmp_path / "out" / "figures" / "fid_eta0.0.csv").open() as file:
        assert [(row["run"], row["S"]) for row in csv.DictReader(file)] == [
            (str(two[0]), "10"),
            (str(two[0]), "100"),
            (str(two[1]), "100"),
        ]


def test_compare_refuses_a_report_that_does_not_say_n(two):
    path = two[1] / "plots" / "fid.csv"
    path.write_text("S,eta,fid,low,high\n10,0.0,13.0,12.0,14.0\n")
    with pytest.raises(ValueError, match=r"fid\.csv has no column n"):
        compare.read(str(two[1]))


def test_compare_reads_a_revision(two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "reports"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    run = compare.read("HEAD:reports/a")
    assert run == replace(compare.read("reports/a"), label="HEAD:reports/a")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reports/a"], "name two or more"),
        (["reports/a", "reports/a"], "two or more different"),
        (["reports/a", "nowhere"], "no folder nowhere"),
        (["reports/a", "HEAD:nowhere"], "git has no HEAD:nowhere/protocol.json"),
        (["--bad"], "required: reports"),
    ],
)
def test_compare_refuses_with_one_line(two, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as error:
        command(compare.main)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
