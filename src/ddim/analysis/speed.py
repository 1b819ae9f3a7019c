"""Slow against fast (limitation 1; Fig. 4): what a step costs, and how many are needed.

Reads the sweep's JSON; needs no network and no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ddim.config import paths
from ddim.config.schema import Cell, Config
from ddim.records.section import Section
from ddim.runtime.files import read_json

CLAIM = (
    "DDPM's long chain is the bottleneck of generation; DDIM needs far fewer steps of the same "
    "network."
)


@dataclass(frozen=True)
class Measured:
    """What the sweep found for one S and eta, its seeds together."""

    steps: int
    eta: str
    n: int  # images behind each FID, which depends on it
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
    """The mean over the sweep's seeds, and the hull of their intervals."""
    names = [paths.cell_name(Cell(steps=steps, eta=eta, seed=seed)) for seed in cfg.sweep.seeds]
    found = [_read(paths.reports(cfg), name) for name in names]
    intervals = [cell["fid_interval"] for _, cell in found]
    return Measured(
        steps=steps,
        eta=paths.eta_name(eta),
        n=min(cell["n_generated"] for _, cell in found),
        seconds=fmean(seconds for seconds, _ in found),
        fid=fmean(cell["fid"] for _, cell in found),
        low=min(low for low, _ in intervals),
        high=max(high for _, high in intervals),
    )


def _read(reports: Path, name: str) -> tuple[float, dict[str, Any]]:
    """(seconds per image, cells/<name>.json)."""
    sampled = read_json(reports / "samples" / f"{name}.json")
    return float(sampled["seconds_per_image"]), read_json(reports / "cells" / f"{name}.json")


def _costs(cells: Sequence[Measured], made: Section) -> None:
    """Time per image against S, a curve for each eta; the figure on one step."""
    from ddim.plotting import canvas

    steps = sorted({cell.steps for cell in cells})
    etas = list(dict.fromkeys(cell.eta for cell in cells))
    with canvas.canvas() as drawn:
        (axes,) = drawn.axes
        for i, eta in enumerate(etas):
            mine = [cell for cell in cells if cell.eta == eta]
            canvas.curve(axes, i, steps, [1000 * cell.seconds for cell in mine], f"η = {eta}")
        axes.set_yscale("log")
        canvas.ticks(axes, steps)
        axes.set(xlabel="steps S", ylabel="milliseconds per image")
        axes.legend()
    longest = [cell for cell in cells if cell.steps == steps[-1]]
    per_step = fmean(cell.seconds / cell.steps for cell in longest)
    made.numbers["seconds_per_image_and_step"] = per_step
    made.text = (
        f"Wall time of the sweep itself. In the longest chains a step, one evaluation of the "
        f"network, costs {1000 * per_step:.3g} ms per image, mean over η."
    )
    made.figure(
        "time.png",
        drawn.png,
        caption="Wall time per image against the number of steps, on logarithmic axes.",
        alt="Time per image for each S and η: "
        + "; ".join(f"{cell.name}: {1000 * cell.seconds:.3g} ms" for cell in cells),
        columns=["S", "eta", "n", "seconds_per_image", "fid", "fid_low", "fid_high"],
        rows=[(c.steps, c.eta, c.n, c.seconds, c.fid, c.low, c.high) for c in cells],
    )


def _verdict(cells: Sequence[Measured], made: Section) -> str:
    """Which shorter trajectory is as good as each longest chain; the sentence is on eta = 0."""
    ddim = [cell for cell in cells if cell.eta == "0.0"]
    if len(ddim) < 2:
        return "Not measured here: it needs eta 0.0 and two numbers of steps in `sweep`."
    chains = {cell.eta: cell for cell in cells if cell.steps == ddim[-1].steps}
    rows = []
    for slow in chains.values():
        row: list[object] = [slow.name, slow.fid]
        for candidates, key in ((ddim, "ddim"), (cells, "any")):
            fast = equal_quality(candidates, slow)
            row += (
                [fast.name, fast.fid, slow.seconds / fast.seconds] if fast else ["none"] + ["–"] * 2
            )
            if fast:
                made.numbers[f"speed_up_{key}_over_eta{slow.eta}"] = slow.seconds / fast.seconds
        rows.append(row)
    columns = ["chain", "FID", "fastest η = 0.0 as good", "FID ", "speed-up"]
    columns += ["fastest of all as good", "FID  ", "speed-up "]
    made.table("Speed-up at equal quality: FID not above the chain's 95 % interval", columns, rows)
    if len({cell.n for cell in cells}) > 1:
        counts = ", ".join(f"S = {cell.steps}: {cell.n}" for cell in ddim)
        made.text += (
            " FID falls with the number of images it is computed from, and the sweep's cells do "
            f"not all have the same ({counts}): each is compared with cells of its own n alone."
        )
    own = _sentence(ddim, chains["0.0"])
    ddpm = _sentence(ddim, chains["1.0"]) if "1.0" in chains else ""
    return f"{own} {ddpm}".strip()


def _sentence(ddim: Sequence[Measured], slow: Measured) -> str:
    if all(cell.n != slow.n for cell in ddim if cell.steps < slow.steps):
        return f"Nothing shorter has the {slow.n} images of {slow.name}: FIDs not compared."
    fast = equal_quality(ddim, slow)
    chain = f"{slow.name} (FID {slow.fid:.2f}, interval {slow.low:.2f} to {slow.high:.2f})"
    if fast is None or fast.steps == slow.steps:
        return f"No shorter trajectory with η = 0.0 is as good as {chain}."
    times = slow.seconds / fast.seconds
    return f"{fast.name} (FID {fast.fid:.2f}) is as good as {chain} and {times:.0f} times as fast."


def equal_quality(candidates: Sequence[Measured], slow: Measured) -> Measured | None:
    """The cell of fewest steps whose FID is not above `slow`'s interval; of those, the best.

    Only cells of as many images are compared: FID is biased by an amount that depends on n.
    """
    good = [cell for cell in candidates if cell.n == slow.n and cell.fid <= slow.high]
    return min(good, key=lambda cell: (cell.steps, cell.fid), default=None)
