"""Images of a sampler, batch by batch: image i of a run depends on (seed, i) alone."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.runtime.progress import Advance, silent
from ddim.sampling.parallel import map_batches
from ddim.sampling.samplers import Sampler


class NotFiniteError(ValueError):
    """NaN or infinity on the way from x_T to x_0."""


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
    NotFiniteError, naming image and step, for NaN or infinity; only x_0 is looked at before that.
    """

    def sampled(batch: Sequence[int], advance: Advance) -> np.ndarray:
        noise = Noise(seed, batch, shape, device)
        for state in sampler(noise.draw(), noise):
            advance(len(batch) / sampler.nfe)
            x_0 = state
        if not bool(x_0.isfinite().all()):
            again = Noise(seed, batch, shape, device)
            raise NotFiniteError(_where(sampler, again, batch))
        return to_uint8(x_0).cpu().numpy()

    batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
    yield from map_batches(sampled, batches, device, advance)


def _where(sampler: Sampler, noise: Noise, batch: Sequence[int]) -> str:
    """Which image of `batch` is not finite first, and after which step: sampled a second time."""
    cause = "the network gives NaN or infinity: look at the training's loss and at sample.precision"
    for step, state in enumerate(sampler(noise.draw(), noise), start=1):
        finite = state.isfinite().flatten(1).all(1)
        if not bool(finite.all()):
            image = batch[int((~finite).nonzero()[0])]
            return f"image {image} is not finite after step {step} of {sampler.nfe}; {cause}"
    return f"one of the images {batch[0]}..{batch[-1]} is not finite; {cause}"
