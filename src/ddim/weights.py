"""Weights as files: our own format, and the check that tensors fit a given network.

A weights file is a safetensors file: the tensors of one UNet under their own names and, as JSON in
its metadata, what is needed to use them. No pickled objects, so loading one runs no code.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddim.runtime import tensor_file
from ddim.unet import UNet

KINDS = ("ema", "raw")
KEY = "ddim"  # the one entry of the metadata
VERSION = 2  # of our files; those of version 1 had neither version nor checksum, and still load
AGAIN = "run the stage train again, or get the file again"

# Where the configuration sets each of UNet's arguments; the others are model.<argument>.
KEYS = {"image_size": "data.image_size", "in_channels": "data.channels"}


def save(path: str | Path, unet: UNet, *, kind: str, info: Mapping[str, Any]) -> None:
    """Write the network's weights to `path`, atomically.

    kind: "ema" or "raw". info: anything that JSON holds and that belongs beside results of these
    weights; the samples' record quotes "trained_steps" and "source", ddim.export needs
    "diffusion" = {"T", "beta_start", "beta_end"}. The same arguments give the same bytes.
    """
    if kind not in KINDS:
        raise ValueError(f"kind of weights must be one of {KINDS}, got {kind!r}")
    metadata = {"kind": kind, "arguments": unet.arguments, "info": dict(info)}
    tensor_file.write(Path(path), KEY, VERSION, metadata, unet.state_dict())


def load(
    path: str | Path,
    device: str | torch.device = "cpu",
    *,
    expect: Mapping[str, Any] | None = None,
) -> tuple[UNet, dict[str, Any]]:
    """The network in `path`, in eval mode, and what is known about it.

    Returns (unet, {"kind": "ema" | "raw", "arguments": UNet's, "info": as saved}). `expect` holds
    the arguments of the network that the configuration describes. Raises FileNotFoundError, or
    ValueError for a file that is damaged (its checksum tells), whose weights are not finite, or
    that holds another network; all name what is wrong.
    """
    path = Path(path)
    with _told(path):
        tensors, entries = read(path)
        about, metadata = _metadata(path, entries)
    for key, value in (expect or {}).items():
        value = list(value) if isinstance(value, tuple) else value
        if (actual := metadata["arguments"].get(key)) != value:
            key = KEYS.get(key, f"model.{key}")
            raise ValueError(f"{key} is {value}, the weights in {path} have {actual}")
    with _told(path):
        unet = from_tensors(metadata["arguments"], tensors, path)
        if tensor_file.VERSION in about:
            tensor_file.check(about, VERSION, tensors)
        tensor_file.check_finite(tensors)
    return unet.to(device), metadata


def describe(path: Path) -> dict[str, Any]:
    """What `load` returns besides the network, without reading its tensors."""
    _require_file(path)
    with _told(path), tensor_file.opened(path) as file:
        return _metadata(path, file.metadata() or {})[1]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of what is wrong with a file which one it is, and the way out."""
    try:
        yield
    except ValueError as error:
        where = "" if str(path) in str(error) else f"{path}: "
        raise ValueError(f"{where}{error}: {AGAIN}") from None


def _metadata(path: Path, entries: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that the file says about itself, and what of that `load` returns."""
    if KEY not in entries:
        raise ValueError(f"{path} was not written by ddim: import it with train.import_from")
    kinds = {"kind": str, "arguments": dict, "info": dict}
    own = {tensor_file.VERSION, tensor_file.CHECKSUM}  # both or, in version 1, neither
    about = tensor_file.read_about(entries, KEY)
    metadata = {name: value for name, value in about.items() if name not in own}
    if {name: type(value) for name, value in metadata.items()} != kinds:
        raise ValueError(f"its metadata must hold {', '.join(kinds)}, not {list(metadata)}")
    if metadata["kind"] not in KINDS:
        raise ValueError(f"its kind is {metadata['kind']!r}, not one of {KINDS}")
    if len(own & about.keys()) == 1:
        raise ValueError("its metadata lacks the version or the checksum")
    return about, metadata


def import_published(
    source: str | Path,
    *,
    sha256: str | None,
    arguments: Mapping[str, Any],
    kind: str,
    cache: Path,
) -> UNet:
    """The network of somebody else's weights: see `ddim.interop.published.import_published`."""
    # No import statement: what only loads our own files does not depend on the room interop.
    interop = importlib.import_module("ddim.interop.published")
    unet: UNet = interop.import_published(
        source, sha256=sha256, arguments=arguments, kind=kind, cache=cache
    )
    return unet


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of any safetensors file; FileNotFoundError or ValueError in one line."""
    _require_file(path)
    return tensor_file.read(path)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"there is no weights file {path}: run the stage train first")


def from_tensors(
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    path: Path,
    names: Mapping[str, str] | None = None,
) -> UNet:
    """UNet(**arguments) in eval mode with these tensors; names: ours -> the file's, if different.

    Raises ValueError that names the first missing, extra or misshapen tensor as the file does.
    """
    try:
        with torch.device("meta"):  # no memory, time and random numbers for an initialisation
            unet = UNet(**arguments)
    except Exception as error:  # a file's arguments may be anything
        raise ValueError(f"{path}: its arguments make no network ({error})") from None
    state = {}
    for name, ours in unet.state_dict().items():
        theirs = names[name] if names else name
        tensor = tensors.get(theirs)
        if tensor is None:
            raise ValueError(f"{path} lacks the tensor {theirs} {list(ours.shape)}")
        if tensor.layout != torch.strided or tensor.is_meta:
            raise ValueError(f"{path}: the tensor {theirs} is sparse or without values")
        if tensor.shape != ours.shape or not tensor.is_floating_point():
            actual = f"{list(tensor.shape)} of {tensor.dtype}"
            needs = f"{list(ours.shape)} of floating point"
            raise ValueError(f"{path}: the tensor {theirs} is {actual}, this network needs {needs}")
        state[name] = tensor.to(torch.float32)
    if extra := sorted(set(tensors) - set(names.values() if names else state)):
        more = f" (and {len(extra) - 1} more)" if len(extra) > 1 else ""
        raise ValueError(f"{path} has the tensor {extra[0]}{more}, which this network lacks")
    unet.load_state_dict(state, assign=True)
    return unet.to(memory_format=torch.channels_last).eval()  # as UNet itself has it
