"""Every sentence about the numbers can come out either way, and says what the numbers say."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import report_fixture as fixture
from hypothesis import given
from hypothesis import strategies as st

from ddim.evaluation import aggregate
from ddim.evaluation.aggregate import FID, CellEstimate, Column
from ddim.records.results import load
from ddim.report import content, findings, protocol, tables


def estimate(mean: float, half: float) -> CellEstimate:
    return CellEstimate(mean, (mean - half, mean + half), None, n=360)


def grid_of(rows: dict[str, list[float]], half: float = 0.1) -> dict[Column, CellEstimate]:
    """Rows of FIDs at S = 10 and 100, each +- `half`."""
    return {
        (s, eta): estimate(value, half)
        for eta, row in rows.items()
        for s, value in zip((10, 100), row, strict=True)
    }


@given(st.floats(-1e3, 1e3), st.floats(0, 1e2), st.floats(-1e3, 1e3), st.floats(0, 1e2))
def test_overlap_is_symmetric_and_means_a_shared_point(a, half_a, b, half_b):
    first, second = estimate(a, half_a), estimate(b, half_b)
    assert first.overlaps(second) == second.overlaps(first)
    if first.overlaps(second):
        assert abs(a - b) <= half_a + half_b + 1e-9
    else:
        assert abs(a - b) >= half_a + half_b - 1e-9


def test_adjacent_cells_are_those_of_the_next_step_and_the_next_eta() -> None:
    values = {(s, e): estimate(10 * s + i, 2) for s in (1, 2, 3) for i, e in enumerate("ab")}
    pairs = aggregate.adjacent_pairs(values, [3, 1, 2], ["a", "b"])
    assert [(p.first, p.second, p.differs) for p in pairs] == [
        ((1, "a"), (2, "a"), True),
        ((2, "a"), (3, "a"), True),
        ((1, "b"), (2, "b"), True),
        ((2, "b"), (3, "b"), True),
        ((1, "a"), (1, "b"), False),
        ((2, "a"), (2, "b"), False),
        ((3, "a"), (3, "b"), False),
    ]


def test_several_seeds_are_a_mean_and_a_standard_deviation(tmp_path: Path) -> None:
    fixture.experiment(tmp_path, fixture.config(*fixture.SMALL, "sweep.seeds=[0,1,2]"))
    results = load(tmp_path)
    value = aggregate.table(results.cells, results.cfg, FID)[10, "0.0"]
    one = fixture.fid(10, 0.0)
    assert value.mean == pytest.approx(1.02 * one)
    assert value.std == pytest.approx(0.02 * one)
    assert value.interval == pytest.approx((0.94 * one, 1.06 * 1.04 * one))
    table = tables.quality(results, FID)
    assert table is not None
    assert table.rows[0].values[0].text == "13.26 ± 0.260"
    metrics = content.document(results).metrics
    assert metrics["S10"]["eta0.0"]["fid"] == pytest.approx(1.02 * one)


@pytest.mark.parametrize(
    ("hat", "text"),
    [(90.0, "is the worst by far"), (11.0, "worst, but not by far"), (5.0, "is not the worst")],
)
def test_sigma_hat_is_judged_by_the_numbers(hat: float, text: str) -> None:
    values = grid_of({"0.0": [8, 4], "1.0": [10, 5], "hat": [hat, 3]})
    assert text in findings.sigma_hat(values, [10, 100], ["0.0", "1.0", "hat"])


def test_the_first_row_is_judged_by_the_numbers() -> None:
    better, worse = (grid_of({"0.0": row}) for row in ([8, 4], [4, 8]))
    text = findings.more_steps(better, [10, 100], ["0.0"])
    assert "gets better with every" in text
    assert text.endswith("that is more than the intervals.")
    doubtful = findings.more_steps(grid_of({"0.0": [8, 4]}, half=3), [10, 100], ["0.0"])
    assert doubtful.endswith("no more than the intervals; within them are S = 10 → 100.")
    assert "does not get better" in findings.more_steps(worse, [10, 100], ["0.0"])
    near = grid_of({"0.0": [4, 4.1]})
    assert "within their intervals" in findings.more_steps(near, [10, 100], ["0.0"])


def test_the_reconstruction_is_judged_by_the_numbers() -> None:
    assert "falls with every" in findings.reconstruction({10: 0.1, 20: 0.01})
    contrary = findings.reconstruction({10: 0.01, 20: 0.1, 50: 0.001})
    assert "does not fall with every" in contrary
    assert "from 0.010 at S = 10 to 0.10 at S = 20" in contrary


def test_the_floor_of_other_n_is_not_compared() -> None:
    (floor,) = fixture.reference().floors
    values = {key: replace(each, n=2000) for key, each in grid_of({"0.0": [8, 2.3]}).items()}
    sentence = findings.floor(values, floor)
    assert "at n = 2,000) and the floor" in sentence
    assert "at n = 360) are not compared" in sentence


@pytest.mark.parametrize(("fid", "text"), [(2.4, "is above the floor"), (2.3, "is not above the")])
def test_the_floor_is_judged_by_the_numbers(fid: float, text: str) -> None:
    (floor,) = fixture.reference().floors  # FID 2.31
    assert text in findings.floor(grid_of({"0.0": [8, fid]}), floor)


def test_each_column_names_its_best_row() -> None:
    values = grid_of({"0.0": [8, 4], "hat": [90, 3]})
    assert findings.best_rows(values, [10, 100], ["0.0", "hat"]) == (
        "The best FID is that of η = 0.0 at S = 10 and σ̂ at S = 100. At S = 10 and 100 it is "
        "below every other row's by more than the intervals."
    )
    values[100, "hat"] = estimate(3, half=2)
    assert "At S = 10 it is below" in findings.best_rows(values, [10, 100], ["0.0", "hat"])
    values[10, "0.0"] = estimate(8, half=90)
    assert "Nowhere is it below" in findings.best_rows(values, [10, 100], ["0.0", "hat"])


def test_a_protocol_that_varies_names_rows_columns_or_cells() -> None:
    grid = [(s, e) for s in (10, 20) for e in ("0.0", "1.0", "hat")]
    assert protocol.vary(dict.fromkeys(grid, "a")) == "a"
    assert protocol.vary({p: "b" if p[1] == "hat" else "a" for p in grid}) == "a (σ̂: b)"
    assert protocol.vary({(s, "0.0"): str(s > 50) for s in (10, 20, 100)}) == (
        "False (S = 100: True)"
    )
    one = {p: "b" if p == (20, "1.0") else "a" for p in grid}
    assert protocol.vary(one) == "a (S = 20, η = 1.0: b)"
