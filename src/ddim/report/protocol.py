"""The protocol line under every table: what a number depends on, said once and completely."""

from collections import Counter
from collections.abc import Callable, Mapping

from ddim.records.results import Cell, Results
from ddim.report.numbers import count, eta_label, listed


def vary(values: Mapping[tuple[int, str], str]) -> str:
    """'50,000', or '50,000 (S = 1000: 2,000)' where some cells differ from the most common."""
    common = Counter(values.values()).most_common(1)[0][0]
    others: dict[str, list[tuple[int, str]]] = {}
    for place, value in values.items():
        if value != common:
            others.setdefault(value, []).append(place)
    exceptions = [f"{_places(places, values)}: {value}" for value, places in others.items()]
    return f"{common} ({'; '.join(exceptions)})" if exceptions else common


def _places(places: list[tuple[int, str]], grid: Mapping[tuple[int, str], str]) -> str:
    """Whole rows and whole columns by their names, anything else cell by cell."""
    etas = list(dict.fromkeys(eta for _, eta in places))
    steps = list(dict.fromkeys(s for s, _ in places))
    if len(places) == sum(eta in etas for _, eta in grid):
        return listed([eta_label(eta) for eta in etas])
    if len(places) == sum(s in steps for s, _ in grid):
        return f"S = {listed([str(s) for s in steps])}"
    return listed([f"S = {s}, {eta_label(eta)}" for s, eta in places])


def over(results: Results, of: Callable[[Cell], str]) -> str:
    """`vary` of one property of the cells."""
    return vary({(key.steps, key.eta): of(cell) for key, cell in results.cells.items()})


def features(results: Results) -> str:
    """The feature space in words, with its accuracy where it was trained here."""
    about = results.protocol["features"]
    text = str(about["description"])
    accuracy = about.get("test_accuracy")
    return text if accuracy is None else f"{text}, test accuracy {100 * accuracy:.1f} %"


def data(results: Results) -> str:
    """The data set in words, with its note."""
    about = results.protocol["data"]
    size = f"{about['image_size']}×{about['image_size']}×{about['channels']}"
    return f"{about['name']} {size}" + (f", {about['note']}" if about["note"] else "")


def line(results: Results) -> str:
    """The protocol of Table 1, as one sentence of parts separated by semicolons."""
    reference = results.protocol["reference"]
    seeds = results.seeds
    parts = [
        f"data: {data(results)}",
        f"generated: n = {over(results, lambda c: count(c.measured.n_generated))}",
        f"reference: {count(reference['n'])} images of the {reference['split']} split",
        f"features: {features(results)}",
        f"trajectory: {over(results, lambda c: c.sampled.spacing)}{_dropped(results)}",
        f"x̂₀ clipped: {over(results, lambda c: 'yes' if c.sampled.clip_x0 else 'no')}",
        f"weights: {over(results, _weights)}",
        f"seed{'s' if len(seeds) > 1 else ''}: {', '.join(map(str, seeds))}",
        f"precision: {over(results, lambda c: c.sampled.precision)}",
        f"interval: {next(iter(results.cells.values())).measured.interval}",
    ]
    return "; ".join(parts)


def _weights(cell: Cell) -> str:
    made = cell.sampled
    kind = "EMA" if made.kind == "ema" else made.kind
    steps = "" if made.trained_steps is None else f", {count(made.trained_steps)} steps"
    return f"{kind}, {made.source}{steps}"


def _dropped(results: Results) -> str:
    """Named only where it happened: the published quadratic rule repeats steps."""
    dropped = {
        cell.key.steps: cell.sampled.repeats_dropped
        for cell in results.cells.values()
        if cell.sampled.repeats_dropped
    }
    if not dropped:
        return ""
    return ", repeated steps dropped: " + listed([f"S = {s}: {n}" for s, n in dropped.items()])


def of_cell(cell: Cell) -> tuple[str, ...]:
    """The protocol of one cell, a line each, for its tooltip."""
    made, measured = cell.sampled, cell.measured
    return (
        f"S = {cell.key.steps}, {eta_label(cell.key.eta)}",
        f"n = {count(measured.n_generated)} against {count(measured.n_reference)}",
        f"{made.spacing} trajectory, {count(made.nfe)} evaluations",
        f"{'EMA' if made.kind == 'ema' else made.kind} weights {made.weights_sha256[:12]}",
        f"x̂₀ {'clipped' if made.clip_x0 else 'not clipped'}, {made.precision}, {made.device}",
    )


def reconstruction(results: Results) -> str:
    """The protocol of Table 2."""
    columns = list(results.reconstruct.values())
    first = columns[0]
    spacings = listed(list(dict.fromkeys(column.spacing for column in columns)))
    return "; ".join(
        [
            f"data: {data(results)}",
            f"{count(first.n)} images of the {first.split} split",
            f"per-dimension mean squared error on {first.scale}",
            f"trajectory: {spacings}, the same list up (encode) and down (decode)",
            "η = 0, no clipping",
            f"weights: {_weights(next(iter(results.cells.values())))}",
        ]
    )
