"""Any scheduler of diffusers as a sampler: the same eps_model, the same x_T, the same alpha-bar.

diffusers counts t from 0 and rounds the schedule to float32; here the network is called with the
paper's t in 1..T, and the scheduler is given our float64 alpha-bar wherever it keeps one (those
that work on sigma = sqrt((1 - a) / a) still round that to float32). diffusers is an optional extra.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ddim.config import schedulers
from ddim.sampler import EpsModel, RandnLike, steps_like

# Chosen where a class has the option and the user says nothing: compared with our own sampler, x0
# is not clipped and the last step goes all the way to alpha-bar = 1.
CHOSEN = {"clip_sample": False, "set_alpha_to_one": True}

Network = TypeVar("Network", bound=EpsModel)


@dataclass(frozen=True)
class DiffusersSampler(Generic[Network]):
    """S steps of a diffusers scheduler with everything but the noise fixed.

    Args:
        eps_model: the network, called with the paper's t in 1..T.
        alpha_bar: float64 [T+1].
        S: what the scheduler is asked for. One of second order evaluates more often: see `times`.
        name: the scheduler's class name.
        options: its own arguments.
    Raises ValueError, naming sampler.scheduler or sampler.options, for what diffusers cannot do,
    and where diffusers is not installed.
    """

    eps_model: Network
    alpha_bar: Tensor
    S: int
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ready("cpu")  # a mistake must show before the first image

    @cached_property
    def times(self) -> list[int]:
        """The paper's t of each evaluation of the network, in order.

        Where a scheduler stops between two steps of the chain, the nearest one.
        """
        T = len(self.alpha_bar) - 1
        return [min(max(round(float(t)), 0), T - 1) + 1 for t in self._ready("cpu").timesteps]

    @property
    def nfe(self) -> int:
        """Network evaluations an image; a call yields a state for each."""
        return len(self.times)

    def __call__(self, x_T: Tensor, randn_like: RandnLike) -> Iterator[Tensor]:
        """Yield the state after each evaluation; the last one is x_0.

        x_T float [N,...] is standard normal. A scheduler that draws noise gets it from
        `randn_like`, as our own sampler does: image i stays a function of (seed, i).
        """
        scheduler = self._ready(x_T.device)
        x = x_T * float(scheduler.init_noise_sigma)
        for t, time in zip(self.times, scheduler.timesteps, strict=True):
            inside = scheduler.scale_model_input(x, time).to(x_T.dtype)
            eps = self.eps_model(inside, steps_like(x, t))
            with _NoiseFrom(randn_like, x_T):
                x = scheduler.step(eps, time, x).prev_sample
            yield x.to(x_T.dtype)

    def _ready(self, device: torch.device | str) -> Any:
        """A fresh scheduler object, its steps set."""
        T = len(self.alpha_bar) - 1
        if not 1 <= self.S <= T:
            raise ValueError(f"the number of steps S must be in 1..T = 1..{T}, got {self.S}")
        scheduler = new_scheduler(self.name, self.options, self.alpha_bar)
        try:
            scheduler.set_timesteps(self.S, device=device)
        except (ValueError, IndexError, NotImplementedError) as error:
            raise ValueError(f"{self.name} cannot take S = {self.S} steps: {error}") from None
        return scheduler


def sample(  # noqa: PLR0913
    eps_model: EpsModel,
    x_T: Tensor,
    alpha_bar: Tensor,
    S: int,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    randn_like: RandnLike = torch.randn_like,
) -> Tensor:
    """x_0 [N,...] from x_T [N,...]: the last state of a `DiffusersSampler` of these arguments."""
    for x in DiffusersSampler(eps_model, alpha_bar, S, name, options or {})(x_T, randn_like):
        last = x
    return last


def new_scheduler(name: str, options: Mapping[str, Any], alpha_bar: Tensor) -> Any:
    """The scheduler with `options` over our alpha-bar; ValueError names the wrong key."""
    kind = _find(name, options)
    accepted = schedulers.options_of(name)
    chosen = {key: value for key, value in CHOSEN.items() if key in accepted}
    beta = 1 - alpha_bar[1:] / alpha_bar[:-1]
    try:
        scheduler = kind(
            **{**chosen, **options},
            num_train_timesteps=len(beta),
            trained_betas=beta.tolist(),
        )
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        raise ValueError(f"sampler.options do not suit {name}: {error}") from None
    _use_float64_schedule(scheduler, alpha_bar)
    return scheduler


def names() -> list[str]:
    """The schedulers that can be asked for."""
    _diffusers()
    return schedulers.names()


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError:
        how = "pip install 'ddim[diffusers]'"
        raise ValueError(f"sampler.scheduler needs diffusers, which is absent: {how}") from None
    return diffusers


def _find(scheduler: str, options: Mapping[str, Any]) -> Callable[..., Any]:
    diffusers = _diffusers()
    schedulers.check(scheduler, options, key="sampler.scheduler", options_key="sampler.options")
    kind: Callable[..., Any] = getattr(diffusers, scheduler)
    return kind


def _use_float64_schedule(scheduler: Any, alpha_bar: Tensor) -> None:
    """Put our float64 alpha-bar in the place of the float32 one that diffusers computed."""
    a = alpha_bar[1:].double().clone()
    exact = {
        "betas": 1 - alpha_bar[1:] / alpha_bar[:-1],
        "alphas": alpha_bar[1:] / alpha_bar[:-1],
        "alphas_cumprod": a,
        "alpha_t": a.sqrt(),
        "sigma_t": (1 - a).sqrt(),
        "lambda_t": (a / (1 - a)).log() / 2,
    }
    for name, value in exact.items():
        if hasattr(scheduler, name):
            setattr(scheduler, name, value)
    if hasattr(scheduler, "final_alpha_cumprod"):
        to_one = scheduler.config.set_alpha_to_one
        scheduler.final_alpha_cumprod = torch.ones((), dtype=torch.float64) if to_one else a[0]


class _NoiseFrom(TorchFunctionMode):
    """Inside it, torch.randn is `randn_like` of x.

    The schedulers' steps take a torch.Generator at most, and the CPU's keeps only 32 bits of its
    seed: among 50,000 images, seeded one each, two would likely share their noise.
    """

    def __init__(self, randn_like: RandnLike, x: Tensor) -> None:
        super().__init__()
        self._randn_like, self._x = randn_like, x

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not torch.randn:
            return func(*args, **kwargs)
        assert tuple(args[0]) == tuple(self._x.shape), "noise of another shape than the images"
        return self._randn_like(self._x).to(dtype=kwargs.get("dtype"))
