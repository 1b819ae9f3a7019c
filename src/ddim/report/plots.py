"""Results -> the curves of the report: FID, reconstruction error, training loss."""

from ddim.evaluation.aggregate import FID, at_equal_n, table
from ddim.records.results import Results
from ddim.report import numbers
from ddim.report.document import Plot, Series


def fid(results: Results) -> Plot:
    """FID against S, a curve per eta, with the floor as a level."""
    series, data = _fid_curves(results)
    level = _floor(results)
    ends = "; ".join(
        f"{s.label}: {numbers.fid(s.y[0])} at S = {s.x[0]:g}, "
        f"{numbers.fid(s.y[-1])} at S = {s.x[-1]:g}"
        for s in series
    )
    return Plot(
        name="fid",
        title="FID against the number of steps",
        x_label="steps S",
        y_label="FID",
        series=tuple(series),
        alt=f"FID against the number of steps on logarithmic axes. {ends}.",
        columns=("S", "eta", "fid", "low", "high", "n"),
        data=tuple(data),
        caption=f"Bars: 95 % intervals.{_floor_line(level)}{_at_equal_n(results)}",
        x_ticks=tuple(map(float, sorted(results.steps))),
        level=level,
    )


def _floor(results: Results) -> Series | None:
    """The floor as a level; None where there are too few held-out images for the curves' n."""
    counts = [cell.measured.n_generated for cell in results.cells.values()]
    if results.floor.n != min(counts):
        return None
    measured = results.floor.measured
    low, high = measured.fid_interval
    return Series("floor", "floor", (), (measured.fid,), (low,), (high,))


def _floor_line(level: Series | None) -> str:
    return "" if level is None else " Dotted: the floor, real against held-out real images."


def _at_equal_n(results: Results) -> str:
    """What is to be said where not all cells have as many images."""
    counts = {cell.measured.n_generated for cell in results.cells.values()}
    if len(counts) == 1:
        return ""
    return f" FID depends on n: all are of each cell's first {numbers.count(min(counts))} images."


def _fid_curves(results: Results) -> tuple[list[Series], list[tuple[object, ...]]]:
    """A curve per eta, and the rows of the CSV."""
    values = at_equal_n(table(results.cells, results.cfg, FID))
    series: list[Series] = []
    data: list[tuple[object, ...]] = []
    for eta in results.etas:
        points = []
        for s in sorted(results.steps):
            estimate = values[s, eta]
            assert estimate.interval is not None
            points.append((float(s), estimate.mean, *estimate.interval))
            data.append((s, eta, estimate.mean, *estimate.interval, estimate.n))
        x, y, low, high = zip(*points, strict=True)
        series.append(Series(eta, numbers.eta_label(eta), x, y, low, high))
    return series, data


def reconstruction(results: Results) -> Plot:
    """Reconstruction error against S."""
    columns = [results.reconstructions[s] for s in sorted(results.reconstructions)]
    series = Series(
        "error",
        "reconstruction error",
        tuple(float(c.steps) for c in columns),
        tuple(c.mse for c in columns),
        tuple(c.interval[0] for c in columns),
        tuple(c.interval[1] for c in columns),
    )
    ends = [f"{numbers.small(c.mse)} at S = {c.steps}" for c in (columns[0], columns[-1])]
    return Plot(
        name="error",
        title="Reconstruction error against the number of steps",
        x_label="steps S",
        y_label="mean squared error",
        series=(series,),
        alt=f"Reconstruction error against steps on logarithmic axes: {' and '.join(ends)}.",
        columns=("S", "mse", "low", "high"),
        data=tuple((c.steps, c.mse, *c.interval) for c in columns),
        caption="Encode a held-out image with S steps, decode it with the same S.",
        x_ticks=series.x,
    )


def loss(results: Results) -> Plot | None:
    """Training loss against the training step; None for imported weights."""
    if not results.training.loss:
        return None
    steps, values = zip(*results.training.loss, strict=True)
    return Plot(
        name="loss",
        title="Training loss",
        x_label="training step",
        y_label="mean squared error of ε",
        series=(Series("loss", "loss", tuple(map(float, steps)), values),),
        alt=f"Training loss, {values[0]:.3g} at first and {values[-1]:.3g} at the last step.",
        columns=("step", "loss"),
        data=results.training.loss,
        x_log=False,
    )
