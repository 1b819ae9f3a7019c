"""Image i's noise is a function of (seed, i) alone: batch size, order and process do not matter.

(seed, i) is the key of numpy's Philox counter generator. torch's CPU generator keeps only 32
bits of its seed: among 50,000 images, seeded one each, two would likely share their noise.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

MIN_FOR_THREADS = 2**18  # numbers; fewer are drawn sooner than threads are woken


class Noise:
    """The noise of images `indices` of run `seed`: first x_T, then one z per stochastic step.

    Args:
        seed: 0 or more; 0 is a seed like any other.
        indices: N image numbers, 0 or more, in any order.
        shape: of one image, (C, H, W).
        device: where the tensors go. The numbers are drawn on the CPU, so they do not depend on it.
    """

    def __init__(
        self,
        seed: int,
        indices: Sequence[int],
        shape: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        if seed < 0 or min(indices, default=0) < 0:
            raise ValueError(f"seed and image numbers must be 0 or more, got seed={seed}")
        keys = (np.array([seed, i], dtype=np.uint64) for i in indices)
        self._generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        self._shape = tuple(shape)
        self._device = torch.device(device)

    def draw(self) -> Tensor:
        """The next standard normal float32 [N,C,H,W]; the first one is x_T."""
        # Pinned memory lets the copy run while the GPU still works on the step before.
        pin = self._device.type == "cuda"
        z = torch.empty((len(self._generators), *self._shape), pin_memory=pin)
        rows = z.numpy()
        if z.numel() < MIN_FOR_THREADS or torch.get_num_threads() == 1:
            self._fill(rows, slice(None))
        else:  # numpy releases the interpreter's lock while it draws
            list(_pool().map(lambda part: self._fill(rows, part), _parts(len(rows))))
        return z.to(self._device, non_blocking=True)

    def _fill(self, rows: np.ndarray, part: slice) -> None:
        for generator, row in zip(self._generators[part], rows[part], strict=True):
            generator.standard_normal(out=row, dtype=np.float32)

    def __call__(self, x: Tensor) -> Tensor:
        """`randn_like` of the samplers: the next z, in x's dtype."""
        return self.draw().to(x.dtype)


@cache
def _pool() -> ThreadPoolExecutor:
    """As many threads as torch has here: a process among several gets only its share of cores."""
    return ThreadPoolExecutor(torch.get_num_threads())


def _parts(n: int) -> list[slice]:
    """0..n-1 cut into one slice for each thread."""
    size = -(-n // torch.get_num_threads())
    return [slice(first, first + size) for first in range(0, n, size)]
