"""What sigma does: to the forward process, to a draw from one x_T, to the three terms of Eq. 12.

Also what the lecture draws beside it: latents as images, a trajectory that skips steps, and what a
sample costs in evaluations of the network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import torch
from torch import Tensor

from ddim import sampler, schedule, variational
from ddim.analysis import statistics
from ddim.analysis.context import DRAWS, PATHS, SIMULATION, Context, pixels
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.evaluation import hypotheses, intervals
from ddim.noise import Noise
from ddim.plotting import canvas
from ddim.plotting.style import stroke
from ddim.records.section import Table
from ddim.records.verdict import CONTRADICTED, Verdict

TITLE = "What sigma does"
CLAIM = (
    "σ sets how random the process is between the same marginals: with σ = 0 an image is a "
    "function of x_T alone, and the larger σ, the more noise is drawn on the way."
)
SOURCE = "lecture (11:15, 17:00, 31:37, 42:02); paper, Sec. 3 and 4.1, Fig. 1 and 2, Eq. 12 and 16"
FORWARD_ETAS = (0.0, 0.5, 1.0)
TERM_ETAS = (0.0, 1.0)
NUM_SIMULATED = 2000  # forward paths behind each correlation
NUM_TIMES = 250  # of T, at which paths are drawn
TERM_COLUMNS = 7  # steps whose terms are shown as images
ROUNDING = 1  # grey levels by which equal images may differ: a batch's order moves the last bit
TERMS = ("predicted $x_0$", "direction to $x_t$", "noise")


@dataclass(frozen=True)
class ForwardPaths:
    """x_1..x_T of one pixel under q_sigma, and how far x_1 determines x_T."""

    eta: float
    shown: np.ndarray  # float64 [num_paths,times]
    correlation: float  # of the noise in x_1 and the noise in x_T


@dataclass(frozen=True)
class Draws:
    """Images from the same x_T with other noise on the way."""

    eta: sampler.Eta
    spread: np.ndarray  # float64 [num_images]: mean distance of two draws; 1: of unrelated images
    largest: int  # difference of a pixel between two draws, grey levels
    images: np.ndarray  # uint8 [draws,num_shown,C,H,W]

    @property
    def name(self) -> str:
        """'η = 0.2', 'σ̂'."""
        return "σ̂" if self.eta == schedule.HAT else f"η = {self.eta:g}"

    @property
    def mean(self) -> float:
        """The mean spread."""
        return float(self.spread.mean())


@dataclass(frozen=True)
class Terms:
    """One step of Eq. 12, x_t = (the sum of three terms for the step before it)."""

    eta: float
    t: int  # where the step starts
    sizes: tuple[float, float, float]  # root mean square of each of TERMS
    images: np.ndarray  # uint8 [5,C,H,W]: x_t, the three terms, and their sum


@dataclass(frozen=True)
class SigmaResult:
    """Everything that the figures show."""

    T: int
    S: int
    x_0: float  # the pixel whose forward paths are shown
    times: np.ndarray  # int [times], rising: the t of the paths
    a: np.ndarray  # float64 [times]: alpha_bar there
    paths: tuple[ForwardPaths, ...]
    draws: tuple[Draws, ...]
    latents: np.ndarray  # uint8 [num_shown,C,H,W]: the x_T of the draws
    terms: tuple[Terms, ...]  # of every step, by eta
    tau: tuple[int, ...]  # the trajectory that is drawn
    evaluations: Mapping[int, int]  # of the network for one image, by S

    @property
    def rising(self) -> list[Draws]:
        """The draws at numbers, which rise from 0."""
        return [draws for draws in self.draws if draws.eta != schedule.HAT]


def measure(context: Context) -> SigmaResult:
    """Simulate forward, draw from the same x_T, take Eq. 12 apart, count evaluations."""
    context.require_images()
    cfg, analysis = context.cfg, context.cfg.analysis
    x_T = context.noise(PATHS, max(analysis.num_images, analysis.num_shown))
    x_0 = float(context.held_out(1).flatten().max())
    times = np.unique(np.linspace(1, cfg.diffusion.T, NUM_TIMES).round().astype(int))
    counted = sorted({*cfg.sweep.steps, analysis.steps, cfg.diffusion.T})
    return SigmaResult(
        T=cfg.diffusion.T,
        S=len(context.tau(analysis.steps)),
        x_0=x_0,
        times=times,
        a=context.alpha_bar[times].numpy(),
        paths=tuple(_paths(context, x_0, eta, times) for eta in FORWARD_ETAS),
        draws=tuple(_draws(context, x_T, eta) for eta in analysis.sigma.eta),
        latents=pixels(x_T[: analysis.num_shown]),
        terms=tuple(step for eta in TERM_ETAS for step in _terms(context, x_T, eta)),
        tau=tuple(context.tau(analysis.sigma.drawn_steps)),
        evaluations={S: count_evaluations(context, S) for S in counted},
    )


def _paths(context: Context, x_0: float, eta: float, times: np.ndarray) -> ForwardPaths:
    """x_t at `times`; the same draws of x_1 for every eta."""
    alpha_bar, generator = context.alpha_bar, torch.Generator().manual_seed(SIMULATION)

    def randn_like(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=generator).to(x.dtype)

    start = torch.full((NUM_SIMULATED,), x_0, dtype=torch.float64)
    steps = variational.simulate_forward(start, alpha_bar, variational.eta(eta), randn_like)
    x = torch.stack([x for _, x in steps], dim=1)
    correlation = float(torch.corrcoef(x[:, [0, -1]].T)[0, 1])
    shown = x[: context.cfg.analysis.sigma.num_paths, times - 1].numpy()
    return ForwardPaths(eta, shown, correlation)


def _draws(context: Context, x_T: Tensor, eta: sampler.Eta) -> Draws:
    """As many draws as configured from every x_T [N,C,H,W]."""
    settings = context.cfg.analysis.sigma
    images = np.stack([_draw(context, x_T, eta, DRAWS + k) for k in range(settings.draws)])
    flat = images.reshape(len(images), len(x_T), -1).astype(np.float64)
    pairs = list(combinations(flat, 2))
    unrelated = float(np.mean([statistics.unrelated_distance(draw) for draw in flat]))
    distances = np.mean([np.linalg.norm(x - y, axis=1) for x, y in pairs], axis=0)
    largest = max(int(np.abs(x - y).max()) for x, y in pairs)
    shown = images[:, : context.cfg.analysis.num_shown]
    return Draws(eta, distances / unrelated, largest, shown)


def _draw(context: Context, x_T: Tensor, eta: sampler.Eta, seed: int) -> np.ndarray:
    """x_0 of x_T, uint8 [N,C,H,W], with the noise of `seed` on the way."""
    cfg, drawn = context.cfg, []
    for indices in torch.arange(len(x_T)).split(cfg.sample.batch_size):
        x_0 = sampler.sample(
            context.eps_model,
            x_T[indices].to(context.device),
            context.alpha_bar,
            context.tau(cfg.analysis.steps),
            eta,
            randn_like=Noise(seed, indices.tolist(), cfg.image_shape, context.device),
            clip_x0=eta in cfg.sampler.clip_x0,
        )
        drawn.append(pixels(x_0.cpu()))
    return np.concatenate(drawn)


def _terms(context: Context, x_T: Tensor, eta: float) -> list[Terms]:
    """Eq. 12 taken apart at every step; means over images, pictures of the first one."""
    noise = Noise(DRAWS, range(len(x_T)), context.cfg.image_shape, context.device)
    tau = context.tau(context.cfg.analysis.steps)
    states = sampler.sample_progressive(
        context.eps_model,
        x_T.to(context.device),
        context.alpha_bar,
        tau,
        eta,
        randn_like=noise,
    )
    terms = []
    for state, following in pairwise(states):
        assert following.x0_hat is not None
        parts = split(state, following, context.alpha_bar, eta)
        sizes = [float(part.double().square().mean().sqrt()) for part in parts]
        images = pixels(torch.stack([part[0] for part in (state.x, *parts, following.x)]).cpu())
        terms.append(Terms(eta, state.t, (sizes[0], sizes[1], sizes[2]), images))
    return terms


def split(
    state: sampler.State, following: sampler.State, alpha_bar: Tensor, eta: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Eq. 12's terms of the step between two states, each [N,C,H,W]: they add up to following.x."""
    a, a_prev = float(alpha_bar[state.t]), float(alpha_bar[following.t])
    assert following.x0_hat is not None
    eps = sampler.predict_eps(state.x, following.x0_hat, a)
    sigma = schedule.sigma(a, a_prev, eta)
    predicted = a_prev**0.5 * following.x0_hat
    direction = max(1 - a_prev - sigma**2, 0.0) ** 0.5 * eps
    return predicted, direction, following.x - predicted - direction


def count_evaluations(context: Context, S: int) -> int:
    """How often the sampler calls the network for one image with S steps; counted, not timed."""
    calls = 0

    def eps_model(x: Tensor, _: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return x

    sampler.sample(eps_model, torch.zeros(1, 1), context.alpha_bar, context.tau(S))
    return calls


# --- presentation ---------------------------------------------------------------------------------


def present(result: SigmaResult) -> SectionContent:
    """Draws from one x_T first; then paths, terms, latents, the trajectory, the cost."""
    first, last = result.paths[0], result.paths[-1]
    return SectionContent(
        finding=(
            f"At η = {_etas(result)}, draws from one x_T differ by {_means(result)} of the "
            "distance of unrelated images; forward, the noise in x_1 and in x_T correlates "
            f"{first.correlation:.2f} at η = 0, {last.correlation:.2f} at η = 1."
        ),
        text="\n\n".join((_on_draws(result), ON_TERMS, _on_cost(result))),
        numbers=_numbers(result),
        verdicts=(_verdict(result),),
        figures=(
            _draws_figure(result),
            _paths_figure(result),
            _terms_figure(result, 1.0),
            _sizes_figure(result),
            _latents_figure(result),
            _trajectory_figure(result),
        ),
        tables=(_cost_table(result),),
    )


def _means(result: SigmaResult) -> str:
    """'0%, 61%, 99%', of the rising eta."""
    return ", ".join(f"{draws.mean:.0%}" for draws in result.rising)


def _etas(result: SigmaResult) -> str:
    """'0, 0.2, 1'."""
    return ", ".join(f"{draws.eta:g}" for draws in result.rising)


def _on_draws(result: SigmaResult) -> str:
    n, num_draws = len(result.draws[0].spread), len(result.draws[0].images)
    return (
        f"**Draws.** {num_draws} images from each of {n} latents x_T with S = {result.S}; the "
        "noise on the way is another one for each draw and the same one for every η. Spread: the "
        "mean pixel distance of two draws, 100 % being that of two images from different x_T at "
        f"the same η. At η = 0 two draws differ by {result.rising[0].largest} grey levels at most."
    )


ON_TERMS = (
    "**Forward.** x_1 is drawn from its marginal, then every step from q_σ(x_t | x_{t-1}, x_0), "
    f"which depends on x_0: the process is non-Markovian. {NUM_SIMULATED} paths of a pixel stand "
    "behind each correlation.\n\n"
    "**Backward.** Eq. 12 adds three terms: the predicted x_0 times √a_prev, the direction to x_t, "
    "which is the predicted noise times √(1 - a_prev - σ²), and fresh noise times σ. The last step "
    "draws none."
)


def _on_cost(result: SigmaResult) -> str:
    longest = max(result.evaluations)
    return (
        "**Cost.** Evaluations of the network were counted in the sampler, none was timed. A "
        f"GAN's image is one forward pass; one with S = {longest} takes "
        f"{result.evaluations[longest]}, one after the other."
    )


def _numbers(result: SigmaResult) -> dict[str, float]:
    numbers = {}
    for draws in result.draws:
        key = draws.eta if draws.eta == schedule.HAT else f"{draws.eta:g}"
        numbers[f"spread_eta{key}"] = draws.mean
    for paths in result.paths:
        numbers[f"correlation_eta{paths.eta:g}"] = paths.correlation
    return numbers


def _verdict(result: SigmaResult) -> Verdict:
    """Equal images at eta = 0, and a spread that grows from each eta to the next."""
    decision = hypotheses.decide(
        [
            hypotheses.paired(f"{less.name} against {more.name}", less.spread - more.spread)
            for less, more in pairwise(result.rising)
        ]
    )
    equal = result.rising[0].largest <= ROUNDING
    return Verdict(
        claim="With σ = 0 the image is fixed by x_T; it varies more as η grows",
        source="lecture (42:02); paper, Sec. 4.1",
        paper="",
        ours=f"spread {_means(result)} at η = {_etas(result)}",
        test=f"η by η, paired by x_T: {decision.summary}; η = 0 equal to "
        f"{result.rising[0].largest} grey levels",
        word=decision.word if equal else CONTRADICTED,
    )


# --- figures -------------------------------------------------------------------------------------


def _draws_figure(result: SigmaResult) -> FigureContent:
    """A row for each eta: the first x_T, then what came of it in each draw."""
    num_draws = len(result.draws[0].images)
    rows = [np.concatenate([result.latents[:1], draws.images[:, 0]]) for draws in result.draws]
    return FigureContent(
        file="draws.png",
        content=canvas.strips(
            np.stack(rows),
            row_labels=[f"{draws.name}\nspread {draws.mean:.0%}" for draws in result.draws],
            column_labels=["$x_T$", *(f"draw {k + 1}" for k in range(num_draws))],
        ),
        caption=f"{num_draws} draws from one x_T at each η, S = {result.S}. Spread: over all x_T, "
        "100 % being the distance of unrelated images.",
        alt="Rows of images, one for each η: the same x_T at the left, then the images drawn from "
        "it, with their measured spread.",
        columns=["eta", "spread", "low", "high", "largest_grey_levels"],
        rows=[(d.eta, *intervals.of_mean(d.spread), d.largest) for d in result.draws],
    )


def _paths_figure(result: SigmaResult) -> FigureContent:
    """One pixel over t, a panel for each eta, over the common marginal."""
    t, shown = result.times, [path for paths in result.paths for path in paths.shown]
    centre, half = result.a**0.5 * result.x_0, intervals.Z * (1 - result.a) ** 0.5
    with canvas.canvas(len(result.paths), width=9.6, height=3.4) as figure:
        for axes, paths in zip(figure.axes, result.paths, strict=True):
            canvas.band(axes, 0, t, centre - half, centre + half)
            for i, path in enumerate(paths.shown):
                axes.plot(t, path, color=stroke(i + 1).light, linewidth=1.5)
            axes.set(ylim=(-3.5, 3.5), xlabel="step t")
            axes.set_title(f"η = {paths.eta:g}: correlation {paths.correlation:.2f}", size=12)
        figure.axes[0].set(ylabel="value of one pixel in $x_t$")
    return FigureContent(
        file="forward_paths.png",
        content=figure.png,
        is_chart=True,
        caption="Forward paths of one pixel from one x_0; grey: 95 % of the common marginal. "
        "Correlation: of the noise in x_1 with that in x_T.",
        alt="Three panels, η = 0, 0.5 and 1: paths of one pixel over t inside the same grey band.",
        columns=[
            "t",
            *(f"eta{p.eta:g}_path{i}" for p in result.paths for i in range(len(p.shown))),
        ],
        rows=[(int(s), *np.round(row, 4).tolist()) for s, *row in zip(t, *shown, strict=True)],
    )


def _terms_figure(result: SigmaResult, eta: float) -> FigureContent:
    steps = [step for step in result.terms if step.eta == eta]
    chosen = [steps[round(i)] for i in np.linspace(0, len(steps) - 1, TERM_COLUMNS)]
    images = np.stack([step.images for step in chosen], axis=1)  # [5,columns,C,H,W]
    return FigureContent(
        file="terms.png",
        content=canvas.strips(
            images,
            row_labels=[
                "$x_t$",
                TERMS[0],
                f"+ {TERMS[1]}",
                f"+ {TERMS[2]}",
                "= next x",
            ],
            column_labels=[f"t = {step.t}" for step in chosen],
        ),
        caption=f"The three terms of Eq. 12 at η = {eta:g}, S = {result.S}, each with its factor; "
        "mid-grey is 0.",
        alt="Five rows of images from t large (left) to small (right): x_t, the predicted x_0, "
        "the direction to x_t, the noise, and their sum.",
        columns=["eta", "t", "predicted", "direction", "noise"],
        rows=[(step.eta, step.t, *step.sizes) for step in chosen],
    )


def _sizes_figure(result: SigmaResult) -> FigureContent:
    with canvas.canvas(len(TERM_ETAS), width=8.6) as figure:
        for axes, eta in zip(figure.axes, TERM_ETAS, strict=True):
            steps = [step for step in result.terms if step.eta == eta]
            for i, name in enumerate(TERMS):
                sizes = [step.sizes[i] for step in steps]
                times = [step.t for step in steps]
                canvas.thin_curve(axes, i, times, sizes, name)
            axes.invert_xaxis()
            axes.set_ylim(-0.03, 1.1)
            axes.set(title=f"η = {eta:g}", xlabel="step t, from noise to image")
        figure.axes[0].set(ylabel="root mean square of a pixel")
        canvas.legend_above(figure.axes)
    return FigureContent(
        file="term_sizes.png",
        content=figure.png,
        is_chart=True,
        caption="How large the three terms of Eq. 12 are along the trajectory.",
        alt="Two panels, η = 0 and η = 1: the sizes of the predicted x_0, the direction and the "
        "noise against t.",
        columns=["eta", "t", "predicted", "direction", "noise"],
        rows=[(step.eta, step.t, *step.sizes) for step in result.terms],
    )


def _latents_figure(result: SigmaResult) -> FigureContent:
    images = result.rising[0].images[0]
    return FigureContent(
        file="latents.png",
        content=canvas.strips(
            np.stack([result.latents, images]), row_labels=["latent $x_T$", "image $x_0$"]
        ),
        caption=f"Latents x_T as images, and what each becomes at η = 0 with S = {result.S}.",
        alt="Two rows: noise above; below, the images that the deterministic sampler makes of it.",
        columns=["column", "image"],
        rows=[(i, i) for i in range(len(images))],
    )


def _trajectory_figure(result: SigmaResult) -> FigureContent:
    """Fig. 2 of the paper with our numbers: tau among all T steps, from x_T on the left to x_0."""
    visited, S = [*reversed(result.tau), 0], len(result.tau)
    with canvas.canvas(width=max(5.0, 0.9 * len(visited)), height=1.7) as figure:
        canvas.jumps(figure.axes[0], visited)
    return FigureContent(
        file="trajectory.png",
        content=figure.png,
        is_chart=True,
        caption=f"A trajectory of S = {S} among T = {result.T} steps, as in the paper's Fig. 2: "
        "visited steps t; between them, how many are skipped.",
        alt=f"{S + 1} circles in a row, from t = {visited[0]} to t = 0, with arrows in arcs from "
        "each to the next and the number of skipped steps below each gap.",
        columns=["visit", "t"],
        rows=list(enumerate(visited)),
    )


def _cost_table(result: SigmaResult) -> Table:
    rows: Sequence[tuple[str, int]] = [
        ("one forward pass (a GAN)", 1),
        *((f"S = {S}", count) for S, count in result.evaluations.items()),
    ]
    return table(
        "Evaluations of the network for one image, counted", ["sampler", "evaluations"], rows
    )
