"""What the verdicts do not say: how far the best cell is from what real images score."""

from collections.abc import Mapping

from ddim.evaluation import intervals
from ddim.evaluation.aggregate import FID, CellEstimate, Column, table
from ddim.evaluation.hypotheses import decide, unpaired
from ddim.records.cell import Interval
from ddim.records.reference import Floor
from ddim.records.results import Results
from ddim.report import numbers
from ddim.report.numbers import count, eta_label


def sentences(results: Results) -> list[str]:
    """The best cell against the floor, at the largest n that both have; none without a floor."""
    values = table(results.cells, results.cfg, FID)
    floors = [real for real in results.reference.floors if best_at(values, real.n)]
    return [against(values, floors[0])] if floors else []


def best_at(values: Mapping[Column, CellEstimate], n: int) -> tuple[Column, CellEstimate] | None:
    """The cell with the best number of n images, among those of which n are measured."""
    same = {
        column: value.at(n)
        for column, value in values.items()
        if value.n == n or n in value.subsets
    }
    if not same:
        return None
    column = min(same, key=lambda key: same[key].mean)
    return column, same[column]


def against(values: Mapping[Column, CellEstimate], real: Floor) -> str:
    """Whether the best cell is above the floor: generated and held-out images are independent."""
    best = best_at(values, real.n)
    assert best is not None
    (s, eta), cell = best
    assert cell.interval is not None
    ours, floor = _error(cell.mean, cell.interval), _error(real.fid, real.fid_interval)
    decision = decide([unpaired("floor - cell", (real.fid, floor), (cell.mean, ours))])
    relation = (
        "is not told apart from"
        if not decision.decided[0]
        else ("is above" if decision.below else "is below")
    )
    scores = numbers.estimate(FID, CellEstimate(real.fid, real.fid_interval, None))[0]
    return (
        f"The best cell (S = {s}, {eta_label(eta)}: FID {numbers.estimate(FID, cell)[0]}) "
        f"{relation} the floor, held-out real images: {scores} (n = {count(real.n)})."
    )


def _error(value: float, interval: Interval) -> float:
    return intervals.standard_error(value, interval[1])
