"""Other people's PyTorch files, read without running what a pickle may hold."""

import textwrap
from pathlib import Path
from typing import Any

import torch


def load(path: Path) -> Any:
    """What torch.save wrote to `path`, on the CPU; ValueError in one line for any other file.

    Not mapped into memory: files of 2020, the published Inception among them, are of torch's format
    before 1.6, which cannot be.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes that are no checkpoint make torch raise nearly anything
        # Before this mark stands torch's own advice, to load it without the safeguard.
        reason = str(error).rpartition("WeightsUnpickler error:")[2]
        text = f"{type(error).__name__}: {reason}"
        reason = textwrap.shorten(text, 100, placeholder=" ...").rstrip(":")
        what = f"{path} is truncated or no PyTorch file of plain tensors ({reason})"
        raise ValueError(what) from None
