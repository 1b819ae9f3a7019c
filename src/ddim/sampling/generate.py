"""Images of a sampler, batch by batch: image i of a run depends on (seed, i) alone."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.runtime.progress import Advance, silent
from ddim.sampling.parallel import map_batches
from ddim.sampling.samplers import Sampler


def generate(  # noqa: PLR0913
    sampler: Sampler,
    indices: Sequence[int],
    *,
    seed: int,
    shape: Sequence[int],
    batch_size: int,
    device: torch.device,
    advance: Advance = silent,
) -> Iterator[np.ndarray]:
    """Yield images `indices` of run `seed` as uint8 [n,C,H,W] batches of at most batch_size.

    shape is one image's (C, H, W). `advance` is told the images done, fractions included. Raises
    ValueError if the sampler returns NaN.
    """

    def sampled(batch: Sequence[int], advance: Advance) -> np.ndarray:
        noise = Noise(seed, batch, shape, device)
        for state in sampler(noise.draw(), noise):
            advance(len(batch) / sampler.nfe)
            x_0 = state
        return to_uint8(x_0).cpu().numpy()

    batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
    yield from map_batches(sampled, batches, device, advance)
