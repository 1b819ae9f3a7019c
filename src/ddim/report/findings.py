"""The paper's trends, worded as the numbers have them: each sentence can come out either way."""

from collections.abc import Mapping
from itertools import pairwise

from ddim.evaluation.aggregate import FID, CellEstimate, Column, at_equal_n, best, table
from ddim.records.reference import Floor
from ddim.records.results import Results
from ddim.report.numbers import count, eta_label, fid, listed, small
from ddim.schedule import HAT

Values = Mapping[Column, CellEstimate]


def sentences(results: Results) -> list[str]:
    """The findings of the experiment, one sentence each, most important first."""
    values = table(results.cells, results.cfg, FID)
    findings = [
        best_rows(values, results.steps, results.etas),
        more_steps(values, results.steps, results.etas),
        sigma_hat(values, results.steps, results.etas),
        reconstruction({s: column.mse for s, column in results.reconstructions.items()}),
        floor(values, results.floor),
    ]
    return [sentence for sentence in findings if sentence]


def best_rows(values: Values, steps: list[int], etas: list[str]) -> str:
    """Which row wins which columns."""
    if len(etas) < 2:
        return ""
    wins: dict[str, list[str]] = {}
    for s in sorted(steps):
        column = {eta: values[s, eta].mean for eta in etas}
        for eta in sorted(best(column, True), key=etas.index):
            wins.setdefault(eta, []).append(str(s))
    parts = [f"{eta_label(eta)} at S = {listed(columns)}" for eta, columns in wins.items()]
    clear = [s for s in sorted(steps) if _clear(values, s, etas)]
    where = f"At S = {listed(list(map(str, clear)))} it is" if clear else "Nowhere is it"
    return (
        f"The best FID is that of {listed(parts)}. {where} below every other row's by more "
        "than the intervals."
    )


def _clear(values: Values, s: int, etas: list[str]) -> bool:
    """Whether the best of a column is apart from every other row."""
    winner = min(etas, key=lambda eta: values[s, eta].mean)
    return not any(values[s, winner].overlaps(values[s, eta]) for eta in etas if eta != winner)


def more_steps(values: Values, steps: list[int], etas: list[str]) -> str:
    """Whether eta = 0 gets better as S grows (Table 1, first row)."""
    if "0.0" not in etas or len(steps) < 2:
        return ""
    row = at_equal_n({s: values[s, "0.0"] for s in sorted(steps)})
    of_first = _of_first(values)
    rises = [(a, b) for a, b in pairwise(row) if row[b].mean >= row[a].mean]
    if not rises:
        return _falls(row, of_first)
    parts = [
        f"from {fid(row[a].mean)} at S = {a} to {fid(row[b].mean)} at S = {b}"
        + (" (within their intervals)" if row[a].overlaps(row[b]) else "")
        for a, b in rises
    ]
    return (
        f"η = 0.0 does not get better with every increase of S: FID{of_first} goes {listed(parts)}."
    )


def _of_first(values: Values) -> str:
    """Which images a comparison across S is of, where not all cells have as many."""
    counts = {value.n for value in values.values()}
    return "" if len(counts) == 1 else f" of each cell's first {count(min(counts))} images"


def _falls(row: Mapping[int, CellEstimate], of_first: str) -> str:
    """A first row whose FID falls with every S; the steps that may be chance are named."""
    first, last = min(row), max(row)
    within = [f"{a} → {b}" for a, b in pairwise(row) if row[a].overlaps(row[b])]
    chance = f"; within them are S = {listed(within)}" if within else ""
    ends = "no more" if row[first].overlaps(row[last]) else "more"
    return (
        f"η = 0.0 gets better with every increase of S: FID{of_first} {fid(row[first].mean)} at "
        f"S = {first}, {fid(row[last].mean)} at S = {last}. From end to end that is {ends} "
        f"than the intervals{chance}."
    )


def sigma_hat(values: Values, steps: list[int], etas: list[str]) -> str:
    """Whether sigma-hat is the worst row by far at the smallest S."""
    others = [eta for eta in etas if eta != HAT]
    if HAT not in etas or not others:
        return ""
    s = min(steps)
    hat = values[s, HAT]
    rival = max(others, key=lambda eta: values[s, eta].mean)
    worst = values[s, rival]
    numbers = f"FID {fid(hat.mean)} against {fid(worst.mean)} of {eta_label(rival)}"
    if hat.mean <= worst.mean:
        return f"At S = {s} the σ̂ row is not the worst: {numbers}."
    if hat.overlaps(worst) or hat.mean < 1.5 * worst.mean:
        return f"At S = {s} the σ̂ row is the worst, but not by far: {numbers}."
    return f"At S = {s} the σ̂ row is the worst by far: {numbers}."


def reconstruction(errors: Mapping[int, float]) -> str:
    """Whether the reconstruction error falls with S (Table 2)."""
    if len(errors) < 2:
        return ""
    ordered = sorted(errors)
    first, last = ordered[0], ordered[-1]
    rises = [(a, b) for a, b in pairwise(ordered) if errors[b] >= errors[a]]
    if not rises:
        return (
            f"The reconstruction error falls with every increase of S: {small(errors[first])} at "
            f"S = {first}, {small(errors[last])} at S = {last}."
        )
    parts = [
        f"from {small(errors[a])} at S = {a} to {small(errors[b])} at S = {b}" for a, b in rises
    ]
    return (
        f"The reconstruction error does not fall with every increase of S: it goes {listed(parts)}."
    )


def floor(values: Values, real: Floor) -> str:
    """How far the best cell is from what real images score."""
    same = at_equal_n(values)
    s, eta = min(same, key=lambda column: same[column].mean)
    mean, n = same[s, eta].mean, same[s, eta].n
    best_cell = f"The best cell (S = {s}, {eta_label(eta)}: FID {fid(mean)}"
    scores = f"held-out real images score {fid(real.measured.fid)}"
    if real.n != n:
        return (
            f"{best_cell} at n = {count(n)}) and the floor ({scores} at n = {count(real.n)}) are "
            "not compared: FID depends on n."
        )
    relation = "above" if mean > real.measured.fid else "not above"
    return f"{best_cell}) is {relation} the floor: {scores} (n = {count(real.n)})."
