"""Results -> tables in the paper's layout, and their CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddim.evaluation.aggregate import (
    FID,
    PRECISION,
    RECALL,
    CellEstimate,
    Column,
    Measure,
    best,
    estimate,
    table,
)
from ddim.records.cell import Cell
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Floor
from ddim.records.results import Results
from ddim.records.verdict import Verdict
from ddim.report import comparability, findings, numbers, paper, protocol
from ddim.report.document import Row, Table, Value
from ddim.runtime.files import csv_text

CELL = (
    "S", "eta", "seed", "FID", "FID low", "FID high", "FID infinite", "KID", "KID low", "KID high",
    "precision", "precision low", "precision high", "recall", "recall low", "recall high",
    "inception score", "images", "network evaluations",
)  # fmt: skip
INFINITE = Measure("fid_infinite", "FID at infinite n", True, has_interval=False)


# --- Table 1, or Table 3 for LSUN ----------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """The estimates of one measure, and what is marked among them."""

    results: Results
    measure: Measure
    values: Mapping[Column, CellEstimate]
    winners: set[Column]  # best of their S


def quality(results: Results, measure: Measure) -> Table | None:
    """Table 1 (Table 3 for LSUN) of one measure; None where it was not measured.

    Best of every column marked; the interval in small; the paper's value only where it is
    comparable.
    """
    values = table(results.cells, results.cfg, measure)
    if not values:
        return None
    grid = _Grid(results, measure, values, _winners(results, measure, values))
    return Table(
        name=f"table{paper.number(results.cfg.table)}_{measure.key}",
        title=f"{measure.title} ({'lower' if measure.lower_is_better else 'higher'} is better)",
        corner="η",
        columns=_columns(results.steps),
        rows=tuple(_row(grid, eta) for eta in results.etas),
        footer=_footer(grid),
        notes=_notes(grid),
    )


def infinite(results: Results) -> Table | None:
    """FID extrapolated to infinite n; None where no cell has enough images for it."""
    values = {}
    for column in dict.fromkeys(key.column for key in results.cells):
        value = estimate(results.repeats(*column), INFINITE)
        if value is not None:
            values[column] = value
    if not values:
        return None
    note = (
        "FID falls with n; this is a straight line in 1/n through the FIDs of subsets, at 1/n = 0 "
        "(Chong and Forsyth 2020). A dash: too few images."
    )
    return Table(
        name=f"table{paper.number(results.cfg.table)}_fid_infinite",
        title="FID extrapolated to infinite n (lower is better)",
        corner="η",
        columns=_columns(results.steps),
        rows=tuple(
            Row(
                numbers.eta_label(eta),
                tuple(_infinite(values.get((s, eta))) for s in results.steps),
                f"eta{eta}",
            )
            for eta in results.etas
        ),
        notes=(note,),
    )


def _infinite(value: CellEstimate | None) -> Value:
    return Value("–") if value is None else Value(numbers.significant(value.mean), value.mean)


def published(results: Results) -> Table:
    """The paper's own table, of its data set; not to be compared number by number."""
    name = paper.beside(results.cfg.table)
    rows = paper.FID[name]
    steps = list(next(iter(rows.values())))
    lowest = {s: min(row[s] for row in rows.values()) for s in steps}
    return Table(
        name="table1_paper",
        title=f"The paper's Table {paper.number(name)}: FID on {paper.TITLES[name]}",
        corner="η",
        columns=_columns(steps),
        rows=tuple(
            Row(
                numbers.eta_label(eta),
                tuple(Value(f"{row[s]:.2f}", row[s], bold=row[s] == lowest[s]) for s in steps),
                f"eta{eta}",
            )
            for eta, row in rows.items()
        ),
        notes=(
            f"{numbers.count(paper.N_GENERATED)} images, Inception's features: a scale of its own "
            f"({paper.SOURCE}).",
        ),
    )


def _columns(steps: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"S = {s}" for s in steps)


def _winners(
    results: Results, measure: Measure, values: Mapping[Column, CellEstimate]
) -> set[Column]:
    winners: set[Column] = set()
    for s in results.steps:
        column = {(s, eta): values[s, eta].mean for eta in results.etas}
        winners |= best(column, measure.lower_is_better)
    return winners


def _row(grid: _Grid, eta: str) -> Row:
    """A row; the paper's Table 3 calls its rows DDIM and DDPM."""
    results = grid.results
    names = {"0.0": "DDIM, ", "1.0": "DDPM, "} if paper.number(results.cfg.table) == 3 else {}
    label = names.get(eta, "") + numbers.eta_label(eta)
    return Row(label, tuple(_value(grid, (s, eta)) for s in results.steps), f"eta{eta}")


def _value(grid: _Grid, column: Column) -> Value:
    measure, value = grid.measure, grid.values[column]
    repeats = grid.results.repeats(*column)
    text, interval = numbers.estimate(measure, value)
    if value.std is not None and not interval:
        text += f" ± {numbers.significant(value.std, 2)}"
    return Value(
        text=text,
        number=value.mean,
        small=interval,
        bold=column in grid.winners,
        paper=_paper(grid.results, repeats, value) if measure is FID else "",
        tip=protocol.of_cell(repeats[0]),
    )


def _paper(results: Results, repeats: Sequence[Cell], value: CellEstimate) -> str:
    """'paper 4.16, +0.12' if every repeat follows the paper's protocol, else nothing."""
    every = [comparability.paper_fid(results, cell) for cell in repeats]
    if None in every:
        return ""
    of_paper = every[0]
    assert of_paper is not None
    difference = value.mean - of_paper
    return f"paper {of_paper:.2f}, {numbers.signed(difference, f'{abs(difference):.2f}')}"


def _footer(grid: _Grid) -> tuple[Row, ...]:
    """Real against held-out real images, and the best cell at the same n, for every such n."""
    if grid.measure in (RECALL, INFINITE) or not grid.measure.has_interval:
        return ()
    rows = []
    for floor in grid.results.reference.floors:
        rows.append(_floor(grid, floor))
        found = findings.best_at(grid.values, floor.n) if grid.measure.is_paired else None
        if found is not None:
            (s, eta), value = found
            label = f"best cell with as many images: S = {s}, {numbers.eta_label(eta)}"
            rows.append(Row(label, (_plain(grid, value),), f"best_n{floor.n}"))
    return tuple(rows)


def _floor(grid: _Grid, floor: Floor) -> Row:
    mean, ends = (getattr(floor, f"{grid.measure.key}{end}") for end in ("", "_interval"))
    label = f"floor (real against real), n = {numbers.count(floor.n)}"
    return Row(label, (_plain(grid, CellEstimate(mean, ends, None)),), f"floor_n{floor.n}")


def _plain(grid: _Grid, value: CellEstimate) -> Value:
    text, interval = numbers.estimate(grid.measure, value)
    return Value(text, value.mean, interval)


def _notes(grid: _Grid) -> tuple[str, ...]:
    """What the marks and the small numbers mean, and of how many images."""
    results, measure = grid.results, grid.measure
    notes = ["Bold: best of the column."]
    if measure.has_interval:
        notes.append("Small: 95 % interval.")
    if len(results.seeds) > 1:
        notes.append(f"Mean over {len(results.seeds)} seeds.")
    if measure is FID:
        n = protocol.over(results, lambda c: numbers.count(c.measured.n_generated))
        notes.append(f"Generated images: n = {n}. FIDs of different n do not compare.")
        notes += _caption_of_table_3(results)
    return (" ".join(notes) + _subsample(results, measure),)


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
    of_ddpm = paper.DDPM_1000.get(results.cfg.table or "")
    if of_ddpm is None or not _any_comparable(results):
        return []
    return [f"Paper, caption of Table 3: 1,000-step DDPM has FID {of_ddpm:.2f}."]


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
        notes=(f"Small: 95 % interval. {_images(columns)}",),
    )


def _images(columns: Sequence[Reconstruction]) -> str:
    """Such as: 128 images of the test split, error on [0,1]."""
    texts = [f"{numbers.count(c.n)} images of the {c.split} split" for c in columns]
    return f"{numbers.listed(list(dict.fromkeys(texts)))}, error on {columns[0].scale}."


def _error(results: Results, column: Reconstruction) -> Value:
    published = comparability.paper_reconstruction(results, column)
    text = ""
    if published is not None:
        difference = column.mse - published
        size = numbers.signed(difference, numbers.small(abs(difference)))
        text = f"paper {published:g}, {size}"
    tip = (
        f"S = {column.steps}, {numbers.count(column.nfe)} evaluations",
        f"n = {numbers.count(column.n)} images of the {column.split} split",
        f"{column.trajectory.spacing} trajectory",
    )
    mse, interval = numbers.with_interval(column.mse, column.interval)
    return Value(mse, column.mse, interval, paper=text, tip=tip)


def reconstruction_comparison(results: Results) -> str:
    """Whether the paper's Table 2 is comparable with ours, and if not, why not."""
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
        measured.fid_infinite,
        measured.kid,
        *measured.kid_interval,
        measured.precision,
        *measured.precision_interval,
        measured.recall,
        *measured.recall_interval,
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


def verdicts_csv(verdicts: Sequence[Verdict]) -> str:
    """The panel of verdicts, a claim a row."""
    names = Verdict.__struct_fields__
    return csv_text(names, [[getattr(verdict, name) for name in names] for verdict in verdicts])
