"""Results -> tables in the paper's layout, and their CSV."""

from collections.abc import Sequence
from dataclasses import dataclass

from ddim.evaluation.aggregate import (
    FID,
    PRECISION,
    RECALL,
    CellEstimate,
    Column,
    Measure,
    adjacent_pairs,
    best,
    table,
)
from ddim.records.cell import Cell
from ddim.records.reconstruction import Reconstruction
from ddim.records.results import Results
from ddim.report import comparability, numbers, paper, protocol
from ddim.report.document import Row, Table, Value
from ddim.runtime.files import csv_text

CELL = (
    "S", "eta", "seed", "FID", "FID low", "FID high", "KID", "KID low", "KID high", "precision",
    "recall", "inception score", "images", "network evaluations",
)  # fmt: skip


# --- Table 1, or Table 3 for LSUN ----------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """The estimates of one measure, and what is marked among them."""

    results: Results
    measure: Measure
    values: dict[Column, CellEstimate]
    winners: set[Column]  # best of their S
    doubtful: set[Column]  # the difference to the cell on the left may be chance


def quality(results: Results, measure: Measure) -> Table | None:
    """Table 1 (Table 3 for LSUN) of one measure; None where it was not measured.

    Best of every column marked; the interval (or the spread over seeds) in small; the paper's
    value only where it is comparable.
    """
    values = table(results.cells, results.cfg, measure)
    if not values:
        return None
    winners, doubtful = _winners(results, measure, values), _doubtful(results, measure, values)
    grid = _Grid(results, measure, values, winners, doubtful)
    return Table(
        name=f"table{paper.number(results.cfg.table)}_{measure.key}",
        title=f"{measure.title} ({'lower' if measure.lower_is_better else 'higher'} is better)",
        corner="η",
        columns=tuple(f"S = {s}" for s in results.steps),
        rows=tuple(_row(grid, eta) for eta in results.etas),
        footer=_floor(results, measure),
        notes=_quality_notes(grid),
    )


def _winners(results: Results, measure: Measure, values: dict[Column, CellEstimate]) -> set[Column]:
    winners: set[Column] = set()
    for s in results.steps:
        column = {(s, eta): values[s, eta].mean for eta in results.etas}
        winners |= best(column, measure.lower_is_better)
    return winners


def _doubtful(
    results: Results, measure: Measure, values: dict[Column, CellEstimate]
) -> set[Column]:
    if not measure.has_interval:
        return set()
    pairs = adjacent_pairs(values, results.steps, results.etas)
    return {p.second for p in pairs if not p.differs and p.first[1] == p.second[1]}


def _row(grid: _Grid, eta: str) -> Row:
    """A row; the paper's Table 3 calls its rows DDIM and DDPM."""
    results = grid.results
    names = {"0.0": "DDIM, ", "1.0": "DDPM, "} if paper.number(results.cfg.table) == 3 else {}
    label = names.get(eta, "") + numbers.eta_label(eta)
    return Row(label, tuple(_value(grid, (s, eta)) for s in results.steps), f"eta{eta}")


def _value(grid: _Grid, column: Column) -> Value:
    measure, estimate = grid.measure, grid.values[column]
    repeats = grid.results.repeats(*column)
    std = "" if estimate.std is None else f" ± {numbers.measure(measure, estimate.std)}"
    return Value(
        text=numbers.measure(measure, estimate.mean) + std,
        number=estimate.mean,
        small=_range(measure, estimate),
        best=column in grid.winners,
        chance=column in grid.doubtful,
        paper=_paper(grid.results, repeats, estimate) if measure is FID else "",
        tip=protocol.of_cell(repeats[0]),
    )


def _range(measure: Measure, estimate: CellEstimate) -> str:
    if estimate.interval is None:
        return ""
    low, high = (numbers.measure(measure, end) for end in estimate.interval)
    return f"{low} – {high}"


def _paper(results: Results, repeats: Sequence[Cell], estimate: CellEstimate) -> str:
    """'paper 4.16, +0.12' if every repeat follows the paper's protocol, else nothing."""
    published = [comparability.paper_fid(results, cell) for cell in repeats]
    if None in published:
        return ""
    value = published[0]
    assert value is not None
    difference = estimate.mean - value
    return f"paper {value:.2f}, {numbers.signed(difference, f'{abs(difference):.2f}')}"


def _floor(results: Results, measure: Measure) -> tuple[Row, ...]:
    """Real against held-out real images: what a perfect generator would score at each n."""
    rows = []
    for floor in results.reference.floors:
        mean = getattr(floor.measured, measure.key)
        if mean is None:
            continue
        ends = getattr(floor.measured, f"{measure.key}_interval") if measure.has_interval else None
        small = _range(measure, CellEstimate(mean, ends, None))
        value = Value(numbers.measure(measure, mean), mean, small)
        label = f"floor: {floor.what}, n = {numbers.count(floor.n)}"
        rows.append(Row(label, (value,), f"floor_n{floor.n}"))
    return tuple(rows)


def _quality_notes(grid: _Grid) -> tuple[str, ...]:
    results, measure = grid.results, grid.measure
    notes = ["**Protocol.** That of the FID." + _subsample(results, measure)]
    if measure is FID:
        notes = [f"**Protocol.** {protocol.line(results)}.", comparison(results)]
        notes += _caption_of_table_3(results)
    return (*notes, " ".join(["Bold: best of the column.", *_legend(grid)]))


def _legend(grid: _Grid) -> list[str]:
    """What the marks and the small numbers mean, of those that there are."""
    has_interval, num_seeds = grid.measure.has_interval, len(grid.results.seeds)
    legend = ["Small: 95 % interval."] if has_interval else []
    if num_seeds > 1:
        legend.append(f"Mean ± standard deviation over {num_seeds} seeds.")
        if has_interval:
            legend.append("The interval covers those of all seeds.")
    if grid.doubtful:
        of = ", at the smaller n of the two" if _counts_vary(grid.results) else ""
        legend.append(f"≈: may be chance, the interval overlaps that of the cell on its left{of}.")
    return legend


def _counts_vary(results: Results) -> bool:
    """Whether not all cells have as many images."""
    return len({cell.measured.n_generated for cell in results.cells.values()}) > 1


def _subsample(results: Results, measure: Measure) -> str:
    """How many images are behind precision and recall, where these are not all."""
    if measure not in (PRECISION, RECALL):
        return ""
    pairs = {
        cell.measured.n_paired
        for cell in results.cells.values()
        if cell.measured.n_paired != (cell.measured.n_generated, cell.measured.n_reference)
    }
    texts = [f"{numbers.count(a)} generated and {numbers.count(b)} reference" for a, b in pairs]
    return f" Of these images, evenly spread: {numbers.listed(sorted(texts))}." if texts else ""


def _caption_of_table_3(results: Results) -> list[str]:
    """What the caption of the paper's Table 3 adds to it, where its numbers are comparable."""
    published = paper.DDPM_1000.get(results.cfg.table or "")
    if published is None or not _any_comparable(results):
        return []
    return [f"Paper, caption of Table 3: 1,000-step DDPM has FID {published:.2f}."]


def _any_comparable(results: Results) -> bool:
    """Whether any cell is comparable with the paper's."""
    return any(comparability.paper_fid(results, c) is not None for c in results.cells.values())


def comparison(results: Results) -> str:
    """Whether the paper's values are comparable with ours, and if not, why not."""
    number = paper.number(results.cfg.table)
    mismatches = comparability.protocol_mismatches(results)
    if not mismatches:
        return (
            f"The protocol is the paper's: the numbers of its Table {number} are comparable, and "
            f"printed below ours ({paper.SOURCE})."
        )
    what = "Some cells are not comparable" if _any_comparable(results) else "Not comparable"
    return f"**{what} with the paper's Table {number}**: {'; '.join(mismatches)}."


# --- Table 2 -------------------------------------------------------------------------------------


def reconstruction(results: Results) -> Table:
    """Table 2: one row, columns S."""
    columns = list(results.reconstructions.values())
    return Table(
        name="table2_reconstruction",
        title="Reconstruction error (lower is better)",
        corner="",
        columns=tuple(f"S = {column.steps}" for column in columns),
        rows=(Row("error", tuple(_error(results, c) for c in columns), "error"),),
        notes=(f"**Protocol.** {protocol.reconstruction(results)}.", _reconstruction_note(results)),
    )


def _error(results: Results, column: Reconstruction) -> Value:
    published = comparability.paper_reconstruction(results, column)
    text = ""
    if published is not None:
        difference = column.mse - published
        size = numbers.signed(difference, numbers.small(abs(difference)))
        text = f"paper {published:g}, {size}"
    low, high = map(numbers.small, column.interval)
    tip = (
        f"S = {column.steps}, {numbers.count(column.nfe)} evaluations",
        f"n = {numbers.count(column.n)} images of the {column.split} split",
        f"{column.trajectory.spacing} trajectory",
    )
    mse = numbers.small(column.mse)
    return Value(mse, column.mse, f"{low} – {high}", paper=text, tip=tip)


def _reconstruction_note(results: Results) -> str:
    mismatches: list[str] = []
    for column in results.reconstructions.values():
        of_column = comparability.of_reconstruction(results, column)
        mismatches += [mismatch for mismatch in of_column if mismatch not in mismatches]
    if mismatches:
        return f"**Not comparable with the paper's Table 2**: {'; '.join(mismatches)}."
    return (
        f"The numbers of the paper's Table 2 are comparable, and printed below ours "
        f"({paper.SOURCE}); they are rounded to 0.0001, and their trajectory is not published."
    )


# --- CSV -----------------------------------------------------------------------------------------


def cell_row(cell: Cell) -> tuple[float | str | None, ...]:
    """The cell's numbers, in the order of CELL; None where a measure was not taken."""
    key, measured = cell.key, cell.measured
    return (
        key.steps,
        key.eta,
        key.seed,
        measured.fid,
        *measured.fid_interval,
        measured.kid,
        *measured.kid_interval,
        measured.precision,
        measured.recall,
        measured.inception_score,
        measured.n_generated,
        cell.sampled.nfe,
    )


def cells_csv(results: Results) -> str:
    """Every cell in a row of its own, intervals included; seeds are not averaged."""
    return csv_text(CELL, [cell_row(cell) for cell in results.cells.values()])


def table_csv(block: Table) -> str:
    """The numbers of a table in its own layout; text where there is no number."""
    rows = [
        [row.key or row.label, *(v.text if v.number is None else v.number for v in row.values)]
        for row in (*block.rows, *block.footer)
    ]
    width = max(len(row) for row in rows)
    filled = [row + [None] * (width - len(row)) for row in rows]
    return csv_text([block.corner or block.name, *block.columns], filled)
