"""The layout of diffusers: our network as a UNet2DModel, in names and configuration, both ways.

Needs no diffusers. `unet_config` and `tensor_names` describe the UNet2DModel that is the same
network; `check_config` and `read_tensors` take one in, `to_tensors` gives one out.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddim import weights
from ddim.unet import UNet, level_sizes

CONFIG = "config.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def unet_config(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The UNet2DModel configuration that is the same network as UNet(**arguments)."""
    levels = len(arguments["multipliers"])
    sizes = level_sizes(arguments["image_size"], levels)
    attends = [size in arguments["attention"] for size in sizes]
    return {
        "_class_name": "UNet2DModel",
        "act_fn": "silu",
        "add_attention": True,
        "attention_head_dim": None,  # one head
        "attn_norm_num_groups": None,  # those of the residual blocks
        "block_out_channels": [arguments["channels"] * m for m in arguments["multipliers"]],
        "center_input_sample": False,
        "class_embed_type": None,
        "down_block_types": ["AttnDownBlock2D" if a else "DownBlock2D" for a in attends],
        "downsample_padding": 0,  # asymmetric, as DDPM's
        "downsample_type": "conv",
        "dropout": arguments["dropout"],
        "flip_sin_to_cos": False,
        "freq_shift": 1,  # the lowest frequency is exactly 1/10000
        "in_channels": arguments["in_channels"],
        "layers_per_block": arguments["blocks"],
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-6,
        "norm_num_groups": arguments["groups"],
        "num_class_embeds": None,
        "out_channels": arguments["in_channels"],
        "resnet_time_scale_shift": "default",
        "sample_size": arguments["image_size"],
        "time_embedding_type": "positional",
        "up_block_types": ["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)],
        "upsample_type": "conv",
    }


# What UNet2DModel takes where a configuration is silent and that differs from our network's
# setting; every other key of unet_config may be left out of a config.json.
DEFAULTS = {
    "attention_head_dim": 8,
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "norm_eps": 1e-5,
    "norm_num_groups": 32,
    "layers_per_block": 2,
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": [224, 448, 672, 896],
    "down_block_types": ["DownBlock2D"] + 3 * ["AttnDownBlock2D"],
    "up_block_types": 3 * ["AttnUpBlock2D"] + ["UpBlock2D"],
}


def check_config(path: Path, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError naming the first setting in which config.json is another network."""
    if not path.is_file():
        what = f"there is no {path}: diffusers keeps it beside {WEIGHTS}"
        raise FileNotFoundError(f"train.import_from: {what}")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"train.import_from: {path} is invalid JSON ({error})") from error
    if not isinstance(config, dict):
        what = f"{path} must hold UNet2DModel's settings as a JSON object, got {config!r:.40}"
        raise ValueError(f"train.import_from: {what}")
    for key, need in unet_config(arguments).items():
        got = config.get(key, DEFAULTS.get(key, need))
        if key == "dropout" or got == need or (key == "sample_size" and got is None):
            continue  # dropout changes training only; convolutions do not know their image's size
        if key == "attention_head_dim" and _one_head(got, arguments):
            continue
        what = f"{path}: {key} is {got!r}, the network of `model` has {need!r}"
        raise ValueError(f"train.import_from: {what}")


def _one_head(head: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether heads of this width are one head everywhere, as where all widths are the same."""
    multipliers = arguments["multipliers"]
    sizes = level_sizes(arguments["image_size"], len(multipliers))
    attending = [m for m, s in zip(multipliers, sizes, strict=True) if s in arguments["attention"]]
    return all(arguments["channels"] * m == head for m in [*attending, multipliers[-1]])


def tensor_names(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Our name -> diffusers' name, of every tensor of the network."""
    with torch.device("meta"):
        names = UNet(**arguments).state_dict()
    levels = len(arguments["multipliers"])
    return {name: tensor_name(name, levels=levels) for name in names}


def tensor_name(name: str, *, levels: int) -> str:
    """UNet2DModel's name of a parameter of UNet, e.g. down.0.attn.1.q.bias."""
    head, _, rest = name.partition(".")
    if head in ("down", "up"):
        level, part, rest = rest.split(".", 2)
        index = int(level) if head == "down" else levels - 1 - int(level)  # up: as they are run
        prefix = f"{head}_blocks.{index}."
        if part.endswith("sample"):
            return f"{prefix}{part}rs.0.{rest}"
        number, _, rest = rest.partition(".")
        kind = {"block": "resnets", "attn": "attentions"}[part]
        return f"{prefix}{kind}.{number}.{_layer_name(rest, attention=part == 'attn')}"
    if head == "mid":
        part, _, rest = rest.partition(".")
        place = {"block_1": "resnets.0", "block_2": "resnets.1", "attn_1": "attentions.0"}[part]
        return f"mid_block.{place}.{_layer_name(rest, attention=part == 'attn_1')}"
    if head == "temb":  # temb.dense.0.weight
        _, number, rest = rest.split(".")
        return f"time_embedding.linear_{int(number) + 1}.{rest}"
    return f"conv_norm_out.{rest}" if head == "norm_out" else name


def _layer_name(name: str, *, attention: bool) -> str:
    layer, _, rest = name.partition(".")
    if attention:
        names = {"norm": "group_norm", "proj_out": "to_out.0"}
        return f"{names.get(layer, f'to_{layer}')}.{rest}"
    names = {"temb_proj": "time_emb_proj", "nin_shortcut": "conv_shortcut"}
    return f"{names.get(layer, layer)}.{rest}"


# Names of the attention's layers before diffusers 0.15, which many published folders still have.
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a diffusers weights file, under today's diffusers names.

    The attention's projections, matrices there, get the shape of our 1x1 convolutions.
    """
    try:
        stored, _ = weights.read(path)
    except ValueError as error:
        raise ValueError(f"train.import_from: {error}") from None
    tensors = {}
    for name, tensor in stored.items():
        parts = name.split(".")
        if "attentions" in parts[:-2]:
            *parents, layer, kind = parts
            name = ".".join([*parents, OLD_ATTENTION.get(layer, layer), kind])
            tensor = tensor[..., None, None] if kind == "weight" and tensor.ndim == 2 else tensor
        tensors[name] = tensor
    return tensors


def to_tensors(state: Mapping[str, Tensor], *, levels: int) -> dict[str, Tensor]:
    """A UNet's state dict as UNet2DModel's."""
    tensors = {}
    for name, tensor in state.items():
        theirs = tensor_name(name, levels=levels)
        if "attentions" in theirs and tensor.ndim == 4:
            tensor = tensor[..., 0, 0]
        tensors[theirs] = tensor.contiguous()
    return tensors
