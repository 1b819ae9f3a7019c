"""The networks that take part: ours with random weights, its twin in diffusers, and their cost."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.parts import Options
from ddim import weights
from ddim.config import params, paths
from ddim.config.schema import Config, checked
from ddim.interop import diffusers_layout
from ddim.records.training import Training
from ddim.runtime import files
from ddim.unet import UNet

EXPERIMENTS = ("digits", "mnist", "cifar10", "celeba", "lsun_bedroom")
PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed"}
Eps = Callable[[Tensor, Tensor], Tensor]


def config(options: Options, *defaults: str) -> Config:
    """What conf/ gives under `defaults`, on the device that was asked for; the user's come last."""
    return checked(params.from_conf(options.settings(*defaults)))


def experiment(options: Options, name: str, *defaults: str) -> Config:
    """The same of an experiment, which the user's settings name or do not."""
    rest = tuple(o for o in options.overrides if not o.startswith("experiment="))
    without = Options(options.quick, options.device, None, rest)
    return config(without, f"experiment={name}", *defaults)


def random_network(cfg: Config) -> UNet:
    """The configured network, every parameter random: also those that start at 0.

    Each layer keeps about the scale of what it is given, so that eps is of the order of 1.
    """
    torch.manual_seed(0)
    unet = UNet(**cfg.network)
    with torch.no_grad():
        for parameter in unet.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5)
    return unet.eval()


def save(cfg: Config, path: Path) -> None:
    """A weights file of the configured network, as training leaves one."""
    info = {"trained_steps": 1, "source": "random", "data": cfg.data.name, "seed": 0}
    info |= {"diffusion": vars(cfg.diffusion)}
    weights.save(path, random_network(cfg), kind="ema", info=info)


def save_as_trained(cfg: Config) -> None:
    """The weights of `save` where the stage `train` leaves them, and its record."""
    path, network = paths.weights_file(cfg), random_network(cfg)
    save(cfg, path)
    Training(
        source="random",
        parameters=sum(p.numel() for p in network.parameters()),
        seed=cfg.seed,
        recipe=None,
        sha256={"ema": files.sha256(path)},
        loss=(),
    ).write(paths.training_record(cfg))


def twin(unet: UNet, *, copied: bool = True) -> nn.Module:
    """diffusers' UNet2DModel of the same architecture; copied: with the same weights.

    Contiguous, as diffusers makes it. ValueError if diffusers is not installed.
    """
    try:
        from diffusers import UNet2DModel
    except ImportError:
        raise ValueError("diffusers is absent: pip install 'ddim[diffusers]'") from None
    model = UNet2DModel.from_config(diffusers_layout.unet_config(unet.arguments))
    if copied:
        tensors = diffusers_layout.to_tensors(unet.state_dict(), levels=len(unet.up))
        model.load_state_dict(tensors)
    return model


def multiply_adds(unet_arguments: dict[str, object]) -> tuple[int, float]:
    """(parameters, multiply-adds of one image's forward pass), on the meta device: no arithmetic.

    Of matrix products and convolutions; normalisations, activations and additions are left out.
    """
    with torch.device("meta"):
        network = UNet(**unet_arguments).eval().to("meta")  # type: ignore[arg-type]
        x, t = torch.empty(1, *image_shape(network)), torch.ones(1, dtype=torch.int64)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(x, t)
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() / 2


def image_shape(unet: UNet) -> tuple[int, int, int]:
    """(C, H, W) of the images that the network takes."""
    size = unet.arguments["image_size"]
    return unet.arguments["in_channels"], size, size


def finish(device: torch.device) -> Callable[[], object]:
    """Waits for the device: its clock is read when it has done what it was told."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """As a plain PyTorch program computes in bfloat16; off for float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
