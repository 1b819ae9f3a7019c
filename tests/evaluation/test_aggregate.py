"""The one aggregation of cells; tests/report/test_findings.py has the report's use of it."""

from dataclasses import replace

import pytest

from ddim.evaluation import aggregate


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [((0, 1), (1, 2), True), ((0, 1), (1.5, 2), False), ((0, 3), (1, 2), True)],
)
def test_intervals_overlap_where_they_share_a_point(
    one: tuple[float, float], other: tuple[float, float], expected: bool
) -> None:
    assert aggregate.overlap(one, other) is expected
    assert aggregate.overlap(other, one) is expected


FEW = aggregate.CellEstimate(7.0, (6.0, 8.0), None, n=30)
MANY = aggregate.CellEstimate(5.0, (4.5, 5.5), None, n=100, subsets={30: FEW})


def test_cells_are_compared_at_equal_n() -> None:
    other = aggregate.CellEstimate(7.5, (7.0, 8.0), None, n=30)
    assert MANY.overlaps(other)
    assert other.overlaps(MANY)
    assert not MANY.overlaps(replace(other, n=100, subsets={30: other}))
    assert aggregate.at_equal_n({"a": MANY, "b": other}) == {"a": FEW, "b": other}


def test_an_n_that_was_not_measured_is_named() -> None:
    with pytest.raises(ValueError, match=r"no FID of n = 50 images of this cell, only of 30, 100"):
        MANY.at(50)
