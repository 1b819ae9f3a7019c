"""Sections on the sweep: consistency, speed, ode, solvers; on the exact oracle or on records."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.analysis_fixture import context, saved, settings, write_cells

from ddim.analysis import consistency, ode, solvers, speed
from ddim.analysis.context import Context
from ddim.config import paths
from ddim.config.schema import Config, Solver
from ddim.evaluation.reference import Reference
from ddim.records.cell import Cell, CellKey, Measured, Sampled, Subset, Weights
from ddim.records.results import grid


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- consistency ---------------------------------------------------------------------------------


def test_consistency_is_near_0_at_eta_0_and_near_1_at_eta_1(tmp_path: Path) -> None:
    made = context(settings())
    write_cells(made)
    numbers = saved(consistency, made, tmp_path)["numbers"]
    assert numbers["pixel_eta0_S20"] < numbers["pixel_eta0_S10"] < 0.3
    assert numbers["pixel_eta1_S20"] > 0.6


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
    assert "tau_S, which is 901 at S = 10" in content["text"]
    assert content["numbers"]["order"] == pytest.approx(1, abs=0.12)


def test_solvers_count_evaluations_and_measure_each_row(tmp_path: Path) -> None:
    made = context(settings())
    write_cells(made)
    features = made.features(made.train.images)
    Reference.of(features, neighbours=1).save(paths.reference(made.cfg))
    content = saved(solvers, made, tmp_path)
    counts = {name: few for name, *few in content["tables"][2]["rows"]}
    assert counts == {"DDIM (ours)": [5, 10], "Heun": [9, 19]}
    fids, bounds = (content["tables"][i]["rows"] for i in (0, 1))
    for (_, fid, _), (_, text, _) in zip(fids, bounds, strict=True):
        low, high = map(float, text.split(" – "))
        assert low < fid < high


def test_a_mistake_in_a_scheduler_names_its_row() -> None:
    rows = {"Best": Solver("BestScheduler", {})}
    cfg = settings(solvers=replace(settings().analysis.solvers, rows=rows))
    expected = r"analysis\.solvers\.rows\.Best: sampler\.scheduler must be one of"
    with pytest.raises(ValueError, match=expected):
        solvers.measure(context(cfg))


# --- speed, which reads records ------------------------------------------------------------------


def cell(key: CellKey, fid: float, n: int = 100) -> Cell:
    """A cell whose interval is fid - 1 to fid + 1; the FID of its first 30 images is 2 more."""
    weights = Weights(kind="ema", sha256="a" * 64, trained_steps=1, source="trained here")
    sampled = Sampled(
        cell=key,
        n=n,
        nfe=key.steps,
        batch_size=n,
        precision="32-true",
        weights=weights,
        sha256="b" * 64,
        fingerprint="f",
    )
    worse = fid + 2
    subset = Subset(
        n=30, fid=worse, fid_interval=(worse - 1, worse + 1), kid=0.0, kid_interval=(0.0, 0.0)
    )
    measured = Measured(
        n_generated=n,
        n_reference=100,
        fid=fid,
        fid_interval=(fid - 1, fid + 1),
        kid=0.0,
        kid_interval=(0.0, 0.0),
        precision=1.0,
        recall=1.0,
        n_paired=(n, 100),
        inception_score=None,
        engine="ours",
        interval="95 %",
        subsets=(subset,) if n > 30 else (),
    )
    return Cell(sampled=sampled, measured=measured, fingerprint="f")


def with_fids(
    cfg: Config, fids: dict[str, tuple[float, ...]], n: dict[int, int] | None = None
) -> Context:
    """A context whose cells have these FIDs: by eta, for S = 10, 20, 50; 4 more for seed 1."""
    steps, counts = cfg.sweep.steps, n or {}
    cells = {}
    for key in grid(cfg):
        fid = fids[key.eta][steps.index(key.steps)] + 4 * key.seed
        cells[key] = cell(key, fid, counts.get(key.steps, 100))
    made = Context(cfg)
    made.__dict__["cells"] = cells
    return made


def test_speed_takes_the_shortest_trajectory_that_is_as_good(tmp_path: Path) -> None:
    made = with_fids(settings(), {"0.0": (9.0, 5.9, 5.0), "1.0": (6.0, 2.9, 2.0)})
    content = saved(speed, made, tmp_path)
    assert "S = 20, η = 0.0 (FID 5.90) is as good as S = 50, η = 0.0" in content["finding"]
    assert "No shorter trajectory with η = 0.0 is as good as S = 50, η = 1.0" in content["finding"]
    assert content["numbers"]["nfe_ratio_ddim_to_eta0.0"] == pytest.approx(2.5)
    assert "nfe_ratio_ddim_to_eta1.0" not in content["numbers"]
    assert made.__dict__.keys() == {"cfg", "cells"}  # no network was loaded


def test_speed_compares_fids_of_as_many_images(tmp_path: Path) -> None:
    fids = {"0.0": (9.0, 5.0, 7.0), "1.0": (9.0, 5.0, 5.0)}
    content = saved(speed, with_fids(settings(), fids, {50: 30}), tmp_path)
    assert "S = 20, η = 0.0 (FID 7.00) is as good as S = 50, η = 0.0" in content["finding"]
    assert "its cell's first 30" in content["text"]
    assert content["numbers"]["nfe_ratio_ddim_to_eta0.0"] == pytest.approx(2.5)


def test_speed_takes_the_union_of_the_seeds_intervals() -> None:
    cfg = settings()
    cfg = replace(cfg, sweep=replace(cfg.sweep, seeds=[0, 1], eta=[0.0]))
    points = speed.measure(with_fids(cfg, {"0.0": (5.0, 5.0, 5.0)})).points
    assert [(p.fid, p.low, p.high) for p in points] == [(7.0, 4.0, 10.0)] * 3


def test_speed_names_the_record_that_is_missing() -> None:
    with pytest.raises(FileNotFoundError, match=r"S10_eta0\.0_seed0\.json is missing"):
        speed.measure(Context(settings()))
