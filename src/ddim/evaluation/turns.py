"""Images without classes: a task that they set themselves, to tell which way up they are.

Each is turned by 0, 90, 180 or 270 degrees and labelled by that; a network that tells the turns
apart has learnt what the images show (Gidaris, Singh, Komodakis, 2018, arXiv 1803.07728).
"""

import numpy as np
import torch
from torch import Tensor

from ddim.records.prepared import Split

QUARTERS = 4  # labels: how often an image is turned by 90 degrees


def turned(images: Tensor, quarters: Tensor) -> Tensor:
    """Square images [N,C,H,W], image i turned by quarters[i] (0..3) times 90 degrees."""
    result = images.clone()
    for quarter in range(1, QUARTERS):
        chosen = quarters == quarter
        result[chosen] = images[chosen].rot90(quarter, (2, 3))
    return result


def drawn(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The images with turns that `generator` draws, and these as labels, int64 [N]."""
    quarters = torch.randint(QUARTERS, (len(images),), generator=generator).to(images.device)
    return turned(images, quarters), quarters


def labelled(split: Split) -> Split:
    """A split as a fixed task: image i is turned i mod 4 times, which is its label."""
    quarters = torch.arange(len(split.images)) % QUARTERS
    images = turned(torch.from_numpy(np.array(split.images)), quarters)
    return Split(images.numpy(), quarters.numpy())
