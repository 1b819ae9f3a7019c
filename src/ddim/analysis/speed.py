"""Slow against fast (limitation 1; Fig. 4): how many evaluations of the network are needed.

Reads the sweep's records; needs no network and no torch. Cost is counted in network evaluations,
which every machine repeats; wall times are in `reports/<name>/timings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddim.analysis.context import Context
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.config import paths
from ddim.evaluation import aggregate
from ddim.plotting import canvas
from ddim.records.section import Table

TITLE = "Slow against fast"
CLAIM = (
    "DDPM's long chain is the bottleneck of generation; DDIM needs far fewer steps of the same "
    "network."
)
DDIM = "0.0"  # eta of the deterministic row
NONE = "none"


@dataclass(frozen=True)
class Point:
    """What the sweep measured for one S and eta, its seeds together."""

    steps: int
    eta: str
    n: int  # images behind each FID, which depends on it
    nfe: int
    fid: float
    low: float
    high: float

    @property
    def name(self) -> str:
        """As a sentence names it."""
        return f"S = {self.steps}, η = {self.eta}"


@dataclass(frozen=True)
class SpeedResult:
    """The sweep, and for each longest chain the cheapest trajectories that are as good."""

    points: tuple[Point, ...]
    chains: tuple[Point, ...]  # the longest trajectory of every eta
    ddim: Mapping[str, Point | None]  # by the chain's eta: the shortest of eta = 0
    every: Mapping[str, Point | None]  # the same among all eta

    def row(self, eta: str) -> list[Point]:
        """The points of one eta, by rising S."""
        return sorted((p for p in self.points if p.eta == eta), key=lambda p: p.steps)

    def chain(self, eta: str) -> Point | None:
        """The longest trajectory of `eta`."""
        return next((chain for chain in self.chains if chain.eta == eta), None)


def measure(context: Context) -> SpeedResult:
    """Compare every shorter trajectory with the longest ones."""
    cfg, cells = context.cfg, context.cells
    points = []
    values = aggregate.at_equal_n(aggregate.table(cells, cfg, aggregate.FID))
    for (steps, eta), fid in values.items():
        nfe = next(cell.sampled.nfe for key, cell in cells.items() if key.column == (steps, eta))
        assert fid.interval is not None
        points.append(Point(steps, eta, fid.n, nfe, fid.mean, *fid.interval))
    longest = max(cfg.sweep.steps)
    etas = list(map(paths.eta_name, cfg.sweep.eta))
    chains = [p for eta in etas for p in points if p.steps == longest and p.eta == eta]
    row = [p for p in points if p.eta == DDIM]
    return SpeedResult(
        points=tuple(points),
        chains=tuple(chains),
        ddim={chain.eta: equal_quality(row, chain) for chain in chains},
        every={chain.eta: equal_quality(points, chain) for chain in chains},
    )


def equal_quality(candidates: Sequence[Point], chain: Point) -> Point | None:
    """The point of fewest evaluations whose FID is not above `chain`'s interval; the best of those.

    All are of as many images: FID is biased by an amount that depends on n.
    """
    good = [point for point in candidates if point.fid <= chain.high]
    return min(good, key=lambda point: (point.nfe, point.fid), default=None)


# --- presentation ---------------------------------------------------------------------------------


def present(result: SpeedResult) -> SectionContent:
    """The sentence is on eta = 0; the table and the figure have every chain."""
    row, own = result.row(DDIM), result.chain(DDIM)
    if own is None or len(row) < 2:
        return SectionContent(
            finding="Not measured here: it needs eta 0.0 and two numbers of steps in `sweep`."
        )
    ddpm = result.chain("1.0")
    sentences = [_sentence(row, chain) for chain in (own, ddpm) if chain is not None]
    text = (
        "Quality is equal where the FID is not above the chain's 95 % interval. Cost is counted "
        "in evaluations of the network for an image. FID falls with the number of images it is "
        f"computed from: each here is of its cell's first {own.n}."
    )
    return SectionContent(
        finding=" ".join(sentences),
        text=text,
        numbers=_numbers(result),
        figures=(_figure(result),),
        tables=(_table(result),),
    )


def _sentence(row: Sequence[Point], chain: Point) -> str:
    fast = equal_quality(row, chain)
    name = f"{chain.name} (FID {chain.fid:.2f}, interval {chain.low:.2f} to {chain.high:.2f})"
    if fast is None or fast.steps == chain.steps:
        return f"No shorter trajectory with η = 0.0 is as good as {name}."
    return (
        f"{fast.name} (FID {fast.fid:.2f}) is as good as {name} with "
        f"{chain.nfe / fast.nfe:.0f} times fewer evaluations."
    )


def _numbers(result: SpeedResult) -> dict[str, float]:
    numbers = {}
    for chain in result.chains:
        for key, fastest in (("ddim", result.ddim), ("any", result.every)):
            fast = fastest[chain.eta]
            if fast is not None:
                numbers[f"nfe_ratio_{key}_to_eta{chain.eta}"] = chain.nfe / fast.nfe
    return numbers


def _table(result: SpeedResult) -> Table:
    rows = []
    for chain in result.chains:
        row: list[str | int | float] = [chain.name, chain.fid]
        for fastest in (result.ddim, result.every):
            fast = fastest[chain.eta]
            row += [fast.name, fast.fid, chain.nfe / fast.nfe] if fast else [NONE, "–", "–"]
        rows.append(row)
    columns = ["chain", "FID", "fewest evaluations with η = 0.0", "FID ", "times fewer"]
    columns += ["fewest of all", "FID  ", "times fewer "]
    return table("Evaluations of the network at equal quality", columns, rows)


def _figure(result: SpeedResult) -> FigureContent:
    """For each chain, its cost and that of the cheapest trajectory as good, on one line."""
    labels = [chain.name for chain in result.chains]
    with canvas.canvas(height=0.9 + 0.45 * len(labels)) as figure:
        (axes,) = figure.axes
        for i, chain in enumerate(result.chains):
            fast = result.ddim[chain.eta]
            ends = [chain.nfe] if fast is None else [fast.nfe, chain.nfe]
            canvas.span(axes, i, ends, "" if fast is None else f"{chain.nfe / fast.nfe:.0f}×")
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.margins(y=0.15)
        axes.set(xlabel="evaluations of the network an image")
        canvas.ticks(axes, sorted({point.nfe for point in result.points}))
    return FigureContent(
        file="evaluations.png",
        content=figure.png,
        caption="Each longest chain (right end) and the shortest trajectory with η = 0.0 that is "
        "as good (left end), by what an image costs.",
        alt="; ".join(_alt(result, chain) for chain in result.chains),
        columns=["S", "eta", "n", "nfe", "fid", "low", "high"],
        rows=[(p.steps, p.eta, p.n, p.nfe, p.fid, p.low, p.high) for p in result.points],
    )


def _alt(result: SpeedResult, chain: Point) -> str:
    fast = result.ddim[chain.eta]
    if fast is None:
        return f"{chain.name}: nothing with η = 0.0 is as good"
    return f"{chain.name}: {chain.nfe} evaluations, as good with {fast.nfe}"
