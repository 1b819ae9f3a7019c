"""The family q_sigma that one training serves: Eq. 6-7, Bayes' rule, Theorem 1, and the bound.

Every member has the same marginals q(x_t | x_0) = N(sqrt(a) x_0, (1 - a) I); it differs in how
neighbouring steps hang together. Given x_0 all of it is Gaussian and isotropic, so a member is a
handful of Python floats (float64) per step. No network and no configuration: what a network
contributes is its per-step error E ||eps - eps_theta||^2, and that is an argument here.

Theorem 1 says J_sigma = sum_t gamma_t E ||eps - eps_theta||^2 + C. The paper's appendix prints
gamma_t = 1 / (2 d sigma_t^2 a_t) "up to constants"; `gamma` is the exact weight, with the factor
that those constants leave out. The two differ by more than a constant in t, and only the exact
ones add up to the variational bound of DDPM at eta = 1 (DDPM's Eq. 12).
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ddim import schedule
from ddim.objective import q_sample

Sigma = Callable[[float, float], float]  # (a, a_prev) -> sigma: a member of the family
RandnLike = Callable[[Tensor], Tensor]


class Step(NamedTuple):
    """The Gaussian N(of_x0 x_0 + of_x x, std^2 I) of a neighbour, given x and x_0."""

    of_x0: float
    of_x: float
    std: float

    def mean(self, x: Tensor, x0: Tensor) -> Tensor:
        """The mean, of the common shape of x and x0."""
        return self.of_x0 * x0 + self.of_x * x


# --- the conditionals ----------------------------------------------------------------------------


def backward(a: float, a_prev: float, sigma: float) -> Step:
    """Eq. 7: q_sigma(x_{t-1} | x_t, x_0), which Eq. 12 imitates with x0_hat for x_0.

    Raises ValueError unless 0 <= sigma^2 <= 1 - a_prev.
    """
    of_x = math.sqrt(_remainder(a_prev, sigma) / (1 - a))
    return Step(math.sqrt(a_prev) - of_x * math.sqrt(a), of_x, sigma)


def forward(a: float, a_prev: float, sigma: float) -> Step:
    """q_sigma(x_t | x_{t-1}, x_0), from Eq. 7 by Bayes' rule: the non-Markovian forward step.

    Needs a_prev < 1 (t > 1). With u = x - sqrt(a) x_0 at either step, Eq. 7 says that
    u_{t-1} = c u_t + sigma z; turning this linear Gaussian pair round gives
        u_t = c (1 - a) / (1 - a_prev) u_{t-1} + sigma sqrt((1 - a) / (1 - a_prev)) z.
    sigma = 0: x_t is a function of x_{t-1} and x_0. DDPM's sigma: x_0 drops out, a Markov chain.
    """
    c = math.sqrt(_remainder(a_prev, sigma) / (1 - a))
    of_x = c * (1 - a) / (1 - a_prev)
    std = sigma * math.sqrt((1 - a) / (1 - a_prev))
    return Step(math.sqrt(a) - of_x * math.sqrt(a_prev), of_x, std)


def ddpm_posterior(a: float, a_prev: float) -> Step:
    """DDPM's Eq. 6-7: q(x_{t-1} | x_t, x_0), written with beta_t as there.

    beta-tilde = (1 - a_prev) / (1 - a) beta_t: the lecture's Case 1 misprints the last factor.
    """
    beta = 1 - a / a_prev
    of_x0 = math.sqrt(a_prev) * beta / (1 - a)
    of_x = math.sqrt(1 - beta) * (1 - a_prev) / (1 - a)
    return Step(of_x0, of_x, math.sqrt((1 - a_prev) / (1 - a) * beta))


def eta(value: float) -> Sigma:
    """The member of Eq. 16 with this eta."""
    return lambda a, a_prev: schedule.sigma(a, a_prev, value)


def _remainder(a_prev: float, sigma: float) -> float:
    """1 - a_prev - sigma^2, what is left for the direction to x_t."""
    rest = 1 - a_prev - sigma**2
    if sigma < 0 or rest < -1e-12:
        raise ValueError(f"sigma must lie in 0..sqrt(1 - a_prev) = {1 - a_prev:.4g}^0.5: {sigma}")
    return max(rest, 0.0)


# --- simulation (Lemma 1, by experiment) ---------------------------------------------------------


def simulate_forward(
    x0: Tensor, alpha_bar: Tensor, sigma: Sigma, randn_like: RandnLike = torch.randn_like
) -> Iterator[tuple[int, Tensor]]:
    """Yield (t, x_t) for t = 1..T: x_1 from its marginal, then the non-Markovian steps.

    x0 [N,...]; alpha_bar float64 [T+1].
    """
    a = alpha_bar.tolist()
    x = q_sample(x0, a[1], randn_like(x0))
    yield 1, x
    for t in range(2, len(a)):
        step = forward(a[t], a[t - 1], sigma(a[t], a[t - 1]))
        x = _draw(step, x, x0, randn_like)
        yield t, x


def simulate_backward(
    x0: Tensor, alpha_bar: Tensor, sigma: Sigma, randn_like: RandnLike = torch.randn_like
) -> Iterator[tuple[int, Tensor]]:
    """Yield (t, x_t) for t = T..1 (Eq. 6): x_T from its marginal, then Eq. 7."""
    a = alpha_bar.tolist()
    x = q_sample(x0, a[-1], randn_like(x0))
    yield len(a) - 1, x
    for t in range(len(a) - 1, 1, -1):
        step = backward(a[t], a[t - 1], sigma(a[t], a[t - 1]))
        x = _draw(step, x, x0, randn_like)
        yield t - 1, x


def _draw(step: Step, x: Tensor, x0: Tensor, randn_like: RandnLike) -> Tensor:
    mean = step.mean(x, x0)
    return mean + step.std * randn_like(x) if step.std > 0 else mean


# --- Theorem 1 and the variational bound ---------------------------------------------------------


def gamma(a: float, a_prev: float, sigma: float) -> float:
    """The weight of ||eps - eps_theta||^2 in KL(q_sigma || p_theta) in nats, t > 1, sigma > 0.

    Both are Gaussians with variance sigma^2 whose means differ by Eq. 7 at x_0 and at x0_hat:
    of_x0 (x_0 - x0_hat) = of_x0 sqrt((1 - a) / a) (eps_theta - eps). The weight goes to infinity
    as sigma -> 0: the deterministic member has no finite J_sigma.
    """
    of_x0 = backward(a, a_prev, sigma).of_x0
    return of_x0**2 * (1 - a) / a / (2 * sigma**2)


def kl(difference: Tensor | float, std_q: float, std_p: float) -> Tensor | float:
    """KL(N(m, std_q^2) || N(m + difference, std_p^2)) in nats per dimension.

    difference: any shape; the result has it too.
    """
    ratio = (std_q / std_p) ** 2
    return 0.5 * (ratio - 1 - math.log(ratio)) + difference**2 / (2 * std_p**2)


def prior_nats(x0: Tensor, a_T: float) -> Tensor:
    """L_T: KL(q(x_T | x_0) || N(0, I)) in nats per dimension, averaged over each image: [N]."""
    variance = 1 - a_T
    constant = 0.5 * (variance - 1 - math.log(variance))
    return constant + (a_T * x0.double() ** 2).flatten(1).mean(1) / 2


def decoder_nats(x0: Tensor, mean: Tensor, std: float) -> Tensor:
    """L_0: -log p(x_0 | x_1) by DDPM's discrete decoder (its Eq. 13), nats per dimension: [N].

    x0 [N,...] holds uint8 levels u as u / 127.5 - 1. N(mean, std^2) is integrated over x0's bin
    of half-width 1/255; the outermost bins reach to infinity.
    """
    x0, mean = x0.double(), mean.double()
    log_cdf = torch.special.log_ndtr
    upper = log_cdf((x0 - mean + 1 / 255) / std)
    lower = log_cdf((x0 - mean - 1 / 255) / std)
    # In the right tail both are near 1: there the mirror image keeps the digits.
    mirrored_upper = log_cdf((mean - x0 + 1 / 255) / std)
    mirrored_lower = log_cdf((mean - x0 - 1 / 255) / std)
    inside = torch.where(
        x0 > mean, _log_difference(mirrored_upper, mirrored_lower), _log_difference(upper, lower)
    )
    log_p = torch.where(x0 < -0.999, upper, torch.where(x0 > 0.999, mirrored_upper, inside))
    return -log_p.flatten(1).mean(1)


def decoder_std(alpha_bar: Tensor) -> float:
    """sigma_1 of the decoder. beta-tilde_1 is 0; DDPM's code takes beta-tilde_2 in its place."""
    return ddpm_posterior(float(alpha_bar[2]), float(alpha_bar[1])).std


def _log_difference(larger: Tensor, smaller: Tensor) -> Tensor:
    """log(e^larger - e^smaller)."""
    return larger + torch.log(-torch.expm1(smaller - larger))


class Bound(NamedTuple):
    """The variational bound -log p(x_0) <= L_T + sum_t L_{t-1} + L_0, in bits per dimension."""

    prior: Tensor  # L_T [N]
    steps: Tensor  # L_{t-1} for t = 2..T: [T - 1, N]
    decoder: Tensor  # L_0 [N]

    @property
    def total(self) -> Tensor:
        """[N], one bound per image."""
        return self.prior + self.steps.sum(0) + self.decoder


def step_bits(errors: Tensor, alpha_bar: Tensor, sigma: Sigma) -> Tensor:
    """L_{t-1} = gamma_t ||eps - eps_theta||^2 in bits per dimension, for t = 2..T: [T - 1, ...].

    errors [T, ...] holds the mean over dimensions of ||eps - eps_theta||^2 at t = 1..T. The one
    place where sigma enters J_sigma: as weights on the same errors.
    """
    a = alpha_bar.tolist()
    weights = [gamma(a[t], a[t - 1], sigma(a[t], a[t - 1])) for t in range(2, len(a))]
    column = torch.tensor(weights, dtype=torch.float64).reshape(-1, *[1] * (errors.ndim - 1))
    return column * errors[1:].double().cpu() / math.log(2)


def larger_variance_bits(errors: Tensor, alpha_bar: Tensor) -> Tensor:
    """As `step_bits` at eta = 1, but for p_theta with DDPM's other variance, beta_t."""
    a = alpha_bar.tolist()
    rows = []
    for t in range(2, len(a)):
        posterior = ddpm_posterior(a[t], a[t - 1])
        of_eps = posterior.of_x0 * math.sqrt((1 - a[t]) / a[t])
        std_p = schedule.sigma_hat(a[t], a[t - 1])
        difference = of_eps * errors[t - 1].double().cpu().sqrt()
        rows.append(kl(difference, posterior.std, std_p))
    return torch.stack([torch.as_tensor(row) for row in rows]) / math.log(2)
