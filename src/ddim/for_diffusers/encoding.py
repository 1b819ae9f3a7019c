"""Images to latents and back, with the network and the schedule of any pipeline of diffusers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ddim import sampler, schedule


def encode(
    pipeline: Any, x_0: Tensor, num_inference_steps: int, trajectory: str | Sequence[int] = "linear"
) -> Tensor:
    """x_T [N,C,H,W] of images x_0 [N,C,H,W] on [-1, 1]: Sec. 4.3's ODE upwards, eta = 0.

    pipeline: has a `unet` that predicts eps (a UNet2DModel) and a `scheduler` with its `betas` or
    `alphas_cumprod`, such as DDPMPipeline and DDIMPipeline. Raises ValueError for another
    prediction, and for steps that are no trajectory.
    """
    eps_model, alpha_bar = _parts(pipeline)
    tau = schedule.trajectory(len(alpha_bar) - 1, num_inference_steps, trajectory)
    with torch.no_grad():
        return sampler.encode(eps_model, x_0, alpha_bar, tau)


def decode(
    pipeline: Any, x_T: Tensor, num_inference_steps: int, trajectory: str | Sequence[int] = "linear"
) -> Tensor:
    """x_0 [N,C,H,W] on [-1, 1] of latents x_T [N,C,H,W], with eta = 0; arguments as `encode`."""
    eps_model, alpha_bar = _parts(pipeline)
    tau = schedule.trajectory(len(alpha_bar) - 1, num_inference_steps, trajectory)
    with torch.no_grad():
        return sampler.sample(eps_model, x_T, alpha_bar, tau)


def _parts(pipeline: Any) -> tuple[sampler.EpsModel, Tensor]:
    """(eps_model of the paper's t in 1..T, alpha_bar float64 [T+1])."""
    unet, scheduler = pipeline.unet, pipeline.scheduler
    prediction = scheduler.config.get("prediction_type", "epsilon")
    if prediction != "epsilon":
        raise ValueError(f"the network must predict epsilon, the scheduler says {prediction!r}")

    def eps_model(x: Tensor, t: Tensor) -> Tensor:
        eps: Tensor = unet(x.to(unet.dtype), t - 1).sample
        if eps.shape != x.shape:
            got = f"{list(eps.shape)} for {list(x.shape)}"
            raise ValueError(f"the network must predict eps alone, not a variance too: got {got}")
        return eps.to(x.dtype)

    return eps_model, _alpha_bar(scheduler)


def _alpha_bar(scheduler: Any) -> Tensor:
    """Alpha-bar with entry 0 = 1, of beta in float64 where the scheduler keeps it."""
    if hasattr(scheduler, "betas"):
        a = (1 - scheduler.betas.double()).cumprod(0)
    else:
        a = scheduler.alphas_cumprod.double()
    return torch.cat([torch.ones(1, dtype=torch.float64), a.cpu()])
