"""What is said of the numbers beside the verdicts: the floor, the protocol, several seeds."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import report_fixture as fixture

from ddim.evaluation.aggregate import FID, CellEstimate, Column, table
from ddim.records.results import load
from ddim.report import content, findings, plots, protocol, tables


def estimate(mean: float, half: float = 0.02, n: int = fixture.N) -> CellEstimate:
    return CellEstimate(mean, (mean - half, mean + half), None, n=n)


def row(*means: float) -> dict[Column, CellEstimate]:
    """FIDs of eta = 0 at S = 10 and 100."""
    return {(s, "0.0"): estimate(mean) for s, mean in zip((10, 100), means, strict=True)}


@pytest.mark.parametrize(
    ("fid", "text"),
    [
        (2.8, "(S = 100, η = 0.0: FID 2.80) is above the floor"),
        (2.31, "is not told apart from the floor"),
        (1.9, "is below the floor"),
    ],
)
def test_the_floor_is_judged_by_the_numbers(fid: float, text: str) -> None:
    sentence = findings.against(row(8, fid), fixture.floor(fixture.N, 2.31))
    assert text in sentence
    assert sentence.endswith("held-out real images: 2.31 (n = 360).")


def test_the_floor_is_compared_with_cells_of_as_many_images_alone() -> None:
    values = {
        (10, "0.0"): estimate(1.0, n=2000),  # of the first 360 nothing is measured
        (20, "0.0"): replace(estimate(1.5, n=2000), subsets={360: estimate(5.0)}),
        (100, "0.0"): estimate(6.0),
    }
    assert findings.best_at(values, 360) == ((20, "0.0"), estimate(5.0))
    assert findings.best_at(values, 250) is None


def test_a_report_without_floors_says_nothing_of_them(small: Path) -> None:
    results = load(small)
    assert len(findings.sentences(results)) == 1
    none = replace(results, reference=fixture.changed(results.reference, floors=()))
    assert findings.sentences(none) == []
    fid = tables.quality(none, FID)
    assert fid is not None
    assert fid.footer == ()
    assert plots.fid(none).level is None


def test_several_seeds_are_a_mean_whose_interval_shrinks(tmp_path: Path) -> None:
    fixture.experiment(tmp_path, fixture.config(*fixture.SMALL, "sweep.seeds=[0,1,2]"))
    results = load(tmp_path)
    value = table(results.cells, results.cfg, FID)[10, "0.0"]
    one = fixture.fid(10, 0.0)
    assert value.mean == pytest.approx(1.02 * one)
    assert value.interval is not None
    assert value.interval[1] - value.mean == pytest.approx(0.06 * 1.02 * one / 3**0.5, rel=1e-3)
    fid = tables.quality(results, FID)
    assert fid is not None
    assert fid.rows[0].values[0].text == "13.3"
    assert fid.rows[0].values[0].small == "12.8–13.7"
    assert "Mean over 3 seeds." in fid.notes[0]
    metrics = content.document(results).metrics
    assert metrics["S10"]["eta0.0"]["fid"] == pytest.approx(1.02 * one)


def test_a_protocol_that_varies_names_rows_columns_or_cells() -> None:
    grid = [(s, e) for s in (10, 20) for e in ("0.0", "1.0", "hat")]
    assert protocol.vary(dict.fromkeys(grid, "a")) == "a"
    assert protocol.vary({p: "b" if p[1] == "hat" else "a" for p in grid}) == "a (σ̂: b)"
    assert protocol.vary({(s, "0.0"): str(s > 50) for s in (10, 20, 100)}) == (
        "False (S = 100: True)"
    )
    one = {p: "b" if p == (20, "1.0") else "a" for p in grid}
    assert protocol.vary(one) == "a (S = 20, η = 1.0: b)"
