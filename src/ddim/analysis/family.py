"""One network, every sampler (the shared objective): measured, not asserted.

In what sense the ELBO is identical; (a) the marginals of every member, by simulation in both
directions; (b) the weights gamma and J_sigma from one and the same list of per-timestep losses;
(c) DDPM's variational bound; (d) eta = 1 against DDPM's own formulas, step by step.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ddim import sampler, variational
from ddim.analysis.context import LOSSES, PATHS, SIMULATION, Context
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.evaluation import intervals
from ddim.images import to_float
from ddim.noise import Noise
from ddim.objective import q_sample
from ddim.plotting import canvas
from ddim.records.section import Table
from ddim.records.verdict import CONTRADICTED, REPRODUCED, Verdict

TITLE = "One network, every sampler"
CLAIM = (
    "The marginals q(x_t | x_0) are the same for every σ, so the ELBO is identical and one "
    "trained network serves the whole family, DDPM included."
)
SOURCE = "lecture (22:43, 36:43); paper, Sec. 3, Theorem 1"
CHECKPOINTS = 20  # steps at which the simulated marginals are looked at
SIMULATED_ETAS = (0.0, 0.5, 1.0)
FORWARD, BACKWARD = DIRECTIONS = ("forward", "backward")
GREY_LEVELS = 256  # of DDPM's decoder
ROUNDING = 1e-9  # of float64 over a whole chain: two formulas below it are the same


@dataclass(frozen=True)
class Marginal:
    """Simulated x_t around sqrt(a) x_0, in units of 1 - a; deviations in standard errors."""

    eta: float
    direction: str
    t: int
    mean: float
    mean_deviation: float
    variance: float
    variance_deviation: float


@dataclass(frozen=True)
class Bits:
    """J_sigma of one member in bits per dimension: its parts, their sum and its interval."""

    name: str
    key: str
    prior: float  # L_T
    steps: float  # the sum of L_(t-1)
    decoder: float  # L_0
    total: tuple[float, float, float]  # mean, low, high


@dataclass(frozen=True)
class FamilyResult:
    """All four measurements."""

    T: int
    num_images: int
    num_simulations: int
    marginals: tuple[Marginal, ...]
    losses: np.ndarray  # float64 [T]: E |eps - eps_theta|^2 / d at t = 1..T
    gammas: Mapping[float, np.ndarray]  # by eta: float64 [T-1], of t = 2..T
    bits: tuple[Bits, ...]
    ddpm_mean_error: float  # largest relative difference of Eq. 12's mean to DDPM's Eq. 11
    ddpm_std_error: float  # largest difference of sigma to the root of beta-tilde
    num_levels: int  # grey levels that occur in the training images, and that the decoder has
    ddpm_decoder: float  # L_0 by DDPM's decoder over all 256, bits per dimension

    @property
    def l_simple(self) -> float:
        """The loss with all weights 1, which knows no sigma."""
        return float(self.losses.mean())

    @property
    def marginals_agree(self) -> bool:
        """Whether no deviation is larger than chance allows."""
        return self.largest_deviation <= self.allowed_deviation

    @property
    def largest_deviation(self) -> float:
        """Of any simulated mean or variance, in standard errors."""
        return max(max(abs(m.mean_deviation), abs(m.variance_deviation)) for m in self.marginals)

    @property
    def num_comparisons(self) -> int:
        """Means and variances that were compared."""
        return 2 * len(self.marginals)

    @property
    def allowed_deviation(self) -> float:
        """The largest that chance alone explains, at 95 % over all comparisons (Bonferroni)."""
        return float(stats.norm.ppf(1 - 0.05 / 2 / self.num_comparisons))

    @property
    def ddpm_bits(self) -> float:
        """DDPM's variational bound."""
        return next(bits.total[0] for bits in self.bits if bits.key == "ddpm")


def measure(context: Context) -> FamilyResult:
    """Marginals, weighted losses, the bound, and every step of a DDPM trajectory."""
    context.require_images()
    cfg, alpha_bar = context.cfg, context.alpha_bar
    marginals = _marginals(context)
    levels = np.unique(context.train.images)
    losses, bound, ddpm_decoder = _losses(context, levels)
    a, mean_losses = alpha_bar.tolist(), losses.mean(1).numpy()
    gammas = {}
    for eta in cfg.analysis.family.eta:
        sigma = variational.eta(eta)
        weights = (
            variational.gamma(a[t], a[t - 1], sigma(a[t], a[t - 1])) for t in range(2, len(a))
        )
        gammas[eta] = np.array(list(weights))
    mean_error, std_error = _ddpm_steps(context)
    return FamilyResult(
        T=cfg.diffusion.T,
        num_images=cfg.analysis.num_images,
        num_simulations=cfg.analysis.family.num_simulations,
        marginals=tuple(marginals),
        losses=mean_losses,
        gammas=gammas,
        bits=tuple(_bits(cfg.analysis.family.eta, losses, bound, alpha_bar)),
        ddpm_mean_error=mean_error,
        ddpm_std_error=std_error,
        num_levels=len(levels),
        ddpm_decoder=float(ddpm_decoder.mean()),
    )


# --- (a) marginals -------------------------------------------------------------------------------


def _marginals(context: Context) -> list[Marginal]:
    """Simulate q_sigma both ways from real pixels."""
    n = context.cfg.analysis.family.num_simulations
    x0 = context.held_out(context.cfg.analysis.num_images).double().flatten()
    x0 = x0.repeat(-(-n // len(x0)))[:n]
    marginals: list[Marginal] = []
    for i, eta in enumerate(SIMULATED_ETAS):
        for j, direction in enumerate(DIRECTIONS):
            seed = SIMULATION + 2 * i + j
            marginals += _simulated(context.alpha_bar, x0, eta, direction, seed)
    return marginals


def _simulated(
    alpha_bar: Tensor, x0: Tensor, eta: float, direction: str, seed: int
) -> list[Marginal]:
    """One member from x0 [n], float64, in one direction."""
    simulate = (
        variational.simulate_forward if direction == FORWARD else variational.simulate_backward
    )
    generator = torch.Generator().manual_seed(seed)
    T, n = len(alpha_bar) - 1, len(x0)
    checkpoints = {round(t) for t in np.linspace(1, T, min(CHECKPOINTS, T))}

    def randn_like(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=generator).to(x.dtype)

    marginals = []
    for t, x in simulate(x0, alpha_bar, variational.eta(eta), randn_like):
        if t in checkpoints:
            a = float(alpha_bar[t])
            z = sampler.predict_eps(x, x0, a)
            mean, variance = float(z.mean()), float(z.var())
            deviations = (mean * math.sqrt(n), (variance - 1) / math.sqrt(2 / n))
            marginals.append(
                Marginal(eta, direction, t, mean, deviations[0], variance, deviations[1])
            )
    return marginals


# --- the network's errors, which everything else weighs ------------------------------------------


def _losses(context: Context, levels: np.ndarray) -> tuple[Tensor, variational.Bound, Tensor]:
    """Errors of eps on held-out images, the bound at eta = 1, and L_0 over 256 grey levels.

    levels: the data's own grey levels, uint8, rising. Returns errors [T,N] at t = 1..T; the bound's
    decoder and the last [N] are in bits per dimension.
    """
    n, alpha_bar = context.cfg.analysis.num_images, context.alpha_bar
    x0 = context.held_out(n)
    noise = Noise(LOSSES, range(n), context.cfg.image_shape)
    errors = []
    for t in range(1, len(alpha_bar)):
        a, eps = float(alpha_bar[t]), noise.draw()
        x = q_sample(x0, a, eps)
        eps_hat = context.predict(x, t)
        errors.append((eps_hat - eps).double().square().flatten(1).mean(1))
        if t == 1:
            decoded = sampler.predict_x0(x.double(), eps_hat.double(), a)
    losses = torch.stack(errors)
    std = variational.decoder_std(alpha_bar)
    values = to_float(torch.from_numpy(levels)).double()
    decoder = decoder_nats(x0, decoded, std, values) / math.log(2)
    over_256 = variational.decoder_nats(x0, decoded, std) / math.log(2)
    prior = variational.prior_nats(x0, float(alpha_bar[-1])) / math.log(2)
    steps = variational.step_bits(losses, alpha_bar, variational.eta(1.0))
    return losses, variational.Bound(prior, steps, decoder), over_256


def decoder_nats(x0: Tensor, mean: Tensor, std: float, levels: Tensor) -> Tensor:
    """DDPM's discrete decoder for data with grey levels of their own: nats per dimension, [N].

    x0, mean [N,...] on [-1, 1]; levels float64 [K], rising. N(mean, std^2) is integrated over x0's
    bin, which ends half-way to the neighbouring levels; the outermost bins reach to infinity. With
    all 256 levels it is `variational.decoder_nats`.
    """
    x0, mean = x0.double().contiguous(), mean.double()
    middles, infinite = (levels[1:] + levels[:-1]) / 2, torch.full((1,), math.inf).double()
    bins = torch.bucketize(x0, middles)
    lower = (torch.cat([-infinite, middles])[bins] - mean) / std
    upper = (torch.cat([middles, infinite])[bins] - mean) / std
    mirrored = lower + upper > 0  # in the right tail both are near 1: its mirror keeps the digits
    lower, upper = torch.where(mirrored, -upper, lower), torch.where(mirrored, -lower, upper)
    log_upper, log_lower = torch.special.log_ndtr(upper), torch.special.log_ndtr(lower)
    log_p = log_upper + torch.log(-torch.expm1(log_lower - log_upper))
    return -log_p.flatten(1).mean(1)


# --- (c) the bound -------------------------------------------------------------------------------


def _bits(
    etas: list[float], losses: Tensor, bound: variational.Bound, alpha_bar: Tensor
) -> list[Bits]:
    """J_sigma in bits per dimension for every member; eta = 1 is DDPM's variational bound."""

    def bits(name: str, key: str, steps: Tensor) -> Bits:
        parts = (bound.prior, steps.sum(0), bound.decoder)
        prior, middle, decoder = (float(part.mean()) for part in parts)
        total = intervals.of_mean((bound.prior + steps.sum(0) + bound.decoder).numpy())
        return Bits(name, key, prior, middle, decoder, total)

    members = []
    for eta in etas:
        if eta < 1:
            steps = variational.step_bits(losses, alpha_bar, variational.eta(eta))
            members.append(bits(f"η = {eta:g}", f"eta{eta:g}", steps))
    members.append(bits("η = 1: DDPM, variance β-tilde", "ddpm", bound.steps))
    larger = variational.larger_variance_bits(losses, alpha_bar)
    members.append(bits("DDPM, variance β", "ddpm_larger", larger))
    return members


# --- (d) eta = 1 is DDPM -------------------------------------------------------------------------


def _ddpm_steps(context: Context) -> tuple[float, float]:
    """Compare each step of a full chain at eta = 1 with DDPM's Eq. 11 and beta-tilde."""
    a, worst = context.alpha_bar.tolist(), [0.0, 0.0]
    cfg = context.cfg
    noise = Noise(PATHS, range(cfg.analysis.num_shown), cfg.image_shape)
    x = noise.draw().double()
    for t in range(len(a) - 1, 0, -1):
        eps = context.predict(x.float(), t).double()
        sigma, _ = sampler.sigmas(a[t], a[t - 1], 1.0)
        ours, _ = sampler.ddim_step(x, eps, a[t], a[t - 1], sigma)
        theirs = ddpm_mean(x, eps, a[t], a[t - 1])
        worst[0] = max(worst[0], float((ours - theirs).abs().max() / theirs.abs().max()))
        worst[1] = max(worst[1], abs(sigma - variational.ddpm_posterior(a[t], a[t - 1]).std))
        x = theirs + sigma * noise(x)
    return worst[0], worst[1]


def ddpm_mean(x: Tensor, eps: Tensor, a: float, a_prev: float) -> Tensor:
    """DDPM's Eq. 11: (x_t - beta / sqrt(1 - a) eps) / sqrt(1 - beta)."""
    beta = 1 - a / a_prev
    return (x - beta / math.sqrt(1 - a) * eps) / math.sqrt(1 - beta)


# --- presentation ---------------------------------------------------------------------------------


def present(result: FamilyResult) -> SectionContent:
    """What "identical ELBO" means, and the four measurements (a) to (d)."""
    verb = "agree with" if result.marginals_agree else "differ from"
    first = result.bits[0]
    return SectionContent(
        finding=(
            f"Simulated both ways, the marginals {verb} the claimed ones for η = 0, 0.5 and 1; "
            f"weighted by γ, the same losses give {first.total[0]:.2f} ({first.name}) and "
            f"{result.ddpm_bits:.2f} (DDPM) bits per dimension; η = 1 is DDPM's step to "
            f"{_step_error(result):.0e}."
        ),
        text="\n\n".join(
            (
                _on_elbo(result),
                _on_marginals(result),
                ON_WEIGHTS,
                _on_bound(result),
                _on_steps(result),
            )
        ),
        numbers={
            "marginal_largest_deviation": result.largest_deviation,
            "marginal_allowed_deviation": result.allowed_deviation,
            "l_simple": result.l_simple,
            **{f"bits_{bits.key}": bits.total[0] for bits in result.bits},
            "num_grey_levels": result.num_levels,
            "ddpm_mean_error": result.ddpm_mean_error,
            "ddpm_std_error": result.ddpm_std_error,
        },
        verdicts=(_on_marginals_verdict(result), _on_steps_verdict(result)),
        figures=(_marginals_figure(result), _gamma_figure(result)),
        tables=(_bits_table(result),),
    )


def _step_error(result: FamilyResult) -> float:
    return max(result.ddpm_mean_error, result.ddpm_std_error)


def _on_marginals_verdict(result: FamilyResult) -> Verdict:
    """A claim of equality: none of many deviations may be larger than chance allows."""
    return Verdict(
        claim="q(x_t | x_0) is the same for every σ",
        source="lecture (22:43); paper, Lemma 1",
        paper="",
        ours=f"largest deviation {result.largest_deviation:.1f} standard errors",
        test=f"{result.num_comparisons} comparisons allow {result.allowed_deviation:.1f} together",
        word=REPRODUCED if result.marginals_agree else CONTRADICTED,
    )


def _on_steps_verdict(result: FamilyResult) -> Verdict:
    error = _step_error(result)
    return Verdict(
        claim="η = 1 over all T steps is DDPM's sampler",
        source="lecture, Case 1; paper, Sec. 4.1",
        paper="",
        ours=f"steps differ by at most {error:.0e}",
        test=f"every step of a chain; rounding: {ROUNDING:.0e}",
        word=REPRODUCED if error <= ROUNDING else CONTRADICTED,
    )


def _on_elbo(result: FamilyResult) -> str:
    """In what sense the lecture's sentence is true, and in what sense it is not."""
    etas = list(result.gammas)
    low, high = etas[0], etas[-1]
    ratio = result.gammas[low] / result.gammas[high]
    return (
        '**"Identical ELBO" (lecture, 22:43).** True: the marginals are the same, so every J_σ is '
        "a weighted sum of the same losses E ||ε - ε_θ||² with the same minimiser (if the network "
        "shares no parameters between steps, or is perfect); with all weights 1 it is the same "
        f"L_simple for every σ, here {result.l_simple:.4f}. Not true: the value. The weights γ_t "
        f"depend on σ: those of η = {low:g} are {ratio.min():.3g} to {ratio.max():.3g} times those "
        f"of η = {high:g}, so the bounds in the table differ, and as σ → 0 they grow without bound."
    )


def _on_marginals(result: FamilyResult) -> str:
    return (
        f"**(a)** {result.num_simulations} pixels of held-out images were sent through all "
        f"{result.T} steps of the non-Markovian forward process q_σ(x_t | x_{{t-1}}, x_0), and "
        "as many through the backward one, for η = 0, 0.5 and 1. Mean and variance were compared "
        f"with the claimed marginal N(√a x_0, 1 - a) {result.num_comparisons} times; the largest "
        f"deviation is {result.largest_deviation:.1f} standard errors (so many comparisons allow "
        f"{result.allowed_deviation:.1f}, at 95 % together). At η = 0 a path keeps its one draw "
        "of noise, so its points in the figure lie in a line."
    )


ON_WEIGHTS = (
    "**(b)** J_σ is a weighted sum of the losses on the left of the second figure; σ enters "
    "through the weights γ_t alone. The weights shown are those of t = 2..T; t = 1 is not weighed "
    "by γ_1 but by L_0, DDPM's discrete decoder, the same fixed one for every η. (The "
    "deterministic member has no finite J_σ; it is served by the same minimiser all the same. The "
    "paper's appendix prints γ_t = 1/(2dσ_t²a_t) up to factors; here they are exact, with the "
    "factors.)"
)


def _on_bound(result: FamilyResult) -> str:
    """The bound, and whether it may be compared with bits per dimension of other papers."""
    levels = result.num_levels
    text = (
        f"**(c)** At η = 1, J_σ is DDPM's variational bound: L_T + Σ L_(t-1) + L_0. On "
        f"{result.num_images} held-out images, every t once per image: {result.ddpm_bits:.3f} bits "
        "per dimension."
    )
    if levels == GREY_LEVELS:
        return f"{text} The training images have all {GREY_LEVELS} grey levels of DDPM's decoder."
    ddpm = next(bits for bits in result.bits if bits.key == "ddpm")
    over_256 = ddpm.total[0] - ddpm.decoder + result.ddpm_decoder
    return (
        f"{text} **Not comparable with other papers' bits per dimension:** {levels} of "
        f"{GREY_LEVELS} grey levels occur in the training images, so L_0 is the discrete decoder "
        f"over those {levels} (a uniform guess: {math.log2(levels):.2f} bits). With DDPM's decoder "
        f"over all {GREY_LEVELS} it is {over_256:.3f}."
    )


def _on_steps(result: FamilyResult) -> str:
    return (
        f"**(d)** Along a whole chain at η = 1 with the trained network, the mean of Eq. 12 "
        f"differs from DDPM's Eq. 11 by at most {result.ddpm_mean_error:.1e} (relative) and σ "
        f"from √β-tilde by at most {result.ddpm_std_error:.1e}. (β-tilde = (1 - a_prev)/(1 - a) "
        "β; the lecture's Case 1 prints 1 - β for the last factor, a misprint.)"
    )


def _bits_table(result: FamilyResult) -> Table:
    columns = ["p_θ", "L_T", "sum of L_(t-1)", "L_0", "total", "low", "high"]
    return table(
        f"Bits per dimension on {result.num_images} held-out images, from the same losses; L_0 "
        f"over the {result.num_levels} grey levels that occur",
        columns,
        [(b.name, b.prior, b.steps, b.decoder, *b.total) for b in result.bits],
    )


def _marginals_figure(result: FamilyResult) -> FigureContent:
    """All deviations in standard errors, in the one band that they may fill."""
    with canvas.canvas(width=8.0, height=4.0) as figure:
        (axes,) = figure.axes
        canvas.allowed(axes, result.allowed_deviation, "allowed")
        for i, eta in enumerate(SIMULATED_ETAS):
            every = [m for m in result.marginals if m.eta == eta]
            t = [m.t + (i - 1) * result.T / 150 for m in every]  # dodged
            z = [(m.mean_deviation, m.variance_deviation) for m in every]
            canvas.dots(axes, i, [*t, *t], [*(m for m, _ in z), *(v for _, v in z)], f"η = {eta:g}")
        largest = max(result.largest_deviation, result.allowed_deviation)
        axes.set(xlabel="step t", ylabel="deviation in standard errors")
        axes.set_ylim(-1.15 * largest, 1.15 * largest)
        canvas.legend_above(figure.axes)
    return FigureContent(
        file="marginals.png",
        content=figure.png,
        is_chart=True,
        caption=f"Means and variances of simulated x_t against the claimed marginal: "
        f"{result.num_comparisons} deviations; chance allows ±{result.allowed_deviation:.1f}.",
        alt="Dots for η = 0, 0.5 and 1 over t, in standard errors around 0, and the grey band of "
        f"what chance allows; the largest is {result.largest_deviation:.1f}.",
        columns=["eta", "direction", "t", "mean", "mean_off", "variance", "variance_off"],
        rows=[tuple(vars(marginal).values()) for marginal in result.marginals],
    )


def _gamma_figure(result: FamilyResult) -> FigureContent:
    """gamma_t of several members beside the losses that they weigh."""
    losses, T = result.losses, len(result.losses)
    t = np.arange(2, T + 1)
    with canvas.canvas(2, width=7.4) as figure:
        left, right = figure.axes
        canvas.thin_curve(left, 4, np.arange(1, T + 1), losses, "loss")
        left.set(
            xlabel="step t",
            ylabel=r"$E\,\|\epsilon-\epsilon_\theta\|^2/d$",
            title="one list of losses",
            yscale="log",
        )
        for i, (eta, gamma) in enumerate(result.gammas.items()):
            canvas.thin_curve(right, i, t, gamma, f"η = {eta:g}")
        right.set(
            xlabel="step t",
            ylabel=r"weight $\gamma_t$",
            title="many lists of weights",
            yscale="log",
        )
        canvas.legend_above([right])
    columns = [losses[1:], *result.gammas.values()]
    return FigureContent(
        file="gamma.png",
        content=figure.png,
        is_chart=True,
        caption="The trained network's loss at each t on held-out images, and the weights that "
        "members of the family give to it.",
        alt=f"Left, the loss against t, {losses[0]:.2g} at t = 1 and {losses[-1]:.2g} at "
        f"t = {T}. Right, the weights γ of several η against t, on logarithmic axes.",
        columns=["t", "loss", *(f"gamma_eta{eta:g}" for eta in result.gammas)],
        rows=[(int(s), *map(float, row)) for s, *row in zip(t, *columns, strict=True)],
    )
