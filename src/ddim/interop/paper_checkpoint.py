"""PyTorch checkpoints as the paper's public code writes them: CIFAR-10, LSUN, CelebA weights."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ddim.runtime import torch_file


def read_checkpoint(path: Path, *, kind: str) -> dict[str, Tensor]:
    """Tensors of a PyTorch checkpoint, under the names of UNet's parameters.

    Either a plain state dict (Ho et al.'s weights converted: what they are, EMA or raw, only their
    publisher can say), or the list that the paper's code saves while training,
    [raw state dict, optimizer, epoch, step, EMA state dict if kept], of which `kind` chooses.
    """
    try:
        content = torch_file.load(path)
    except ValueError as error:
        raise ValueError(f"train.import_from: {error}") from None
    if isinstance(content, list | tuple):
        if kind == "ema" and len(content) < 5:
            raise ValueError(f"{path} holds no EMA weights: set train.import_weights=raw")
        content = (content[-1] if kind == "ema" else content[0]) if content else None
    tensors = isinstance(content, Mapping) and all(isinstance(v, Tensor) for v in content.values())
    if not tensors or not content:
        what = f"{path} holds neither a state dict nor the paper's code's list of them"
        raise ValueError(f"train.import_from: {what}")
    # DataParallel, under which that code trains, puts a prefix before every name.
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}
