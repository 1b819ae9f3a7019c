"""The paper's samplers as a scheduler of diffusers: Eq. 12 with our trajectories and sigma-hat.

    from ddim.interop import DDIMScheduler
    pipeline = DDPMPipeline(unet=unet, scheduler=DDIMScheduler(trajectory="quadratic", eta="hat"))
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, eta=0.0)

`save_pretrained` and `from_pretrained` keep it, alone and in a pipeline (which diffusers loads in a
process that has imported this class: the names that a folder gives are no reason to import them).
(DDIMPipeline puts diffusers' own class in its place when it is made: set `.scheduler` after that.)
diffusers counts t from 0, the paper from 1. diffusers is an optional extra.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils.outputs import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from ddim import sampler, schedule


@dataclass
class DDIMSchedulerOutput(BaseOutput):
    """prev_sample: the next state [N,C,H,W]; pred_original_sample: x0_hat."""

    prev_sample: Tensor
    pred_original_sample: Tensor | None = None


class DDIMScheduler(SchedulerMixin, ConfigMixin):  # type: ignore[misc]
    """Eq. 12 over tau, for networks that predict eps under a linear beta.

    Args:
        num_train_timesteps, beta_start, beta_end: T and beta, as diffusers names them.
        trajectory: linear, quadratic, quadratic-published, or a list of steps in 1..T.
        eta: a number in [0, 1], or "hat"; a call of `step` may say another one.
        clip_sample: clip x0_hat to [-1, 1] and recompute eps from it.
        beta_schedule, trained_betas, prediction_type: what diffusers' configurations have there;
            "linear", None and "epsilon" are accepted.
        rescale_betas_zero_snr, thresholding, clip_sample_range: likewise; False, False and 1.
    Raises ValueError for anything else.
    """

    order = 1

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(  # noqa: PLR0913
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
        trajectory: str | Sequence[int] = "linear",
        eta: sampler.Eta = 0.0,
        clip_sample: bool = False,  # noqa: ARG002 (in self.config, where `step` finds it)
        beta_schedule: str = "linear",
        trained_betas: Sequence[float] | None = None,
        prediction_type: str = "epsilon",
        rescale_betas_zero_snr: bool = False,
        thresholding: bool = False,
        clip_sample_range: float = 1.0,
    ) -> None:
        for name, value, accepted in (
            ("beta_schedule", beta_schedule, "linear"),
            ("trained_betas", trained_betas, None),
            ("prediction_type", prediction_type, "epsilon"),
            ("rescale_betas_zero_snr", rescale_betas_zero_snr, False),
            ("thresholding", thresholding, False),
            ("clip_sample_range", clip_sample_range, 1.0),
        ):
            if value != accepted:
                raise ValueError(f"{name} must be {accepted!r}, got {value!r}")
        if isinstance(trajectory, str) and trajectory not in schedule.SPACINGS:
            accepts = f"one of {schedule.SPACINGS} or a list of steps"
            raise ValueError(f"trajectory must be {accepts}, got {trajectory!r}")
        schedule.check_eta(eta)
        self.alpha_bar = schedule.alpha_bar(num_train_timesteps, beta_start, beta_end)
        self.alphas_cumprod = self.alpha_bar[1:]  # as diffusers counts
        self.init_noise_sigma = 1.0
        self.tau: list[int] = []
        T = num_train_timesteps
        self.timesteps = torch.arange(T - 1, -1, -1)

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None
    ) -> None:
        """Take S = num_inference_steps steps; `timesteps` int64 [S] falls and counts from 0."""
        config: Any = self.config
        T = config.num_train_timesteps
        self.tau = schedule.trajectory(T, num_inference_steps, config.trajectory)
        self.timesteps = torch.tensor([t - 1 for t in reversed(self.tau)], device=device)

    def scale_model_input(self, sample: Tensor, timestep: Any = None) -> Tensor:
        """The state as it is."""
        del timestep
        return sample

    def step(  # noqa: PLR0913
        self,
        model_output: Tensor,
        timestep: int | Tensor,
        sample: Tensor,
        eta: sampler.Eta | None = None,
        use_clipped_model_output: bool = True,
        generator: torch.Generator | list[torch.Generator] | None = None,
        variance_noise: Tensor | None = None,
        return_dict: bool = True,
    ) -> DDIMSchedulerOutput | tuple[Tensor, Tensor]:
        """One step down tau from `timestep`, one of `timesteps`.

        model_output is eps [N,C,H,W], sample is x_t. use_clipped_model_output is diffusers'
        argument; here eps always follows a clipped x0_hat. Noise is drawn where sigma > 0, but
        after the last step; variance_noise is used instead if given.
        """
        del use_clipped_model_output
        config: Any = self.config
        a, a_prev, is_last = self._alpha_bars(int(timestep))
        eps = model_output
        if config.clip_sample:
            eps = sampler.predict_eps(sample, sampler.predict_x0(sample, eps, a).clamp(-1, 1), a)
        sigma, sigma_noise = sampler.sigmas(a, a_prev, config.eta if eta is None else eta)
        x, x0_hat = sampler.ddim_step(sample, eps, a, a_prev, sigma)
        if sigma_noise > 0 and not is_last:
            if variance_noise is None:
                variance_noise = randn_tensor(
                    x.shape, generator=generator, device=x.device, dtype=x.dtype
                )
            x = x + sigma_noise * variance_noise
        return DDIMSchedulerOutput(x, x0_hat) if return_dict else (x, x0_hat)

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Eq. 4: x_t from x_0 [N,...] at timesteps int64 [N], which count from 0."""
        a = self.alpha_bar[timesteps.cpu() + 1].reshape(-1, *[1] * (original_samples.ndim - 1))
        # Cast before it is moved: MPS has no float64.
        scale, noise_scale = (f.to(original_samples.dtype) for f in (a.sqrt(), (1 - a).sqrt()))
        device = original_samples.device
        x_t = scale.to(device) * original_samples + noise_scale.to(device) * noise
        return x_t.to(original_samples.dtype)

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def _alpha_bars(self, timestep: int) -> tuple[float, float, bool]:
        """Alpha-bar at the step and at the one after it on tau, and whether that is x_0."""
        if timestep + 1 not in self.tau:
            last = f"one of {[t - 1 for t in self.tau]}" if self.tau else "set by set_timesteps"
            raise ValueError(f"timestep must be {last}, got {timestep}")
        i = self.tau.index(timestep + 1)
        t_prev = self.tau[i - 1] if i else 0
        return float(self.alpha_bar[timestep + 1]), float(self.alpha_bar[t_prev]), i == 0
