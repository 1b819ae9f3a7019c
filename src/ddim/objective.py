"""Eq. 4 and the training objective: mean squared error on eps (DDPM's L_simple).

The only home of Eq. 4 (`q_sample`), of horizontal flips (`hflip`), and of what a training changes
from step to step: Adam's step size (`lr_factor`) and the average's decay (`ema_decay`).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def q_sample(x0: Tensor, a: float | Tensor, eps: Tensor) -> Tensor:
    """Eq. 4: x_t = sqrt(a) x0 + sqrt(1 - a) eps, a draw from q(x_t | x_0) for eps ~ N(0, I).

    x0 and eps [N,...]; a = alpha_bar[t], a number for all images or a tensor [N], one for each.
    Returns x_t like x0. The square roots are taken in a's dtype; for an `a` on the CPU that is
    float64 on every machine, and the copy does not make a GPU wait.
    """
    if isinstance(a, Tensor):
        a = a.reshape(-1, *[1] * (x0.ndim - 1))  # [N,1,...]
        signal, noise = (c.sqrt().to(x0.dtype).to(x0.device, non_blocking=True) for c in (a, 1 - a))
        return signal * x0 + noise * eps
    return math.sqrt(a) * x0 + math.sqrt(1 - a) * eps


def loss(
    eps_model: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    t: Tensor,
    eps: Tensor,
    alpha_bar: Tensor,
) -> Tensor:
    """The mean over images and dimensions of (eps_model(x_t, t) - eps)^2, a float32 scalar.

    x0 and eps [N,...]; t int64 [N] in 1..T; alpha_bar float64 [T+1] on t's device. The published
    DDIM code sums over dimensions instead; the mean is DDPM's (gamma = 1 in Theorem 1).
    """
    x_t = q_sample(x0, alpha_bar[t], eps)
    predicted = eps_model(x_t, t.to(x0.device, non_blocking=True))
    return F.mse_loss(predicted.float(), eps.float())


def hflip(x: Tensor, flip: Tensor) -> Tensor:
    """x [N,C,H,W] with the images where flip (bool [N]) holds mirrored left to right."""
    return torch.where(flip[:, None, None, None], x.flip(-1), x)


def lr_factor(step: int, *, warmup: int, decay_to: int | None = None) -> float:
    """What the step size of step + 1 is multiplied by, in [0, 1].

    A linear rise over `warmup` steps (DDPM, App. B), times half a period of a cosine that reaches 0
    at the step `decay_to`, if that is not None.
    """
    rise = min(1.0, (step + 1) / max(warmup, 1))
    if decay_to is None:
        return rise
    return rise * (1 + math.cos(math.pi * min(step / decay_to, 1.0))) / 2


def ema_decay(n: int, limit: float) -> float:
    """How much of itself the moving average keeps after step n: min(limit, (1 + n) / (10 + n)).

    The ramp is that of TensorFlow's moving average: a constant 0.9999 would still hold the initial
    weights after thousands of steps.
    """
    return min(limit, (1 + n) / (10 + n))
