"""The one aggregation of cells: equal n, seeds pooled, contrasts from covariances."""

import math

import pytest
from helpers.report_fixture import config

from ddim.evaluation import aggregate, intervals
from ddim.evaluation.aggregate import FID, CellEstimate
from ddim.records.covariances import Covariance, Covariances

FEW = CellEstimate(7.0, (6.0, 8.0), None, n=30)
MANY = CellEstimate(5.0, (4.5, 5.5), None, n=100, subsets={30: FEW})
A, B = (10, "0.0"), (20, "0.0")
NAMES = ("S10_eta0.0_seed0", "S20_eta0.0_seed0")


def test_cells_are_compared_at_equal_n() -> None:
    other = CellEstimate(7.5, (7.0, 8.0), None, n=30)
    assert aggregate.at_equal_n({"a": MANY, "b": other}) == {"a": FEW, "b": other}


def test_an_n_that_was_not_measured_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"no number of n = 50 images of this cell, only of 30, 100"
    ):
        MANY.at(50)


def covariance(n: int, seed: int, of: tuple[float, float, float]) -> Covariance:
    """Of the two cells of one seed: variance, covariance, variance."""
    names = tuple(name.replace("seed0", f"seed{seed}") for name in NAMES)
    first, both, second = of
    return Covariance("fid", n, seed, names, ((first, both), (second,)))


def test_a_difference_is_at_the_smaller_n_and_knows_what_the_cells_share() -> None:
    matrices = (covariance(30, 0, (4.0, 3.5, 4.0)), covariance(100, 0, (1.0, 0.0, 1.0)))
    other = CellEstimate(6.5, (5.0, 8.0), None, n=30)
    grid = aggregate.Grid(FID, {A: MANY, B: other}, [0], Covariances({}, matrices))
    difference = grid.difference("", A, B)
    assert difference.difference == 7.0 - 6.5
    assert difference.standard_error == pytest.approx(1.0)  # 4 + 4 - 2 x 3.5
    margin = grid.contrast("", {A: 1.0, B: -1.5})
    assert margin.difference == pytest.approx(7.0 - 1.5 * 6.5)
    assert margin.standard_error == pytest.approx(math.sqrt(4 + 2.25 * 4 - 3 * 3.5))


def test_seeds_are_independent_and_their_mean_is_known_better() -> None:
    matrices = tuple(covariance(100, seed, (4.0, 3.5, 4.0)) for seed in (0, 1, 2, 3))
    values = {A: MANY, B: CellEstimate(4.0, (3.0, 5.0), None, n=100)}
    grid = aggregate.Grid(FID, values, [0, 1, 2, 3], Covariances({}, matrices))
    assert grid.difference("", A, B).standard_error == pytest.approx(0.5)


def test_the_interval_of_pooled_seeds_shrinks_with_the_root_of_their_number() -> None:
    from helpers import report_fixture as fixture

    cfg = config("sweep.steps=[10]", "sweep.eta=[0.0]", "sweep.seeds=[0,1,2,3]")
    cells = [fixture.cell(key) for key in fixture.grid(cfg)]
    one, four = (aggregate.estimate(some, FID) for some in (cells[:1], cells))
    assert one is not None
    assert four is not None
    assert four.interval is not None
    halves = [intervals.standard_error(c.measured.fid, c.measured.fid_interval[1]) for c in cells]
    expected = intervals.Z * math.hypot(*halves) / 4
    assert four.interval[1] - four.mean == pytest.approx(expected)
    assert four.std is not None
    assert one.std is None
