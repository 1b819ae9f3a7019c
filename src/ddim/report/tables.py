"""Results -> tables in the paper's layout, and their CSV."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from ddim.records.aggregate import (
    FID,
    KID,
    PRECISION,
    RECALL,
    SCORE,
    Estimate,
    Measure,
    best,
    grid,
    neighbours,
)
from ddim.records.results import Cell, Key, Results
from ddim.report import comparability, numbers, paper, protocol
from ddim.report.document import Row, Table, Value
from ddim.runtime.files import csv_text

ORDER = (FID, KID, PRECISION, RECALL, SCORE)
CELL = (
    "S", "eta", "seed", "FID", "FID low", "FID high", "KID", "KID low", "KID high", "precision",
    "recall", "inception score", "images", "network evaluations", "seconds", "seconds per image",
)  # fmt: skip


def quality(results: Results, measure: Measure) -> Table | None:
    """Table 1 (Table 3 for LSUN) of one measure; None where it was not taken.

    Best of every column marked; the interval (or the spread over seeds) in small; the paper's
    value only where `comparable` lets it stand.
    """
    values = grid(results, measure)
    if not values:
        return None
    winners = _winners(values, results, measure)
    doubtful = {
        pair.second
        for pair in neighbours(values, results.steps, results.etas)
        if measure.has_interval and not pair.apart and pair.first[1] == pair.second[1]
    }
    rows = [
        Row(
            _row_label(results, eta),
            tuple(
                _value(results, measure, s, eta, values[s, eta], winners, doubtful)
                for s in results.steps
            ),
            f"eta{eta}",
        )
        for eta in results.etas
    ]
    number = paper.number(results.cfg.table)
    return Table(
        name=f"table{number}_{measure.key}",
        title=f"{measure.title} ({'lower' if measure.lower_is_better else 'higher'} is better)",
        corner="η",
        columns=tuple(f"S = {s}" for s in results.steps),
        rows=tuple(rows),
        footer=_floor(results, measure),
        notes=_quality_notes(results, measure, bool(doubtful)),
    )


def _row_label(results: Results, eta: str) -> str:
    """The paper's Table 3 calls its rows DDIM and DDPM."""
    names = {"0.0": "DDIM, ", "1.0": "DDPM, "} if paper.number(results.cfg.table) == 3 else {}
    return names.get(eta, "") + numbers.eta_label(eta)


def _winners(
    values: Mapping[tuple[int, str], Estimate], results: Results, measure: Measure
) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for s in results.steps:
        column = {(s, eta): values[s, eta].mean for eta in results.etas}
        found |= best(column, measure.lower_is_better)
    return found


def _value(
    results: Results,
    measure: Measure,
    steps: int,
    eta: str,
    found: Estimate,
    winners: set[tuple[int, str]],
    doubtful: set[tuple[int, str]],
) -> Value:
    cells = [results.cells[Key(steps, eta, seed)] for seed in results.seeds]
    shown = _with_spread(measure, found)
    return Value(
        text=shown,
        number=found.mean,
        small=_range(measure, found),
        best=(steps, eta) in winners,
        chance=(steps, eta) in doubtful,
        paper=_beside_paper(results, cells, found) if measure is FID else "",
        tip=protocol.of_cell(cells[0]),
    )


def _with_spread(measure: Measure, found: Estimate) -> str:
    spread = "" if found.spread is None else f" ± {measure.text(found.spread)}"
    return measure.text(found.mean) + spread


def _range(measure: Measure, found: Estimate) -> str:
    if found.interval is None:
        return ""
    low, high = map(measure.text, found.interval)
    return f"{low} – {high}"


def _beside_paper(results: Results, cells: Sequence[Cell], found: Estimate) -> str:
    """'paper 4.16, +0.12' if every repeat follows the paper's protocol, else nothing."""
    published = [comparability.paper_fid(results, cell) for cell in cells]
    if any(value is None for value in published):
        return ""
    value = published[0]
    assert value is not None
    difference = found.mean - value
    return f"paper {value:.2f}, {numbers.signed(difference, f'{abs(difference):.2f}')}"


def _floor(results: Results, measure: Measure) -> tuple[Row, ...]:
    """Real against held-out real images: what a perfect generator would score at each n."""
    rows = []
    for floor in results.protocol["floors"]:
        if floor.get(measure.key) is None:
            continue
        interval = floor.get(f"{measure.key}_interval")
        found = Estimate(floor[measure.key], tuple(interval) if interval else None, None)
        value = Value(measure.text(found.mean), found.mean, _range(measure, found))
        label = f"floor: {floor['what']}, n = {numbers.count(floor['n'])}"
        rows.append(Row(label, (value,), f"floor_n{floor['n']}"))
    return tuple(rows)


def _quality_notes(results: Results, measure: Measure, doubtful: bool) -> tuple[str, ...]:
    notes = ["**Protocol.** That of the FID." + _paired(results, measure)]
    if measure is FID:
        notes = [f"**Protocol.** {protocol.line(results)}.", comparison(results)]
        notes += _caption(results)
    small = []
    if measure.has_interval:
        small.append("Small: 95 % interval.")
    if len(results.seeds) > 1:
        small.append(f"Mean ± standard deviation over {len(results.seeds)} seeds.")
        if measure.has_interval:
            small.append("The interval covers those of all seeds.")
    if doubtful:
        small.append("≈: may be chance, the interval overlaps that of the cell on its left.")
    return (*notes, " ".join(["Bold: best of the column.", *small]))


def _paired(results: Results, measure: Measure) -> str:
    """How many images precision and recall took, where these are not all."""
    if measure not in (PRECISION, RECALL):
        return ""
    found = {
        cell.measured.n_paired
        for cell in results.cells.values()
        if cell.measured.n_paired != (cell.measured.n_generated, cell.measured.n_reference)
    }
    said = [f"{numbers.count(a)} generated and {numbers.count(b)} reference" for a, b in found]
    return f" Of these images, evenly spread: {numbers.listed(sorted(said))}." if said else ""


def _caption(results: Results) -> list[str]:
    """What the caption of the paper's Table 3 adds to it, where the table stands beside ours."""
    published = paper.DDPM_1000.get(results.cfg.table or "")
    if published is None or not _beside(results):
        return []
    return [f"Paper, caption of Table 3: 1,000-step DDPM has FID {published:.2f}."]


def _beside(results: Results) -> bool:
    """Whether any cell has the paper's value beside it."""
    return any(comparability.paper_fid(results, c) is not None for c in results.cells.values())


def comparison(results: Results) -> str:
    """Whether the paper's values stand beside ours, and if not, why not."""
    number = paper.number(results.cfg.table)
    reasons = comparability.why_not(results)
    if not reasons:
        return (
            f"The protocol is the paper's: its Table {number} stands beside ours ({paper.SOURCE})."
        )
    what = "Some cells are not comparable" if _beside(results) else "Not comparable"
    return f"**{what} with the paper's Table {number}**: {'; '.join(reasons)}."


def reconstruction(results: Results) -> Table:
    """Table 2: one row, columns S."""
    columns = list(results.reconstruct.values())
    values = []
    for column in columns:
        published = comparability.paper_reconstruction(results, column)
        beside = ""
        if published is not None:
            difference = column.error - published
            size = numbers.signed(difference, numbers.small(abs(difference)))
            beside = f"paper {published:g}, {size}"
        low, high = map(numbers.small, column.interval)
        tip = (
            f"S = {column.steps}, {numbers.count(column.nfe)} evaluations",
            f"n = {numbers.count(column.n)} images of the {column.split} split",
            f"{column.spacing} trajectory, {numbers.duration(column.seconds)}",
        )
        small = f"{low} – {high}"
        values.append(
            Value(numbers.small(column.error), column.error, small, False, paper=beside, tip=tip)
        )
    return Table(
        name="table2_reconstruction",
        title="Reconstruction error (lower is better)",
        corner="",
        columns=tuple(f"S = {column.steps}" for column in columns),
        rows=(Row("error", tuple(values), "error"),),
        notes=(f"**Protocol.** {protocol.reconstruction(results)}.", _reconstruction_note(results)),
    )


def _reconstruction_note(results: Results) -> str:
    reasons: list[str] = []
    for column in results.reconstruct.values():
        reasons += [r for r in comparability.reconstruction(results, column) if r not in reasons]
    if reasons:
        return f"**Not comparable with the paper's Table 2**: {'; '.join(reasons)}."
    return (
        f"The paper's Table 2 stands beside ours ({paper.SOURCE}); it is rounded to 0.0001 and "
        "does not say its trajectory."
    )


def time(results: Results) -> Table:
    """Wall time of every cell (mean over the seeds), milliseconds per image in small."""
    rows = []
    for eta in results.etas:
        values = []
        for s in results.steps:
            made = [results.cells[Key(s, eta, seed)].sampled for seed in results.seeds]
            seconds = fmean(m.seconds for m in made)
            each = f"{numbers.duration(fmean(m.seconds_per_image for m in made))} an image"
            tip = (f"{numbers.count(made[0].nfe)} evaluations", made[0].device, made[0].precision)
            values.append(Value(numbers.duration(seconds), seconds, each, tip=tip))
        rows.append(Row(numbers.eta_label(eta), tuple(values), f"eta{eta}"))
    evaluations = [results.first_seed(s, results.etas[0]).sampled.nfe for s in results.steps]
    counted = ", ".join(
        f"{numbers.count(nfe)} at S = {s}"
        for s, nfe in zip(results.steps, evaluations, strict=True)
    )
    device = protocol.over(results, lambda cell: f"{cell.sampled.device}, {cell.sampled.precision}")
    return Table(
        name="time",
        title="Wall time of sampling a cell",
        corner="η",
        columns=tuple(f"S = {s}" for s in results.steps),
        rows=tuple(rows),
        notes=(f"Network evaluations an image: {counted}. Device: {device}.",),
    )


def cell_row(cell: Cell) -> tuple[float | str | None, ...]:
    """The cell's numbers, in the order of CELL; None where a measure was not taken."""
    key, found, made = cell.key, cell.measured, cell.sampled
    return (
        key.steps,
        key.eta,
        key.seed,
        found.fid,
        *found.fid_interval,
        found.kid,
        *found.kid_interval,
        found.precision,
        found.recall,
        found.inception_score,
        found.n_generated,
        made.nfe,
        made.seconds,
        made.seconds_per_image,
    )


def cells_csv(results: Results) -> str:
    """Every cell in a row of its own, intervals included; seeds are not averaged."""
    return csv_text(CELL, [cell_row(cell) for cell in results.cells.values()])


def table_csv(table: Table) -> str:
    """The numbers of a table in its own layout; text where there is no number."""
    rows = [
        [row.key or row.label, *(v.text if v.number is None else v.number for v in row.values)]
        for row in (*table.rows, *table.footer)
    ]
    width = max(len(row) for row in rows)
    filled = [row + [None] * (width - len(row)) for row in rows]
    return csv_text([table.corner or table.name, *table.columns], filled)
