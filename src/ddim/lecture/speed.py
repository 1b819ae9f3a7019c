"""Slow against fast (limitation 1; Fig. 4): what a step costs, and how many are needed.

Reads the sweep's JSON; needs no network and no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ddim import paths
from ddim.files import read_json
from ddim.lecture.section import Section
from ddim.schema import Cell, Config

CLAIM = (
    "DDPM's long chain is the bottleneck of generation; DDIM needs far fewer steps of the same "
    "network."
)


@dataclass(frozen=True)
class Measured:
    """What the sweep found for one S and eta, its seeds together."""

    steps: int
    eta: str
    seconds: float  # per image
    fid: float
    low: float
    high: float

    @property
    def name(self) -> str:
        """As a sentence names it."""
        return f"S = {self.steps}, η = {self.eta}"


def section(cfg: Config) -> Section:
    """Time against S, and the shortest trajectory that is as good as the longest one."""
    made = Section("speed", 1, "Slow against fast", CLAIM)
    cells = [
        _measured(cfg, steps, eta) for eta in cfg.sweep.eta for steps in sorted(cfg.sweep.steps)
    ]
    _costs(cells, made)
    made.finding = _verdict(cells, made)
    return made


def _measured(cfg: Config, steps: int, eta: Any) -> Measured:
    """The mean over the sweep's seeds; the interval is the first seed's."""
    names = [paths.cell_name(Cell(steps=steps, eta=eta, seed=seed)) for seed in cfg.sweep.seeds]
    found = [_read(paths.reports(cfg), name) for name in names]
    return Measured(
        steps=steps,
        eta=paths.eta_name(eta),
        seconds=fmean(seconds for seconds, _ in found),
        fid=fmean(cell["fid"] for _, cell in found),
        low=found[0][1]["fid_interval"][0],
        high=found[0][1]["fid_interval"][1],
    )


def _read(reports: Path, name: str) -> tuple[float, dict[str, Any]]:
    """(seconds per image, cells/<name>.json)."""
    sampled = read_json(reports / "samples" / f"{name}.json")
    return float(sampled["seconds_per_image"]), read_json(reports / "cells" / f"{name}.json")


def _costs(cells: Sequence[Measured], made: Section) -> None:
    """Time per image against S: a straight line through the origin, whatever eta is."""
    from ddim.lecture import plots

    steps = sorted({cell.steps for cell in cells})
    etas = list(dict.fromkeys(cell.eta for cell in cells))
    with plots.canvas() as drawn:
        (axes,) = drawn.axes
        for i, eta in enumerate(etas):
            mine = [cell for cell in cells if cell.eta == eta]
            plots.curve(axes, i, steps, [1000 * cell.seconds for cell in mine], f"η = {eta}")
        axes.set_yscale("log")
        plots.ticks(axes, steps)
        axes.set(xlabel="steps S", ylabel="milliseconds per image")
        axes.legend()
    longest = [cell for cell in cells if cell.steps == steps[-1]]
    per_step = fmean(cell.seconds / cell.steps for cell in longest)
    made.numbers["seconds_per_image_and_step"] = per_step
    made.text = (
        f"Wall time of the sweep itself. A step costs {1000 * per_step:.3g} ms per image, the "
        "network's one evaluation; η costs nothing."
    )
    made.figure(
        "time.png",
        drawn.png,
        caption="Wall time per image against the number of steps, on logarithmic axes.",
        alt="Straight rising lines: "
        + "; ".join(f"{cell.name}: {1000 * cell.seconds:.3g} ms" for cell in cells),
        columns=["S", "eta", "seconds_per_image", "fid", "fid_low", "fid_high"],
        rows=[(c.steps, c.eta, c.seconds, c.fid, c.low, c.high) for c in cells],
    )


def _verdict(cells: Sequence[Measured], made: Section) -> str:
    """The shortest eta = 0 trajectory that is as good as DDPM's longest chain, and as its own."""
    ddim = [cell for cell in cells if cell.eta == "0.0"]
    if len(ddim) < 2:
        return "Not measured here: it needs eta 0.0 and two numbers of steps in `sweep`."
    chains = {cell.eta: cell for cell in cells if cell.steps == ddim[-1].steps}
    rows, sentences = [], []
    for eta in ("1.0", "hat", "0.0"):
        if eta in chains:
            fast, slow = equal_quality(ddim, chains[eta]), chains[eta]
            rows.append([slow.name, slow.fid, fast.name, fast.fid, slow.seconds / fast.seconds])
            made.numbers[f"speed_up_over_eta{eta}"] = slow.seconds / fast.seconds
            sentences.append((slow, fast))
    columns = ["slow", "its FID", "fastest as good", "its FID ", "speed-up"]
    made.table("Speed-up at equal quality", columns, rows)
    slow, fast = sentences[0]
    if fast.steps == slow.steps:
        return (
            f"No cell with η = 0.0 and fewer steps is as good as {slow.name} (FID {slow.fid:.2f}): "
            f"the speed-up at equal quality is {slow.seconds / fast.seconds:.1f}."
        )
    return (
        f"{fast.name} (FID {fast.fid:.2f}) is as good as {slow.name} (FID {slow.fid:.2f}, interval "
        f"{slow.low:.2f} to {slow.high:.2f}) and {slow.seconds / fast.seconds:.0f} times as fast."
    )


def equal_quality(ddim: Sequence[Measured], slow: Measured) -> Measured:
    """The cell of fewest steps whose FID is not above `slow`'s interval; the longest if none is."""
    good = [cell for cell in ddim if cell.fid <= slow.high]
    return min(good, key=lambda cell: cell.steps) if good else max(ddim, key=lambda c: c.steps)
