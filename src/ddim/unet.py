"""The DDPM U-Net, eps = unet(x, t): its layers, its initialisation and the count of t from 0.

Ho, Jain, Abbeel 2020, Appendix B. The parameters carry the names of the published PyTorch weights
(down.0.block.0.norm1, mid.attn_1.q, up.3.upsample.conv, ...), so that those load as they are.

In the shape comments N images have C channels and H x W pixels; E = 4 x channels is the width of
the time embedding.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Widths = list[tuple[int, int]]  # in and out of each residual block of one level
EPS = 1e-6  # of GroupNorm, as in the published networks (torch's default is 1e-5)


class UNet(nn.Module):
    """eps_theta(x_t, t): the noise that the network sees in x_t.

    Args:
        image_size: side of the square images in pixels; halved at each level but the last.
        in_channels: channels of the images (1 grey, 3 RGB), also of the output.
        channels: width of the first level; even and at least 4.
        multipliers: width of each level, in multiples of `channels`.
        blocks: residual blocks of each level on the way down (one more on the way up).
        attention: image sizes whose blocks are followed by self-attention; the middle always is.
        dropout: rate inside each residual block, in [0, 1).
        groups: groups of every GroupNorm; divides the width of every level.

    `arguments` holds these as a plain dict: UNet(**unet.arguments) is the same network. Raises
    ValueError for arguments that make no network.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        image_size: int,
        in_channels: int,
        channels: int,
        multipliers: Sequence[int],
        blocks: int,
        attention: Sequence[int],
        dropout: float,
        groups: int,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "image_size": image_size,
            "in_channels": in_channels,
            "channels": channels,
            "multipliers": list(multipliers),
            "blocks": blocks,
            "attention": list(attention),
            "dropout": dropout,
            "groups": groups,
        }
        check(self.arguments)
        self._add_layers()
        initialise(self)
        # The convolutions are as fast or faster so, and their inputs follow the weights:
        # `python -m benchmarks network`.
        self.to(memory_format=torch.channels_last)

    def _add_layers(self) -> None:
        """From the first to the last; `arguments` are those of __init__, in its order."""
        (image_size, in_channels, channels, multipliers, blocks, attention, dropout, groups) = (
            self.arguments.values()
        )
        embedding, last = 4 * channels, len(multipliers) - 1
        rest = (embedding, dropout, groups)  # of every block
        down, up = block_widths(channels, multipliers, blocks)
        attends = [size in attention for size in level_sizes(image_size, len(multipliers))]

        self.temb = TimeEmbedding(channels, embedding)
        self.conv_in = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.down = nn.ModuleList(
            DownLevel(Blocks(widths, *rest, attends[i]), shrink=i < last)
            for i, widths in enumerate(down)
        )
        self.mid = Middle(channels * multipliers[last], *rest)
        self.up = nn.ModuleList(
            UpLevel(Blocks(widths, *rest, attends[i]), grow=i > 0) for i, widths in enumerate(up)
        )
        width = channels * multipliers[0]
        self.norm_out = nn.GroupNorm(groups, width, eps=EPS)
        self.conv_out = nn.Conv2d(width, in_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x [N,C,H,W] in about [-1, 1], t int64 [N] in 1..T -> eps [N,C,H,W] in x's dtype."""
        size = self.arguments["image_size"]
        if x.shape[1:] != (self.arguments["in_channels"], size, size):
            accepts = f"[N, {self.arguments['in_channels']}, {size}, {size}]"
            raise ValueError(f"this network takes images {accepts}, got {list(x.shape)}")
        # The paper counts t from 1, the published networks from 0: here, and nowhere else.
        emb = self.temb(t - 1)  # [N,E]

        h = self.conv_in(x.to(self.conv_in.weight.dtype))  # [N,channels,H,W]
        skips = [h]
        for level in self.down:
            skips += level(skips[-1], emb)  # H and W halve after each level but the last
        h = self.mid(skips[-1], emb)
        for level in reversed(self.up):
            h = level(h, skips, emb)  # H and W double after each level but the first
        h = self.conv_out(F.silu(self.norm_out(h)))  # [N,C,H,W]
        return h.to(x.dtype)


def check(arguments: dict[str, Any]) -> None:
    """Raise ValueError, with the key of the configuration, for arguments that make no network."""
    size, multipliers = arguments["image_size"], arguments["multipliers"]
    channels, groups = arguments["channels"], arguments["groups"]
    for key in ("image_size", "in_channels", "channels", "blocks", "groups"):
        if arguments[key] < 1:
            raise ValueError(f"{key} of the U-Net must be at least 1, got {arguments[key]}")
    if not multipliers or min(multipliers) < 1:
        raise ValueError(f"model.multipliers must be a list of integers > 0, got {multipliers}")
    if channels < 4 or channels % 2:
        why = "half of it are sines, half cosines of t"
        raise ValueError(f"model.channels must be even and at least 4 ({why}), got {channels}")
    factor = 2 ** (len(multipliers) - 1)
    if size % factor:
        why = f"{len(multipliers)} levels"
        raise ValueError(f"data.image_size must be divisible by {factor} ({why}), got {size}")
    if any(channels * m % groups for m in multipliers):
        accepts = f"a divisor of channels x every multiplier ({channels} x {multipliers})"
        raise ValueError(f"model.groups must be {accepts}, got {groups}")
    sizes = level_sizes(size, len(multipliers))
    if unknown := [a for a in arguments["attention"] if a not in sizes]:
        raise ValueError(f"model.attention must list image sizes of the levels {sizes}: {unknown}")
    if not 0 <= arguments["dropout"] < 1:
        raise ValueError(f"model.dropout must be in [0, 1), got {arguments['dropout']}")


def level_sizes(image_size: int, levels: int) -> list[int]:
    """Image sizes of the levels, from the first to the smallest."""
    return [image_size >> i for i in range(levels)]


def block_widths(
    channels: int, multipliers: Sequence[int], blocks: int
) -> tuple[list[Widths], list[Widths]]:
    """The residual blocks of every level: on the way down, and on the way up."""
    levels = [channels * m for m in multipliers]
    down: list[Widths] = []
    width, skips = channels, [channels]  # skips: what the way up takes back, last one first
    for i, out in enumerate(levels):
        down.append([(width if j == 0 else out, out) for j in range(blocks)])
        width = out
        skips += [out] * (blocks + (i < len(levels) - 1))  # the halved one too
    up: list[Widths] = []
    for out in reversed(levels):
        taken = [skips.pop() for _ in range(blocks + 1)]
        up.insert(0, [((width if j == 0 else out) + skip, out) for j, skip in enumerate(taken)])
        width = out
    return down, up


def initialise(unet: UNet) -> None:
    """All of the initialisation, as DDPM's.

    Weights are uniform with variance 1 / fan_avg (Glorot's rule), which keeps the scale of
    activations and of gradients about the same through the layers; biases start at 0. The layer
    that ends each residual branch starts at 0, so each block starts as the identity and depth does
    no harm at first; so does the last convolution: the first guess is eps = 0, the mean.
    """
    for module in unet.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    for module in unet.modules():
        if isinstance(module, ResidualBlock):
            nn.init.zeros_(module.conv2.weight)
        if isinstance(module, SelfAttention):
            nn.init.zeros_(module.proj_out.weight)
    nn.init.zeros_(unet.conv_out.weight)


# --- the parts -----------------------------------------------------------------------------------


class TimeEmbedding(nn.Module):
    """Sines and cosines of the time at geometric frequencies, then two dense layers."""

    frequencies: Tensor

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.dense = nn.ModuleList(
            [nn.Linear(channels, embedding), nn.Linear(embedding, embedding)]
        )
        half = channels // 2
        # From 1 down to 1/10000. On the CPU whatever the default device: a network built on the
        # meta device and filled afterwards (ddim.weights) would otherwise never get its values.
        exponents = torch.arange(half, dtype=torch.float32, device="cpu")
        frequencies = torch.exp(exponents * -(math.log(10_000) / (half - 1)))
        self.register_buffer("frequencies", frequencies, persistent=False)  # no weight: not saved

    def forward(self, time: Tensor) -> Tensor:
        """time int64 [N], from 0 -> [N,E], after the activation that each block begins with."""
        angles = time[:, None] * self.frequencies  # [N,channels/2]
        emb = torch.cat([angles.sin(), angles.cos()], dim=1)  # [N,channels]
        for dense in self.dense:
            emb = F.silu(dense(emb))  # [N,E]
        return emb


class ResidualBlock(nn.Module):
    """x + conv(dropout(silu(norm(conv(silu(norm(x))) + time)))), with a 1x1 shortcut if need be."""

    def __init__(
        self, width_in: int, width: int, embedding: int, dropout: float, groups: int
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, width_in, eps=EPS)
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1)
        self.temb_proj = nn.Linear(embedding, width)
        self.norm2 = nn.GroupNorm(groups, width, eps=EPS)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        same = width_in == width
        self.nin_shortcut = nn.Identity() if same else nn.Conv2d(width_in, width, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """[N,width,H,W] of x [N,width_in,H,W] and the embedding of t [N,embedding]."""
        h = self.conv1(F.silu(self.norm1(x)))  # [N,width_in,H,W] -> [N,width,H,W]
        h = h + self.temb_proj(emb)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return self.nin_shortcut(x) + h


class SelfAttention(nn.Module):
    """One head over all pixels, with 1x1 convolutions as projections."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=EPS)
        self.q = nn.Conv2d(width, width, 1)
        self.k = nn.Conv2d(width, width, 1)
        self.v = nn.Conv2d(width, width, 1)
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [N,width,H,W] plus what every pixel takes from the others."""
        h = self.norm(x)
        # Each [N,width,H,W] -> [N,1,HW,width]: one head, a row per pixel.
        q, k, v = (p(h).flatten(2).transpose(1, 2)[:, None] for p in (self.q, self.k, self.v))
        h = F.scaled_dot_product_attention(q, k, v)  # softmax(q k^T / sqrt(width)) v
        h = h[:, 0].transpose(1, 2).unflatten(2, x.shape[2:])  # [N,width,H,W]
        return x + self.proj_out(h)


class Downsample(nn.Module):
    """[N,width,H,W] -> [N,width,H/2,W/2] by a 3x3 convolution of stride 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[N,width,H/2,W/2] of x [N,width,H,W]."""
        # One row below and one column to the right only: TensorFlow's SAME, which DDPM had.
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """[N,width,H,W] -> [N,width,2H,2W]: every pixel four times, then a 3x3 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N,width,2H,2W] of x [N,width,H,W]."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Blocks(NamedTuple):
    """What the residual blocks of one level are made of."""

    widths: Widths
    embedding: int
    dropout: float
    groups: int
    attends: bool


class Level(nn.Module):
    """The residual blocks of one image size, each followed by attention where the size has it."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        widths, embedding, dropout, groups, attends = blocks
        self.width = widths[-1][1]
        self.block = nn.ModuleList(
            ResidualBlock(width_in, width, embedding, dropout, groups) for width_in, width in widths
        )
        self.attn = nn.ModuleList(
            SelfAttention(width, groups) if attends else nn.Identity() for _, width in widths
        )


class DownLevel(Level):
    """On the way down; its last tensor is the next level's input."""

    def __init__(self, blocks: Blocks, *, shrink: bool) -> None:
        super().__init__(blocks)
        self.downsample = Downsample(self.width) if shrink else None

    def forward(self, h: Tensor, emb: Tensor) -> list[Tensor]:
        """Returns the output of each block and, if there is a next level, the halved last one."""
        outputs = []
        for block, attn in zip(self.block, self.attn, strict=True):
            h = attn(block(h, emb))
            outputs.append(h)
        if self.downsample is not None:
            outputs.append(self.downsample(h))
        return outputs


class Middle(nn.Module):
    """Two residual blocks around self-attention, at the smallest image size."""

    def __init__(self, width: int, embedding: int, dropout: float, groups: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(width, width, embedding, dropout, groups)
        self.attn_1 = SelfAttention(width, groups)
        self.block_2 = ResidualBlock(width, width, embedding, dropout, groups)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """Of h's shape [N,width,H,W]; emb is the embedding of t [N,embedding]."""
        return self.block_2(self.attn_1(self.block_1(h, emb)), emb)


class UpLevel(Level):
    """On the way up; each block takes back one tensor of the way down, channel on channel."""

    def __init__(self, blocks: Blocks, *, grow: bool) -> None:
        super().__init__(blocks)
        self.upsample = Upsample(self.width) if grow else None

    def forward(self, h: Tensor, skips: list[Tensor], emb: Tensor) -> Tensor:
        """Takes its skips off the end of the list."""
        for block, attn in zip(self.block, self.attn, strict=True):
            h = torch.cat([h, skips.pop()], dim=1)  # [N,width+skip,H,W]
            h = attn(block(h, emb))
        return h if self.upsample is None else self.upsample(h)
