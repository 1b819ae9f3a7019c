"""Other people's PyTorch files, read without running what a pickle may hold."""

import textwrap
import warnings
from pathlib import Path
from typing import Any

import torch


def load(path: Path) -> Any:
    """What torch.save wrote to `path`, on the CPU; ValueError in one line for any other file.

    Not mapped into memory: files of 2020, the published Inception among them, are of torch's format
    before 1.6, which cannot be.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an archive of TorchScript, which is refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes that are no checkpoint make torch raise nearly anything
        # Before this mark stands torch's own advice, to load it without the safeguard.
        reason = str(error).rpartition("WeightsUnpickler error:")[2]
        if "TorchScript" in reason:
            reason = "an archive of TorchScript"
        text = f"{type(error).__name__}: {reason}"
        reason = textwrap.shorten(text, 100, placeholder=" ...").rstrip(":")
        what = f"{path} is truncated or no PyTorch file of plain tensors ({reason})"
        raise ValueError(what) from None


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether every value is; False too for a tensor that is sparse, or has a shape alone."""
    is_plain = tensor.layout == torch.strided and not tensor.is_meta
    return is_plain and bool(tensor.isfinite().all())
