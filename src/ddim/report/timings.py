"""How long sampling and training took, on what, when, by which revision: no result.

They lie in `reports/<name>/timings/`, and index.html shows them too; README.md, tables/, figures/
and metrics.json hold none, so that another machine which repeats every image leaves those as they
are.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from ddim.records.cell import CellKey
from ddim.records.results import Results
from ddim.records.timing import Timing
from ddim.report import numbers, protocol
from ddim.report.document import (
    Block,
    Bullets,
    Document,
    Part,
    Plot,
    Row,
    Series,
    Table,
    Value,
)

FOLDER = Path("timings")  # under reports/<name>

Timings = dict[CellKey, Timing]


def document(results: Results) -> Document:
    """The page `reports/<name>/timings/README.md`."""
    timings = read(results)
    return Document(
        title=f"Timings of {results.cfg.name}",
        subtitle="Wall times, devices, dates and revisions. No result depends on them.",
        folder=results.folder / FOLDER,
        lead=_blocks(results, timings, Path()),
        parts=[],
        see_also="The results: [README.md](../README.md).",
    )


def part(results: Results) -> Part:
    """The same as a part of index.html."""
    return Part("What a step costs", "time", _blocks(results, read(results), FOLDER))


def read(results: Results) -> Timings:
    """The timing of every cell; FileNotFoundError or ValueError names a bad one."""
    return {key: results.timing(key) for key in results.cells}


def _blocks(results: Results, timings: Timings, folder: Path) -> list[Block]:
    return [table(results, timings), plot(results, timings, folder), _facts(results, timings)]


def table(results: Results, timings: Timings) -> Table:
    """Wall time of every cell (mean over the seeds), that of an image in small."""
    first_row = [results.first_seed(s, results.etas[0]) for s in results.steps]
    evaluations = ", ".join(
        f"{numbers.count(cell.sampled.nfe)} at S = {cell.key.steps}" for cell in first_row
    )
    device = protocol.over(results, lambda c: f"{timings[c.key].device}, {c.sampled.precision}")
    return Table(
        name="time",
        title="Wall time of sampling a cell",
        corner="η",
        columns=tuple(f"S = {s}" for s in results.steps),
        rows=tuple(_row(results, timings, eta) for eta in results.etas),
        notes=(f"Network evaluations an image: {evaluations}. Device: {device}.",),
    )


def _row(results: Results, timings: Timings, eta: str) -> Row:
    values = []
    for s in results.steps:
        cells = results.repeats(s, eta)
        seconds, per_image = _means(timings[cell.key] for cell in cells)
        sampled, device = cells[0].sampled, timings[cells[0].key].device
        tip = (f"{numbers.count(sampled.nfe)} evaluations", device, sampled.precision)
        small = f"{numbers.duration(per_image)} an image"
        values.append(Value(numbers.duration(seconds), seconds, small, tip=tip))
    return Row(numbers.eta_label(eta), tuple(values), f"eta{eta}")


def _means(timings: Iterable[Timing]) -> tuple[float, float]:
    """Mean over the seeds: seconds a cell, seconds an image."""
    seconds, per_image = zip(*((t.seconds, t.seconds_per_image) for t in timings), strict=True)
    return fmean(seconds), fmean(per_image)


def plot(results: Results, timings: Timings, folder: Path = FOLDER) -> Plot:
    """Seconds an image against S, a curve per eta; its files lie in `folder`."""
    series: list[Series] = []
    data: list[tuple[object, ...]] = []
    for eta in results.etas:
        points = []
        for s in sorted(results.steps):
            cells = results.repeats(s, eta)
            seconds, per_image = _means(timings[cell.key] for cell in cells)
            points.append((float(s), per_image))
            data.append((s, eta, cells[0].sampled.nfe, seconds, per_image))
        x, y = zip(*points, strict=True)
        series.append(Series(eta, numbers.eta_label(eta), x, y, look=len(series)))
    return Plot(
        name="time",
        title="Wall time against the number of steps",
        x_label="number of steps S",
        y_label="seconds per image",
        series=tuple(series),
        alt="Seconds per image against the number of steps, a curve for each η.",
        columns=("S", "eta", "nfe", "seconds", "seconds_per_image"),
        data=tuple(data),
        folder=folder,
        x_ticks=tuple(map(float, sorted(results.steps))),
        dodge=0.03,
    )


def _facts(results: Results, timings: Timings) -> Bullets:
    facts = [f"Sampling: {_origin(timings.values())}."]
    training = results.training_timing()
    if training is not None:
        steps, took = numbers.count(training.images), numbers.duration(training.seconds)
        facts.append(f"Training: {steps} steps in {took}; {_origin([training])}.")
    return Bullets(tuple(facts))


def _origin(timings: Iterable[Timing]) -> str:
    """'cpu (2 threads); 2026-11-20; revision `3da4b30`', with counts where there are several."""
    timings = list(timings)
    devices = _counted(f"{t.device}{_processes(t)}" for t in timings)
    dates = sorted({t.date[:10] for t in timings})
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{devices}; {days}; revision {_counted(f'`{t.revision}`' for t in timings)}"


def _processes(timing: Timing) -> str:
    return "" if timing.processes == 1 else f", {timing.processes} processes"


def _counted(texts: Iterable[str]) -> str:
    counts = Counter(texts)
    if len(counts) == 1:
        return next(iter(counts))
    return numbers.listed([f"{text} ({n} cells)" for text, n in counts.items()])
