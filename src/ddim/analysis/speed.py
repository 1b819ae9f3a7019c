"""Slow against fast (limitation 1; Fig. 4): how many evaluations of the network are needed.

Reads the sweep's records; needs no network and no torch. Cost is counted in network evaluations,
which every machine repeats; wall times are in `reports/<name>/timings`.

A short trajectory is as good as a long chain if its FID is not worse by more than a margin, a share
of the chain's own FID: a test of non-inferiority. Both are paired by their noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from ddim.analysis.context import Context
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.config import paths
from ddim.evaluation import aggregate
from ddim.evaluation.aggregate import CellEstimate, Column, Grid
from ddim.evaluation.hypotheses import Comparison, Decision, decide
from ddim.evaluation.intervals import Z
from ddim.plotting import canvas
from ddim.records.section import Table, Value
from ddim.records.verdict import Verdict
from ddim.schedule import HAT

TITLE = "Slow against fast"
CLAIM = (
    "DDPM's long chain is the bottleneck of generation; DDIM needs 10 to 50 times fewer "
    "evaluations of the same network for samples of comparable quality."
)
SOURCE = "lecture, limitation 1 (01:18); paper, Sec. 5.1 and Fig. 4"
PAPER = (  # Table 1: S and FID of eta = 0 against S = 1000 of eta = 1
    "CIFAR-10: S = 20: 6.84, S = 50: 4.67, S = 100: 4.16 against 4.73"
)
DDIM, DDPM = "0.0", "1.0"  # eta of the deterministic row, and of DDPM's
CLAIMED = (10, 50)  # times fewer evaluations: the paper's range


@dataclass(frozen=True)
class Shorter:
    """A trajectory with eta = 0 against a chain: its cost, its FID, and whether it is as good."""

    steps: int
    nfe: int
    fid: float  # at the n at which it is compared
    excess: Comparison  # FID - FID of the chain
    comparison: Comparison  # FID - (1 + margin) FID of the chain: below 0 if it is as good
    is_as_good: bool


@dataclass(frozen=True)
class Chain:
    """The longest trajectory of one eta, and every shorter one with eta = 0, by rising cost."""

    steps: int
    eta: str
    nfe: int
    fid: CellEstimate  # at the n at which they are compared
    shorter: tuple[Shorter, ...]
    claimed: tuple[Shorter, ...]  # those that are as much cheaper as the paper claims
    decision: Decision | None  # of these; None: there are none

    @property
    def name(self) -> str:
        """As a sentence names it."""
        return f"S = {self.steps}, {_label(self.eta)}"

    @property
    def fastest(self) -> Shorter | None:
        """The cheapest trajectory that is as good; None where none is."""
        return next((each for each in self.shorter if each.is_as_good), None)

    def ratio(self, other: Shorter) -> float:
        """How many times fewer evaluations the other one takes."""
        return self.nfe / other.nfe


@dataclass(frozen=True)
class SpeedResult:
    """Every chain, and the margin that "as good" allows."""

    margin: float
    T: int
    chains: tuple[Chain, ...]

    def chain(self, eta: str) -> Chain | None:
        """The chain of `eta`."""
        return next((chain for chain in self.chains if chain.eta == eta), None)


def measure(context: Context) -> SpeedResult:
    """Compare every shorter trajectory of eta = 0 with the longest chain of every eta."""
    cfg, margin = context.cfg, context.cfg.analysis.speed.margin
    fid = aggregate.grid(context.cells, cfg, aggregate.FID, context.covariances)
    nfe = {key.column: cell.sampled.nfe for key, cell in context.cells.items()}
    longest = max(cfg.sweep.steps)
    row = [(S, DDIM) for S in sorted(cfg.sweep.steps) if DDIM in _etas(context)][:-1]
    chains = [_chain(fid, nfe, (longest, eta), row, margin) for eta in _etas(context)]
    return SpeedResult(margin, cfg.diffusion.T, tuple(chains))


def _etas(context: Context) -> list[str]:
    return list(map(paths.eta_name, context.cfg.sweep.eta))


def _chain(
    fid: Grid, nfe: Mapping[Column, int], chain: Column, row: Sequence[Column], margin: float
) -> Chain:
    """One chain against every shorter trajectory: all at one n, all tested together."""
    steps, eta = chain
    n = fid.n([*row, chain])
    at = {column: fid.values[column].at(n) for column in (*row, chain)}
    comparisons = [fid.contrast(f"S = {S}", {(S, e): 1.0, chain: -(1 + margin)}, n) for S, e in row]
    good = set(decide(comparisons).below) if comparisons else set()
    shorter = tuple(
        Shorter(
            S,
            nfe[S, e],
            at[S, e].mean,
            fid.contrast(comparison.name, {(S, e): 1.0, chain: -1.0}, n),
            comparison,
            comparison in good,
        )
        for (S, e), comparison in zip(row, comparisons, strict=True)
    )
    least, most = CLAIMED
    claimed = tuple(each for each in shorter if least <= nfe[chain] / each.nfe <= most)
    decision = decide([each.comparison for each in claimed]) if claimed else None
    return Chain(steps, eta, nfe[chain], at[chain], shorter, claimed, decision)


def _label(eta: str) -> str:
    return "σ̂" if eta == HAT else f"η = {eta}"


# --- presentation ---------------------------------------------------------------------------------


def present(result: SpeedResult) -> SectionContent:
    """The sentence is on DDPM's chain and DDIM's own; the table and the figure have every one."""
    own, ddpm = result.chain(DDIM), result.chain(DDPM)
    if own is None or not own.shorter:
        return SectionContent(
            finding="Not measured here: it needs eta 0.0 and two numbers of steps in `sweep`."
        )
    chains = [chain for chain in (ddpm, own) if chain is not None]
    n = own.fid.n
    text = (
        f"As good: an FID that is not worse than the chain's by more than {result.margin:.0%} of "
        "it (`analysis.speed.margin`), by a test on differences that are paired by the noise, "
        "Holm's correction over the shorter trajectories. With this margin the paper's own Table "
        "1 gives 50 times (CIFAR-10) and 10 times (CelebA) against DDPM's chain. Cost is counted "
        "in evaluations of the network for an image. FID falls with the number of images it is "
        f"computed from: each here is of its cell's first {n}, and the margin is a share of an FID "
        "that still holds the bias of so few images."
    )
    return SectionContent(
        finding=" ".join(_sentence(chain) for chain in chains),
        text=text,
        numbers=_numbers(result),
        verdicts=_verdicts(result, ddpm),
        figures=(_figure(result),),
        tables=(_table(result),),
    )


def _sentence(chain: Chain) -> str:
    fast, fid = chain.fastest, chain.fid.mean
    if fast is None:
        return f"No shorter trajectory with η = 0.0 is shown to be as good as {chain.name}."
    return (
        f"S = {fast.steps}, η = 0.0 (FID {fast.fid:.3g}) is as good as {chain.name} ({fid:.3g}) "
        f"with {chain.ratio(fast):.0f} times fewer evaluations."
    )


def _verdicts(result: SpeedResult, chain: Chain | None) -> tuple[Verdict, ...]:
    """Against DDPM with all T steps, which is what the paper's claim is about."""
    if chain is None or chain.steps != result.T or chain.decision is None:
        return ()
    ours = ", ".join(f"S = {each.steps}: {each.fid:.3g}" for each in chain.claimed)
    verdict = Verdict(
        claim="10 to 50 times fewer evaluations give comparable quality",
        source=SOURCE,
        paper=PAPER,
        ours=f"{ours} against {chain.fid.mean:.3g} ({chain.name})",
        test=f"non-inferior within {result.margin:.0%}: {chain.decision.summary_of_any}, "
        f"n = {chain.fid.n}",
        word=chain.decision.word_of_any,
    )
    return (verdict,)


def _numbers(result: SpeedResult) -> dict[str, float]:
    return {
        f"nfe_ratio_to_eta{chain.eta}": chain.ratio(chain.fastest)
        for chain in result.chains
        if chain.fastest is not None
    }


def _table(result: SpeedResult) -> Table:
    steps = [each.steps for each in result.chains[0].shorter]
    rows: list[list[Value]] = []
    for chain in result.chains:
        cells = [_cell(chain, each) for each in chain.shorter]
        rows.append([chain.name, round(chain.fid.mean, 3), *cells])
    columns = ["chain", "its FID", *(f"S = {S}" for S in steps)]
    title = "Is a shorter trajectory with η = 0.0 as good? Times fewer evaluations, z of the test"
    return table(title, columns, rows)


def _cell(chain: Chain, each: Shorter) -> str:
    word = "yes" if each.is_as_good else "not shown"
    return f"{word}: {chain.ratio(each):.0f}×, FID {each.fid:.3g}, z = {each.comparison.z:.1f}"


def _figure(result: SpeedResult) -> FigureContent:
    """How far each shorter trajectory's FID is above the chain's, and how far it may be."""
    chains = [chain for chain in map(result.chain, (DDPM, DDIM)) if chain is not None]
    with canvas.canvas(len(chains), width=4.8 * len(chains), height=4.2) as figure:
        for axes, chain in zip(figure.axes, chains, strict=True):
            _panel(axes, chain, result.margin)
        figure.axes[0].set_ylabel("FID above the long chain's")
    return FigureContent(
        file="evaluations.png",
        content=figure.png,
        is_chart=True,
        caption="FID of η = 0.0 minus that of the long chain, paired, with 95 % intervals. "
        f"Below the dashed line ({result.margin:.0%}) it is as good; filled: shown by the test.",
        alt="; ".join(_alt(chain) for chain in chains),
        columns=["chain_S", "chain_eta", "chain_nfe", "chain_fid", "S", "nfe", "fid", "z", "good"],
        rows=[
            (chain.steps, chain.eta, chain.nfe, chain.fid.mean, each.steps, each.nfe, each.fid,
             each.comparison.z, each.is_as_good)
            for chain in result.chains
            for each in chain.shorter
        ],
    )  # fmt: skip


def _panel(axes: Axes, chain: Chain, margin: float) -> None:
    nfe = [each.nfe for each in chain.shorter]
    above = [each.excess.difference for each in chain.shorter]
    half = [Z * each.excess.standard_error for each in chain.shorter]
    filled = [each.is_as_good for each in chain.shorter]
    canvas.bars_of_error(axes, 1, nfe, above, half, filled)
    allowed = margin * chain.fid.mean
    canvas.level(axes, 0.0)
    axes.axhline(allowed, color=canvas.GUIDE, linestyle="--", linewidth=1.6)
    axes.annotate(
        f"as good: +{margin:.0%}", (1, allowed), (0, 4), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", color=canvas.GUIDE,
    )  # fmt: skip
    canvas.ticks(axes, nfe)
    axes.set(xlabel="evaluations of the network for one image", title=f"against {chain.name}")
    axes.margins(x=0.12)


def _alt(chain: Chain) -> str:
    fast = chain.fastest
    if fast is None:
        return f"{chain.name}: nothing with η = 0.0 is as good"
    return f"{chain.name}: as good with {chain.ratio(fast):.0f} times fewer"
