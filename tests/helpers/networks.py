"""Small networks with random weights, and weights as others publish them."""

import json
from pathlib import Path

import safetensors.torch
import torch

from ddim.interop import diffusers_layout, published
from ddim.runtime import files
from ddim.unet import UNet

TINY = {
    "image_size": 8,
    "in_channels": 1,
    "channels": 16,
    "multipliers": [1, 2],
    "blocks": 1,
    "attention": [4],
    "dropout": 0.0,
    "groups": 4,
}

CIFAR10 = {
    "image_size": 32,
    "in_channels": 3,
    "channels": 128,
    "multipliers": [1, 2, 2, 2],
    "blocks": 2,
    "attention": [16],
    "dropout": 0.1,
    "groups": 32,
}


def tiny(**changes: object) -> UNet:
    """The network of TINY, with `changes`."""
    return UNet(**{**TINY, **changes})


def randomised(unet: UNet) -> UNet:
    """Every parameter random, also those that start at 0, so that every part can be seen."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in unet.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            scale = 0.1 if p.ndim == 1 else (p[0].numel()) ** -0.5
            p.copy_(noise * scale + ("norm" in name and name.endswith("weight")))
    return unet.eval()


def same(a: UNet, b: UNet) -> bool:
    """Whether all weights are equal, bit for bit."""
    pairs = [a.state_dict(), b.state_dict()]
    return list(pairs[0]) == list(pairs[1]) and all(
        torch.equal(pairs[0][name], pairs[1][name]) for name in pairs[0]
    )


def reads(path: Path, kind: str = "ema", arguments: dict = TINY, **options: object) -> UNet:
    """The published weights in `path`, with their right checksum unless another one is given."""
    options = {"sha256": files.sha256(path) if path.is_file() else "0" * 64, **options}
    cache = path.parent / "cache"
    return published.import_published(path, arguments=arguments, kind=kind, cache=cache, **options)


def write_diffusers(folder: Path, unet: UNet, **changes: object) -> Path:
    """A UNet2DModel folder; `changes` of its configuration, None removes the key."""
    config = diffusers_layout.unet_config(unet.arguments) | changes
    folder.mkdir(exist_ok=True)
    text = json.dumps({k: v for k, v in config.items() if v != "absent"})
    (folder / diffusers_layout.CONFIG).write_text(text)
    tensors = diffusers_layout.to_tensors(unet.state_dict(), levels=len(unet.up))
    safetensors.torch.save_file(tensors, folder / diffusers_layout.WEIGHTS)
    return folder / diffusers_layout.WEIGHTS
