"""Appendix A: DDIM for discrete data. x_0 is one of K classes; "noise" is a uniform draw.

    marginal            q(x_t | x_0)           = Cat(a x_0 + (1 - a) / K)
    step                q(x_{t-1} | x_t, x_0)  = Cat(sigma x_t + (a_prev - sigma a) x_0
                                                     + ((1 - a_prev) - (1 - a) sigma) / K)
    sampler             the same, with the network's probabilities for x_0

a falls from alpha[0] = 1 to alpha[T] = 0. A step is a mixture: keep x_t, take x_0, or
resample uniformly.
It is linear in x_0. For one variable, and a trajectory that begins at T (where x_T is uniform), the
exact probabilities p(x_0 | x_t) therefore give the exact marginals, whatever the other steps and
sigma. Of several variables each is drawn by itself from its own p(x_0 | x_t): where they depend on
one another, a step loses some of that, and fewer steps lose more.

The paper leaves sigma open between 0 and (1 - a_prev) / (1 - a), where the weight of resampling
reaches zero. `sigma(eta)` names that range as Eq. 16 does its own: eta = 0 never resamples.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ddim import schedule
from ddim.sampler import steps_like

Predict = Callable[[Tensor, Tensor], Tensor]  # (x int64 [N,...], t int64 [N]) -> p [N,...,K]
RandLike = Callable[[Tensor], Tensor]  # float [N,...] -> uniform in [0, 1), of the same shape


def alpha(T: int) -> Tensor:
    """a = 1 - t / T for t = 0..T: float64 [T+1], from 1 (data) to 0 (uniform)."""
    if T < 1:
        raise ValueError(f"alpha needs T >= 1, got {T}")
    return 1 - torch.arange(T + 1, dtype=torch.float64) / T


def sigma(a: float, a_prev: float, eta: float) -> float:
    """The weight of keeping x_t: (1 - eta) (1 - a_prev) / (1 - a).

    eta = 0: nothing is resampled, x_prev is x_t or the predicted x_0. eta = 1: x_prev depends on
    x_t through the prediction alone.
    """
    schedule.check_eta(eta, hat=False)
    return (1 - eta) * (1 - a_prev) / (1 - a)


def marginal(x0: Tensor, a: float) -> Tensor:
    """App. A: q(x_t | x_0) as probabilities [...,K], from x0's one-hot or probabilities [...,K]."""
    return a * x0 + (1 - a) / x0.shape[-1]


def posterior(x: Tensor, x0: Tensor, a: float, a_prev: float, sigma: float) -> Tensor:
    """App. A: q(x_prev | x, x_0) as probabilities [...,K]; x and x0 one-hot or probabilities.

    Raises ValueError where sigma makes a weight negative.
    """
    take, resample = a_prev - sigma * a, (1 - a_prev) - (1 - a) * sigma
    if min(sigma, take, resample) < -1e-12:
        raise ValueError(f"sigma must lie in 0..{(1 - a_prev) / (1 - a):.6g}, got {sigma}")
    return sigma * x + take * x0 + max(resample, 0.0) / x.shape[-1]


def sample_progressive(  # noqa: PLR0913
    predict: Predict,
    x_T: Tensor,
    classes: int,
    alpha: Tensor,
    tau: Sequence[int],
    eta: float = 0.0,
    *,
    rand_like: RandLike = torch.rand_like,
) -> Iterator[tuple[int, Tensor]]:
    """Yield (t, x) at tau_S, ..., tau_1 and 0; x int64 [N,...] in 0..K-1, K = classes.

    One evaluation of `predict` between two; the trajectory is a list as in ddim.sampler.
    """
    tau = schedule.check_trajectory(list(tau), len(alpha) - 1, len(tau))
    schedule.check_eta(eta, hat=False)  # before the first evaluation
    x = x_T
    yield tau[-1], x
    for t, t_prev in zip(reversed(tau), [*reversed(tau[:-1]), 0], strict=True):
        a, a_prev = float(alpha[t]), float(alpha[t_prev])
        x0_hat = predict(x, steps_like(x, t))
        one_hot = F.one_hot(x, classes).to(x0_hat.dtype)
        p = posterior(one_hot, x0_hat, a, a_prev, sigma(a, a_prev, eta))
        x = draw(p, rand_like)
        yield t_prev, x


def sample(  # noqa: PLR0913
    predict: Predict,
    x_T: Tensor,
    classes: int,
    alpha: Tensor,
    tau: Sequence[int],
    eta: float = 0.0,
    *,
    rand_like: RandLike = torch.rand_like,
) -> Tensor:
    """x_0 int64 [N,...] from x_T: the last state of `sample_progressive`."""
    for _, x in sample_progressive(predict, x_T, classes, alpha, tau, eta, rand_like=rand_like):
        last = x
    return last


def draw(p: Tensor, rand_like: RandLike = torch.rand_like) -> Tensor:
    """One class per distribution p [...,K]: int64 [...], by inverting the cumulative sum."""
    u = rand_like(p[..., 0])
    below = p.cumsum(-1)[..., :-1] <= u.unsqueeze(-1)
    return below.sum(-1)
