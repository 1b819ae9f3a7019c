"""Table 2's round trip: images encoded with S steps of eta = 0, decoded with the same S."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ddim import schedule, weights
from ddim.config import paths
from ddim.config.schema import Config
from ddim.images import squared_errors, to_float, to_uint8
from ddim.runtime.device import torch_device
from ddim.runtime.progress import track
from ddim.sampler import encode, sample
from ddim.sampling.network import EpsModel

PRECISION = "32-true"  # whatever the samplers use: rounding would drown the error at large S


def load_network(cfg: Config) -> EpsModel:
    """The trained network in PRECISION on its device."""
    unet, _ = weights.load(paths.weights_file(cfg), expect=cfg.network)
    model = EpsModel(unet, precision=PRECISION, compiled=cfg.trainer.compile)
    return model.place(torch_device(cfg.trainer.accelerator))


def round_trip(
    cfg: Config, model: EpsModel, tau: Sequence[int], images: np.ndarray, num_kept: int
) -> tuple[np.ndarray, np.ndarray]:
    """Encode and decode uint8 images [N,C,H,W]; one batch of them is in memory at a time.

    Returns (squared error of each image [N], the first num_kept images decoded, uint8 [n,C,H,W]).
    """
    device = torch_device(cfg.trainer.accelerator)
    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    size = cfg.reconstruct.batch_size
    squared, kept = [], []
    with track(2 * len(tau) * len(images), f"reconstruct S{len(tau)}") as advance:

        def eps_model(x: Tensor, t: Tensor) -> Tensor:
            advance(len(x))
            return model(x, t)

        for first in range(0, len(images), size):
            x_0 = to_float(torch.from_numpy(np.array(images[first : first + size])))
            x_T = encode(eps_model, x_0.to(device), alpha_bar, tau)
            decoded = sample(eps_model, x_T, alpha_bar, tau).cpu()
            squared.append(squared_errors(x_0, decoded))
            kept.append(to_uint8(decoded[: max(num_kept - first, 0)]).numpy())
    return np.concatenate(squared), np.concatenate(kept)
