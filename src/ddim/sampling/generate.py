"""Images of a sampler, batch by batch: image i of a run depends on (seed, i) alone."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.runtime.progress import Advance, silent
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
    for first in range(0, len(indices), batch_size):
        batch = indices[first : first + batch_size]
        noise = Noise(seed, batch, shape, device)
        for state in sampler(noise.draw(), noise):
            advance(len(batch) / sampler.nfe)
            x_0 = state
        yield to_uint8(x_0).cpu().numpy()
