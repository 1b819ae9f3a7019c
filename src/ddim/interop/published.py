"""Published weights as our network: where they come from, and that they are what they should be.

Somebody's weights are read with torch's safe loader or as safetensors: no code in them ever runs.
The layouts they come in are paper_checkpoint's and diffusers_layout's.
"""

import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddim import weights
from ddim.interop import diffusers_layout, paper_checkpoint
from ddim.runtime import files
from ddim.runtime.download import download
from ddim.unet import UNet


def import_published(
    source: str | Path,
    *,
    sha256: str | None,
    arguments: Mapping[str, Any],
    kind: str,
    cache: Path,
) -> UNet:
    """The network of published weights, in eval mode.

    source: path or http(s)/file URL of (a) a PyTorch checkpoint in the layout of the paper's public
    code (its CIFAR-10, LSUN and CelebA weights), (b) diffusers weights of a UNet2DModel, as the
    folder or as the *.safetensors in it, config.json beside, or (c) a file of ddim's own, such as
    those that lie in reports/.
    sha256: of that file (in a folder, of diffusion_pytorch_model.safetensors).
    arguments: UNet's, from the configuration: the file must be exactly that network.
    kind: "ema" or "raw": what the publisher says that the weights are; of a checkpoint that
    holds both, the one to read.
    cache: folder for downloads.
    Raises FileNotFoundError, or ValueError in one line that names the tensor, setting or key.
    """
    if kind not in weights.KINDS:
        raise ValueError(f"train.import_weights must be one of {weights.KINDS}, got {kind!r}")
    if sha256 is None or len(sha256) != 64:
        what = f"the SHA-256 of {source} (64 hexadecimal digits)"
        raise ValueError(f"train.import_sha256 must be {what}, got {sha256}")
    path = fetch(str(source), sha256=sha256, cache=cache)
    if path.suffix == ".safetensors" and _is_ours(path):
        return _load_ours(path, arguments, kind)
    if path.suffix == ".safetensors":
        diffusers_layout.check_config(path.with_name(diffusers_layout.CONFIG), arguments)
        names = diffusers_layout.tensor_names(arguments)
        tensors = diffusers_layout.read_tensors(path)
    else:
        names, tensors = {}, paper_checkpoint.read_checkpoint(path, kind=kind)
    unet = weights.from_tensors(arguments, tensors, path, names)
    _check_finite(unet, path, names)
    return unet


def _is_ours(path: Path) -> bool:
    """Whether a *.safetensors file was written by ddim.weights."""
    try:
        _, entries = weights.read(path)
    except ValueError:
        return False  # who reads it as diffusers' next says what is wrong with it
    return weights.KEY in entries


def _load_ours(path: Path, arguments: Mapping[str, Any], kind: str) -> UNet:
    unet, metadata = weights.load(path, expect=arguments)
    if metadata["kind"] != kind:
        got = f"{path} holds {metadata['kind']} weights, train.import_weights is {kind}"
        raise ValueError(f"train.import_from: {got}")
    _check_finite(unet, path, {})
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
    are read from there the next time; beside a *.safetensors comes its config.json (whose every
    setting is compared later). Raises FileNotFoundError or ValueError in one line.
    """
    if urllib.parse.urlsplit(source).scheme in ("http", "https", "file"):
        return _download(source, sha256=sha256, cache=cache)
    path = Path(source)
    if path.is_dir():
        nested = path / "unet" / diffusers_layout.WEIGHTS  # of a whole pipeline
        path = nested if nested.exists() else path / diffusers_layout.WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"train.import_from: there is no file {path}")
    if (actual := files.sha256(path)) != sha256.lower():
        raise ValueError(f"{source} has SHA-256 {actual}, train.import_sha256 is {sha256}")
    return path


def _download(url: str, *, sha256: str, cache: Path) -> Path:
    name = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name or "weights"
    path = cache / sha256[:16] / name
    wanted: dict[Path, tuple[str, str | None]] = {path: (url, sha256)}
    if path.suffix == ".safetensors":
        config = diffusers_layout.CONFIG
        wanted[path.with_name(config)] = (urllib.parse.urljoin(url, config), None)
    if all(file.exists() for file in wanted) and files.sha256(path) == sha256.lower():
        return path
    for file, (address, checksum) in wanted.items():
        try:
            download(address, file, sha256=checksum)
        except ValueError as error:
            raise ValueError(f"train.import_sha256: {error}") from None
        except OSError as error:
            way_out = "download it by other means and set train.import_from to its path"
            message = f"{address} cannot be downloaded ({error}): {way_out}"
            raise FileNotFoundError(message) from error
    return path
