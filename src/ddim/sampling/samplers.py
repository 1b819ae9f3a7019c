"""A sampler with everything but the noise fixed: the interface, and the paper's samplers.

Those of diffusers: ddim.sampling.diffusers_schedulers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ddim.sampler import Eta, RandnLike, sample_progressive
from ddim.sampling.network import EpsModel


class Sampler(Protocol):
    """From x_T to x_0."""

    @property
    def eps_model(self) -> EpsModel:
        """The network that it evaluates; each process places it on its own device."""

    @property
    def nfe(self) -> int:
        """Network evaluations an image, and states that a call yields."""

    def __call__(self, x_T: Tensor, randn_like: RandnLike) -> Iterator[Tensor]:
        """Yield the states after x_T [N,C,H,W]; the last one is x_0 on [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class DDIM:
    """The paper's samplers. Arguments as in ddim.sampler.sample."""

    eps_model: EpsModel
    alpha_bar: Tensor
    tau: Sequence[int]
    eta: Eta
    clip_x0: bool

    @property
    def nfe(self) -> int:
        """One evaluation a step."""
        return len(self.tau)

    def __call__(self, x_T: Tensor, randn_like: RandnLike) -> Iterator[Tensor]:
        """The states of Eq. 12 after x_T."""
        states = sample_progressive(
            self.eps_model,
            x_T,
            self.alpha_bar,
            self.tau,
            self.eta,
            randn_like=randn_like,
            clip_x0=self.clip_x0,
        )
        next(states)  # x_T itself
        for state in states:
            yield state.x
