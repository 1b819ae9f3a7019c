"""Other people's layouts of the same network: checkpoints of the paper's code, diffusers folders.

Owns the translation of names, the meaning of a diffusers configuration, and the verified download.
Published weights are read with torch's safe loader or as safetensors: no code in them ever runs.
"""

import http.client
import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddim import weights
from ddim.runtime import files, torch_file
from ddim.unet import UNet, level_sizes

CONFIG = "config.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
TIMEOUT = 60  # seconds that a download may stand still


def import_published(
    source: str | Path,
    *,
    sha256: str | None,
    arguments: Mapping[str, Any],
    kind: str,
    cache: Path,
) -> UNet:
    """The network of somebody else's weights, in eval mode.

    source: path or http(s)/file URL of (a) a PyTorch checkpoint in the layout of the paper's public
    code (its CIFAR-10, LSUN and CelebA weights), or (b) diffusers weights of a UNet2DModel, as the
    folder or as the *.safetensors in it, config.json beside.
    sha256: of that file (in a folder, of diffusion_pytorch_model.safetensors).
    arguments: UNet's, from the configuration: the file must be exactly that network.
    kind: "ema" or "raw": what the publisher says that the weights are; in a checkpoint that
    holds both, the one that is taken.
    cache: folder for downloads.
    Raises FileNotFoundError, or ValueError in one line that names the tensor, setting or key.
    """
    if kind not in weights.KINDS:
        raise ValueError(f"train.import_weights must be one of {weights.KINDS}, got {kind!r}")
    if sha256 is None or len(sha256) != 64:
        what = f"the SHA-256 of {source} (64 hexadecimal digits)"
        raise ValueError(f"train.import_sha256 must be {what}, got {sha256}")
    path = fetch(str(source), sha256=sha256, cache=cache)
    if path.suffix == ".safetensors":
        check_diffusers_config(path.with_name(CONFIG), arguments)
        tensors, names = read_diffusers(path), diffusers_names(arguments)
    else:
        tensors, names = read_checkpoint(path, kind=kind), {}
    unet = weights.fit(arguments, tensors, path, names)
    _check_finite(unet, path, names)
    return unet


def _check_finite(unet: UNet, path: Path, names: Mapping[str, str]) -> None:
    """Raise ValueError naming the first tensor, as the file does, that makes every image NaN."""
    for name, tensor in unet.state_dict().items():
        if not tensor.isfinite().all():
            what = f"{path}: the tensor {names.get(name, name)} holds NaN or infinite values"
            raise ValueError(f"train.import_from: {what}, weights must be finite in float32")


# --- fetching ------------------------------------------------------------------------------------


def fetch(source: str, *, sha256: str, cache: Path) -> Path:
    """The weights file behind a path or an http(s) or file URL, its SHA-256 verified.

    A folder stands for the diffusers weights in it. Downloads land in cache/<start of sha256>/ and
    are taken from there the next time; beside a *.safetensors comes its config.json (whose every
    setting is compared later). Raises FileNotFoundError or ValueError in one line.
    """
    if urllib.parse.urlsplit(source).scheme in ("http", "https", "file"):
        return _download(source, sha256=sha256, cache=cache)
    path = Path(source)
    if path.is_dir():
        nested = path / "unet" / WEIGHTS  # of a whole pipeline
        path = nested if nested.exists() else path / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"train.import_from: there is no file {path}")
    _verify(path, sha256, source)
    return path


def _verify(path: Path, sha256: str, source: str) -> None:
    if (found := files.sha256(path)) != sha256.lower():
        raise ValueError(f"{source} has SHA-256 {found}, train.import_sha256 is {sha256}")


def _download(url: str, *, sha256: str, cache: Path) -> Path:
    name = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name or "weights"
    path = cache / sha256[:16] / name
    config = path.with_name(CONFIG)
    needs_config = path.suffix == ".safetensors"
    complete = path.exists() and (config.exists() or not needs_config)
    if complete and files.sha256(path) == sha256.lower():
        return path
    _copy(url, path, sha256=sha256)
    if needs_config:
        _copy(urllib.parse.urljoin(url, CONFIG), config, sha256=None)
    return path


def _copy(url: str, path: Path, *, sha256: str | None) -> None:
    """Download to a sibling of `path`, verify, and only then give it its name."""
    try:
        with files.replacing(path) as part:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as response, part.open("wb") as file:
                shutil.copyfileobj(response, file)
            if sha256 is not None:
                _verify(part, sha256, url)
    except (OSError, http.client.HTTPException) as error:
        way_out = "download it by other means and set train.import_from to its path"
        raise FileNotFoundError(f"{url} cannot be downloaded ({error}): {way_out}") from error


# --- the paper's public code ---------------------------------------------------------------------


def read_checkpoint(path: Path, *, kind: str) -> dict[str, Tensor]:
    """Tensors of a PyTorch checkpoint, under the names of UNet's parameters.

    Either a plain state dict (Ho et al.'s weights converted: what they are, EMA or raw, only their
    publisher can say), or the list that the paper's code saves while training,
    [raw state dict, optimizer, epoch, step, EMA state dict if kept], of which `kind` chooses.
    """
    try:
        found = torch_file.load(path)
    except ValueError as error:
        raise ValueError(f"train.import_from: {error}") from None
    if isinstance(found, list | tuple):
        if kind == "ema" and len(found) < 5:
            raise ValueError(f"{path} holds no EMA weights: set train.import_weights=raw")
        found = (found[-1] if kind == "ema" else found[0]) if found else None
    tensors = isinstance(found, Mapping) and all(isinstance(v, Tensor) for v in found.values())
    if not tensors or not found:
        what = f"{path} holds neither a state dict nor the paper's code's list of them"
        raise ValueError(f"train.import_from: {what}")
    # DataParallel, under which that code trains, puts a prefix before every name.
    return {str(name).removeprefix("module."): tensor for name, tensor in found.items()}


# --- diffusers -----------------------------------------------------------------------------------


def diffusers_config(arguments: Mapping[str, Any]) -> dict[str, Any]:
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
# setting; every other key of diffusers_config may be left out of a config.json.
DIFFUSERS_DEFAULTS = {
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


def check_diffusers_config(path: Path, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError naming the first setting in which config.json is another network."""
    if not path.is_file():
        what = f"there is no {path}: diffusers keeps it beside {WEIGHTS}"
        raise FileNotFoundError(f"train.import_from: {what}")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"train.import_from: {path} is no JSON ({error})") from error
    if not isinstance(config, dict):
        what = f"{path} must hold UNet2DModel's settings as a JSON object, got {config!r:.40}"
        raise ValueError(f"train.import_from: {what}")
    for key, need in diffusers_config(arguments).items():
        got = config.get(key, DIFFUSERS_DEFAULTS.get(key, need))
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


def diffusers_names(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Our name -> diffusers' name, of every tensor of the network."""
    with torch.device("meta"):
        names = UNet(**arguments).state_dict()
    levels = len(arguments["multipliers"])
    return {name: diffusers_name(name, levels=levels) for name in names}


def diffusers_name(name: str, *, levels: int) -> str:
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
        return f"{prefix}{kind}.{number}.{_diffusers_layer(rest, attention=part == 'attn')}"
    if head == "mid":
        part, _, rest = rest.partition(".")
        place = {"block_1": "resnets.0", "block_2": "resnets.1", "attn_1": "attentions.0"}[part]
        return f"mid_block.{place}.{_diffusers_layer(rest, attention=part == 'attn_1')}"
    if head == "temb":  # temb.dense.0.weight
        _, number, rest = rest.split(".")
        return f"time_embedding.linear_{int(number) + 1}.{rest}"
    return f"conv_norm_out.{rest}" if head == "norm_out" else name


def _diffusers_layer(name: str, *, attention: bool) -> str:
    layer, _, rest = name.partition(".")
    if attention:
        names = {"norm": "group_norm", "proj_out": "to_out.0"}
        return f"{names.get(layer, f'to_{layer}')}.{rest}"
    names = {"temb_proj": "time_emb_proj", "nin_shortcut": "conv_shortcut"}
    return f"{names.get(layer, layer)}.{rest}"


# Names of the attention's layers before diffusers 0.15, which many published folders still have.
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def read_diffusers(path: Path) -> dict[str, Tensor]:
    """Tensors of a diffusers weights file, under today's diffusers names.

    The attention's projections, matrices there, get the shape of our 1x1 convolutions.
    """
    try:
        found, _ = weights.read(path)
    except ValueError as error:
        raise ValueError(f"train.import_from: {error}") from None
    tensors = {}
    for name, tensor in found.items():
        parts = name.split(".")
        if "attentions" in parts[:-2]:
            *parents, layer, kind = parts
            name = ".".join([*parents, OLD_ATTENTION.get(layer, layer), kind])
            tensor = tensor[..., None, None] if kind == "weight" and tensor.ndim == 2 else tensor
        tensors[name] = tensor
    return tensors


def to_diffusers(state: Mapping[str, Tensor], *, levels: int) -> dict[str, Tensor]:
    """A UNet's state dict as UNet2DModel's."""
    tensors = {}
    for name, tensor in state.items():
        theirs = diffusers_name(name, levels=levels)
        if "attentions" in theirs and tensor.ndim == 4:
            tensor = tensor[..., 0, 0]
        tensors[theirs] = tensor.contiguous()
    return tensors
