"""Table 2's number: the error of decoded images, its scale, its interval. Imports no torch."""

from typing import TYPE_CHECKING

import numpy as np

from ddim.evaluation.intervals import Estimate

if TYPE_CHECKING:
    from torch import Tensor

SCALE = "[0,1]"  # of the error, as records and the report quote it


def squared_errors(x: "Tensor", y: "Tensor") -> np.ndarray:
    """Of each pair of images [N,...] on [-1, 1]: the mean squared error on SCALE, float64 [N].

    A difference there is half of that on [-1, 1], hence the quarter.
    """
    assert x.shape == y.shape, (x.shape, y.shape)
    squared = (x.double() - y.double()).square() / 4
    return np.asarray(squared.flatten(1).mean(1).numpy())


def reconstruction_error(squared: np.ndarray) -> Estimate:
    """The mean of `squared_errors` [N], its interval over images."""
    if len(squared) < 2:
        raise ValueError(
            "reconstruct.num_images must be at least 2, for an interval over images; "
            f"got {len(squared)}"
        )
    if not np.isfinite(squared).all():
        raise ValueError("the decoded images are not finite: check train and its weights")
    return Estimate(float(squared.mean()), (squared,), minimum=0.0)
