"""The DDIM family: Eq. 12, the trajectory down (sample) and up (encode), slerp between latents.

Works for any `eps_model(x [N,...], t int64 [N]) -> eps [N,...]` that counts t from 1 to T. Knows
no network and no configuration. The schedule's coefficients are Python floats (float64); `x`
keeps the dtype of x_T, and a network that wants another one casts its own input.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ddim import schedule

EpsModel = Callable[[Tensor, Tensor], Tensor]
RandnLike = Callable[[Tensor], Tensor]
Eta = float | str  # a number in [0, 1], or "hat"


class State(NamedTuple):
    """One point of a trajectory: x_t, and the prediction of the step that led to it."""

    t: int  # the step that x is at: tau_S..tau_1, and 0 for x_0
    x: Tensor  # [N,...]
    x0_hat: Tensor | None  # [N,...]; None at the start, before the first evaluation


# --- one step ------------------------------------------------------------------------------------


def predict_x0(x: Tensor, eps: Tensor, a: float) -> Tensor:
    """Eq. 9: x0_hat = (x_t - sqrt(1 - a) eps) / sqrt(a)."""
    return (x - (1 - a) ** 0.5 * eps) / a**0.5


def predict_eps(x: Tensor, x0: Tensor, a: float) -> Tensor:
    """Eq. 9 solved for the noise: eps = (x_t - sqrt(a) x0) / sqrt(1 - a)."""
    return (x - a**0.5 * x0) / (1 - a) ** 0.5


def ddim_step(
    x: Tensor, eps: Tensor, a: float, a_prev: float, sigma: float
) -> tuple[Tensor, Tensor]:
    """Eq. 12 without its noise: the mean of x_prev, and x0_hat.

    x_prev = sqrt(a_prev) x0_hat + sqrt(1 - a_prev - sigma^2) eps + sigma z,   z ~ N(0, I).

    Args: x and eps [N,...]; a = alpha-bar at x's step and a_prev at the step it goes to (either
    neighbour: a_prev < a goes to larger t); sigma as a float. Returns (mean [N,...], x0_hat
    [N,...]); the caller adds sigma z.
    """
    x0_hat = predict_x0(x, eps, a)
    mean = a_prev**0.5 * x0_hat + max(1 - a_prev - sigma**2, 0.0) ** 0.5 * eps
    return mean, x0_hat


def sigmas(a: float, a_prev: float, eta: Eta) -> tuple[float, float]:
    """(sigma in Eq. 12's mean, sigma on its noise): they differ in the sigma-hat row (App. D.3)."""
    schedule.check_eta(eta)
    if eta == schedule.HAT:
        return schedule.sigma(a, a_prev, 1.0), schedule.sigma_hat(a, a_prev)
    sigma = schedule.sigma(a, a_prev, float(eta))
    return sigma, sigma


# --- the trajectories ----------------------------------------------------------------------------


def steps_like(x: Tensor, t: int) -> Tensor:
    """Every image of x [N,...] at step t, as networks take it: int64 [N] on x's device."""
    return torch.full((len(x),), t, dtype=torch.int64, device=x.device)


def sample_progressive(  # noqa: PLR0913
    eps_model: EpsModel,
    x_T: Tensor,
    alpha_bar: Tensor,
    tau: Sequence[int],
    eta: Eta = 0.0,
    *,
    randn_like: RandnLike = torch.randn_like,
    clip_x0: bool = False,
) -> Iterator[State]:
    """Yield x at tau_S, ..., tau_1 and 0 (len(tau) + 1 states; one evaluation between two).

    x_T [N,...] is the state at tau_S. alpha_bar float64 [T+1]. No noise is drawn where
    sigma = 0, and never after the last step (the published "noiseless mean"). With clip_x0 the
    prediction is clipped to [-1, 1] and eps recomputed from it, as the published sigma-hat
    sampler does. Raises ValueError for a bad trajectory or eta.
    """
    tau = schedule.check_trajectory(list(tau), len(alpha_bar) - 1, len(tau))
    schedule.check_eta(eta)  # before the first evaluation
    x = x_T
    yield State(tau[-1], x, None)
    for t, t_prev in zip(reversed(tau), [*reversed(tau[:-1]), 0], strict=True):
        a, a_prev = float(alpha_bar[t]), float(alpha_bar[t_prev])
        sigma, sigma_noise = sigmas(a, a_prev, eta)
        eps = eps_model(x, steps_like(x, t))
        if clip_x0:
            eps = predict_eps(x, predict_x0(x, eps, a).clamp(-1, 1), a)
        x, x0_hat = ddim_step(x, eps, a, a_prev, sigma)
        if t_prev > 0 and sigma_noise > 0:
            x = x + sigma_noise * randn_like(x)
        yield State(t_prev, x, x0_hat)


def sample(  # noqa: PLR0913
    eps_model: EpsModel,
    x_T: Tensor,
    alpha_bar: Tensor,
    tau: Sequence[int],
    eta: Eta = 0.0,
    *,
    randn_like: RandnLike = torch.randn_like,
    clip_x0: bool = False,
) -> Tensor:
    """x_0 [N,...] from x_T [N,...]: the last state of `sample_progressive`."""
    states = sample_progressive(
        eps_model, x_T, alpha_bar, tau, eta, randn_like=randn_like, clip_x0=clip_x0
    )
    return _last(states).x


def encode_progressive(
    eps_model: EpsModel, x_0: Tensor, alpha_bar: Tensor, tau: Sequence[int]
) -> Iterator[State]:
    """Yield x at 0, tau_1, ..., tau_S: Sec. 4.3's ODE upwards, by the same list as `sample`.

    The step from t_prev to t evaluates the network at t: it is the exact reverse of the step
    down but for eps being taken at x_{t_prev} instead of x_t (first order in the step's length).
    """
    tau = schedule.check_trajectory(list(tau), len(alpha_bar) - 1, len(tau))
    x = x_0
    yield State(0, x, None)
    for t_prev, t in zip([0, *tau[:-1]], tau, strict=True):
        a_prev, a = float(alpha_bar[t_prev]), float(alpha_bar[t])
        eps = eps_model(x, steps_like(x, t))
        x, x0_hat = ddim_step(x, eps, a_prev, a, sigma=0.0)
        yield State(t, x, x0_hat)


def encode(eps_model: EpsModel, x_0: Tensor, alpha_bar: Tensor, tau: Sequence[int]) -> Tensor:
    """x_T [N,...] from x_0 [N,...] with eta = 0: the last state of `encode_progressive`."""
    return _last(encode_progressive(eps_model, x_0, alpha_bar, tau)).x


def _last(states: Iterator[State]) -> State:
    for state in states:
        last = state
    return last


# --- latents -------------------------------------------------------------------------------------


def slerp(x: Tensor, y: Tensor, weight: float | Tensor) -> Tensor:
    """Eq. 67: spherical interpolation, image by image, from x [N,...] (weight 0) to y (weight 1).

    weight is a number or [N] in [0, 1]. Where the two are parallel the straight line is meant.
    """
    flat_x, flat_y = x.flatten(1), y.flatten(1)
    cosine = (flat_x * flat_y).sum(1) / (flat_x.norm(dim=1) * flat_y.norm(dim=1))
    angle = cosine.clamp(-1, 1).arccos()
    w = torch.as_tensor(weight, dtype=x.dtype, device=x.device).expand(len(x))
    straight = angle.sin() < 1e-6
    sine = torch.where(straight, torch.ones_like(angle), angle.sin())
    of_x = torch.where(straight, 1 - w, ((1 - w) * angle).sin() / sine)
    of_y = torch.where(straight, w, (w * angle).sin() / sine)
    shape = (-1, *[1] * (x.ndim - 1))
    return of_x.reshape(shape) * x + of_y.reshape(shape) * y
