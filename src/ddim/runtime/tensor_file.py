"""Safetensors files of ours: tensors, and JSON about them that carries a version and a checksum.

No pickled objects: reading one runs no code.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ddim.runtime.files import replacing

VERSION, CHECKSUM = "version", "sha256"


def write(
    path: Path, key: str, version: int, about: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write `tensors` and, under the one entry `key` of the metadata, `about`; atomically.

    One entry, as the order of several is not fixed: the same arguments give the same bytes.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = {VERSION: version, **json.loads(json.dumps(about, allow_nan=False))}
    content[CHECKSUM] = _checksum(content, plain)
    entry = {key: json.dumps(content, sort_keys=True)}
    with replacing(path, durable=True) as temporary:
        temporary.write_bytes(safetensors.torch.save(plain, entry))


def check(about: Mapping[str, Any], version: int, tensors: Mapping[str, Tensor]) -> None:
    """ValueError unless `about` (`read_about`) is of this version and these are its tensors."""
    if about.get(VERSION) != version:
        raise ValueError(f"it is of version {about.get(VERSION)}, this ddim reads {version}")
    rest = {name: value for name, value in about.items() if name != CHECKSUM}
    if about.get(CHECKSUM) != _checksum(rest, tensors):
        raise ValueError("it was changed after it was written, as its checksum tells")


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """ValueError, naming the first, for a tensor that holds NaN or infinity."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"the tensor {name} holds NaN or infinite values")


def read_about(entries: Mapping[str, str], key: str) -> dict[str, Any]:
    """What the metadata's `key`, which is there, says; ValueError unless that is a JSON object."""
    try:
        about = json.loads(entries[key])
    except (ValueError, RecursionError):
        raise ValueError(f"its metadata {key} is no JSON") from None
    if not isinstance(about, dict):
        raise ValueError(f"its metadata {key} is {json.dumps(about)[:40]}, not an object")
    return about


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Any safetensors file, opened; ValueError in one line for another file."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is truncated or no safetensors file ({error})") from error


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of any safetensors file; ValueError as `opened`'s."""
    with opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}


def _checksum(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
