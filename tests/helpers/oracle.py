"""An exact oracle (paper.md): data x_0 ~ N(0, s^2) has a closed-form optimal network."""

from torch import Tensor

from ddim import schedule

S_DATA = 0.5  # standard deviation of the data
ALPHA_BAR = schedule.alpha_bar()


def eps_model(x: Tensor, t: Tensor) -> Tensor:
    """eps*(x, t) = sqrt(1 - a) x / (a s^2 + 1 - a)."""
    a = ALPHA_BAR[t].reshape(-1, *[1] * (x.ndim - 1))
    return (1 - a) ** 0.5 * x / (a * S_DATA**2 + 1 - a)


def variance(t: int) -> float:
    """Var[x_t] = a s^2 + 1 - a."""
    a = float(ALPHA_BAR[t])
    return a * S_DATA**2 + 1 - a


def ode(x: Tensor, start: int, end: int) -> Tensor:
    """Sec. 4.3's ODE solved exactly: it rescales by the standard deviations of both ends."""
    return x * (variance(end) / variance(start)) ** 0.5


def rounded(T: int, S: int) -> list[int]:
    """tau_i = round(T i / S), for which paper.md gives the figures."""
    return [round(T * i / S) for i in range(1, S + 1)]
