"""The protocol line under every table: what a number depends on, once and completely."""

from collections import Counter
from collections.abc import Callable, Mapping

from ddim.evaluation.aggregate import Column
from ddim.records.cell import Cell, Trajectory, Weights
from ddim.records.features import knows_little
from ddim.records.prepared import PreparedData
from ddim.records.results import Results
from ddim.report.escaping import plain
from ddim.report.numbers import count, eta_label, listed

FOLDER = "image_folder"  # data.name of a user's own images


def trajectory(cell: Cell) -> Trajectory:
    """The trajectory of a cell of the grid; only diffusers' schedulers, outside it, have none."""
    assert cell.sampled.trajectory is not None, cell.key
    return cell.sampled.trajectory


def vary(values: Mapping[Column, str]) -> str:
    """'50,000', or '50,000 (S = 1000: 2,000)' where some cells differ from the most common."""
    common = Counter(values.values()).most_common(1)[0][0]
    others: dict[str, list[Column]] = {}
    for column, value in values.items():
        if value != common:
            others.setdefault(value, []).append(column)
    exceptions = [f"{_columns(columns, values)}: {value}" for value, columns in others.items()]
    return f"{common} ({'; '.join(exceptions)})" if exceptions else common


def _columns(columns: list[Column], grid: Mapping[Column, str]) -> str:
    """Whole rows and whole columns by their names, anything else cell by cell."""
    etas = list(dict.fromkeys(eta for _, eta in columns))
    steps = list(dict.fromkeys(s for s, _ in columns))
    if len(columns) == sum(eta in etas for _, eta in grid):
        return listed([eta_label(eta) for eta in etas])
    if len(columns) == sum(s in steps for s, _ in grid):
        return f"S = {listed([str(s) for s in steps])}"
    return listed([f"S = {s}, {eta_label(eta)}" for s, eta in columns])


def over(results: Results, of: Callable[[Cell], str]) -> str:
    """`vary` of one property of the cells."""
    return vary({key.column: of(cell) for key, cell in results.cells.items()})


def features(results: Results) -> str:
    """The feature space in words, with its accuracy where it was trained here."""
    space = results.reference.features
    accuracy = space.test_accuracy
    if accuracy is None:
        return space.description
    text = f"{space.description}, test accuracy {100 * accuracy:.1f} %"
    if space.chance is not None and knows_little(space):
        text += f" where chance is {100 * space.chance:.1f} %: **these features know little**"
    return text


def data(results: Results) -> str:
    """The data set in words, with its note."""
    images = results.reference.data
    size = f"{images.image_size}×{images.image_size}×{images.channels}"
    name = data_name(images)
    if name == images.name:
        return f"{name} {size}" + (f", {plain(images.note)}" if images.note else "")
    return f"{name}, {size}"


def data_name(images: PreparedData) -> str:
    """What the images are: of a folder, which has no name of its own, the note says it."""
    return plain(images.note) if images.name == FOLDER and images.note else images.name


def line(results: Results) -> str:
    """The protocol of Table 1, as one sentence of parts separated by semicolons."""
    reference = results.reference
    seeds = results.seeds
    parts = [
        f"data: {data(results)}",
        f"generated: n = {over(results, lambda c: count(c.measured.n_generated))}",
        f"reference: {count(reference.n)} images of the {reference.split} split",
        f"features: {features(results)}",
        f"trajectory: {over(results, lambda c: trajectory(c).spacing)}{_dropped(results)}",
        f"x̂₀ clipped: {over(results, lambda c: 'yes' if c.sampled.clip_x0 else 'no')}",
        f"weights: {over(results, lambda c: _weights(c.sampled.weights))}",
        f"seed{'s' if len(seeds) > 1 else ''}: {', '.join(map(str, seeds))}",
        f"precision: {over(results, lambda c: c.sampled.precision)}",
        f"interval: {next(iter(results.cells.values())).measured.interval}",
    ]
    return "; ".join(parts)


def _weights(weights: Weights) -> str:
    steps = "" if weights.trained_steps is None else f", {count(weights.trained_steps)} steps"
    return f"{weights_kind(weights.kind)}, {plain(weights.source)}{steps}"


def weights_kind(kind: str) -> str:
    """'EMA' or 'raw'."""
    return "EMA" if kind == "ema" else kind


def _dropped(results: Results) -> str:
    """Named only where it happened: the published quadratic rule repeats steps."""
    dropped = {
        key.steps: trajectory(cell).repeats_dropped
        for key, cell in results.cells.items()
        if trajectory(cell).repeats_dropped
    }
    if not dropped:
        return ""
    return ", repeated steps dropped: " + listed([f"S = {s}: {n}" for s, n in dropped.items()])


def of_cell(cell: Cell) -> tuple[str, ...]:
    """The protocol of one cell, a line each, for its tooltip."""
    sampled, measured = cell.sampled, cell.measured
    weights = sampled.weights
    return (
        f"S = {cell.key.steps}, {eta_label(cell.key.eta)}",
        f"n = {count(measured.n_generated)} against {count(measured.n_reference)}",
        f"{trajectory(cell).spacing} trajectory, {count(sampled.nfe)} evaluations",
        f"{weights_kind(weights.kind)} weights {weights.sha256[:12]}",
        f"x̂₀ {'clipped' if sampled.clip_x0 else 'not clipped'}, {sampled.precision}",
    )


def reconstruction(results: Results) -> str:
    """The protocol of Table 2."""
    columns = list(results.reconstructions.values())
    first = columns[0]
    spacings = listed(list(dict.fromkeys(column.trajectory.spacing for column in columns)))
    return "; ".join(
        [
            f"data: {data(results)}",
            f"{count(first.n)} images of the {first.split} split",
            f"per-dimension mean squared error on {first.scale}",
            f"trajectory: {spacings}, the same list up (encode) and down (decode)",
            "η = 0, no clipping",
            f"weights: {_weights(first.weights)}",
        ]
    )
