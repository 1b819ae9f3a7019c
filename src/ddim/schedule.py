"""The noise schedule: alpha-bar, the family's sigma and eta, and which S of the T steps are taken.

Everything here is float64 arithmetic on a handful of numbers; no network, no configuration. torch
is imported inside functions only: the configuration, which must be instant, takes its lists of
spacings and its check of eta from here.
"""

import itertools
import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Number = TypeVar("Number", float, "torch.Tensor")

SPACINGS = ("linear", "quadratic", "quadratic-published")
HAT = "hat"  # the name of the sigma-hat row (App. D.3), where others have a number


def check_eta(eta: object, name: str = "eta", *, hat: bool = True) -> None:
    """Raise ValueError, which calls it `name`, unless `eta` is a number in [0, 1] or "hat".

    hat: whether "hat" is accepted.
    """
    if isinstance(eta, str):
        valid = hat and eta == HAT
    else:
        valid = isinstance(eta, Real) and not isinstance(eta, bool) and 0 <= float(eta) <= 1
    if not valid:
        accepts = "a number in [0, 1]" + (f" or {HAT!r}" if hat else "")
        raise ValueError(f"{name} must be {accepts}, got {eta!r}")


def alpha_bar(T: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> "torch.Tensor":
    """alpha-bar_t = prod_{s <= t} (1 - beta_s) for t = 0..T, with beta linear (DDPM, Sec. 4).

    Returns float64 [T+1]; entry 0 is 1, so that "the previous step" of the first step exists.
    """
    if T < 1 or not 0 < beta_start <= beta_end < 1:
        got = f"T={T}, beta_start={beta_start}, beta_end={beta_end}"
        raise ValueError(f"alpha_bar needs T >= 1 and 0 < beta_start <= beta_end < 1, got {got}")
    import torch

    beta = torch.linspace(beta_start, beta_end, T, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])


def sigma(a: Number, a_prev: Number, eta: float) -> Number:
    """Eq. 16: sigma = eta sqrt((1 - a_prev) / (1 - a)) sqrt(1 - a / a_prev).

    eta = 0 is DDIM; eta = 1 over the whole chain is DDPM, sigma^2 = beta-tilde. (The lecture's
    Case 1 prints beta-tilde with a factor 1 - beta_t; it is beta_t = 1 - a / a_prev, as here.)
    """
    return eta * ((1 - a_prev) / (1 - a)) ** 0.5 * (1 - a / a_prev) ** 0.5


def sigma_hat(a: Number, a_prev: Number) -> Number:
    """App. D.3: sigma-hat = sqrt(1 - a / a_prev), DDPM's larger variance, on the noise only."""
    return (1 - a / a_prev) ** 0.5


def trajectory(T: int, S: int, spacing: str | Sequence[int] = "linear") -> list[int]:
    """The steps tau_1 < ... < tau_S of 1..T that a sampler visits (Sec. 4.2, App. D.2).

    spacing:
        "linear"               1 + floor(i T / S), i < S: the published steps whenever S divides T
        "quadratic"            tau proportional to i^2, exactly S distinct steps that end at T
        "quadratic-published"  the published code's rule, whose repeated steps are dropped: it
                               may return fewer than S (at T = 1000, S = 100 it returns 96)
        a list of integers     those steps
    Raises ValueError unless the result is strictly increasing in 1..T, and of length S for all
    but "quadratic-published".
    """
    if not 1 <= S <= T:
        raise ValueError(f"the number of steps S must be in 1..T = 1..{T}, got {S}")
    if not isinstance(spacing, str):
        return check_trajectory(list(spacing), T, S)
    if spacing == "linear":
        tau = [1 + i * T // S for i in range(S)]
    elif spacing == "quadratic":
        tau = _quadratic(T, S)
    elif spacing == "quadratic-published":
        tau = sorted(set(published_quadratic(T, S)))
        return check_trajectory(tau, T, len(tau))
    else:
        raise ValueError(f"spacing must be one of {SPACINGS} or a list of steps, got {spacing!r}")
    return check_trajectory(tau, T, S)


def check_trajectory(tau: list[int], T: int, S: int) -> list[int]:
    """Return `tau`, or raise ValueError unless it is S strictly increasing integers in 1..T."""
    if len(tau) != S:
        raise ValueError(f"the trajectory has {len(tau)} steps where S = {S} were asked for")
    for t, later in itertools.pairwise(tau):
        if t >= later:
            raise ValueError(f"the trajectory must be strictly increasing, got {t} before {later}")
    if tau[0] < 1 or tau[-1] > T:
        raise ValueError(f"the trajectory must lie in 1..{T}, got {tau[0]}..{tau[-1]}")
    return tau


def _quadratic(T: int, S: int) -> list[int]:
    """T (i/S)^2 rounded up; where that would repeat a step, the next free one."""
    tau: list[int] = []
    for i in range(1, S + 1):
        tau.append(max(math.ceil(T * i * i / (S * S)), tau[-1] + 1 if tau else 1))
    return [min(t, T - (S - i)) for i, t in enumerate(tau, start=1)]


def published_quadratic(T: int, S: int) -> list[int]:
    """int(linspace(0, sqrt(0.8 T), S)^2) + 1 of the paper's public code, repeats included.

    Published steps count from 0; the + 1 turns them into the paper's 1..T.
    """
    stop = math.sqrt(0.8 * T)
    roots = [i * (stop / (S - 1)) for i in range(S - 1)] + [stop] if S > 1 else [0.0]
    return [1 + int(root**2) for root in roots]
