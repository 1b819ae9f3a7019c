"""The U-Net of ddim.unet as a plain PyTorch program: eager, contiguous, nothing fused.

What our own forward pass is measured against, whatever becomes of that. It shares with it the
names of the tensors alone, which are those of the published weights.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-6


class PlainUNet(nn.Module):
    """eps [N,C,H,W] of x [N,C,H,W] and t int64 [N] in 1..T, with another network's weights.

    Args:
        state: of a ddim.unet.UNet.
        arguments: that network's.
    """

    def __init__(self, state: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self._groups, self._channels = arguments["groups"], arguments["channels"]
        self._levels, self._blocks = len(arguments["multipliers"]), arguments["blocks"]
        self.tensors = nn.ParameterDict(
            {name.replace(".", "/"): value.detach().contiguous() for name, value in state.items()}
        )

    def _get(self, name: str) -> tuple[Tensor, Tensor]:
        weight, bias = (self.tensors[f"{name}.{kind}".replace(".", "/")] for kind in _KINDS)
        return weight, bias

    def _has(self, name: str) -> bool:
        return f"{name}.weight".replace(".", "/") in self.tensors

    def _conv(self, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        weight, bias = self._get(name)
        padding = weight.shape[-1] // 2 if stride == 1 else 0
        return F.conv2d(x, weight, bias, stride=stride, padding=padding)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.group_norm(x, self._groups, *self._get(name), eps=EPS)

    def _block(self, name: str, x: Tensor, emb: Tensor) -> Tensor:
        h = self._conv(f"{name}.conv1", F.silu(self._norm(f"{name}.norm1", x)))
        h = h + F.linear(emb, *self._get(f"{name}.temb_proj"))[:, :, None, None]
        h = self._conv(f"{name}.conv2", F.silu(self._norm(f"{name}.norm2", h)))
        shortcut = f"{name}.nin_shortcut"
        return (self._conv(shortcut, x) if self._has(shortcut) else x) + h

    def _attention(self, name: str, x: Tensor) -> Tensor:
        if not self._has(f"{name}.q"):
            return x
        h = self._norm(f"{name}.norm", x)
        q, k, v = (self._conv(f"{name}.{p}", h).flatten(2).transpose(1, 2) for p in "qkv")
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).unflatten(2, x.shape[2:])
        return x + self._conv(f"{name}.proj_out", h)

    def _embedding(self, t: Tensor) -> Tensor:
        half = self._channels // 2
        rates = 10_000 ** -(torch.arange(half, device=t.device) / (half - 1))
        angles = (t - 1)[:, None] * rates
        emb = torch.cat([angles.sin(), angles.cos()], dim=1)
        for i in range(2):
            emb = F.silu(F.linear(emb, *self._get(f"temb.dense.{i}")))
        return emb

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """As the class says."""
        emb = self._embedding(t)
        skips = [self._conv("conv_in", x)]
        for i in range(self._levels):
            for j in range(self._blocks):
                h = self._block(f"down.{i}.block.{j}", skips[-1], emb)
                skips.append(self._attention(f"down.{i}.attn.{j}", h))
            if i < self._levels - 1:
                halved = F.pad(skips[-1], (0, 1, 0, 1))
                skips.append(self._conv(f"down.{i}.downsample.conv", halved, stride=2))
        h = self._block("mid.block_1", skips[-1], emb)
        h = self._block("mid.block_2", self._attention("mid.attn_1", h), emb)
        for i in reversed(range(self._levels)):
            for j in range(self._blocks + 1):
                h = torch.cat([h, skips.pop()], dim=1)
                h = self._attention(f"up.{i}.attn.{j}", self._block(f"up.{i}.block.{j}", h, emb))
            if i > 0:
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
                h = self._conv(f"up.{i}.upsample.conv", h)
        return self._conv("conv_out", F.silu(self._norm("norm_out", h)))


_KINDS = ("weight", "bias")
