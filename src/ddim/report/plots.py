"""Results -> the figures of the report: FID, its heat map, reconstruction error, training loss."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ddim.evaluation.aggregate import FID, CellEstimate, Column, at_equal_n, table
from ddim.records.results import Results
from ddim.report import numbers, paper
from ddim.report.document import Heat, HeatMap, Level, Plot, Series

STEPS_LABEL = "number of steps S"
DODGE = 0.022  # decades of S between the curves of two eta
FAR = 5.0  # a floor that is so many times below every number is told, not drawn
Values = Mapping[Column, CellEstimate]
Curve = tuple[int, Sequence[int]]  # images of every cell, and the S that have as many


# --- FID -----------------------------------------------------------------------------------------


def fid(results: Results) -> Plot:
    """FID against S, a curve per eta; FIDs are compared at equal n alone.

    Filled: every S that has as many images as most. Hollow: those with fewer, and the largest
    filled S, all at the smaller n. Beside it the paper's own table, on its own scale.
    """
    values = table(results.cells, results.cfg, FID)
    filled, hollow = curves(results, values)
    series, data = _series(results, values, filled, hollow=False)
    if hollow:
        thin, more = _series(results, values, hollow, hollow=True)
        series, data = [*series, *thin], [*data, *more]
    floor = _level(results, filled, hollow)
    is_far = floor is not None and floor.high * FAR < min(y for each in series for y in each.y)
    return Plot(
        name="fid",
        title=f"Ours: {results.cfg.name}, {_of_n(filled, hollow)}",
        x_label=STEPS_LABEL,
        y_label="FID",
        series=tuple(series),
        alt=f"Our FID against the number of steps, a curve for each η, and {_papers(results)}.",
        columns=("S", "eta", "fid", "low", "high", "n"),
        data=tuple(data),
        caption=_caption(filled, hollow) + _far_below(floor if is_far else None),
        x_ticks=_ticks(results.steps),
        level=None if is_far else floor,
        dodge=DODGE,
        beside=_published(results),
    )


def curves(results: Results, values: Values) -> tuple[Curve, Curve | None]:
    """The n that most S have with the S that have it; the same of those with fewer, or None."""
    counts = {s: min(values[s, eta].n for eta in results.etas) for s in sorted(results.steps)}
    usual = max(Counter(counts.values()).items(), key=lambda item: (item[1], item[0]))[0]
    filled = [s for s, n in counts.items() if n >= usual]
    fewer = [s for s, n in counts.items() if n < usual]
    if not fewer:
        return (usual, filled), None
    return (usual, filled), (min(counts.values()), sorted([max(filled), *fewer]))


def _series(
    results: Results, values: Values, curve: Curve, *, hollow: bool
) -> tuple[list[Series], list[tuple[object, ...]]]:
    """A curve per eta, and the rows of the CSV."""
    n, steps = curve
    series: list[Series] = []
    data: list[tuple[object, ...]] = []
    for look, eta in enumerate(results.etas):
        points = []
        for s in steps:
            estimate = values[s, eta].at(n)
            assert estimate.interval is not None
            points.append((float(s), estimate.mean, *estimate.interval))
            data.append((s, eta, estimate.mean, *estimate.interval, n))
        x, y, low, high = zip(*points, strict=True)
        key = f"{eta}/n{n}" if hollow else eta
        series.append(Series(key, numbers.eta_label(eta), x, y, low, high, look, hollow))
    return series, data


def _level(results: Results, filled: Curve, hollow: Curve | None) -> Level | None:
    """The floor at the n of the filled curves, else at that of the hollow ones, else none."""
    for curve in (filled, hollow):
        floor = results.reference.floor(curve[0]) if curve else None
        if curve is not None and floor is not None:
            ends = (float(min(curve[1])), float(max(curve[1]))) if curve is hollow else None
            label = f"floor, n = {numbers.count(floor.n)}"
            return Level(label, floor.fid, *floor.fid_interval, x=ends)
    return None


def _of_n(filled: Curve, hollow: Curve | None) -> str:
    few = f" (hollow: {numbers.count(hollow[0])})" if hollow else ""
    return f"n = {numbers.count(filled[0])}{few}"


def _caption(filled: Curve, hollow: Curve | None) -> str:
    beside = ", right of the filled ones of the same S" if hollow else ""
    return f"Bars: 95 % intervals. Images: {_of_n(filled, hollow)}{beside}."


def _far_below(floor: Level | None) -> str:
    return (
        f" Below the axis: the {floor.label}, FID {numbers.significant(floor.y)}." if floor else ""
    )


def _published(results: Results) -> Plot:
    """The paper's table as curves, in the colours of ours."""
    name = paper.beside(results.cfg.table)
    order = [*results.etas, *(eta for eta in paper.FID[name] if eta not in results.etas)]
    series = [
        Series(
            f"paper {eta}",
            numbers.eta_label(eta),
            tuple(map(float, row)),
            tuple(row.values()),
            look=order.index(eta),
        )
        for eta, row in paper.FID[name].items()
    ]
    steps = sorted({s for row in paper.FID[name].values() for s in row})
    return Plot(
        name="fid_paper",
        title=f"Paper: {paper.TITLES[name]}, n = {numbers.count(paper.N_GENERATED)}, own scale",
        x_label=STEPS_LABEL,
        y_label="FID",
        series=tuple(series),
        alt=f"FID against the number of steps, a curve for each η: {_papers(results)}.",
        columns=(),
        data=(),
        x_ticks=_ticks(steps),
        dodge=DODGE,
    )


def _papers(results: Results) -> str:
    return f"the paper's, on {paper.TITLES[paper.beside(results.cfg.table)]}"


def _ticks(steps: Sequence[int]) -> tuple[float, ...]:
    return tuple(map(float, sorted(steps)))


def heat_map(results: Results) -> HeatMap:
    """FID over (S, eta) at equal n, and the paper's beside it, each on its own scale."""
    values = at_equal_n(table(results.cells, results.cfg, FID))
    n = next(iter(values.values())).n
    name = paper.beside(results.cfg.table)
    theirs = paper.FID[name]
    steps = sorted({s for row in theirs.values() for s in row})
    ours = Heat(
        title=f"Ours: {results.cfg.name}, n = {numbers.count(n)}",
        rows=tuple(map(numbers.eta_label, results.etas)),
        columns=tuple(map(str, results.steps)),
        values=_grid(results, {key: value.mean for key, value in values.items()}),
        texts=tuple(
            tuple(numbers.significant(values[s, eta].mean) for s in results.steps)
            for eta in results.etas
        ),
    )
    published = Heat(
        title=f"Paper: {paper.TITLES[name]}",
        rows=tuple(map(numbers.eta_label, theirs)),
        columns=tuple(map(str, steps)),
        values=tuple(tuple(row.get(s) for s in steps) for row in theirs.values()),
        texts=tuple(
            tuple(numbers.significant(row[s]) if s in row else "" for s in steps)
            for row in theirs.values()
        ),
    )
    return HeatMap(
        name="fid_map",
        x_label=f"{STEPS_LABEL} (darker: higher FID)",
        panels=(ours, published),
        alt="FID of every S and η as colours with numbers: ours left, the paper's right.",
        caption=f"Each panel has its own scale of colours. Ours: {_first(n)}.",
    )


def _first(n: int) -> str:
    return f"the first {numbers.count(n)} images of every cell"


def _grid(results: Results, values: Mapping[Column, float]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(values[s, eta] for s in results.steps) for eta in results.etas)


# --- the others ----------------------------------------------------------------------------------


def reconstruction(results: Results) -> Plot:
    """Reconstruction error against S, and the paper's own Table 2."""
    columns = [results.reconstructions[s] for s in sorted(results.reconstructions)]
    published = paper.RECONSTRUCTION[paper.DEFAULT]
    ours = Series(
        "error",
        f"ours, {results.cfg.name}",
        tuple(float(c.steps) for c in columns),
        tuple(c.mse for c in columns),
        tuple(c.interval[0] for c in columns),
        tuple(c.interval[1] for c in columns),
    )
    theirs = Series(
        "paper",
        f"paper, {paper.TITLES[paper.DEFAULT]}",
        tuple(map(float, published)),
        tuple(published.values()),
        look=1,
    )
    return Plot(
        name="error",
        title="Reconstruction error",
        x_label=STEPS_LABEL,
        y_label="mean squared error",
        series=(ours, theirs),
        alt="Reconstruction error against the number of steps, ours and the paper's.",
        columns=("S", "mse", "low", "high"),
        data=tuple((c.steps, c.mse, *c.interval) for c in columns),
        caption=(
            "Encode a held-out image with S steps, decode it with the same S. Bars: 95 % "
            "intervals. The paper rounds to 0.0001."
        ),
        x_ticks=_ticks(sorted({*results.reconstructions, *published})),
        dodge=0.02,
    )


def loss(results: Results) -> Plot | None:
    """Training loss against the training step; None for imported weights."""
    if not results.training.loss:
        return None
    steps, values = zip(*results.training.loss, strict=True)
    logged = Series("loss", "batch", tuple(map(float, steps)), values, look=6)
    mean = Series("mean", "running mean", logged.x, _smooth(values))
    return Plot(
        name="loss",
        title="Training loss",
        x_label="training step",
        y_label="mean squared error of ε",
        series=(logged, mean),
        alt="Training loss against the training step: single batches, and their running mean.",
        columns=("step", "loss"),
        data=results.training.loss,
        x_log=False,
    )


def _smooth(values: Sequence[float]) -> tuple[float, ...]:
    """The mean of every value and its neighbours, a fortieth of all on each side; fewer at ends."""
    last = len(values) - 1
    halves = [min(max(1, len(values) // 40), i, last - i) for i in range(len(values))]
    windows = [values[i - half : i + half + 1] for i, half in enumerate(halves)]
    return tuple(sum(window) / len(window) for window in windows)
