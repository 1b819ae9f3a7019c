"""Table 2's round trip: images encoded with S steps of eta = 0, decoded with the same S."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ddim import schedule, weights
from ddim.config import paths
from ddim.config.schema import Config
from ddim.images import to_float
from ddim.runtime.device import torch_device
from ddim.runtime.progress import Advance, track
from ddim.sampler import encode, sample
from ddim.sampling.cell import weights_in_use
from ddim.sampling.network import EpsModel
from ddim.sampling.parallel import map_batches

SPLIT = "test"  # the images that are encoded
NUM_SHOWN = 8  # images of the picture: originals above, decoded below
PRECISION = "32-true"  # whatever the samplers use: rounding would drown the error at large S


def load_network(cfg: Config) -> EpsModel:
    """The trained network in PRECISION on its device; its weights are checked as a cell's are."""
    weights_in_use(cfg)
    unet, _ = weights.load(paths.weights_file(cfg), expect=cfg.network)
    model = EpsModel(unet, precision=PRECISION, compiled=cfg.trainer.compile)
    return model.place(torch_device(cfg.trainer.accelerator))


def round_trip(
    cfg: Config, model: EpsModel, tau: Sequence[int], images: np.ndarray
) -> Iterator[tuple[Tensor, Tensor]]:
    """Encode and decode uint8 images [N,C,H,W], reconstruct.batch_size of them at a time.

    Yields (x_0, decoded) of each batch, float32 [n,C,H,W] on [-1, 1], on the CPU.
    """
    device = torch_device(cfg.trainer.accelerator)
    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    size = cfg.reconstruct.batch_size

    def encoded_and_decoded(batch: np.ndarray, advance: Advance) -> tuple[Tensor, Tensor]:
        def eps_model(x: Tensor, t: Tensor) -> Tensor:
            advance(len(x))
            return model(x, t)

        x_0 = to_float(torch.from_numpy(np.array(batch)))
        x_T = encode(eps_model, x_0.to(device), alpha_bar, tau)
        decoded = sample(eps_model, x_T, alpha_bar, tau).cpu()
        for state, what in ((x_T, "x_T"), (decoded, "the decoded image")):
            if not bool(state.isfinite().all()):
                cause = "the network gives NaN or infinity: look at the training's loss"
                raise ValueError(f"S = {len(tau)}: {what} is not finite; {cause}")
        return x_0, decoded

    batches = [images[first : first + size] for first in range(0, len(images), size)]
    with track(2 * len(tau) * len(images), f"reconstruct S{len(tau)}") as advance:
        yield from map_batches(encoded_and_decoded, batches, device, advance)


def num_redrawn(cfg: Config) -> int:
    """Images in the batches of the first NUM_SHOWN: alone these would differ in the last bits."""
    size = cfg.reconstruct.batch_size
    # Two batches at least, where there are two: one alone is computed by all threads.
    return max(2, -(-NUM_SHOWN // size)) * size
