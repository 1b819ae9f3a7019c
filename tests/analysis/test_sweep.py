"""Sections on the sweep: consistency, speed, ode, solvers; on the exact oracle or on records."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import report_fixture as fixture
from helpers.analysis_fixture import context, saved, settings, write_cells, write_reference

from ddim.analysis import consistency, ode, solvers, speed
from ddim.analysis.context import Context
from ddim.config.schema import Solver
from ddim.records.results import grid


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- consistency ---------------------------------------------------------------------------------


def test_consistency_is_near_0_at_eta_0_and_near_1_at_eta_1(tmp_path: Path) -> None:
    made = context(settings())
    write_cells(made)
    content = saved(consistency, made, tmp_path)
    numbers = content["numbers"]
    assert "images with S = 10 and 20 differ from those with S = 50" in content["finding"]
    assert [verdict["word"] for verdict in content["verdicts"]] == ["reproduced"]
    assert content["figures"][0]["file"] == "same_latent.png"
    assert numbers["pixel_eta0_S20"] < numbers["pixel_eta0_S10"] < 0.3
    assert numbers["pixel_eta1_S20"] > 0.6


def test_images_that_are_nearer_at_eta_1_contradict_consistency() -> None:
    made = context(settings())
    write_cells(made)
    result = consistency.measure(made)
    swapped = {(1 - eta, S): distance for (eta, S), distance in result.distances.items()}
    (verdict,) = consistency.present(replace(result, distances=swapped)).verdicts
    assert verdict.word == "contradicted"


def test_consistency_names_the_cell_that_is_missing() -> None:
    with pytest.raises(FileNotFoundError, match=r"S10_eta0\.0_seed0.*ddim\.stages\.sample"):
        consistency.measure(context(settings()))


def test_consistency_without_eta_0_says_what_it_needs(tmp_path: Path) -> None:
    cfg = settings()
    cfg = replace(cfg, sweep=replace(cfg.sweep, eta=[1.0]))
    assert "needs eta 0.0" in saved(consistency, context(cfg), tmp_path)["finding"]


# --- ode and solvers -----------------------------------------------------------------------------


def test_ode_finds_first_order_on_the_oracle(tmp_path: Path) -> None:
    content = saved(ode, context(settings()), tmp_path)
    assert "over S = 10..200" in content["text"]
    assert "τ_S, which is 901 at S = 10" in content["text"]
    assert content["numbers"]["order"] == pytest.approx(1, abs=0.12)
    assert [verdict["word"] for verdict in content["verdicts"]] == ["reproduced"]


def test_an_error_that_rises_with_s_contradicts_the_ode() -> None:
    result = ode.measure(context(settings()))
    turned = replace(result, by_image=result.by_image[::-1])
    assert [verdict.word for verdict in ode.present(turned).verdicts] == ["contradicted"]


def of_solvers() -> solvers.SolversResult:
    """Every row on the oracle, whose cells are those of the sweep."""
    made = context(settings())
    write_cells(made)
    write_reference(made)
    return solvers.measure(made)


def test_solvers_count_evaluations_and_measure_each_row(tmp_path: Path) -> None:
    made = context(settings())
    write_cells(made)
    write_reference(made)
    content = saved(solvers, made, tmp_path)
    distances, _, counts = (table["rows"] for table in content["tables"])
    assert {name: few for name, *few in counts} == {"DDIM (ours)": [5, 10], "Heun": [9, 19]}
    ours = next(list(map(float, few)) for name, *few in distances if name == "DDIM (ours)")
    assert ours[1] < ours[0]  # nearer to the ODE's solution with more steps
    assert [figure["file"] for figure in content["figures"]] == ["distance.png", "fid.png"]
    assert content["verdicts"] == []  # Heun takes no number of evaluations that DDIM takes


@pytest.mark.parametrize(("factor", "word"), [(0.5, "reproduced"), (2.0, "contradicted")])
def test_a_newer_solver_is_judged_by_its_distance_to_the_odes_solution(
    factor: float, word: str
) -> None:
    result = of_solvers()
    newer = []
    for ours in map(result.ours, result.budgets):
        assert ours.distances is not None
        distances = factor * ours.distances
        newer.append(replace(ours, name="UniPC", is_ddim=False, distances=distances))
    (verdict,) = solvers.present(replace(result, rows=(*result.rows, *newer))).verdicts
    assert verdict.word == word
    assert verdict.ours.startswith("UniPC")


def test_an_fid_below_the_solutions_own_is_called_luck() -> None:
    result = of_solvers()
    assert result.solution is not None
    first = result.rows[0].fid
    worse = replace(first, value=first.value + 50 * first.standard_error)
    lucky = replace(result, solution=replace(result.solution, fid=worse))
    assert "happen to lead to better images" in solvers.present(lucky).text
    better = replace(result, solution=replace(result.solution, fid=replace(first, value=0.0)))
    assert "happen to lead to better images" not in solvers.present(better).text


@pytest.mark.parametrize(("precision", "is_own"), [("32-true", False), ("bf16-mixed", True)])
def test_the_solution_is_in_the_precision_of_the_rows(
    monkeypatch: pytest.MonkeyPatch, precision: str, is_own: bool
) -> None:
    """The sweep's images are taken for it only if they were sampled as the rows are."""
    cfg = settings()
    made = context(replace(cfg, sample=replace(cfg.sample, precision=precision)))
    write_cells(made)
    write_reference(made)
    distances = solvers.measure(made).ours(10).distance
    images = made.cell_images(50, 0.0)
    other = np.roll(images, 1, axis=0)
    monkeypatch.setattr(Context, "cell_images", lambda *_: other)
    result = solvers.measure(made)
    assert (result.ours(10).distance == distances) == is_own
    assert ("sampled in bf16-mixed" in solvers.present(result).text) == is_own


def test_a_mistake_in_a_scheduler_names_its_row() -> None:
    rows = {"Best": Solver("BestScheduler", {})}
    cfg = settings(solvers=replace(settings().analysis.solvers, rows=rows))
    expected = r"analysis\.solvers\.rows\.Best: sampler\.scheduler must be one of"
    with pytest.raises(ValueError, match=expected):
        solvers.measure(context(cfg))


# --- speed, which reads records ------------------------------------------------------------------


def with_fids(fids: dict[str, tuple[float, ...]], half: float = 0.02, *more: str) -> Context:
    """A context whose cells have these FIDs: by eta, for S = 10, 100, 1000; see the fixture."""
    cfg = fixture.config("sweep.steps=[10,100,1000]", f"sweep.eta=[{','.join(fids)}]", *more)
    cells = {key: fixture.cell(key, cfg.sample) for key in grid(cfg)}
    for key, record in cells.items():
        value = fids[key.eta][cfg.sweep.steps.index(key.steps)]
        one = record.measured
        counts = [subset.n for subset in one.subsets]
        measured = fixture.measured(value, one.n_generated, counts, half)
        cells[key] = fixture.changed(record, measured=measured)
    made = Context(cfg)
    made.__dict__.update(cells=cells, covariances=fixture.covariances(cells))
    return made


def test_speed_takes_the_shortest_trajectory_that_is_as_good(tmp_path: Path) -> None:
    """Within half of the chain's FID: 5.9 and 4.1 are of 4.0, and none of 2.0's."""
    made = with_fids({"0.0": (9.0, 4.1, 4.0), "1.0": (60.0, 5.0, 2.0)})
    content = saved(speed, made, tmp_path)
    assert "S = 100, η = 0.0 (FID 4.1) is as good as S = 1000, η = 0.0 (4)" in content["finding"]
    assert (
        "No shorter trajectory with η = 0.0 is shown to be as good as S = 1000, η = 1.0"
        in (content["finding"])
    )
    assert content["numbers"] == {"nfe_ratio_to_eta0.0": 10.0}
    assert made.__dict__.keys() == {"cfg", "cells", "covariances"}  # no network was loaded


@pytest.mark.parametrize(
    ("ddim", "half", "word"),
    [
        ((9.0, 4.1, 4.0), 0.02, "reproduced"),
        ((90.0, 80.0, 4.0), 0.02, "contradicted"),
        ((90.0, 6.0, 4.0), 0.5, "undecided"),
    ],
)
def test_ten_times_fewer_evaluations_come_out_all_three_ways(
    ddim: tuple[float, ...], half: float, word: str
) -> None:
    made = with_fids({"0.0": ddim, "1.0": (60.0, 9.0, 4.0)}, half)
    (verdict,) = speed.present(speed.measure(made)).verdicts
    assert verdict.word == word
    assert "against 4 (S = 1000, η = 1.0)" in verdict.ours


def test_speed_compares_fids_of_as_many_images(tmp_path: Path) -> None:
    fids = {"0.0": (9.0, 4.1, 4.0), "1.0": (60.0, 9.0, 4.0)}
    counts = ("sample.num_images=2000", "sample.num_images_at={1000: 250}")
    made = with_fids(fids, 0.02, *counts)
    content = saved(speed, made, tmp_path)
    assert "its cell's first 250" in content["text"]
    assert "n = 250" in content["verdicts"][0]["test"]


def test_a_margin_that_makes_no_sense_is_refused() -> None:
    for margin in (0.0, -0.1, 1.5):
        with pytest.raises(ValueError, match=r"analysis\.speed\.margin must be a share .*got"):
            fixture.config(f"analysis.speed.margin={margin}")


def test_speed_names_the_record_that_is_missing() -> None:
    with pytest.raises(FileNotFoundError, match=r"S10_eta0\.0_seed0\.json is missing"):
        speed.measure(Context(settings()))
