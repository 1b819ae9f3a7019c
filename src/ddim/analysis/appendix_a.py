"""Appendix A, which the paper leaves as theory: DDIM on binary images, trained and sampled.

One network learns p(x_0 | x_t) of the binarised images with a cross-entropy; every eta and every
trajectory then samples from it, as in the Gaussian case. Trains with the experiment's recipe, in
this stage: nothing else of the pipeline uses these weights, so none are kept.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from ddim import multinomial, schedule
from ddim.analysis.context import Context
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.config.schema import Config
from ddim.evaluation import hypotheses, intervals
from ddim.evaluation.fid import ReferenceStatistics
from ddim.evaluation.fid import fid as frechet_distance
from ddim.noise import Noise
from ddim.objective import ema_decay, hflip, lr_factor
from ddim.plotting import canvas
from ddim.records.section import Table, Value
from ddim.records.verdict import CONTRADICTED, REPRODUCED, Verdict
from ddim.runtime.progress import track
from ddim.unet import UNet

TITLE = "The discrete case (Appendix A)"
CLAIM = (
    "The construction is not tied to Gaussian noise: a non-Markovian process with the right "
    "marginals exists for discrete data as well, and has a deterministic-like end of its own."
)
SOURCE = "paper, Appendix A"
CHECKPOINTS = 10  # steps at which simulated marginals are looked at
NUM_SIMULATIONS = 20_000  # pixels behind each of them
SIMULATION_SEED = 1100
CLASSES = 2  # of a binary pixel
DODGE = 1.03  # between the points of two eta in the figure, times their abscissa
MAX_UNIFORM = 1 - 2**-24  # the float32 before 1: a uniform number stays below 1


@dataclass(frozen=True)
class DiscreteCell:
    """One eta and S: FID with its interval, the share of light pixels, the first images."""

    eta: float
    S: int
    fid: intervals.Estimate
    light: float
    images: np.ndarray  # uint8 [num_shown,C,H,W]


@dataclass(frozen=True)
class DiscreteMarginal:
    """How many of the simulated x_t still are x_0, in standard errors off the claimed share."""

    eta: float
    t: int
    share: float
    deviation: float


@dataclass(frozen=True)
class Floor:
    """FID of the held-out images, and of as many images of the best cell."""

    n: int
    real: intervals.Estimate
    best: intervals.Estimate


@dataclass(frozen=True)
class DiscreteResult:
    """Every cell of the sweep, and what it was trained and sampled with."""

    T: int
    train_steps: int
    num_images: int
    light: float  # share of light pixels in the training images
    real: np.ndarray  # the first of these, uint8 [num_shown,C,H,W]
    floor: Floor | None  # None where there are no held-out images to compare with
    cells: tuple[DiscreteCell, ...]
    marginals: tuple[DiscreteMarginal, ...]

    @property
    def etas(self) -> list[float]:
        """Rising."""
        return sorted({cell.eta for cell in self.cells})

    @property
    def steps(self) -> list[int]:
        """Rising."""
        return sorted({cell.S for cell in self.cells})

    @property
    def best(self) -> DiscreteCell:
        """The cell with the lowest FID."""
        return min(self.cells, key=lambda cell: cell.fid.value)

    def at(self, eta: float, S: int) -> DiscreteCell:
        """One cell."""
        return next(cell for cell in self.cells if (cell.eta, cell.S) == (eta, S))

    def order_of_eta(self) -> hypotheses.Decision | None:
        """Whether FID rises with eta at the fewest steps; image i starts from one x_T at each."""
        S = self.steps[0]
        comparisons = [
            _lower(self.at(less, S), self.at(more, S)) for less, more in pairwise(self.etas)
        ]
        return hypotheses.decide(comparisons) if comparisons else None

    @property
    def largest_deviation(self) -> float:
        """Of any simulated marginal, in standard errors."""
        return max(abs(marginal.deviation) for marginal in self.marginals)

    @property
    def allowed_deviation(self) -> float:
        """The largest that chance alone explains, at 95 % over all comparisons (Bonferroni)."""
        return NormalDist().inv_cdf(1 - 0.05 / 2 / len(self.marginals))


def measure(context: Context) -> DiscreteResult:
    """Train on the binarised training images, sample the sweep's grid, measure every cell."""
    cfg, device = context.cfg, context.device
    images = binarised(np.array(context.train.images))
    network = train(cfg, images, device)
    reference = ReferenceStatistics.of(context.features(pictures(images)))
    grid = [(eta, S) for eta in _etas(cfg) for S in sorted(cfg.sweep.steps)]
    cells, features = [], []
    with track(len(grid), "discrete cells") as advance:
        for eta, S in grid:
            x = sample(cfg, network, S, eta, device)
            features.append(context.features(pictures(x)))
            fid = frechet_distance(features[-1], reference)
            first = pictures(x[: cfg.analysis.num_shown])
            cells.append(DiscreteCell(eta, S, fid, float(x.float().mean()), first))
            advance()
    best = min(range(len(cells)), key=lambda i: cells[i].fid.value)
    return DiscreteResult(
        T=cfg.diffusion.T,
        train_steps=cfg.train.steps,
        num_images=cfg.sample.num_images,
        light=float(images.float().mean()),
        real=pictures(images[: cfg.analysis.num_shown]),
        floor=_floor(context, features[best], reference),
        cells=tuple(cells),
        marginals=tuple(m for eta in _etas(cfg) for m in simulated(images, cfg.diffusion.T, eta)),
    )


def _floor(context: Context, best: np.ndarray, reference: ReferenceStatistics) -> Floor | None:
    """At the number of images that both sides have; best: features of the best cell."""
    n = min(len(context.test.images), len(best))
    if n < 2:
        return None
    real = pictures(binarised(np.array(context.test.images[:n])))
    measured = frechet_distance(context.features(real), reference)
    return Floor(n, measured, frechet_distance(best[:n], reference))


def _lower(first: DiscreteCell, second: DiscreteCell) -> hypotheses.Comparison:
    """FID of the first less that of the second, paired by image."""
    (a,), (b,) = first.fid.parts, second.fid.parts
    error = math.sqrt(max(intervals.covariance((a - b,), (a - b,)), 0.0))
    name = f"S = {first.S}: η = {first.eta:g} against η = {second.eta:g}"
    return hypotheses.z_test(name, first.fid.value - second.fid.value, error)


def simulated(images: Tensor, T: int, eta: float) -> list[DiscreteMarginal]:
    """Simulate q_sigma(x_{t-1} | x_t, x_0) down from x_T, uniform, for pixels of `images`.

    App. A claims q(x_t = x_0 | x_0) = a + (1 - a) / K. Steps near 0, where the share is so near 1
    that its error is not normal, are left out.
    """
    generator = torch.Generator().manual_seed(SIMULATION_SEED)
    flat, alpha = images.flatten(), multinomial.alpha(T).tolist()
    x_0 = flat[torch.randint(len(flat), (NUM_SIMULATIONS,), generator=generator)]
    x = torch.randint(CLASSES, x_0.shape, generator=generator)
    one_hot = F.one_hot(x_0, CLASSES).double()
    checkpoints = {round(t) for t in np.linspace(max(1, T // 10), T, min(CHECKPOINTS, T))}
    marginals = []
    for t in range(T, 0, -1):
        if t in checkpoints:
            p, share = alpha[t] + (1 - alpha[t]) / CLASSES, float((x == x_0).double().mean())
            error = (p * (1 - p) / NUM_SIMULATIONS) ** 0.5
            marginals.append(DiscreteMarginal(eta, t, share, (share - p) / error))
        a, a_prev = alpha[t], alpha[t - 1]
        sigma = multinomial.sigma(a, a_prev, eta)
        x_one_hot = F.one_hot(x, CLASSES).double()
        light = multinomial.posterior(x_one_hot, one_hot, a, a_prev, sigma)[..., 1]
        x = (torch.rand(x.shape, generator=generator).double() < light).long()
    return marginals


def binarised(images: np.ndarray) -> Tensor:
    """Classes 0 (dark) and 1 (light), int64 of uint8 images' shape: light from 128 on."""
    return torch.from_numpy((images >= 128).astype(np.int64))


def pictures(x: Tensor) -> np.ndarray:
    """uint8 images, 0 and 255, of classes."""
    return np.asarray((x * 255).to(torch.uint8).cpu().numpy())


def train(cfg: Config, images: Tensor, device: torch.device) -> torch.nn.Module:
    """The averaged network whose output is the logit of p(x_0 = 1 | x_t), pixel by pixel.

    images: classes int64 [N,C,H,W]. The objective is App. A's cross-entropy with all weights 1.
    """
    seeds = np.random.SeedSequence(cfg.seed).generate_state(3).tolist()
    initial, batches, steps = seeds  # steps: the network's own draws (dropout)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(initial)
        network = UNet(**cfg.network).to(device).train()
        torch.manual_seed(steps)
        return _fit(cfg, network, images, torch.Generator().manual_seed(batches))


def _fit(
    cfg: Config, network: torch.nn.Module, images: Tensor, generator: torch.Generator
) -> torch.nn.Module:
    """Train `network` where it lies; `generator` draws the batches, t, the flips and x_t."""
    recipe, alpha = cfg.train, multinomial.alpha(cfg.diffusion.T)
    decay_to = recipe.steps if recipe.lr_decay == "cosine" else None
    device = next(network.parameters()).device
    average = _average(network, recipe.ema_decay)
    optimizer = torch.optim.Adam(network.parameters(), recipe.lr)
    with track(recipe.steps, "discrete training") as advance:
        for step in range(recipe.steps):
            x_0 = _batch(cfg, images, generator)
            t = torch.randint(1, len(alpha), (len(x_0),), generator=generator)
            x_t = diffuse(x_0, alpha[t], generator)
            logits = network(_inside(x_t).to(device), t.to(device))
            loss = F.binary_cross_entropy_with_logits(logits, x_0.float().to(device))
            if not loss.isfinite():
                raise ValueError(
                    f"the discrete loss is {loss.item()} at step {step}: lower train.lr"
                )
            factor = lr_factor(step, warmup=recipe.warmup, decay_to=decay_to)
            optimizer.param_groups[0]["lr"] = recipe.lr * factor
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.grad_clip)
            optimizer.step()
            average.update_parameters(network)
            advance(note=f"loss {loss.item():.3f}" if step % recipe.log_every == 0 else "")
    trained: torch.nn.Module = average.module.eval()
    return trained


def _batch(cfg: Config, images: Tensor, generator: torch.Generator) -> Tensor:
    """train.batch_size images with replacement, half of them mirrored where data.flip is set."""
    size = cfg.train.batch_size
    x_0 = images[torch.randint(len(images), (size,), generator=generator)]
    if not cfg.data.flip:
        return x_0
    return hflip(x_0, torch.rand(size, generator=generator) < 0.5)


def _average(network: torch.nn.Module, decay: float) -> AveragedModel:
    """The moving average with the Gaussian training's decay."""

    def move(averages: Any, parameters: Any, n: Any) -> None:
        torch._foreach_lerp_(averages, parameters, 1 - ema_decay(int(n), decay))

    return AveragedModel(network, multi_avg_fn=torch.no_grad()(move))


def diffuse(x_0: Tensor, a: Tensor, generator: torch.Generator) -> Tensor:
    """A draw of q(x_t | x_0): each pixel is kept with probability a [N], else resampled."""
    keep = torch.rand(x_0.shape, generator=generator) < a.reshape(-1, *[1] * (x_0.ndim - 1))
    resampled = torch.randint(CLASSES, x_0.shape, generator=generator)
    return torch.where(keep, x_0, resampled)


def sample(
    cfg: Config, network: torch.nn.Module, S: int, eta: float, device: torch.device
) -> Tensor:
    """sample.num_images images as classes int64 [n,C,H,W]; image i depends on (seed, i) alone.

    tau_i = floor(i T / S), not the configured spacing: x_T is uniform at T alone.
    """
    noise = Noise(cfg.sweep.seeds[0], range(cfg.sample.num_images), cfg.image_shape, device)

    def uniform(_: Tensor) -> Tensor:
        return torch.special.ndtr(noise.draw()).clamp(max=MAX_UNIFORM)

    @torch.inference_mode()
    def predict(x: Tensor, t: Tensor) -> Tensor:
        p = torch.cat([
            network(_inside(part), steps).sigmoid()
            for part, steps in zip(
                x.split(cfg.sample.batch_size), t.split(cfg.sample.batch_size), strict=True
            )
        ])  # fmt: skip
        return torch.stack([1 - p, p], dim=-1)

    x_T = (noise.draw() > 0).long()
    tau, alpha = trajectory(cfg.diffusion.T, S), multinomial.alpha(cfg.diffusion.T)
    return multinomial.sample(predict, x_T, CLASSES, alpha, tau, eta, rand_like=uniform).cpu()


def trajectory(T: int, S: int) -> list[int]:
    """tau_i = floor(i T / S) for i = 1..S: it ends at T, where a = 0."""
    return [(i + 1) * T // S for i in range(S)]


def _inside(x: Tensor) -> Tensor:
    """Classes as the network sees them: -1 and 1."""
    return x.float() * 2 - 1


def _etas(cfg: Config) -> list[float]:
    """The sweep's numbers; sigma-hat has no discrete counterpart."""
    etas = [float(eta) for eta in cfg.sweep.eta if eta != schedule.HAT]
    if not etas:
        raise ValueError(f"sweep.eta needs a number for the discrete case, got {cfg.sweep.eta}")
    return etas


# --- presentation ---------------------------------------------------------------------------------


def present(result: DiscreteResult) -> SectionContent:
    """FID by eta and S, its curve, and the first images of some cells."""
    cells = result.cells
    return SectionContent(
        finding=_finding(result),
        text=_text(result),
        numbers={f"fid_eta{cell.eta:g}_S{cell.S}": cell.fid.value for cell in cells}
        | {
            "marginal_largest_deviation": result.largest_deviation,
            "marginal_allowed_deviation": result.allowed_deviation,
        },
        verdicts=(_verdict(result),),
        figures=(_curves(result), _samples(result)),
        tables=(_table(result),),
    )


def _finding(result: DiscreteResult) -> str:
    fewest, best = result.steps[0], result.best
    row = ", ".join(f"{result.at(eta, fewest).fid.value:.2f}" for eta in result.etas)
    text = (
        "One network trained on binary images serves every η and S here too: the lowest FID is "
        f"{best.fid.value:.2f} (η = {best.eta:g}, S = {best.S})"
    )
    order = result.order_of_eta()
    if order is None:
        return f"{text}."
    etas = ", ".join(f"{eta:g}" for eta in result.etas)
    word = "rises with η" if order.word == REPRODUCED else "does not clearly rise with η"
    return f"{text}; at S = {fewest}, FID {word}: {row} at η = {etas} ({order.summary}, paired)."


def _text(result: DiscreteResult) -> str:
    floor = result.floor
    of_real = (
        f" FID falls with n; of {floor.n} images, held-out binarised ones have "
        f"{floor.real.value:.2f}, those of the best cell {floor.best.value:.2f}."
        if floor is not None
        else ""
    )
    return (
        f"Pixels are light from 128 on ({result.light:.1%} are). {result.num_images} images a "
        f"cell, {result.train_steps} steps of training, a = 1 - t/T, T = {result.T}; "
        "τ_i = ⌊i T / S⌋, so every trajectory begins with the uniform x_T. η names the range that "
        "the paper leaves open: at η = 0 a pixel is kept or takes the prediction and is never "
        "resampled, though which of the two is drawn, so that one x_T gives many images; at η = 1 "
        f"nothing is kept but through the prediction.{of_real}\n\n"
        f"Marginals: {NUM_SIMULATIONS} pixels were sent down q_σ(x_{{t-1}} | x_t, x_0) for each η; "
        "the share that still has x_0's value was compared with a + (1 - a)/2 "
        f"{len(result.marginals)} times; the largest deviation is {result.largest_deviation:.1f} "
        f"standard errors, chance allows {result.allowed_deviation:.1f}."
    )


def _verdict(result: DiscreteResult) -> Verdict:
    """A claim of equality: no deviation may be larger than chance allows."""
    agree = result.largest_deviation <= result.allowed_deviation
    return Verdict(
        claim="The discrete process has the same marginals for every η",
        source=SOURCE,
        paper="",
        ours=f"largest deviation {result.largest_deviation:.1f} standard errors",
        test=f"{len(result.marginals)} comparisons allow {result.allowed_deviation:.1f} together",
        word=REPRODUCED if agree else CONTRADICTED,
    )


def _table(result: DiscreteResult) -> Table:
    def field(cell: DiscreteCell) -> Value:
        low, high = cell.fid.interval
        return f"{cell.fid.value:.2f} ({low:.2f} – {high:.2f})"

    return table(
        f"FID of {result.num_images} binary samples against the binarised training images, 95 % "
        "interval",
        ["η", *(f"S = {S}" for S in result.steps)],
        [[f"{eta:g}", *(field(result.at(eta, S)) for S in result.steps)] for eta in result.etas],
    )


def _curves(result: DiscreteResult) -> FigureContent:
    with canvas.canvas(width=7.0, height=4.2) as figure:
        (axes,) = figure.axes
        for i, eta in enumerate(result.etas):
            fid = [result.at(eta, S).fid for S in result.steps]
            x = [S * DODGE ** (i - (len(result.etas) - 1) / 2) for S in result.steps]
            canvas.curve(axes, i, x, [each.value for each in fid], f"η = {eta:g}")
            canvas.whiskers(axes, i, x, *zip(*(each.interval for each in fid), strict=True))
        axes.set(xlabel="number of steps S", ylabel="FID")
        canvas.log_y(axes)
        canvas.ticks(axes, result.steps)
        canvas.legend_above(figure.axes)
    return FigureContent(
        file="fid.png",
        content=figure.png,
        is_chart=True,
        caption=f"FID of {result.num_images} binary images against the number of steps. Bars: "
        "95 % intervals; those of one S stand side by side.",
        alt=f"A curve of FID against S for each of {len(result.etas)} η, on logarithmic axes.",
        columns=["eta", "S", "fid", "low", "high", "light"],
        rows=[(c.eta, c.S, c.fid.value, *c.fid.interval, c.light) for c in result.cells],
    )


def _samples(result: DiscreteResult) -> FigureContent:
    """Few, some and most steps for each eta, and real images below."""
    steps = result.steps
    shown = sorted({steps[0], steps[len(steps) // 2], steps[-1]})
    cells = [result.at(eta, S) for eta in result.etas for S in shown]
    width = min(len(result.real), *(len(cell.images) for cell in cells))
    rows = [*(cell.images[:width] for cell in cells), result.real[:width]]
    return FigureContent(
        file="samples.png",
        content=canvas.strips(
            np.stack(rows),
            row_labels=[*(f"η = {c.eta:g}, S = {c.S}" for c in cells), "real, binarised"],
            group=len(shown),
        ),
        caption="The first images of the cells, none selected; one column, one x_T. Below, "
        "binarised training images.",
        alt="Blocks of rows of binary images, one block for each η, from few steps to many; below "
        "them a row of real ones.",
        columns=["row", "eta", "S"],
        rows=[(i, cell.eta, cell.S) for i, cell in enumerate(cells)],
    )
