"""One network, every sampler (the shared objective): measured, not asserted.

(a) the marginals of every member, by simulation in both directions; (b) the weights gamma and
J_sigma from one and the same list of per-timestep losses; (c) DDPM's variational bound; (d) eta = 1
against DDPM's own formulas, step by step.
"""

import math

import numpy as np
import torch
from torch import Tensor

from ddim import sampler, variational
from ddim.analysis.context import LOSSES, PATHS, SIMULATION, Bench
from ddim.evaluation import intervals
from ddim.noise import Noise
from ddim.plotting import canvas
from ddim.records.section import Section

CLAIM = (
    "The marginals q(x_t | x_0) are the same for every σ, so the training objective is the same "
    "and one trained network serves the whole family, DDPM included."
)
CHECKPOINTS = 20  # steps at which the simulated marginals are looked at


def section(bench: Bench) -> Section:
    """All four measurements."""
    made = Section("family", 7, "One network, every sampler", CLAIM)
    outside = _marginals(bench, made)
    losses, bound = _losses(bench)
    _weights(bench, losses, made)
    bits = _bound(bench, losses, bound, made)
    step_error = _ddpm_steps(bench, made)
    made.finding = (
        f"{outside}; the same per-timestep losses give DDPM's bound, {bits:.2f} bits per "
        f"dimension on held-out images, and every other J_σ; η = 1 differs from DDPM's own step "
        f"by at most {step_error:.0e}."
    )
    return made


# --- (a) marginals -------------------------------------------------------------------------------


def _marginals(bench: Bench, made: Section) -> str:
    """Simulate q_sigma both ways from real pixels; how often the 95 % interval holds the truth."""
    n = bench.cfg.analysis.num_simulations
    x0 = bench.held_out(bench.cfg.analysis.num_images).double().flatten()
    x0 = x0.repeat(-(-n // len(x0)))[:n]
    rows: list[list] = []
    for i, eta in enumerate((0.0, 0.5, 1.0)):
        for j, direction in enumerate(("forward", "backward")):
            rows += _simulated(bench, x0, eta, direction, seed=SIMULATION + 2 * i + j)
    off = max(max(abs(row[4]), abs(row[6])) for row in rows)
    allowed = float(torch.special.ndtri(torch.tensor(1 - 0.05 / 2 / (2 * len(rows)))))
    made.numbers |= {"marginal_largest_deviation": off, "marginal_allowed_deviation": allowed}
    made.text = (
        f"**(a)** {n} pixels of held-out images were sent through all {bench.cfg.diffusion.T} "
        "steps of the non-Markovian forward process q_σ(x_t | x_{t-1}, x_0), and as many through "
        "the backward one, for η = 0, 0.5 and 1. Mean and variance were held against the claimed "
        f"marginal N(√a x_0, 1 - a) {2 * len(rows)} times; the largest deviation is {off:.1f} "
        f"standard errors (so many looks allow {allowed:.1f}, at 95 % together)."
    )
    _marginals_figure(rows, n, made)
    verdict = "agree with" if off <= allowed else "differ from"
    return f"Simulated both ways, the marginals {verdict} the claimed ones for η = 0, 0.5 and 1"


def _simulated(bench: Bench, x0: Tensor, eta: float, direction: str, seed: int) -> list[list]:
    """[eta, direction, t, mean, its deviation in standard errors, variance, its deviation]."""
    simulate = (
        variational.simulate_forward if direction == "forward" else variational.simulate_backward
    )
    generator = torch.Generator().manual_seed(seed)
    T, n = bench.cfg.diffusion.T, len(x0)
    looked_at = {round(t) for t in np.linspace(1, T, min(CHECKPOINTS, T))}

    def randn_like(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=generator).to(x.dtype)

    rows: list[list] = []
    for t, x in simulate(x0, bench.alpha_bar, variational.eta(eta), randn_like):
        if t in looked_at:
            a = float(bench.alpha_bar[t])
            z = (x - math.sqrt(a) * x0) / math.sqrt(1 - a)
            mean, variance = float(z.mean()), float(z.var())
            off = (mean * math.sqrt(n), (variance - 1) / math.sqrt(2 / n))
            rows.append([eta, direction, t, mean, off[0], variance, off[1]])
    return rows


def _marginals_figure(rows: list[list], n: int, made: Section) -> None:
    half = intervals.Z * math.sqrt(2 / n)
    with canvas.canvas(2, width=7.4) as drawn:
        for axes, direction in zip(drawn.axes, ("forward", "backward"), strict=True):
            for i, eta in enumerate((0.0, 0.5, 1.0)):
                mine = sorted(row[2:] for row in rows if row[:2] == [eta, direction])
                t, variance = [row[0] for row in mine], [row[3] for row in mine]
                canvas.thin_curve(axes, i, t, variance, f"η = {eta:g}")
                canvas.band(
                    axes,
                    i,
                    t,
                    [v * (1 - half) for v in variance],
                    [v * (1 + half) for v in variance],
                )
            axes.axhline(1, color="#6b6b6b", linewidth=1, linestyle=":")
            axes.set(xlabel="t", ylabel="variance / (1 - a)", title=f"simulated {direction}")
        drawn.axes[0].legend()
    made.figure(
        "marginals.png",
        drawn.png,
        caption="Variance of simulated x_t around √a x_0, in units of 1 - a, with 95 % intervals: "
        "1 (dotted) for every member of the family.",
        alt="Two panels, forward and backward simulation; three curves each, for η = 0, 0.5 and "
        f"1, between {min(row[5] for row in rows):.3f} and {max(row[5] for row in rows):.3f}.",
        columns=["eta", "direction", "t", "mean", "mean_off", "variance", "variance_off"],
        rows=rows,
    )


# --- the network's errors, which everything else weighs ------------------------------------------


def _losses(bench: Bench) -> tuple[Tensor, variational.Bound]:
    """(errors [T, N] of eps at t = 1..T on held-out images, the bound at eta = 1)."""
    n, alpha_bar = bench.cfg.analysis.num_images, bench.alpha_bar
    x0 = bench.held_out(n)
    noise = Noise(LOSSES, range(n), bench.cfg.image_shape)
    errors = []
    for t in range(1, len(alpha_bar)):
        a, eps = float(alpha_bar[t]), noise.draw()
        x = math.sqrt(a) * x0 + math.sqrt(1 - a) * eps
        eps_hat = bench.predict(x, t)
        errors.append((eps_hat - eps).double().square().flatten(1).mean(1))
        if t == 1:
            decoded = sampler.predict_x0(x.double(), eps_hat.double(), a)
    losses = torch.stack(errors)
    decoder = variational.decoder_nats(x0, decoded, variational.decoder_std(alpha_bar)) / math.log(
        2
    )
    prior = variational.prior_nats(x0, float(alpha_bar[-1])) / math.log(2)
    return losses, variational.Bound(
        prior, variational.step_bits(losses, alpha_bar, variational.eta(1.0)), decoder
    )


# --- (b) Theorem 1 -------------------------------------------------------------------------------


def _weights(bench: Bench, losses: Tensor, made: Section) -> None:
    """gamma_t of several members over the same losses."""
    a = bench.alpha_bar.tolist()
    t = np.arange(2, len(a))
    loss = losses.mean(1)
    rows = [[int(s), float(loss[s - 1])] for s in t]
    members = bench.cfg.analysis.eta
    for eta in members:
        sigma = variational.eta(eta)
        for row in rows:
            s = int(row[0])
            row.append(variational.gamma(a[s], a[s - 1], sigma(a[s], a[s - 1])))
    with canvas.canvas(2, width=7.4) as drawn:
        left, right = drawn.axes
        canvas.thin_curve(left, 0, np.arange(1, len(a)), loss.numpy(), "loss")
        left.set(xlabel="t", ylabel="E ||ε - ε_θ||² / d", title="one list of losses", yscale="log")
        for i, eta in enumerate(members):
            canvas.thin_curve(right, i, t, [row[2 + i] for row in rows], f"η = {eta:g}")
        right.set(xlabel="t", ylabel="γ_t", title="many lists of weights", yscale="log")
        right.legend()
    made.figure(
        "gamma.png",
        drawn.png,
        caption="The trained network's loss at each t on held-out images, and the weights that "
        "members of the family give to it.",
        alt=f"Left, the loss against t, {float(loss[0]):.2g} at t = 1 and {float(loss[-1]):.2g} at "
        f"t = {len(a) - 1}. Right, the weights γ of several η against t, on logarithmic axes.",
        columns=["t", "loss", *(f"gamma_eta{eta:g}" for eta in members)],
        rows=rows,
    )
    made.text += (
        "\n\n**(b)** J_σ is a weighted sum of the losses on the left below; σ enters through the "
        "weights γ_t alone. The weights shown are those of t = 2..T; t = 1 is not weighed by γ_1 "
        "but by L_0, DDPM's discrete decoder, the same fixed one for every η. (The weights grow "
        "without bound as σ → 0, so the deterministic member has no "
        "finite J_σ; it is served by the same minimiser all the same. The paper's appendix prints "
        "γ_t = 1/(2dσ_t²a_t) up to factors; here they are exact, with the factors.)"
    )


# --- (c) the bound -------------------------------------------------------------------------------


def _bound(bench: Bench, losses: Tensor, bound: variational.Bound, made: Section) -> float:
    """J_sigma in bits per dimension for every member; eta = 1 is DDPM's variational bound."""
    rows = []

    def add(name: str, key: str, steps: Tensor) -> float:
        total = intervals.of_mean((bound.prior + steps.sum(0) + bound.decoder).numpy())
        parts = (bound.prior, steps.sum(0), bound.decoder)
        rows.append([name, *(float(part.mean()) for part in parts), *total])
        made.numbers[f"bits_{key}"] = total[0]
        return total[0]

    for eta in bench.cfg.analysis.eta:
        if eta < 1:
            steps = variational.step_bits(losses, bench.alpha_bar, variational.eta(eta))
            add(f"η = {eta:g}", f"eta{eta:g}", steps)
    bits = add("η = 1: DDPM, variance β-tilde", "ddpm", bound.steps)
    larger = variational.larger_variance_bits(losses, bench.alpha_bar)
    add("DDPM, variance β", "ddpm_larger", larger)
    columns = ["p_θ", "L_T", "sum of L_(t-1)", "L_0", "total", "low", "high"]
    n = bench.cfg.analysis.num_images
    made.table(f"Bits per dimension on {n} held-out images, from the same losses", columns, rows)
    made.text += (
        f"\n\n**(c)** At η = 1, J_σ is DDPM's variational bound: L_T + Σ L_(t-1) + L_0, with its "
        f"discrete decoder over 256 grey levels. On {n} held-out images, every t once per image: "
        f"{bits:.3f} bits per dimension."
    )
    return bits


# --- (d) eta = 1 is DDPM -------------------------------------------------------------------------


def _ddpm_steps(bench: Bench, made: Section) -> float:
    """Walk the full chain at eta = 1 and compare each step with DDPM's Eq. 11 and beta-tilde."""
    a, worst = bench.alpha_bar.tolist(), [0.0, 0.0]
    noise = Noise(PATHS, range(bench.cfg.analysis.num_shown), bench.cfg.image_shape)
    x = noise.draw().double()
    for t in range(len(a) - 1, 0, -1):
        eps = bench.predict(x.float(), t).double()
        sigma, _ = sampler.sigmas(a[t], a[t - 1], 1.0)
        ours, _ = sampler.ddim_step(x, eps, a[t], a[t - 1], sigma)
        theirs = ddpm_mean(x, eps, a[t], a[t - 1])
        worst[0] = max(worst[0], float((ours - theirs).abs().max() / theirs.abs().max()))
        worst[1] = max(worst[1], abs(sigma - variational.ddpm_posterior(a[t], a[t - 1]).std))
        x = theirs + sigma * noise(x)
    made.numbers |= {"ddpm_mean_error": worst[0], "ddpm_std_error": worst[1]}
    made.text += (
        f"\n\n**(d)** Along a whole chain at η = 1 with the trained network, the mean of Eq. 12 "
        f"differs from DDPM's Eq. 11 by at most {worst[0]:.1e} (relative) and σ from √β-tilde by "
        f"at most {worst[1]:.1e}. (β-tilde = (1 - a_prev)/(1 - a) β; the lecture's Case 1 prints "
        "1 - β for the last factor, a misprint.)"
    )
    return max(worst)


def ddpm_mean(x: Tensor, eps: Tensor, a: float, a_prev: float) -> Tensor:
    """DDPM's Eq. 11: (x_t - beta / sqrt(1 - a) eps) / sqrt(1 - beta)."""
    beta = 1 - a / a_prev
    return (x - beta / math.sqrt(1 - a) * eps) / math.sqrt(1 - beta)
